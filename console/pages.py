"""The console's pages: first page, inboxes, a lead's story; and the forms on them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console import first_touch
from console.desk import Desk, begins_at, entered_in, is_own_page
from console.doors import boxes
from console.gate import actor_of, visitor
from console.known import Known, at_a_glance, with_what_is_known
from console.news import CALMLY, mark, news
from console.outcome_form import NOTE_CHARS, said_in
from console.recent import PATIENCE_S, Answer, Recent
from console.second import TOO_LATE, Second, came_second
from console.story import steps
from console.texts import page
from console.view import View
from sales.outcomes import reasons_for, record_outcome
from sales.segments import customers_of
from schemas.company import Company
from schemas.ids import body_digest
from store import tables, views
from store.acts import ActRefused, Plan
from store.acts_inbox import give_back, take
from store.breakers import open_breakers

NEWS_US = 7 * 24 * 3_600_000_000
"""How long what a customer said without asking for anything stays on its owner's page."""
MINUTE_US = 60 * 1_000_000
INBOX_SHOWN = 25
"""Tasks on a page; each has its forms in it."""


@dataclass(frozen=True)
class Pages:
    """HTML for people; every act names its actor."""

    desk: Desk
    smtp_port: int
    balance: Recent[views.Balance]
    can_kill: bool
    has_stories: bool

    def routes(self) -> list[BaseRoute]:
        """Return the pages' routes."""
        return [
            Route("/", self.first),
            Route("/news", self.news_of_first),
            Route("/inbox", self.inboxes),
            Route("/inbox/{holder_id}", self.inbox),
            Route("/inbox/{holder_id}/news", self.news),
            Route("/inbox/{holder_id}/{task_id}/{verb}", self.act, methods=["POST"]),
            Route("/story", self.find),
            Route("/story/{any_id}", self.story),
        ]

    async def first(self, request: Request) -> Response:
        """The sum that must add up, the doors, and the live feed."""
        return await run_in_threadpool(self._first, request)

    async def news_of_first(self, request: Request) -> Response:
        """Tell whenever the sum or the feed reads differently."""

        def look() -> str:
            view, (rows, breakers) = self._read(request, _news_of_all)
            return _mark_of_first(view, rows, breakers, self.balance.within(0))

        return news(request, look, CALMLY)

    def _first(self, request: Request) -> Response:
        view, (rows, breakers) = self._read(request, _news_of_all)
        sources, counted = view.company.sources, self.balance.within(PATIENCE_S)
        values = {
            "seen": _mark_of_first(view, rows, breakers, counted),
            "sum": counted.value if counted else None,
            "counted_us": counted.said_us(view.now_us) if counted else None,
            "feed": rows,
            "breakers": breakers,
            "boxes": boxes(sources, view.now_us, self.smtp_port),
            "can_kill": self.can_kill,
            "has_stories": self.has_stories,
        }
        return _page(request, view, "first.html", values)

    async def inboxes(self, request: Request) -> Response:
        """Whose inbox is there, and how full."""

        def answer() -> Response:
            now_us = self.desk.clock()
            view, counts = self._read(request, views.inboxes, now_us)
            sees = view.visitor.sees
            by_holder = {row["holder_id"]: row for row in counts if sees(row["holder_id"])}
            units, staff = view.company.units.values(), view.company.people.values()
            teams = [unit for unit in units if unit.kind == "team" and sees(unit.unit_id)]
            people = [person for person in staff if person.state == "active" and sees(person.person_id)]
            values = {
                "teams": [(unit.unit_id, by_holder.pop(unit.unit_id, None)) for unit in teams],
                "people": [(one.person_id, by_holder.pop(one.person_id, None)) for one in people],
            }
            # Whoever is left over holds tasks but has left, or is a unit that is no team: never hidden.
            values["others"] = sorted(by_holder.items())
            return _page(request, view, "inboxes.html", values)

        return await run_in_threadpool(answer)

    async def inbox(self, request: Request) -> Response:
        """The open tasks of a person or team, most urgent first; a pool is shown on its own page, which names nobody."""
        company = await run_in_threadpool(self._company)
        if (holder_id := request.path_params["holder_id"]) in company.pools:
            return RedirectResponse(f"/pools?pool={quote(holder_id, safe='')}", status_code=303)
        return await run_in_threadpool(self._inbox, request, None, {}, 200)

    async def news(self, request: Request) -> Response:
        """Tell whenever a task came to an inbox, went or moved."""
        holder_id = request.path_params["holder_id"]

        def look() -> str:
            with self.desk.store.read() as connection:
                return _mark(connection, holder_id)

        return news(request, look, CALMLY)

    def _inbox(
        self, request: Request, refused: str | None, entered: Mapping[str, str], status: int
    ) -> Response:
        holder_id, begin = request.path_params["holder_id"], begins_at(request)
        since_us = self.desk.clock() - NEWS_US
        view, (seen, found, said) = self._read(request, _desk_of, holder_id, since_us, begin)
        tasks, second, typed = found[:INBOX_SHOWN], None, entered
        if refused in TOO_LATE:
            second, tasks = self._second(entered["task_id"], holder_id, tasks)
            entered = {**entered, "task_id": second.open_id or ""}
            if second.row is None and hasattr(request.state, "used"):
                second = None  # the form did something else than record an outcome: that is told
        known = self._known({task["customer_id"] for task in tasks}, view.company)
        person = view.company.people.get(holder_id)
        if person is None and holder_id not in view.company.units and not tasks:
            return _page(request, view, "unknown.html", {"asked_for": holder_id}, 404)
        office = self.desk.offices.get(view.company)
        for task in tasks:
            task["known"] = known.get(task["customer_id"])
            task["passes_us"] = None
            task["remark"] = office.remark(holder_id, task["created_us"], task["due_us"], view.language)
        values = {
            "holder_id": holder_id,
            "person": person,
            "stands_in": holder_id in view.visitor.stands_for and not view.visitor.sees(holder_id),
            "tasks": tasks,
            "earlier": None if begin == 0 else max(0, begin - INBOX_SHOWN),
            "later": begin + INBOX_SHOWN if len(found) > INBOX_SHOWN else None,
            "news": said,
            "seen": seen,
            "begin": begin,
            "actors": [] if person else _actors(view.company, holder_id),
            "me": view.visitor.person_id or (holder_id if person else None),
            "new_key": self.desk.new_id,
            "reasons": [code for code, _choices in reasons_for(view.company)],
            "refused": refused,
            "entered": entered,
            "typed": typed,
            "second": second,
            "back": entered.get("back"),
            "done": request.query_params.get("done"),
        }
        return _page(request, view, "inbox.html", values, status)

    def _second(
        self, task_id: str, holder_id: str, tasks: list[dict[str, Any]]
    ) -> tuple[Second, list[dict[str, Any]]]:
        """Return who comes second with a task, and the tasks: first the one that is open instead."""
        with self.desk.store.read() as connection:
            second = came_second(connection, holder_id, task_id)
            if second.open_id is not None:
                first = views.inbox(connection, holder_id, 1, second.open_id)
                tasks = [*first, *(one for one in tasks if one["task_id"] != second.open_id)]
        return second, tasks

    def _company(self) -> Company:
        with self.desk.store.read() as connection:
            return self.desk.companies.get(connection)

    def _known(self, customers: set[str], company: Company) -> dict[str, Known]:
        """Return what is known of these customers, what is to be asked, and what they do not agree to."""
        with self.desk.store.read() as connection:
            found = customers_of(connection, company, self.desk.clock(), customers)
            return {one.customer_id: one for one in at_a_glance(connection, found)}

    async def act(self, request: Request) -> Response:
        """Record an outcome, take or return a customer; then show the inbox again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 20)
        return await run_in_threadpool(self._act, request, entered)

    def _act(self, request: Request, entered: dict[str, str]) -> Response:
        holder_id, task_id, verb = (request.path_params[key] for key in ("holder_id", "task_id", "verb"))
        entered = {**entered, "task_id": task_id, "verb": verb}
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        try:
            plan = self._plan(verb, entered, company)
            actor = actor_of(request, entered, company)
            reason = entered.get("reason", "").strip()[:NOTE_CHARS] or None
            command = self.desk.command(request, entered, verb, actor, task_id, reason=reason)
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._inbox(request, refused.code, entered, 409)
        here = "/day" if entered.get("back") == "/day" else f"/inbox/{quote(holder_id, safe='')}"
        place = f"{here}?done={quote(verb, safe='')}"
        return RedirectResponse(place, status_code=303)

    def _plan(self, verb: str, entered: Mapping[str, str], company: Company) -> Plan:
        match verb:
            case "take":
                return take()
            case "return":
                return give_back()
            case "outcome":
                return self._outcome(entered, company)
            case _:
                raise ActRefused("unknown_verb", f"There is no act {verb!r}.")

    def _outcome(self, entered: Mapping[str, str], company: Company) -> Plan:
        said = said_in(entered, company, self.desk.clock())
        return record_outcome(said, company, self.desk.offices.get(company).due)

    async def find(self, request: Request) -> Response:
        """Go from the search box to a story."""
        asked = request.query_params.get("id", "").strip()
        return RedirectResponse(f"/story/{quote(asked, safe='')}" if asked else "/", status_code=303)

    async def story(self, request: Request) -> Response:
        """All that happened to one lead, from the bytes to the outcome."""

        def answer() -> Response:
            any_id = request.path_params["any_id"]
            view, told = self._read(request, views.story, any_id)
            found = steps(told)
            if not found:
                return _page(request, view, "unknown.html", {"asked_for": any_id}, 404)
            customers = {row["customer_id"] for row in told["memberships"] if row["to_us"] is None}
            known = list(self._known(customers, view.company).values())
            office = self.desk.offices.get(view.company)
            values = {
                "asked_for": any_id,
                "steps": found,
                "told": told,
                "known": known,
                "request_refused": request.query_params.get("refused"),
                "first_touch": partial(first_touch.told, view, office),
            }
            return _page(request, view, "story.html", values)

        return await run_in_threadpool(answer)

    def _read(self, request: Request, find: Callable[..., Any], *args: Any) -> tuple[View, Any]:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            found = find(connection, *args)
        language = language_of(request, company.language)
        return View(language, company, self.desk.clock(), visitor(request)), found


def _desk_of(
    connection: Connection, holder_id: str, since_us: int, begin: int
) -> tuple[str, list[dict[str, Any]], list[dict[str, Any]]]:
    # The mark first: what comes in while the tasks are read is told once too often, not once too seldom.
    seen = _mark(connection, holder_id)
    tasks = views.inbox(connection, holder_id, INBOX_SHOWN + 1, offset=begin)
    with_what_is_known(connection, tasks)
    return seen, tasks, views.news(connection, holder_id, since_us)


def _mark(connection: Connection, holder_id: str) -> str:
    return mark(connection, tables.task.c.holder_id == holder_id)


def _news_of_all(connection: Connection) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    return views.feed(connection), open_breakers(connection)


def _mark_of_first(
    view: View,
    rows: list[dict[str, Any]],
    breakers: list[dict[str, Any]],
    counted: Answer[views.Balance] | None,
) -> str:
    """Return what changes with what is read out for the feed and the sum, the moment one of the tasks is due, and the
    minute: by it the page says how long somebody has waited."""
    tasks = (row["task"] for row in rows if row["task"])
    late = [one["task_id"] for one in tasks if one["due_us"] < view.now_us]
    shown = (view.company.version, view.now_us // MINUTE_US, late, counted and counted.value, breakers, rows)
    return body_digest(repr(shown).encode("utf-8", "surrogatepass"))


def pages(desk: Desk, smtp_port: int, *, can_kill: bool = False, has_stories: bool = False) -> Pages:
    """Return the pages over a store; `can_kill` and `has_stories`: with the demo's buttons."""

    def find() -> views.Balance:
        with desk.store.read() as connection:
            return views.balance(connection, desk.clock())

    return Pages(desk, smtp_port, Recent(find), can_kill, has_stories)


def _actors(company: Company, team_id: str) -> list[str]:
    """Return who may act on a team's queue: its people and manager; everybody for the default queue."""
    active = [one.person_id for one in company.people.values() if one.state == "active"]
    if team_id == company.default_queue:
        return active
    unit = company.units.get(team_id)
    team = {member.person_id for member in company.members if member.unit_id == team_id}
    team |= {unit.manager_id} if unit and unit.manager_id else set()
    return [one for one in active if one in team]


def _page(request: Request, view: View, template: str, values: dict[str, Any], status: int = 200) -> Response:
    return page(request, view.language, template, {"view": view, **values}, status)
