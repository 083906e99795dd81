"""Who is away, now or soon, and who has whose customers meanwhile: for everybody, about those they work with. Read only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.may import Visitor, holders_in, teams_of
from console.texts import page
from console.view import View
from schemas.company import Absence, Company
from store.acts import ActRefused
from store.team_now import Covered, covered


@dataclass(frozen=True, slots=True)
class Gone:
    """Absences that concern somebody: those of now, and those to come, each in the order of its end or beginning."""

    now: list[Absence]
    planned: list[Absence]


def works_with(company: Company, who: Visitor, now_us: int) -> set[str]:
    """Return about whose leave a visitor is told.

    A representative: those of their own teams and of the unit right above, with all below it. A manager: also everybody
    below them. Whoever sees all or sends visitors to anybody, the front desk, is told of everybody.
    """
    if who.sees_all or "front_desk" in who.roles:
        return set(company.people)
    teams = teams_of(company, who.person_id, now_us)
    above = {company.units[one].parent_id or one for one in teams if one in company.units}
    near = set(who.holders).union(*(holders_in(company, one, now_us) for one in above))
    return near & set(company.people)


def gone(company: Company, people: set[str], now_us: int) -> Gone:
    """Return the absences of these people, and those in which one of them stands in."""
    found = [
        one
        for one in company.absences
        if now_us < one.to_us and not people.isdisjoint({one.person_id, one.stand_in_id or ""})
    ]
    return Gone(
        sorted((one for one in found if one.from_us <= now_us), key=lambda one: (one.to_us, one.person_id)),
        sorted((one for one in found if one.from_us > now_us), key=lambda one: (one.from_us, one.person_id)),
    )


def begins_us(entered: Mapping[str, str]) -> int:
    """Return when the leave of a form begins (field `begins`, µs). Raises ActRefused if it names no moment."""
    text = entered.get("begins", "")
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise ActRefused("no_such_leave", "This form names no leave; reload the page.")
    return int(text)


@dataclass(frozen=True)
class AwayPage:
    """Names, days and counts: of the customers themselves it says nothing, so that everybody may ask."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/away", self.show)]

    async def show(self, request: Request) -> Response:
        """Who is away now, and who will be."""

        def answer() -> Response:
            who, now_us = visitor(request), self.desk.clock()
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                people = works_with(company, who, now_us)
                given = covered(connection, people)
            found = gone(company, people, now_us)
            view = View(language_of(request, company.language), company, now_us, who)
            values = {
                "view": view,
                "gone": found,
                "given": _by_person(given),
                "others": _besides(given, found.now),
            }
            return page(request, view.language, "away.html", values)

        return await run_in_threadpool(answer)


def _by_person(given: list[Covered]) -> dict[str, list[Covered]]:
    return {key: [one for one in given if one.person_id == key] for key in {one.person_id for one in given}}


def _besides(given: list[Covered], away: list[Absence]) -> list[Covered]:
    """Return what was handed over until a day though nobody entered a leave."""
    entered = {one.person_id for one in away}
    return [one for one in given if one.person_id not in entered]
