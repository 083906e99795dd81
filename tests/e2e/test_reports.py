"""`leadflow first-touch` and `sources`: working time until the first touch, hours counted, and valid leads by source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from console import first_touch
from console.view import View
from router.office import office_of
from sales.first_touch import counted, first_touches, lines_of
from sales.outcomes import Said, record_outcome
from sales.valid_leads import Brought, brought
from schemas.outcomes import OutcomeCode
from store.acts import Command, perform
from tests.e2e.test_first_steps import leadflow
from tests.e2e.test_terminal import CHINESE
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company

EVENING = MONDAY_10 + 7 * HOUR + 45 * MINUTE
"""Monday, 17:45: a quarter of an hour is left of the day."""
MORNING = MONDAY_10 + DAY - 30 * MINUTE
"""Tuesday, 09:30."""
COMPANY = small_company(
    book_csv="rule,then_team,then_strategy,then_respond_within\nall,east,fixed:ann,30\n", absences=()
)
WINDOW = (MONDAY_10 - DAY, MONDAY_10 + 3 * DAY)


def worked_on(folder: Path, store: object = None) -> Rig:
    """Three leads of the evening: one touched in the morning, one no lead at all, one nobody turned to."""
    rig = Rig(folder, store, COMPANY)  # type: ignore[arg-type]
    rig.feed(post(made=str(n), phone=f"1381234560{n}", at_us=EVENING + n * SECOND) for n in range(3))
    rig.run()
    tasks = sorted(rig.rows("task"), key=lambda row: row["created_us"])
    said: tuple[tuple[OutcomeCode, str | None], ...] = (("won", None), ("not_a_lead", "supplier"))
    for (code, reason), task in zip(said, tasks, strict=False):
        plan = record_outcome(Said(code, reason=reason), COMPANY, office_of(COMPANY).due)
        command = Command("outcome", task["holder_id"], code, task["task_id"])
        perform(rig.store, command, plan, MORNING, rig.files.store_log.append)
    rig.run()
    return rig


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store = request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None
    made = worked_on(tmp_path, store)
    yield made
    made.files.doors.close()
    if store is None:
        made.store.close()


def test_the_night_does_not_count_and_the_broken_limit_counts_on(rig: Rig) -> None:
    office = office_of(COMPANY)
    now_us = MORNING + 30 * MINUTE
    with rig.store.read() as connection:
        found = first_touches(connection, office.calendar_of_holder, *WINDOW, now_us)
    won, nothing, untouched = found
    assert won.limit_s == 30 * 60
    assert 44 * 60 < won.counted_s <= 45 * 60, "a quarter on Monday, half an hour on Tuesday"
    assert 14 * 60 < won.over_s <= 15 * 60
    assert nothing.touched_us == MORNING
    assert untouched.touched_us is None
    assert 74 * 60 < untouched.counted_s <= 75 * 60
    spans = counted(won, office.calendar_of_holder("ann"), now_us)
    nine = MONDAY_10 + DAY - HOUR
    assert spans == [(won.created_us, MONDAY_10 + 8 * HOUR), (nine, MORNING)]
    assert sum(end - start for start, end in spans) // SECOND == won.counted_s
    (line,) = lines_of(found)
    assert (line.holder_id, line.leads, line.touched, line.within) == ("ann", 3, 2, 0)
    assert line.worst_s == untouched.counted_s


def test_a_source_is_marked_by_what_turned_out_to_be_none(rig: Rig) -> None:
    with rig.store.read() as connection:
        assert brought(connection, "source", *WINDOW) == [Brought("site", leads=3, invalid=1, won=1)]
        assert brought(connection, "channel", *WINDOW)[0].key == "web"
        assert brought(connection, "campaign", *WINDOW)[0].key == ""
        assert brought(connection, "source", MONDAY_10 - DAY, MONDAY_10) == []


def test_the_commands_say_it_in_both_languages(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    rig = worked_on(data)
    rig.store.checkpoint()
    rig.close()
    (data / "state.db").rename(data / "store.db")
    month = ("--from", "2026-11-01", "--to", "2026-11-30")
    told = leadflow(tmp_path, "first-touch", *month, "--late")
    assert "3 leads, 3 over their limit" in told
    assert "11-23 17:45–18:00, 11-24 09:00–09:30" in told
    assert "共 3 条线索，3 条超出时限" in leadflow(tmp_path, "first-touch", *month, lang=CHINESE)
    assert len(orjson.loads(leadflow(tmp_path, "first-touch", *month, "--json"))) == 3
    assert "2 of 3 leads are valid so far" in leadflow(tmp_path, "sources", *month)
    assert "3 条线索中目前 2 条有效" in leadflow(tmp_path, "sources", *month, lang=CHINESE)
    (one,) = orjson.loads(leadflow(tmp_path, "sources", *month, "--json"))
    assert (one["key"], one["valid"], one["won"]) == ("site", 2, 1)
    assert "is no day" in leadflow(tmp_path, "sources", "--from", "soon", code=2)


def test_a_story_says_how_long_it_took_and_what_was_counted(tmp_path: Path) -> None:
    rig = worked_on(tmp_path)
    office = office_of(COMPANY)
    first, _, last = sorted(rig.rows("task"), key=lambda row: row["created_us"])
    english, chinese = (View(one, COMPANY, MORNING + 30 * MINUTE) for one in ("en", "zh"))
    told = first_touch.told(english, office, first)
    assert told is not None
    assert told.startswith("First touch after 44 mins of working time; the limit was 30 mins (14 mins over)")
    assert told.endswith("Counted: 11-23 17:45–18:00, 11-24 09:00–09:30")
    assert "时限 30分钟（超出 14分钟）" in str(first_touch.told(chinese, office, first))
    assert str(first_touch.told(english, office, last)).startswith(
        "Untouched for 1 hr 14 mins of working time"
    )
    assert first_touch.told(english, office, {**last, "origin": "plan"}) is None
    rig.close()
