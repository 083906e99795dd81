"""The large demo company: as many people as asked for, in the teams that have people, and whole."""

from __future__ import annotations

from leadflow.company import problems_of
from leadflow.demo.large import enlarged
from leadflow.demo.run import demo_company
from router.office import office_of

AT_US = 1_795_000_000_000_000
"""In November 2026, when the demo's files are up to date."""


def test_two_hundred_people_share_the_same_teams() -> None:
    small = demo_company()
    large = enlarged(small, 200)
    active = [one for one in large.people.values() if one.state == "active"]
    assert len(active) == 200
    assert len({one.name for one in active}) > 100
    teams = {one.unit_id for one in small.members if one.to_us is None and one.share}
    new = [one for one in large.members if one not in small.members]
    assert {one.unit_id for one in new} <= teams
    places = office_of(large).places
    assert all(one.person_id in places for one in active)
    assert enlarged(small, 5) == small
    assert enlarged(small, 200) == large
    assert problems_of(large, AT_US) == problems_of(small, AT_US)
