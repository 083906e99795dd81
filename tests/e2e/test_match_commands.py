"""`leadflow match merge, unmerge, review, how` and `leadflow subject`, beside a running host and without one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import orjson
import pytest

from tests.e2e.test_operate import leadflow
from tests.support.live import Live

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path / "data")
    made.start()
    yield made
    made.stop()


def posted(live: Live, **fields: str) -> dict[str, str]:
    """Post a form and return the lead that it has become."""
    body = "&".join(f"{key}={quote(value)}" for key, value in fields.items())
    known = {row["lead_id"] for row in exported(live)}
    live.post("/in/web/site", body.encode(), FORM)
    live.drained()
    (new,) = [row for row in exported(live) if row["lead_id"] not in known]
    return new


def exported(live: Live) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in leadflow(live.folder, "export", "leads").splitlines()]


def test_a_merge_is_told_undone_and_not_repeated(live: Live, tmp_path: Path) -> None:
    first = posted(live, name="张伟", phone="13812345678")
    second = posted(live, name="Zhang Wei", email="zw1987@qq.com")
    a, b = first["customer_id"], second["customer_id"]
    merged = leadflow(live.folder, "match", "merge", b, a, "--actor", "boss", "--reason", "same voice")
    assert f"merged into {a} (act_" in merged
    told = leadflow(live.folder, "match", "how", b)
    assert told.splitlines()[0] == f"{a}\t{b}"
    assert "same voice" in told
    assert f"phone\t+8613812345678\t{first['lead_id']} only" in told
    assert f"email\tzw1987@qq.com\t{second['lead_id']} only" in told
    out = tmp_path / "subject.json"
    leadflow(live.folder, "subject", b, "--out", str(out))
    held = orjson.loads(out.read_bytes())
    assert (held["customer_id"], held["ids"]) == (a, sorted((a, b)))
    assert {row["lead_id"] for row in held["leads"]} == {first["lead_id"], second["lead_id"]}
    assert held["golden"]["phone"]["from_lead"] == first["lead_id"]
    assert {row["actor"] for row in held["acts"]} == {"boss"}
    assert out.stat().st_mode & 0o077 == 0

    seen = leadflow(live.folder, "match", "unmerge", a, "--preview")
    assert a in seen
    assert b in seen
    assert {row["customer_id"] for row in exported(live)} == {a}, "a preview does nothing"
    live.stop()
    assert "parted (act_" in leadflow(live.folder, "match", "unmerge", a, "--actor", "boss")
    assert [row["customer_id"] for row in exported(live)] == [a, b]
    assert "--although" in leadflow(live.folder, "match", "merge", a, b, code=2)
    assert "0 to review" in leadflow(live.folder, "match", "review", "--look")
    assert "no review" in leadflow(live.folder, "match", "review", "rev_x", "same", code=2)
    assert "same, apart or skip" in leadflow(live.folder, "match", "review", "rev_x", "yes", code=2)
    assert "There is no customer" in leadflow(live.folder, "match", "how", "cus_x", code=2)
    assert "There is no customer" in leadflow(live.folder, "subject", "cus_x", code=2)


def test_leads_are_parted_by_name(live: Live) -> None:
    first = posted(live, name="张伟", phone="13812345678", email="tablet@qq.com")
    second = posted(live, name="李娜", phone="13987654321", email="tablet@qq.com")
    assert first["customer_id"] == second["customer_id"]
    said = leadflow(live.folder, "match", "unmerge", first["customer_id"], "--leads", second["lead_id"])
    assert "identifies nobody any more: email tablet@qq.com" in said
    customers = {row["lead_id"]: row["customer_id"] for row in exported(live)}
    assert customers[first["lead_id"]] == first["customer_id"] != customers[second["lead_id"]]
    story = leadflow(live.folder, "explain", second["lead_id"])
    assert "One customer was two" in story
    assert "0 without owner" in leadflow(live.folder, "orphans")
