"""The team's calendar: who works and who is away on which day of the coming weeks; and to enter it for one's people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Literal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.away import begins_us
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.move_filter import offered
from console.team import chosen_unit, members_of, units_of
from console.texts import page
from console.times import local
from console.view import View
from router.office import Office
from sales.away import cancel_leave, come_back, go_away
from schemas.company import Absence
from store.acts import ActRefused
from worktime import working_spans

WEEKS = 4
Status = Literal["works", "off", "away", "partly"]


@dataclass(frozen=True, slots=True)
class Week:
    """Seven days from Monday on, and what each person does on each."""

    days: list[date]
    rows: list[tuple[str, list[Status]]]


def status_of(office: Office, person_id: str, day: tuple[int, int]) -> Status:
    """Return what somebody does between two moments, by their calendar and their absences."""
    spans = working_spans(office.calendar_of_id(person_id), *day)
    if not spans:
        return "off"
    gone = [(one.from_us, one.to_us) for one in office.absences.get(person_id, ())]
    work = sum(end - start for start, end in spans)
    missed = sum(
        max(0, min(end, gone_to) - max(start, gone_from))
        for start, end in spans
        for gone_from, gone_to in gone
    )
    if missed == 0:
        return "works"
    return "away" if missed >= work else "partly"


@dataclass(frozen=True)
class TeamCalendarPage:
    """One unit at a time, chosen in the address, from the Monday of a day on."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/team/calendar", self.show),
            Route("/team/calendar/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The coming weeks."""
        return await run_in_threadpool(self._page, request, {}, None, 200)

    async def act(self, request: Request) -> Response:
        """Note that somebody is away, is back, or does not go on leave after all; then show the page again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._act, request, entered)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        who, verb = visitor(request), request.path_params["verb"]
        person_id, now_us = entered.get("person", ""), self.desk.clock()
        with self.desk.store.read() as connection:
            zone = ZoneInfo(self.desk.companies.get(connection).zone)
        try:
            if not person_id or not who.sees(person_id):
                raise ActRefused("unknown_person", "Nobody of yours has this code.")
            if verb == "away":
                first, last = _days(entered)
                from_us, to_us = _midnight(first, zone), _midnight(last + timedelta(days=1), zone)
                plan = go_away(max(from_us, now_us), to_us, entered.get("stand_in") or None)
            elif verb == "back":
                plan = come_back()
            elif verb == "cancel_leave":
                plan = cancel_leave(begins_us(entered))
            else:
                raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
            command = self.desk.command(request, entered, verb, who.actor, person_id)
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._page(request, entered, refused.code, 409)
        asked = {"unit": entered.get("unit", ""), "done": verb}
        query = urlencode({name: value for name, value in asked.items() if value})
        return RedirectResponse(f"/team/calendar?{query}", status_code=303)

    def _page(
        self, request: Request, entered: Mapping[str, str], refused: str | None, status: int
    ) -> Response:
        who, now_us = visitor(request), self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        office = self.desk.offices.get(company)
        units = units_of(company, who, now_us)
        unit_id = chosen_unit(units, request) if "unit" not in entered else entered["unit"]
        unit_id = unit_id if unit_id in units else next(iter(units), None)
        people = members_of(office, unit_id, now_us)
        today = local(now_us, company.zone).date()
        monday = _monday(request.query_params.get("from"), today)
        zone = ZoneInfo(company.zone)
        weeks = [_week(office, people, monday + timedelta(weeks=n), zone) for n in range(WEEKS)]
        view = View(language_of(request, company.language), company, now_us, who)
        values = {
            "view": view,
            "units": units,
            "unit": unit_id,
            "weeks": weeks,
            "today": today,
            "before": (monday - timedelta(weeks=WEEKS)).isoformat(),
            "after": (monday + timedelta(weeks=WEEKS)).isoformat(),
            "absences": _coming(company.absences, people, now_us),
            "people": people,
            "colleagues": offered(company, who).people,
            "entered": entered,
            "new_key": self.desk.new_id,
            "refused": refused,
            "done": request.query_params.get("done"),
        }
        return page(request, view.language, "team_calendar.html", values, status)


def _week(office: Office, people: Sequence[str], monday: date, zone: ZoneInfo) -> Week:
    days = [monday + timedelta(days=n) for n in range(7)]
    spans = [(_midnight(day, zone), _midnight(day + timedelta(days=1), zone)) for day in days]
    return Week(days, [(one, [status_of(office, one, span) for span in spans]) for one in people])


def _coming(absences: Sequence[Absence], people: Sequence[str], now_us: int) -> list[Absence]:
    among = set(people)
    found = [one for one in absences if one.person_id in among and now_us < one.to_us]
    return sorted(found, key=lambda one: (one.from_us, one.person_id))


def _midnight(day: date, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, time(), zone).timestamp()) * 1_000_000


def _monday(asked: str | None, today: date) -> date:
    """Return the Monday of the week of a day of an address; of today if it names none within ten years."""
    try:
        day = date.fromisoformat(asked or "")
    except ValueError:
        day = today
    if abs((day - today).days) > 3_650:
        day = today
    return day - timedelta(days=day.weekday())


def _days(entered: Mapping[str, str]) -> tuple[date, date]:
    try:
        first, last = date.fromisoformat(entered["from"]), date.fromisoformat(entered["to"])
    except (KeyError, ValueError):
        raise ActRefused("bad_date", "The date cannot be read.") from None
    if not (2000 < first.year < 2200 and 2000 < last.year < 2200):
        raise ActRefused("bad_date", "The date cannot be read.")
    return first, last
