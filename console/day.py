"""My day: what a salesperson has to do now, on a phone; and their own leave in two taps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.away import begins_us, gone, works_with
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.known import at_a_glance, with_what_is_known
from console.may import Visitor, teams_of
from console.news import SOON, mark, news
from console.texts import page
from console.times import local, parse_local
from console.view import View
from router.ladder import UNTOUCHED
from router.strategies import offered_until
from sales.away import cancel_leave, come_back, go_away
from sales.outcomes import reasons_for
from sales.segments import customers_of
from schemas.company import Absence, Company
from schemas.work import Reason
from store import tables, views
from store.acts import ActRefused
from store.bulk import keys_in

Row = dict[str, Any]

QUEUE_SHOWN = 10
"""Of each queue of one's teams: the most urgent; the others are a tap away."""
OVERDUE_READ, AHEAD_READ = 30, 60
NEW_SHOWN, SHOWN = 8, 6
"""Tasks of a section: each has its forms in it, and a phone loads them all; the others are a tap away."""
_FIRST = ("first_response", "call_back")


@dataclass(frozen=True, slots=True)
class Buckets:
    """A person's open tasks, each in one place, most urgent first."""

    overdue: list[Row]
    new: list[Row]
    today: list[Row]
    next: list[Row]


def buckets(tasks: Iterable[Row], now_us: int, tonight_us: int) -> Buckets:
    """Sort open tasks: overdue, else new (nobody has turned to it yet), else due until midnight, else later."""
    found = Buckets([], [], [], [])
    for task in sorted(tasks, key=lambda one: (one["due_us"], one["task_id"])):
        if task["due_us"] < now_us:
            found.overdue.append(task)
        elif task["origin"] in _FIRST and task["last"] is None:
            found.new.append(task)
        elif task["due_us"] < tonight_us:
            found.today.append(task)
        else:
            found.next.append(task)
    return found


def midnight(now_us: int, zone: str, days: int = 1) -> int:
    """Return the beginning of a day so many days from today, in a zone."""
    day = local(now_us, zone).date() + timedelta(days=days)
    return round(datetime.combine(day, time(), ZoneInfo(zone)).timestamp()) * 1_000_000


@dataclass(frozen=True)
class DayPage:
    """Everybody's own; whoever stands at this machine chooses a person on `/inbox`."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/day", self.show),
            Route("/day/news", self.news),
            Route("/day/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """The page."""
        return await run_in_threadpool(self._page, request, None, 200)

    async def news(self, request: Request) -> Response:
        """Tell whenever a task came, went or moved."""
        holders = await run_in_threadpool(self._holders, visitor(request))
        return news(request, lambda: self._looked_at(holders), SOON)

    async def act(self, request: Request) -> Response:
        """Be away, be back, or not go on leave after all; then show the page again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._act, request, entered)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        me, verb = visitor(request).person_id or "", request.path_params["verb"]
        now_us = self.desk.clock()
        with self.desk.store.read() as connection:
            zone = self.desk.companies.get(connection).zone
        try:
            match verb:
                case "away":
                    from_us, to_us = _span(entered, now_us, zone)
                    plan = go_away(from_us, to_us, entered.get("stand_in") or None)
                case "back":
                    plan = come_back()
                case "cancel_leave":
                    plan = cancel_leave(begins_us(entered))
                case _:
                    raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
            command = self.desk.command(request, entered, verb, me, me)
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._page(request, refused.code, 409)
        return RedirectResponse(f"/day?done={verb}", status_code=303)

    def _holders(self, who: Visitor) -> list[str]:
        with self.desk.store.read() as connection:
            teams = teams_of(self.desk.companies.get(connection), who.person_id, self.desk.clock())
        return [*teams, who.person_id or "", *who.stands_for]

    def _looked_at(self, holders: Sequence[str]) -> str:
        with self.desk.store.read() as connection:
            return _mark(connection, holders)

    def _page(self, request: Request, refused: str | None, status: int) -> Response:
        who, now_us = visitor(request), self.desk.clock()
        me, asked_for = who.person_id, request.query_params.get("task", "")[:100]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            teams = sorted(teams_of(company, me, now_us))
            # Before the tasks: what comes in while they are read is told once too often, not once too seldom.
            seen = _mark(connection, [*teams, me or "", *who.stands_for])
            first = _task_of(connection, [me, *teams] if me else [], asked_for)
            mine = _without(first, _of_me(connection, me, now_us) if me else [])
            queues = [(one, _without(first, views.inbox(connection, one, QUEUE_SHOWN))) for one in teams]
            covered = [(one, views.inbox(connection, one, OVERDUE_READ)) for one in sorted(who.stands_for)]
            day = buckets(mine, now_us, midnight(now_us, company.zone))
            own_shown = (day.overdue[:SHOWN], day.new[:NEW_SHOWN], day.today[:SHOWN], day.next[:SHOWN])
            others = [*queues, *((one, rows[:SHOWN]) for one, rows in covered)]
            shown = [*first, *chain(*own_shown), *(row for _, rows in others for row in rows)]
            customers = {row["customer_id"] for row in shown}
            found = at_a_glance(connection, customers_of(connection, company, now_us, customers))
            known = {one.customer_id: one for one in found}
            own = {row["customer_id"] for row in shown if row["holder_id"] == me}
            passes = _passes(connection, own, now_us)
            with_what_is_known(connection, shown)
        view = View(language_of(request, company.language), company, now_us, who)
        office = self.desk.offices.get(company)
        for row in shown:
            row["known"] = known.get(row["customer_id"])
            row["remark"] = office.remark(row["holder_id"], row["created_us"], row["due_us"], view.language)
            row["passes_us"] = passes.get(row["customer_id"]) or _offer_ends(row, now_us)
        leave = sorted(
            (one for one in company.absences if one.person_id == me and now_us < one.to_us),
            key=lambda one: one.from_us,
        )
        values: dict[str, Any] = {
            "view": view,
            "me": me,
            "seen": seen,
            "day": day,
            "queues": [(one, rows) for one, rows in queues if rows],
            "covered": [(one, rows) for one, rows in covered if rows],
            "asked_for": asked_for,
            "first": first,
            "shown": {"new": NEW_SHOWN},
            "most": SHOWN,
            "leave": leave,
            "gone": [one for one in _gone(company, who, now_us) if one.person_id != me],
            "colleagues": _colleagues(company, me, now_us),
            "has_counter": any(
                one["format"] == "counter.visit" and one.get("enabled", True)
                for one in company.sources.values()
            ),
            "reasons": [code for code, _choices in reasons_for(company)],
            "new_key": self.desk.new_id,
            "entered": {},
            "actors": [],
            "back": "/day",
            "refused": refused,
            "done": request.query_params.get("done"),
        }
        return page(request, view.language, "day.html", values, status)


