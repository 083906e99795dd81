"""Being away, entered by the person, by a manager above them, or by whoever operates this installation.

A customer stays with whoever owns it; nothing new is given to them meanwhile, and on their return the queues of their
teams are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from schemas.company import Absence, Company
from store.acts import ActRefused, Command, Plan
from store.company import company_version, load_company, replace_company
from store.effects import Effect
from store.locks import lock_company
from store.waiting import decide_again, waiting_teams

Change = Callable[[tuple[Absence, ...], str, int], tuple[Absence, ...]]
"""Makes of the absences of one person, their id and the moment their new ones."""


def go_away(from_us: int, to_us: int, stand_in_id: str | None = None) -> Plan:
    """Return the plan of the act by which a person (the command's scope) is away from one moment to another.

    Absences that it overlaps become one with it. Refused: an end before the beginning or now, an unknown person, an
    actor who is neither they nor a manager above them, a stand-in who is the person, has left or is away then.
    """

    def change(own: tuple[Absence, ...], person_id: str, now_us: int) -> tuple[Absence, ...]:
        if to_us <= from_us or to_us <= now_us:
            raise ActRefused("dates_reversed", "The end must be after the beginning, and after now.")
        apart = tuple(one for one in own if one.to_us < from_us or to_us < one.from_us)
        met = [one for one in own if one not in apart]
        new = Absence(
            person_id=person_id,
            from_us=min([from_us, *(one.from_us for one in met)]),
            to_us=max([to_us, *(one.to_us for one in met)]),
            stand_in_id=stand_in_id or next((one.stand_in_id for one in met if one.stand_in_id), None),
        )
        return (*apart, new)

    def check(company: Company) -> None:
        if stand_in_id is None:
            return
        person = company.people.get(stand_in_id)
        away = any(
            one.person_id == stand_in_id and one.from_us < to_us and from_us < one.to_us
            for one in company.absences
        )
        if person is None or person.state == "left" or away:
            raise ActRefused("no_stand_in", f"{stand_in_id} does not work here, or is away then as well.")

    return _plan(change, check, stand_in_id)


def covers(one: Absence, other: Absence) -> bool:
    """Tell whether an absence says all that another does."""
    return (
        one.person_id == other.person_id
        and one.from_us <= other.from_us
        and other.to_us <= one.to_us
        and other.stand_in_id in (None, one.stand_in_id)
    )


def come_back() -> Plan:
    """Return the plan of the act by which a person (the command's scope) is back now.

    What they are away for later stays. Refused: an unknown person or actor, somebody who is not away.
    """

    def change(own: tuple[Absence, ...], person_id: str, now_us: int) -> tuple[Absence, ...]:
        running = [one for one in own if one.from_us <= now_us < one.to_us]
        if not running:
            raise ActRefused("not_away", f"{person_id} is not away at present.")
        ended = tuple(one.model_copy(update={"to_us": now_us}) for one in running if one.from_us < now_us)
        return (*(one for one in own if one not in running), *ended)

    return _plan(change, lambda company: None, None)


def cancel_leave(from_us: int) -> Plan:
    """Return the plan of the act by which a person (the command's scope) is not away after all from a moment on.

    A leave that has begun meanwhile ends now. Refused: an unknown person or actor, no leave that begins then, or one
    that is over.
    """

    def change(own: tuple[Absence, ...], person_id: str, now_us: int) -> tuple[Absence, ...]:
        leave = next((one for one in own if one.from_us == from_us and now_us < one.to_us), None)
        if leave is None:
            raise ActRefused("no_such_leave", f"{person_id} has no leave that begins then; reload the page.")
        ended = (leave.model_copy(update={"to_us": now_us}),) if from_us < now_us else ()
        return (*(one for one in own if one is not leave), *ended)

    return _plan(change, lambda company: None, None)


def may_say(company: Company, actor: str, person_id: str) -> bool:
    """Tell whether somebody may say that a person is away: they themselves, a manager above, or who operates this."""
    if actor == person_id or actor not in company.people or "operations" in company.people[actor].roles:
        return True
    return any(
        actor in managers_above(company, one.unit_id) for one in company.members if one.person_id == person_id
    )


def managers_above(company: Company, unit_id: str | None) -> set[str]:
    """Return the managers of a unit and of all above it."""
    found: set[str] = set()
    passed: set[str] = set()
    while unit_id is not None and unit_id not in passed and (unit := company.units.get(unit_id)) is not None:
        passed.add(unit_id)
        if unit.manager_id is not None:
            found.add(unit.manager_id)
        unit_id = unit.parent_id
    return found


def _plan(change: Change, check: Callable[[Company], None], stand_in_id: str | None) -> Plan:
    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        company = load_company(connection, company_version(connection))
        person_id = command.scope_id
        person = company.people.get(person_id)
        if person is None or person.state == "left":
            raise ActRefused("unknown_person", f"Nobody who works here has the code {person_id!r}.")
        if not may_say(company, command.actor, person_id):
            raise ActRefused("not_above", "Only the person, or a manager above them, can say so.")
        if stand_in_id == person_id:
            raise ActRefused("no_stand_in", "Nobody stands in for themselves.")
        check(company)
        own = tuple(one for one in company.absences if one.person_id == person_id)
        others = tuple(one for one in company.absences if one.person_id != person_id)
        changed = change(own, person_id, now_us)
        new = Company.model_validate(
            {
                **{name: getattr(company, name) for name in Company.model_fields},
                "absences": (*others, *changed),
            }
        )
        replace_company(connection, company, new, now_us, command.act_id)
        teams = waiting_teams(connection, person_id, now_us)
        return [decide_again(team_id, "capacity_free", command, now_us) for team_id in teams]

    return plan
