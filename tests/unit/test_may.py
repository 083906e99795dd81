"""Who may see and do what, as a table; and what follows from the organisation."""

from __future__ import annotations

import pytest

from console.may import AT_THIS_MACHINE, Visitor, may, roles_of, visitor_of
from console.permits import PERMITS, Permit
from schemas.company import Company, Member, Person, Unit
from tests.support.rig import MONDAY_10

SALES = Visitor("ann", frozenset({"representative"}), frozenset({"ann", "east"}))
MANAGER = Visitor("mei", frozenset({"manager"}), frozenset({"mei", "east", "ann", "bo"}))
STANDS_IN = Visitor("wei", frozenset({"representative", "manager"}), frozenset({"wei"}), frozenset({"ann"}))
OPERATIONS = Visitor("ops", frozenset({"operations"}))
MARKETING = Visitor("kai", frozenset({"marketing"}))
BOTH = Visitor("kai", frozenset({"marketing", "representative"}), frozenset({"kai"}))
DESK = Visitor("fang", frozenset({"front_desk"}))
OWN, WORK = PERMITS["GET /customers"], PERMITS["GET /inbox/{holder_id}"]
STORY, OPERATE = PERMITS["GET /story/{any_id}"], PERMITS["POST /api/operate/{verb}"]


@pytest.mark.parametrize(
    ("who", "permit", "things", "allowed"),
    [
        (SALES, OWN, (), True),
        (SALES, WORK, [["ann"]], True),
        (SALES, WORK, [["east"]], True),
        (SALES, WORK, [["bo"]], False),
        (SALES, WORK, [["bo", "ann"]], True),
        (SALES, WORK, [["ann"], ["bo"]], False),
        (SALES, WORK, [[]], False),
        (SALES, WORK, (), False),
        (SALES, OPERATE, (), False),
        (SALES, OPERATE, [["ann"]], False),
        (STANDS_IN, WORK, [["ann"]], True),
        (STANDS_IN, WORK, [["bo"]], False),
        (STANDS_IN, WORK, [["ann"], ["bo"]], False),
        (STANDS_IN, PERMITS["GET /parting/{customer_id}"], [["ann"]], False),
        (STANDS_IN, PERMITS["POST /reveal/{any_id}"], [["ann"]], False),
        (MANAGER, WORK, [["bo"]], True),
        (MANAGER, WORK, [["west"]], False),
        (MANAGER, OPERATE, (), False),
        (MARKETING, STORY, [["bo"]], True),
        (MARKETING, WORK, [["bo"]], False),
        (BOTH, STORY, [["bo"]], True),
        (BOTH, WORK, [["bo"]], False),
        (BOTH, WORK, [["kai"]], True),
        (DESK, OWN, (), False),
        (DESK, PERMITS["POST /taken"], (), True),
        (OPERATIONS, WORK, [["bo"]], True),
        (OPERATIONS, WORK, (), True),
        (OPERATIONS, OPERATE, (), True),
        (AT_THIS_MACHINE, OPERATE, (), True),
        (AT_THIS_MACHINE, WORK, [], True),
    ],
)
def test_the_table(who: Visitor, permit: Permit, things: list[list[str]], allowed: bool) -> None:
    assert may(who, permit, things) is allowed


def company() -> Company:
    def unit(unit_id: str, parent: str | None, manager: str | None = None) -> Unit:
        kind = "team" if parent else "company"
        return Unit(
            unit_id=unit_id, parent_id=parent, kind=kind, name_zh=unit_id, name_en=unit_id, manager_id=manager
        )

    units = (
        unit("all", None, "boss"),
        unit("east", "all", "mei"),
        unit("east-1", "east"),
        unit("west", "all"),
    )
    people = [Person(person_id=one, name=one) for one in ("boss", "mei", "ann", "bo", "wu")]
    people.append(Person(person_id="gone", name="gone", state="left"))
    return Company(
        version=1,
        units={one.unit_id: one for one in units},
        people={one.person_id: one for one in people},
        members=(
            Member(unit_id="east-1", person_id="ann", from_us=0),
            Member(unit_id="east", person_id="bo", from_us=0, to_us=MONDAY_10),
            Member(unit_id="west", person_id="wu", from_us=0),
            Member(unit_id="west", person_id="ann", from_us=MONDAY_10 + 1),
            Member(unit_id="east-1", person_id="gone", from_us=0, to_us=1),
        ),
    )


@pytest.mark.parametrize(
    ("person_id", "role", "holders"),
    [
        ("ann", "representative", {"ann", "east-1"}),
        ("bo", "representative", {"bo"}),  # whose place ended just now
        ("mei", "representative", {"mei"}),
        ("mei", "manager", {"mei", "east", "east-1", "ann"}),
        ("boss", "manager", {"boss", "all", "east", "east-1", "west", "ann", "wu"}),
        ("wu", "manager", {"wu", "west"}),
    ],
)
def test_a_visitor_sees_what_the_organisation_says(person_id: str, role: str, holders: set[str]) -> None:
    who = visitor_of(company(), person_id, role, MONDAY_10)  # type: ignore[arg-type]
    assert who is not None
    assert who.holders == holders


@pytest.mark.parametrize("person_id", ["gone", "nobody"])
def test_who_left_is_out_even_as_operator(person_id: str) -> None:
    assert visitor_of(company(), person_id, "operations", MONDAY_10) is None


def test_a_circle_in_the_organisation_ends() -> None:
    units = {
        "a": Unit(unit_id="a", parent_id="b", kind="team", name_zh="a", name_en="a"),
        "b": Unit(unit_id="b", parent_id="a", kind="team", name_zh="b", name_en="b", manager_id="mei"),
    }
    who = visitor_of(company().model_copy(update={"units": units}), "mei", "manager", MONDAY_10)
    assert who is not None
    assert {"a", "b"} <= who.holders


def test_roles_are_those_of_the_person_else_follow_from_the_units() -> None:
    made = company()
    assert roles_of(made, "mei") == {"manager"}
    assert roles_of(made, "ann") == {"representative"}
    people = {**made.people, "ann": made.people["ann"].model_copy(update={"roles": ("auditor", "marketing")})}
    assert roles_of(made.model_copy(update={"people": people}), "ann") == {"auditor", "marketing"}


@pytest.mark.parametrize(
    ("who", "things", "clear"),
    [
        (SALES, (), True),
        (MANAGER, (), True),
        (OPERATIONS, (), False),
        (OPERATIONS, [["bo"]], False),
        (BOTH, [["kai"]], True),
        (BOTH, [["kai"], ["bo"]], False),
        (BOTH, (), False),
        (DESK, (), False),
        (AT_THIS_MACHINE, (), True),
    ],
)
def test_numbers_are_clear_to_who_works_with_the_customer(
    who: Visitor, things: list[list[str]], clear: bool
) -> None:
    assert who.reads_clearly(things) is clear
