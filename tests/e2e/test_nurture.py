"""Nurture: put aside until a date, never without one; woken by the date or a new touch, and given to who had it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from sqlalchemy import delete

from leadflow.above import may_give_as
from router.office import office_of
from sales.nurture import put_aside_now, step_days
from sales.outcomes import Said, record_outcome
from schemas.company import Person
from store import tables
from store.acts import ActRefused, Command, Plan, perform
from store.acts_move import Give, Moving, may_have
from store.acts_undo import Undo
from store.company import put_company
from store.views import balance, orphans
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

NOW = MONDAY_10 + 5 * MINUTE
PHONE = "13812345678"


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """One customer with one open task."""
    store = request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None
    made = Rig(tmp_path, store=store)
    came(made, MONDAY_10)
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def came(rig: Rig, at_us: int, **fields: str) -> None:
    rig.feed([post(made=str(at_us), at_us=at_us, **{"name": "张伟", "phone": PHONE, **fields})])
    rig.run()


def do(rig: Rig, plan: Plan, command: Command, at_us: int) -> None:
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()


def aside(rig: Rig, at_us: int = NOW, cadence: str | None = "no_plan", **said: Any) -> str:
    """Put the customer aside; return who had it."""
    task = next(row for row in rig.rows("task") if row["state"] == "open")
    company = small_company()
    plan = record_outcome(Said("nurture", reason=cadence, **said), company, office_of(company).due)
    do(rig, plan, Command("outcome", str(task["holder_id"]), f"aside {at_us}", str(task["task_id"])), at_us)
    return str(task["holder_id"])


def holder(rig: Rig) -> tuple[str, str]:
    (row,) = [row for row in rig.rows("holding") if row["to_us"] is None and row["role"] == "owner"]
    return row["holder_kind"], row["holder_id"]


def newest(rig: Rig) -> dict[str, Any]:
    row = max(rig.rows("decision"), key=lambda one: one["decided_us"])
    return dict(orjson.loads(row["reason_json"]))


def open_tasks(rig: Rig) -> list[tuple[str, str]]:
    return [(row["origin"], row["holder_id"]) for row in rig.rows("task") if row["state"] == "open"]


def test_the_date_wakes_it_for_who_had_it_and_not_before(rig: Rig) -> None:
    owner = aside(rig)
    assert holder(rig) == ("nurture", "no_plan")
    assert open_tasks(rig) == []
    rig.fire(NOW + 30 * DAY - MINUTE)
    assert holder(rig) == ("nurture", "no_plan")
    with rig.store.read() as connection:
        (listed,) = put_aside_now(connection)
        assert listed["wakes_us"] == NOW + 30 * DAY
        assert orphans(connection, NOW) == []
        stands = balance(connection, NOW)
    assert (stands.nurtured, stands.owned, stands.adds_up) == (1, 0, True)
    rig.fire(NOW + 30 * DAY)
    assert holder(rig) == ("person", owner)
    assert open_tasks(rig) == [("care", owner)]
    assert newest(rig)["code"] == "woken"


def test_the_cadence_goes_on_and_its_last_step_comes_again(rig: Rig) -> None:
    at_us = NOW
    for days in (30, 60, 90, 90):
        aside(rig, at_us)
        rig.fire(at_us + days * DAY - HOUR)
        assert holder(rig)[0] == "nurture"
        rig.fire(at_us + days * DAY)
        assert holder(rig)[0] == "person"
        at_us += days * DAY + HOUR


def test_a_new_touch_wakes_it_and_the_old_date_wakes_nothing_put_aside_later(rig: Rig) -> None:
    owner = aside(rig)
    came(rig, NOW + 5 * DAY)
    assert holder(rig) == ("person", owner)
    assert open_tasks(rig) == [("first_response", owner)]
    later = NOW + 6 * DAY
    aside(rig, later, next_us=later + 100 * DAY)
    rig.fire(later + 50 * DAY)
    assert holder(rig)[0] == "nurture", "the date of the first time has passed, and is not this one's"
    rig.fire(later + 100 * DAY)
    assert holder(rig) == ("person", owner)


def test_who_has_left_does_not_get_it_back_their_team_does(rig: Rig) -> None:
    owner = aside(rig)
    company = small_company()
    people = {**company.people, owner: company.people[owner].model_copy(update={"state": "left"})}
    with rig.store.write() as connection:
        put_company(connection, company.model_copy(update={"people": people, "version": 1}), NOW)
    rig.fire(NOW + 30 * DAY)
    assert holder(rig) == ("queue", "east")
    rig.fire(NOW + 30 * DAY + MINUTE)
    kind, person = holder(rig)
    assert kind == "person"
    assert person not in (owner, ""), "shared out by turn by the team that had got it"
    assert open_tasks(rig) == [("care", person)]


def test_a_move_takes_it_out_and_undone_it_wakes_on_the_same_date(rig: Rig) -> None:
    aside(rig)
    (customer,) = rig.rows("customer")
    moving = Moving([Give(customer["customer_id"], "person", "chen")], may_give_as("operator"))
    do(rig, moving, Command("move", "operator", "m", "", reason="workload"), NOW + HOUR)
    assert holder(rig) == ("person", "chen")
    (act,) = [row for row in rig.rows("act") if row["verb"] == "move"]
    undo = Undo(may_give_as("operator"))
    do(rig, undo, Command("undo", "operator", "u", "", undoes=act["act_id"]), NOW + 2 * HOUR)
    assert holder(rig) == ("nurture", "no_plan")
    with rig.store.read() as connection:
        assert orphans(connection, NOW) == []
        assert [one["wakes_us"] for one in put_aside_now(connection)] == [NOW + 30 * DAY]
    rig.fire(NOW + 30 * DAY)
    assert holder(rig)[0] == "person"


def test_what_is_put_aside_may_be_given_back_by_any_manager() -> None:
    assert may_have(lambda _holder: False, "nurture", "no_plan")
    assert not may_have(lambda _holder: False, "person", "ann")


def test_what_is_put_aside_is_moved_by_who_is_above_its_last_owner_and_nobody_beside(rig: Rig) -> None:
    owner = aside(rig)
    company = small_company()
    east = company.units["east"]
    west = east.model_copy(update={"unit_id": "west", "manager_id": "zoe", "name_en": "West"})
    units = {**company.units, "east": east.model_copy(update={"manager_id": "mia"}), "west": west}
    people = {**company.people, **{key: Person(person_id=key, name=key) for key in ("mia", "zoe")}}
    with rig.store.write() as connection:
        changed = company.model_copy(update={"units": units, "people": people, "version": 1})
        put_company(connection, changed, NOW)
    (customer,) = rig.rows("customer")
    to_them = [Give(customer["customer_id"], "person", "zoe")]
    beside = Moving(to_them, may_give_as("zoe"))
    with pytest.raises(ActRefused, match="not_below"):
        do(rig, beside, Command("move", "zoe", "z", "", reason="I want it"), NOW + HOUR)
    assert holder(rig)[0] == "nurture"
    above = Moving([Give(customer["customer_id"], "person", owner)], may_give_as("mia"))
    do(rig, above, Command("move", "mia", "m", "", reason="earlier"), NOW + HOUR)
    assert holder(rig) == ("person", owner)


def test_without_its_timer_it_is_an_orphan(rig: Rig) -> None:
    aside(rig)
    with rig.store.write() as connection:
        connection.execute(delete(tables.timer).where(tables.timer.c.kind == "nurture_wakes"))
    with rig.store.read() as connection:
        assert [row["holder_id"] for row in orphans(connection, NOW)] == ["no_plan"]


def test_what_cannot_be_put_aside_is_refused(rig: Rig) -> None:
    with pytest.raises(ActRefused) as no_cadence:
        aside(rig, cadence=None)
    assert no_cadence.value.code == "outcome_reason_missing"
    with pytest.raises(ActRefused) as past:
        aside(rig, next_us=NOW - DAY)
    assert past.value.code == "date_missing"
    came(rig, NOW, message="另外还要一台托盘车")
    assert len(open_tasks(rig)) == 2
    with pytest.raises(ActRefused) as more:
        aside(rig)
    assert more.value.code == "more_is_open"


def test_a_cadence_stays_at_its_last_step() -> None:
    assert [step_days((30, 60), before) for before in range(4)] == [30, 60, 60, 60]
