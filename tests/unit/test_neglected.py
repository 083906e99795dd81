"""Who is neglected: no step ahead, and no touch for working days of the owner. On the rows, and on the store."""

from __future__ import annotations

from pathlib import Path

import pytest

from enrich.taken import asking
from router.office import office_of
from sales.neglected import neglected
from sales.outcomes import Said, record_outcome
from schemas.work import ASKED
from store import tables
from store.access import grant
from store.acts import Command, perform
from store.bulk import update_rows
from store.touches import Owned, owned
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company
from worktime import Calendar, parse_calendar

OFFICE = parse_calendar(
    {
        "zone": "Asia/Shanghai",
        "country": "CN",
        "week": {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
    }
)
ALWAYS = parse_calendar(
    {
        "zone": "Asia/Shanghai",
        "week": {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")},
    }
)


def calendar_of(person_id: str) -> Calendar:
    return ALWAYS if person_id == "duty" else OFFICE


@pytest.mark.parametrize(
    ("person", "later_us", "days", "found"),
    [
        ("ann", 4 * DAY + 9 * HOUR, 5, None),  # Tuesday to Friday are four
        ("ann", 7 * DAY, 5, None),  # a weekend adds none
        ("ann", 7 * DAY + 9 * HOUR, 5, 5),
        ("duty", 6 * DAY, 5, 5),  # whoever works every day is five days on by Sunday
        ("ann", 1 * DAY + 9 * HOUR, 1, 1),
        ("ann", 9 * HOUR, 1, None),  # the day of the touch itself does not count
    ],
)
def test_days_are_those_that_the_owner_works(
    person: str, later_us: int, days: int, found: int | None
) -> None:
    rows = [Owned("cus_1", person, MONDAY_10)]
    result = neglected(rows, calendar_of, MONDAY_10 + later_us, days)
    assert [one.working_days for one in result] == ([] if found is None else [found])


def test_a_step_ahead_spares_and_an_overdue_one_does_not() -> None:
    now_us = MONDAY_10 + 30 * DAY
    rows = [
        Owned("ahead", "ann", MONDAY_10, now_us + 1),
        Owned("overdue", "ann", MONDAY_10 + 1, now_us),
        Owned("none", "ann", MONDAY_10),
    ]
    assert [one.customer_id for one in neglected(rows, calendar_of, now_us)] == ["none", "overdue"]


@pytest.fixture
def worked(tmp_path: Path) -> Rig:
    rig = Rig(tmp_path)
    rig.feed([post(made="1", name="张伟", phone="138 1234 5678")])
    rig.feed([post(made="2", name="probe", phone="139 1234 5678", purpose="probe")])
    rig.run()
    return rig


def rows_of(rig: Rig) -> list[Owned]:
    with rig.store.read() as connection:
        return owned(connection)


def test_the_store_s_rows_know_the_last_touch_and_the_next_step(worked: Rig) -> None:
    (task,) = [
        row
        for row in worked.rows("task")
        if row["holder_kind"] == "person" and row["holder_id"] in ("ann", "bo")
    ]
    owner, customer = task["holder_id"], task["customer_id"]
    assert rows_of(worked) == [Owned(customer, owner, task["created_us"], task["due_us"])]

    def act(verb: str, key: str, scope: str, plan: object, at_us: int) -> None:
        append = worked.files.store_log.append
        perform(worked.store, Command(verb, owner, key, scope), plan, at_us, append)  # type: ignore[arg-type]

    at_us = MONDAY_10 + MINUTE
    later = record_outcome(
        Said("later", next_us=MONDAY_10 + 9 * DAY), small_company(), office_of(small_company()).due
    )
    act("outcome", "1", task["task_id"], later, at_us)
    assert rows_of(worked) == [Owned(customer, owner, at_us, MONDAY_10 + 9 * DAY)], "the planned step"
    act("grant", "2", owner, grant("token", "x", DAY), at_us + DAY)
    act(ASKED, "3", customer, asking(), at_us + DAY)
    assert rows_of(worked)[0].touched_us == at_us, "an act on something else is no touch, nor is a question"
    worked.feed([post(made="3", at_us=MONDAY_10 + 2 * DAY, phone="138 1234 5678", message="again")])
    worked.run()
    assert rows_of(worked)[0].touched_us == MONDAY_10 + 2 * DAY, "another lead"
    with worked.store.write() as connection:
        update_rows(connection, tables.customer, [({"customer_id": customer}, {"state": "closed"})])
    assert rows_of(worked) == []
    worked.close()


def test_a_customer_in_a_queue_is_nobody_s_neglect(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company(members=()))
    rig.feed([post(made="1", phone="138 1234 5678")])
    rig.run()
    assert len(rig.rows("customer")) == 1
    assert rows_of(rig) == []
    rig.close()
