"""The company as routing sees it: who can take a lead of a team at a moment, and why somebody cannot."""

from __future__ import annotations

from dataclasses import dataclass

from router.book import Book, read_book
from router.eligible import (
    CAP_LOOK_US,
    NO_LOADS,
    NO_NEEDS,
    Loads,
    Needs,
    at_the_edge,
    full,
    ready,
    unfit,
)
from schemas.base import Language
from schemas.company import Absence, Company, Member, Person
from worktime import Calendar, Due, add_working, is_working, parse_calendar, unannounced_year

ALWAYS = "always"
"""The calendar of whoever has none: every hour of every day."""


@dataclass(frozen=True)
class Office:
    """A company at one version, its calendars and rule book read. Answers questions, changes nothing."""

    company: Company
    book: Book
    calendars: dict[str, Calendar]
    members: dict[str, tuple[Member, ...]]
    places: dict[str, str]
    absences: dict[str, tuple[Absence, ...]]

    def could_take(
        self, team_id: str, at_us: int, needs: Needs = NO_NEEDS, loads: Loads = NO_LOADS
    ) -> tuple[list[Member], list[tuple[str, str]]]:
        """Return who of a team can take a lead with these needs now, and (person, why not) for the others."""
        able, passed_over = [], []
        for member in self.members.get(team_id, ()):
            if not member.from_us <= at_us < (member.to_us if member.to_us is not None else at_us + 1):
                continue
            if member.share == 0:
                passed_over.append((member.person_id, "no_share"))
            elif why := self._why_not_this(member.person_id, at_us, needs, loads):
                passed_over.append((member.person_id, why))
            else:
                able.append(member)
        return able, passed_over

    def _why_not_this(self, person_id: str, at_us: int, needs: Needs, loads: Loads) -> str | None:
        if why := self.why_not(person_id, at_us):
            return why
        person = self.company.people[person_id]
        if person.opening_minutes or person.closing_minutes:
            edge = at_the_edge(person, self.calendar_of(person), at_us)
            if edge is not None:
                return edge
        return unfit(person, needs) or full(person, loads)

    def why_not(self, person_id: str, at_us: int) -> str | None:
        """Return `left`, `away` or `off_shift`, or None if the person can take something now."""
        person = self.company.people.get(person_id)
        if person is None or person.state == "left":
            return "left"
        if any(away.from_us <= at_us < away.to_us for away in self.absences.get(person_id, ())):
            return "away"
        return None if is_working(self.calendar_of(person), at_us) else "off_shift"

    def stand_in(self, person_id: str, at_us: int) -> str | None:
        """Return who looks after somebody's customers at a moment: while they are away, who was named and is here."""
        for away in self.absences.get(person_id, ()):
            named = away.stand_in_id
            if (
                away.from_us <= at_us < away.to_us
                and named
                and self.why_not(named, at_us) in (None, "off_shift")
            ):
                return named
        return None

    def works_here(self, person_id: str) -> bool:
        """Tell whether the person is still with the company, at work or not."""
        person = self.company.people.get(person_id)
        return person is not None and person.state == "active"

    def opens(
        self,
        team_id: str,
        at_us: int,
        needs: Needs = NO_NEEDS,
        loads: Loads = NO_LOADS,
        *,
        only: str | None = None,
        tomorrow_us: int | None = None,
    ) -> int | None:
        """Return the next moment at which somebody of the team may take such a lead; None if nobody ever will.

        `only` is the one person who is meant, `tomorrow_us` when caps of a day begin anew. Looks past an absence, not
        through it: asked again when that moment comes.
        """
        moments = []
        for member in self.members.get(team_id, ()):
            person = self.company.people.get(member.person_id)
            if person is None or person.state == "left" or member.share == 0:
                continue
            if member.to_us is not None and member.to_us <= at_us:
                continue
            if unfit(person, needs) or (only is not None and only != person.person_id):
                continue
            start = max(at_us, member.from_us)
            match full(person, loads):
                case "at_cap":
                    start = max(start, at_us + CAP_LOOK_US)
                case "at_day_cap":
                    start = max(start, tomorrow_us or at_us + CAP_LOOK_US)
            for away in sorted(self.absences.get(member.person_id, ()), key=lambda one: one.from_us):
                if away.from_us <= start < away.to_us:
                    start = away.to_us
            if (moment := ready(person, self.calendar_of(person), start)) is not None:
                moments.append(moment if moment > at_us else at_us + CAP_LOOK_US)
        return min(moments, default=None)

    def due(self, holder_id: str, at_us: int, minutes: int) -> int:
        """Return when `minutes` of the holder's working time have passed; of all time if they never work."""
        due = add_working(self.calendar_of_holder(holder_id), at_us, minutes * 60)
        return due.due_us if due.due_us is not None else at_us + minutes * 60_000_000

    def remark(self, holder_id: str, from_us: int, due_us: int, language: Language) -> str | None:
        """Say that a due time may move because holidays on the way are not published yet, or None."""
        calendar = self.calendar_of_holder(holder_id)
        return Due(due_us, unannounced_year(calendar, from_us, due_us)).remark(language)

    def calendar_of_holder(self, holder_id: str) -> Calendar:
        """Return the calendar of a person or unit, by which first responses are due; of a pool that of the first unit it is for."""
        person = self.company.people.get(holder_id)
        if person is None and (pool := self.company.pools.get(holder_id)) is not None:
            return self._unit_calendar(pool.units[0] if pool.units else None)
        return self.calendar_of(person) if person else self._unit_calendar(holder_id)

    def calendar_of_id(self, person_id: str) -> Calendar:
        """Return the calendar of a person by their code; of somebody unknown, every hour of every day."""
        person = self.company.people.get(person_id)
        return self.calendars[ALWAYS] if person is None else self.calendar_of(person)

    def calendar_of(self, person: Person) -> Calendar:
        """Return the person's own calendar, else that of the nearest unit above them that has one."""
        if person.calendar_id is not None:
            return self.calendars[person.calendar_id]
        return self._unit_calendar(self.places.get(person.person_id))

    def _unit_calendar(self, unit_id: str | None) -> Calendar:
        while unit_id is not None and (unit := self.company.units.get(unit_id)) is not None:
            if unit.calendar_id is not None:
                return self.calendars[unit.calendar_id]
            unit_id = unit.parent_id
        return self.calendars[ALWAYS]