def _gone(company: Company, who: Visitor, now_us: int) -> list[Absence]:
    return gone(company, works_with(company, who, now_us), now_us).now


def _mark(connection: Connection, holders: Sequence[str]) -> str:
    return mark(connection, tables.task.c.holder_id.in_(holders))


def _task_of(connection: Connection, holders: Sequence[str], task_id: str) -> list[Row]:
    """Return the open task that a message leads to, if one of these has it."""
    if not task_id:
        return []
    return [row for one in holders for row in views.inbox(connection, one, 1, task_id)]


def _of_me(connection: Connection, me: str, now_us: int) -> list[Row]:
    """Return what is overdue and what is ahead: a heap of the one must not hide the other."""
    late = views.inbox(connection, me, OVERDUE_READ, due_before_us=now_us)
    return [*late, *views.inbox(connection, me, AHEAD_READ, due_from_us=now_us)]


def _without(first: Sequence[Row], rows: Sequence[Row]) -> list[Row]:
    shown = {row["task_id"] for row in first}
    return [row for row in rows if row["task_id"] not in shown]


def _span(entered: Mapping[str, str], now_us: int, zone: str) -> tuple[int, int]:
    """Return from when until when somebody is away: `today`, `tomorrow`, or the whole days `from` to `to`."""
    match entered.get("when"):
        case "today":
            return now_us, midnight(now_us, zone)
        case "tomorrow":
            return midnight(now_us, zone), midnight(now_us, zone, 2)
        case _:
            try:
                first = parse_local(f"{entered['from']}T00:00", zone)
                last = parse_local(f"{entered['to']}T00:00", zone)
                return max(first, now_us), midnight(last, zone)
            except (KeyError, ValueError, OverflowError):
                raise ActRefused("bad_date", "The date cannot be read.") from None


def _colleagues(company: Company, me: str | None, now_us: int) -> list[str]:
    """Return who could stand in: first those of one's own teams."""
    teams = teams_of(company, me, now_us)
    near = {one.person_id for one in company.members if one.unit_id in teams}
    active = [key for key, one in company.people.items() if one.state == "active" and key != me]
    return sorted(active, key=lambda one: one not in near)


def _passes(connection: Connection, customers: Iterable[str], now_us: int) -> dict[str, int]:
    """Return when each of these customers passes on to somebody else if nobody turns to it."""
    timer = tables.timer
    asked = select(timer.c.subject_id, func.min(timer.c.due_us)).where(
        timer.c.kind == UNTOUCHED,
        keys_in(connection, ["timer.subject_id"], ([one] for one in sorted(customers))),
        timer.c.fired_us.is_(None),
        timer.c.due_us > now_us,
    )
    return {row[0]: row[1] for row in connection.execute(asked.group_by(timer.c.subject_id))}


def _offer_ends(row: Row, now_us: int) -> int | None:
    """Return until when the first who takes an offered customer gets it; None if it is not offered."""
    if not row["reason"]:
        return None
    reason = Reason.model_validate(row["reason"])
    if reason.code != "call_now":
        return None
    until_us = offered_until(reason.strategy, row["decided_us"])
    return until_us if until_us > now_us else None
