"""Call records: rows become calls, a missed enquiry a call-back that closes itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.cti.asterisk import AsteriskCdr, row_key
from ingest.cti.door import CallDoor
from schemas.capture import Capture, capture_of
from store.company import company_version, load_company, replace_company
from stream.door_log import DoorLog
from tests.support.rig import MONDAY_10, SECOND, Rig, small_company

SOURCE: dict[str, Any] = {
    "source_id": "pbx",
    "channel": "cti",
    "format": "cti.asterisk",
    "name": "总机",
    "layout": "cdr_csv",
    "own_numbers": ["02155550100"],
    "trunks": ["ct-trunk"],
}
ANSWERED, MISSED = "ANSWERED", "NO ANSWER"


@pytest.fixture
def desk(tmp_path: Path) -> Rig:
    company = small_company()
    company.sources["pbx"] = SOURCE
    return Rig(tmp_path, company=company)


def row(
    call: int, caller: str, disposition: str, agent: int = 801, *, at_s: int = 0, outbound: bool = False
) -> bytes:
    """One leg of a call to our switchboard on the Monday at ten."""
    clock = f"2026-11-23 10:{at_s // 60:02d}:{at_s % 60:02d}"
    end = f"2026-11-23 10:{(at_s + 20) // 60:02d}:{(at_s + 20) % 60:02d}"
    answer, billsec = (clock, 20) if disposition == ANSWERED else ("", 0)
    trunk, inside = f"PJSIP/ct-trunk-{call:08x}", f"PJSIP/{agent}-{call + 100:08x}"
    source, target = (trunk, inside) if not outbound else (inside, trunk)
    src, dst = (caller, "02155550100") if not outbound else (str(agent), caller)
    cells = ["", src, dst, "from-trunk", f'"" <{src}>', source, target, "Dial", inside, clock, answer, end]
    cells += ["20", str(billsec), disposition, "DOCUMENTATION", f"1795399200.{call}", ""]
    return ",".join('"' + cell.replace('"', '""') + '"' for cell in cells).encode() + b"\n"


def captured(line: bytes, offset: int, at_us: int = MONDAY_10) -> Capture:
    source = AsteriskCdr.model_validate(SOURCE)
    return capture_of(
        source_id="pbx",
        channel="cti",
        format="cti.asterisk",
        body=line,
        accepted_us=at_us,
        trace_id=f"{offset:032x}",
        idem_key=row_key(line, source, "file", offset),
        meta={"file": "file", "offset": str(offset)},
    )


def ring(desk: Rig, *lines: bytes, at_us: int = MONDAY_10) -> None:
    """Let rows arrive, and the quiet after them pass."""
    desk.feed(captured(line, number + int(at_us // SECOND), at_us) for number, line in enumerate(lines))
    desk.run()
    desk.fire(at_us + 6 * SECOND)


def test_ring_attempts_of_one_missed_call_are_one_call_back(desk: Rig) -> None:
    ring(desk, row(1, "13812345678", MISSED, 801), row(1, "13812345678", MISSED, 802))
    (task,) = desk.rows("task")
    (lead,) = desk.rows("lead")
    assert (task["origin"], task["state"]) == ("call_back", "open")
    assert lead["channel"] == "cti"
    assert sorted(one["role"] for one in desk.rows("lead_capture")) == ["leg", "origin"]


def test_nothing_is_judged_before_the_call_is_quiet(desk: Rig) -> None:
    desk.feed([captured(row(1, "13812345678", MISSED), 1)])
    desk.run()
    assert desk.rows("lead") == []
    desk.fire(MONDAY_10 + 4 * SECOND)
    assert desk.rows("lead") == []
    desk.feed([captured(row(1, "13812345678", ANSWERED, 802), 2, MONDAY_10 + 4 * SECOND)])
    desk.run()
    desk.fire(MONDAY_10 + 6 * SECOND)
    assert desk.rows("lead") == [], "a row came meanwhile: the call is not quiet yet"
    desk.fire(MONDAY_10 + 10 * SECOND)
    (task,) = desk.rows("task")
    assert task["origin"] == "first_response"


def test_a_call_under_way_when_its_source_is_switched_off_is_judged_and_one_of_no_source_is_refused(
    desk: Rig,
) -> None:
    desk.feed([captured(row(1, "13812345678", MISSED), 1)])
    desk.run()
    with desk.store.write() as connection:
        old = load_company(connection, company_version(connection))
        off = old.model_copy(update={"sources": {}, "sources_off": dict(old.sources)})
        replace_company(connection, old, off, MONDAY_10 + SECOND)
    desk.fire(MONDAY_10 + 6 * SECOND)
    (task,) = desk.rows("task")
    assert task["origin"] == "call_back"
    with desk.store.write() as connection:
        replace_company(connection, off, old, MONDAY_10 + 7 * SECOND)
    desk.feed([captured(row(2, "13812345679", MISSED, at_s=60), 2, MONDAY_10 + 60 * SECOND)])
    desk.run()
    with desk.store.write() as connection:
        gone = old.model_copy(update={"sources": {}, "sources_off": {}})
        replace_company(connection, old, gone, MONDAY_10 + 61 * SECOND)
    desk.fire(MONDAY_10 + 70 * SECOND)
    assert [one["code"] for one in desk.rows("dead")] == ["unknown_source"]


def test_several_misses_are_one_task_and_a_call_that_is_answered_closes_it(desk: Rig) -> None:
    ring(desk, row(1, "13812345678", MISSED))
    ring(desk, row(2, "13812345678", MISSED, at_s=60), at_us=MONDAY_10 + 60 * SECOND)
    assert [one["state"] for one in desk.rows("task")] == ["open"]
    ring(desk, row(3, "13812345678", ANSWERED, at_s=120), at_us=MONDAY_10 + 120 * SECOND)
    (task,) = desk.rows("task")
    assert (task["origin"], task["state"]) == ("call_back", "done")
    assert len(desk.rows("customer")) == 1


def test_calling_back_closes_the_call_back(desk: Rig) -> None:
    ring(desk, row(1, "13812345678", MISSED))
    ring(desk, row(2, "13812345678", ANSWERED, at_s=60, outbound=True), at_us=MONDAY_10 + 60 * SECOND)
    assert [one["state"] for one in desk.rows("task")] == ["done"]


def test_a_call_between_colleagues_is_ignored_with_the_reason(desk: Rig) -> None:
    line = row(1, "802", ANSWERED).replace(b"PJSIP/ct-trunk", b"PJSIP/802").replace(b"02155550100", b"801")
    ring(desk, line)
    assert desk.rows("lead") == []
    assert [(one["result"], one["code"]) for one in desk.rows("capture")] == [("ignored", "internal_call")]


def test_a_late_leg_joins_the_lead_and_makes_no_second_task(desk: Rig) -> None:
    ring(desk, row(1, "13812345678", ANSWERED))
    ring(desk, row(1, "13812345678", ANSWERED, 802, at_s=30), at_us=MONDAY_10 + 30 * SECOND)
    first, second = sorted(desk.rows("lead"), key=lambda one: str(one["resolved_us"]))
    assert second["joined_lead_id"] == first["lead_id"]
    assert len(desk.rows("task")) == 1
    assert len(desk.rows("customer")) == 1


def test_a_followed_file_is_read_once_across_restarts_and_rotation(desk: Rig, tmp_path: Path) -> None:
    file = tmp_path / "Master.csv"
    sources = {"pbx": {**SOURCE, "files": [str(file)]}}
    file.write_bytes(row(1, "13812345678", MISSED) + row(2, "13912345678", MISSED, at_s=5))
    assert following(desk, lambda: sources) == 2
    with file.open("ab") as end:
        end.write(row(3, "13712345678", MISSED, at_s=9) + b'"unfinished')
    assert following(desk, lambda: sources) == 1
    file.rename(tmp_path / "Master.csv.1")
    file.write_bytes(row(4, "13612345678", MISSED, at_s=12))
    assert following(desk, lambda: sources) >= 1
    assert following(desk, lambda: sources) == 0
    desk.run()
    assert len([one for one in desk.rows("capture") if one["result"] == "part"]) == 4


def following(desk: Rig, sources: Callable[[], dict[str, dict[str, Any]]]) -> int:
    """Follow the files once with a new door, as after a restart."""
    files, ids = desk.files, iter(range(10**6))
    log = DoorLog(
        files.doors,
        files.door_log,
        files.keys,
        clock=lambda: MONDAY_10,
        new_id=lambda: f"{next(ids):016x}{id(log):016x}",
    )
    log.start()
    try:
        return CallDoor(log, sources, lambda: MONDAY_10, lambda: "0" * 32).poll()
    finally:
        log.close()
