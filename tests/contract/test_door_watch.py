"""A door that falls silent raises one alarm, and one when it speaks again; on either store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from leadflow.door_watch import DoorWatch, holidays, tell_trouble
from leadflow.rhythm import HOUR_US, WEEK_H
from sales.apply import apply
from schemas.ids import make_id
from store import tables
from store.bulk import insert_ignore
from store.company import company_version, load_company
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, small_company


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store = request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None
    made = Rig(tmp_path, store)
    yield made
    made.files.doors.close()


def taken(rig: Rig, moments: list[int], purpose: str = "real") -> None:
    rows = [
        {
            "capture_id": make_id("cap", str(at), purpose),
            "source_id": "site",
            "channel": "web",
            "format": "web.form",
            "idem_hash": f"{at}{purpose}",
            "key_given": False,
            "digest": str(at),
            "accepted_us": at,
            "trace_id": "0" * 32,
            "purpose": purpose,
            "part": 0,
            "off": at,
            "result": "lead",
        }
        for at in moments
    ]
    with rig.store.write() as connection:
        insert_ignore(connection, tables.capture, rows)


def weeks(until_us: int) -> list[int]:
    """Twenty captures an hour from 9 to 18 on working days, for six weeks."""
    start = (until_us // HOUR_US - 6 * WEEK_H) * HOUR_US
    found = []
    for hour in range(6 * WEEK_H):
        at = start + hour * HOUR_US
        local = (at // HOUR_US + 8) % 24
        weekday = ((at // HOUR_US + 8) // 24 + 3) % 7
        if weekday < 5 and 9 <= local < 18:
            found += [at + n * 3 * MINUTE for n in range(20)]
    return [at for at in found if at < until_us]


def alarms(rig: Rig) -> list[tuple[Any, ...]]:
    return [(row["what"], row["source_id"], row["tried"] > 0) for row in rig.rows("alarm")]


def test_silence_is_told_once_and_its_end_too(both: Rig) -> None:
    noon = MONDAY_10 + 2 * HOUR
    taken(both, weeks(noon))
    watch = DoorWatch(both.store)
    watch.look(noon + 2 * MINUTE)
    assert alarms(both) == []
    watch.look(noon + HOUR)
    watch.look(noon + HOUR + MINUTE)
    DoorWatch(both.store).look(noon + HOUR + 2 * MINUTE)  # after a restart
    assert alarms(both) == [("door_silent", "site", True)]
    taken(both, [noon + HOUR + 3 * MINUTE], purpose="probe")
    watch.look(noon + HOUR + 4 * MINUTE)
    assert len(alarms(both)) == 1
    taken(both, [noon + HOUR + 5 * MINUTE])
    watch.look(noon + HOUR + 6 * MINUTE)
    assert sorted(alarms(both)) == [("door_silent", "site", True), ("door_speaks", "site", False)]
    watch.look(noon + HOUR + 7 * MINUTE)
    assert len(alarms(both)) == 2


def test_a_source_that_is_switched_off_is_not_missed(both: Rig) -> None:
    noon = MONDAY_10 + 2 * HOUR
    taken(both, weeks(noon))
    watch = DoorWatch(both.store)
    watch.look(noon + HOUR)
    with both.store.write() as connection:
        apply(connection, small_company(sources={}), noon + HOUR)
    watch.look(noon + 2 * HOUR)
    assert both.rows("door_silence") == []
    assert [one[0] for one in alarms(both)] == ["door_silent"]


def test_on_a_public_holiday_nobody_is_missed(both: Rig) -> None:
    with both.store.read() as connection:
        company = load_company(connection, company_version(connection))
    new_year = 1_798_732_800_000_000  # 1 January 2027, midnight in Shanghai: a Friday
    found = holidays(company, ZoneInfo("Asia/Shanghai"), new_year - DAY, new_year + HOUR)
    assert [str(one) for one in found] == ["2027-01-01"]


def test_a_mailbox_that_cannot_be_read_is_told_once_a_day(both: Rig) -> None:
    tell_trouble(both.store, "mail", "login_refused")
    tell_trouble(both.store, "mail", "login_refused")
    assert [(row["what"], row["code"]) for row in both.rows("alarm")] == [("door_failed", "login_refused")]
