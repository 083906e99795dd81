"""The team now: what each has, what waits, whose first answer is late or about to be, who is away and who stands in."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.may import Visitor
from console.news import CALMLY, mark, news
from console.texts import page
from console.view import View
from router.office import Office
from sales.neglected import DAYS
from schemas.company import Absence, Company
from store import tables
from store.team_now import MOST_NEGLECTED, Load, covered, customers_marked, loads
from worktime import Calendar, working_days_between

SOON_US = 10 * 60 * 1_000_000
"""A first answer that is due within ten minutes is at risk: time enough for a manager to see to it."""
_MINUTE_US = 60 * 1_000_000
_LOOKED_BACK_DAYS = 60
"""The longest holidays that anybody has at once, and a working week, fit in."""


@dataclass(frozen=True, slots=True)
class Row:
    """One person of the team."""

    person_id: str
    load: Load
    can_take: str | None
    """Why they take nothing now (`router.office`); None: they can."""
    away: Absence | None


@dataclass(frozen=True, slots=True)
class Shown:
    """Whose page an address asks for: the units to choose from, the one chosen, and who belongs to it."""

    units: list[str]
    unit_id: str | None
    people: list[str]

    @property
    def holders(self) -> list[str]:
        """Return whose numbers the page shows: the people's and their queue's."""
        return [*self.people, *([self.unit_id] if self.unit_id else [])]


@dataclass(frozen=True)
class TeamPage:
    """For managers their units, for whoever sees everything all; one unit at a time, chosen in the address."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [Route("/team", self.show), Route("/team/news", self.news)]

    async def show(self, request: Request) -> Response:
        """The team."""
        return await run_in_threadpool(self._page, request)

    async def news(self, request: Request) -> Response:
        """Tell whenever somebody of the team, or its queue, got or lost something, a limit passed, or the company changed."""

        def look() -> str:
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                now_us = self.desk.clock()
                return _mark(connection, company, self._shown(request, company, now_us).holders, now_us)

        return news(request, look, CALMLY)

    def _shown(self, request: Request, company: Company, now_us: int) -> Shown:
        units = units_of(company, visitor(request), now_us)
        unit_id = chosen_unit(units, request)
        return Shown(units, unit_id, members_of(self.desk.offices.get(company), unit_id, now_us))

    def _page(self, request: Request) -> Response:
        who, now_us = visitor(request), self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            office = self.desk.offices.get(company)
            shown = self._shown(request, company, now_us)
            people, unit_id = shown.people, shown.unit_id
            calendars = {one: office.calendar_of_id(one) for one in people}
            # Before the numbers: what comes in while they are read is told once too often, not once too seldom.
            seen = _mark(connection, company, shown.holders, now_us)
            found = loads(connection, shown.holders, (now_us, now_us + SOON_US), cuts_of(calendars, now_us))
            covers = covered(connection, people)
        rows = [
            Row(one, found[one], office.why_not(one, now_us), _away(company, one, now_us)) for one in people
        ]
        view = View(language_of(request, company.language), company, now_us, who)
        values = {
            "view": view,
            "seen": seen,
            "units": shown.units,
            "unit": unit_id,
            "rows": rows,
            "queue": found.get(unit_id) if unit_id else None,
            "covers": covers,
            "most_neglected": MOST_NEGLECTED,
        }
        return page(request, view.language, "team.html", values)


def _mark(connection: Connection, company: Company, holders: list[str], now_us: int) -> str:
    """Return what changes with the page's numbers: with tasks, with customers that are moved without one, with absences."""
    beside = f"{company.version}-{customers_marked(connection, holders)}"
    return mark(connection, tables.task.c.holder_id.in_(holders), now_us, now_us + SOON_US, beside=beside)


def units_of(company: Company, who: Visitor, now_us: int) -> list[str]:
    """Return the units that a visitor sees and somebody works in, in the order of units.csv; at least one of theirs."""
    seen = [one for one in company.units if who.sees(one)]
    staffed = {
        one.unit_id
        for one in company.members
        if one.from_us <= now_us and (one.to_us is None or now_us < one.to_us)
    }
    return [one for one in seen if one in staffed] or seen[:1]


def chosen_unit(units: list[str], request: Request) -> str | None:
    """Return the unit of the address, if it is among these, else the first."""
    asked = request.query_params.get("unit")
    return asked if asked in units else next(iter(units), None)


def members_of(office: Office, unit_id: str | None, now_us: int) -> list[str]:
    """Return who belongs to a unit now and works here."""
    return [
        one.person_id
        for one in office.members.get(unit_id or "", ())
        if one.from_us <= now_us
        and (one.to_us is None or now_us < one.to_us)
        and office.company.people[one.person_id].state == "active"
    ]


def cuts_of(calendars: dict[str, Calendar], now_us: int) -> dict[int, list[str]]:
    """Return by moment the people who have worked the days since then that make a customer neglected."""
    known: dict[int, int] = {}
    cuts: dict[int, list[str]] = {}
    for person_id, calendar in calendars.items():
        key = id(calendar)
        if key not in known:
            known[key] = _cut(calendar, now_us)
        cuts.setdefault(known[key], []).append(person_id)
    return cuts


def _cut(calendar: Calendar, now_us: int) -> int:
    """Return the latest minute from which on `DAYS` working days have passed."""
    low, high = now_us - _LOOKED_BACK_DAYS * 24 * 60 * _MINUTE_US, now_us
    while high - low > _MINUTE_US:
        middle = (low + high) // 2
        if working_days_between(calendar, middle, now_us) >= DAYS:
            low = middle
        else:
            high = middle
    return low


def _away(company: Company, person_id: str, now_us: int) -> Absence | None:
    of_now = (one for one in company.absences if one.from_us <= now_us < one.to_us)
    return next((one for one in of_now if one.person_id == person_id), None)
