"""What a monitor reads: figures that agree with what was sent, and nobody's data."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.test_access import asked
from tests.e2e.test_operate import leadflow
from tests.support.live import Live

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
NAME = re.compile(r"leadflow_[a-z_]+")


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    made = Live(tmp_path_factory.mktemp("metrics") / "data")
    made.start()
    made.post("/in/web/site", b"phone=13812345678&name=Zhang", FORM)
    made.post("/in/web/site", b"phone=13912345678&name=Zhang&message=me+too", FORM)
    made.post("/in/web/site", b"wer=13812345678", FORM)
    made.post("/in/web/nowhere", b"phone=1", FORM)
    made.drained()
    yield made
    made.stop()


def figures(live: Live) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    status, text = live.get("/metrics")
    assert status == 200
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_figures_agree_with_what_was_sent(live: Live) -> None:
    site = (("channel", "web"), ("source", "site"))
    found = figures(live)
    assert found["leadflow_captures_accepted_total", site] == 3
    assert found["leadflow_leads_total", site] == 2
    assert found["leadflow_captures_refused_total", site] == 1
    assert found["leadflow_dead_letters_open", (("stage", "parse"),)] == 1
    assert found["leadflow_customers_without_owner", ()] == 0
    assert found["leadflow_door_answer_seconds_count", (("channel", "web"),)] == 3
    assert found["leadflow_door_refusal_seconds_count", (("channel", "web"),)] == 1
    for stage in ("parse", "resolve", "route"):
        assert found["leadflow_backlog_events", (("stage", stage),)] == 0
        assert found["leadflow_batch_seconds_count", (("stage", stage),)] >= 1


def test_labels_are_channel_source_and_stage_and_nobody_s_data_is_there(live: Live) -> None:
    keys = {key for name, labels in figures(live) if name.startswith("leadflow") for key, _ in labels}
    assert keys == {"channel", "source", "stage", "le"}
    text = live.get("/metrics")[1]
    assert "13812345678" not in text
    assert "Zhang" not in text
    assert all(NAME.fullmatch(name) for name, _ in figures(live))


def test_it_is_for_this_machine_and_for_operators(live: Live) -> None:
    tokens = {
        role: leadflow(live.folder, "token", "new", "--person", "ann", "--role", role).splitlines()[0]
        for role in ("representative", "operations")
    }
    assert asked(live, "/metrics", tokens["operations"]) == 200
    assert asked(live, "/metrics", tokens["representative"]) == 403
    assert asked(live, "/metrics", "nothing") == 401


def test_a_replayed_capture_takes_no_refusal_back(tmp_path: Path) -> None:
    live = Live(tmp_path / "data")
    live.start()
    try:
        live.post("/in/web/site", b"wer=13812345678", FORM)
        live.drained()
        dead_id = leadflow(live.folder, "dead", "list").split("\t")[0]
        mended = tmp_path / "mended"
        mended.write_bytes(b"phone=13812345678")
        leadflow(live.folder, "dead", "repair", dead_id, str(mended))
        live.drained()
        found = figures(live)
        site = (("channel", "web"), ("source", "site"))
        assert found["leadflow_captures_refused_total", site] == 1
        assert found["leadflow_leads_total", site] == 1
        assert ("leadflow_dead_letters_open", (("stage", "parse"),)) not in found
    finally:
        live.stop()