class OfficeCache:
    """Hands out the office of a company; reads calendars and rule book again only for another company."""

    def __init__(self) -> None:
        self._office: Office | None = None

    def get(self, company: Company) -> Office:
        """Return the office of `company`."""
        office = self._office
        if office is None or office.company is not company:
            office = self._office = office_of(company)
        return office


def office_of(company: Company) -> Office:
    """Read a company's calendars and rule book. Raises TableError or CalendarError, which name the fix."""
    members: dict[str, list[Member]] = {}
    for member in company.members:
        members.setdefault(member.unit_id, []).append(member)
    absences: dict[str, list[Absence]] = {}
    for absence in company.absences:
        absences.setdefault(absence.person_id, []).append(absence)
    always = {"zone": company.zone, "country": None, "week": {day: ["00:00-24:00"] for day in _DAYS}}
    calendars = {ALWAYS: parse_calendar(always)}
    calendars |= {key: parse_calendar(value) for key, value in company.calendars.items()}
    return Office(
        company=company,
        book=read_book(company.book_csv or "rule,then_team\n", more=company.book_tables),
        calendars=calendars,
        members={key: tuple(value) for key, value in members.items()},
        places={one.person_id: one.unit_id for one in company.members if one.to_us is None},
        absences={key: tuple(value) for key, value in absences.items()},
    )


_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
