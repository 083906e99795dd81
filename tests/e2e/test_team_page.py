"""The page of the team: its figures are those of the lists it leads to, and each manager sees their own units."""

from __future__ import annotations

import pytest

from console.may import teams_of
from console.team import cuts_of
from router.office import office_of
from sales.away import go_away
from sales.neglected import neglected
from store.acts import Command, perform
from store.team_now import Load, loads
from store.touches import owned
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.e2e.test_handover import company_of
from tests.e2e.test_moves import LATER, of, rig
from tests.support.rig import DAY, HOUR, MINUTE, Rig

__all__ = ["rig"]


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, now_us=LATER)


def at(rig: Rig, now_us: int, soon_us: int = 10 * MINUTE) -> dict[str, Load]:
    """Return the load of everybody of East, and of its queue."""
    company = company_of(rig)
    office, people = office_of(company), ["ann", "bo", "chen"]
    assert all(teams_of(company, one, now_us) == {"east"} for one in people)
    cuts = cuts_of({one: office.calendar_of_id(one) for one in people}, now_us)
    with rig.store.read() as connection:
        return loads(connection, [*people, "east"], (now_us, now_us + soon_us), cuts)


def test_what_each_has_is_counted_and_a_limit_that_passes_is_seen_before_it_has(rig: Rig) -> None:
    mine = len(of(rig, "bo"))
    due_us = max(row["due_us"] for row in rig.rows("task"))
    early, soon, late = at(rig, due_us - HOUR // 2), at(rig, due_us - 5 * MINUTE), at(rig, due_us + 1)
    assert (early["bo"].customers, early["bo"].tasks) == (mine, mine)
    assert (early["bo"].at_risk, soon["bo"].at_risk, late["bo"].at_risk) == (0, mine, 0)
    assert (soon["bo"].missed, late["bo"].missed, late["bo"].overdue) == (0, mine, mine)
    assert early["east"] == Load(), "nothing waits"


@pytest.mark.parametrize("days", [1, 4, 5, 6, 7, 8, 14, 40])
def test_as_many_are_neglected_as_the_page_of_the_neglected_lists(rig: Rig, days: int) -> None:
    now_us = LATER + days * DAY
    office = office_of(company_of(rig))
    with rig.store.read() as connection:
        listed = neglected(owned(connection), office.calendar_of_id, now_us)
    found = at(rig, now_us)
    for person in ("ann", "bo", "chen"):
        assert found[person].neglected == sum(one.person_id == person for one in listed)
    assert bool(listed) == (days >= 8), "a working week of whole days, and the weekend in it"


def test_a_manager_begins_with_their_own_team_and_sees_who_stands_in(rig: Rig, house: House) -> None:
    plan = go_away(LATER, LATER + DAY, "ann")
    perform(rig.store, Command("away", "mia", "a", "bo"), plan, LATER, rig.files.store_log.append)
    mia = house.client(house.grant("mia"))
    home = mia.get("/")
    assert (home.status_code, home.headers["location"]) == (303, "/team")
    told = text_of(mia.get("/team").text)
    assert "ann stands in" in told
    assert f"{len(of(rig, 'bo'))} open customers" in told
    assert "West" not in told
    assert text_of(mia.get("/team?unit=west").text) == told, (
        "what an address asks for is narrowed to what one sees"
    )
    zoe = text_of(house.client(house.grant("zoe")).get("/team").text)
    assert "wei" in zoe
    assert "bo" not in zoe.split()
    assert house.client(house.grant("ann")).get("/team").status_code == 403
