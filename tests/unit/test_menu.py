"""The menu of each role: what it opens and nothing else, in one row where it fits one."""

from __future__ import annotations

import pytest

from console.may import Visitor
from console.menu import FLAT, menu
from console.permits import PERMITS, ROLES
from schemas.company import Role


@pytest.mark.parametrize("role", ROLES)
def test_each_role_finds_its_pages_and_only_those(role: Role) -> None:
    visitor = Visitor("ann", frozenset({role}))
    groups = menu(visitor.opens)
    places = [place for group in groups for place, _ in group.links]
    assert places
    assert len(places) == len(set(places))
    assert all(role in PERMITS[f"GET {place}"].roles for place in places)
    assert len(groups) == 1 or len(places) > FLAT


def test_operations_finds_everything_in_groups_and_a_page_lies_in_one() -> None:
    groups = menu(Visitor(None, frozenset({"operations"})).opens)
    assert [group.name for group in groups] == ["", "Work", "Team", "Marketing", "Operations"]
    assert [group.name for group in groups if group.holds("/move/act_1")] == ["Team"]
    assert [group.name for group in groups if group.holds("/")] == [""]
    assert [group.name for group in groups if group.holds("/inboxes")] == []


def test_what_is_hidden_is_nowhere() -> None:
    groups = menu(lambda _place: True, frozenset({"/pools"}))
    assert "/pools" not in [place for group in groups for place, _ in group.links]
