"""`leadflow match model, use, calibrate, retune` and training from the store, beside a running host and without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrich.match.model import default_model, load_model
from tests.e2e.test_match_commands import posted
from tests.e2e.test_operate import leadflow
from tests.support.live import Live


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path / "data")
    made.start()
    yield made
    made.stop()


def test_a_model_is_trained_on_the_store_used_shown_calibrated_and_left(live: Live, tmp_path: Path) -> None:
    posted(live, name="张伟", phone="13812345678", company="大恒信息")
    posted(live, name="李娜", phone="13987654321", company="大恒信息")
    assert "as it comes with Leadflow" in leadflow(live.folder, "match", "model")
    trained, likelier = tmp_path / "trained.json", tmp_path / "likelier.json"
    assert "2 records" in leadflow(live.folder, "match", "train", "--out", str(trained))
    assert load_model(trained.read_bytes())
    likelier.write_bytes(default_model().with_prior(0.001).dump())
    used = leadflow(live.folder, "match", "use", str(likelier), "--actor", "zhou", "--reason", "small base")
    assert "version 1 is in use (act_" in used
    shown, out = leadflow(live.folder, "match", "model", "--history"), tmp_path / "out.json"
    assert "prior 0.001" in shown
    assert "zhou\tsmall base" in shown
    seen = leadflow(live.folder, "match", "calibrate", "--preview")
    assert "2 leads looked at" in seen
    assert "fewer than 30" in seen
    assert "Nothing moves below 30 answers" in leadflow(live.folder, "match", "retune", code=1)
    live.stop()
    assert "version 2" in leadflow(live.folder, "match", "calibrate", "--actor", "zhou")
    assert "version 3" in leadflow(live.folder, "match", "use", "--default", "--actor", "zhou")
    leadflow(live.folder, "match", "model", "--out", str(out))
    assert load_model(out.read_bytes()) == default_model()
    assert "--default" in leadflow(live.folder, "match", "use", code=2)
    assert "is no match model" in leadflow(live.folder, "match", "use", __file__, code=2)
