"""The console's routes: every page, and the JSON API of inbox, acts and the sum that must add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from answers.problem import problem
from console.alarms import AlarmsPage
from console.api_marketing import MarketingApi
from console.audit import AuditPage
from console.backups import Backups, BackupsPage
from console.campaigns import CampaignsPage
from console.collisions import CollisionsPage
from console.customers import CustomersPage
from console.day import DayPage
from console.desk import Desk, is_own_page
from console.doors_page import DoorsPage
from console.gate import visitor
from console.imports import ImportsPage, Lists
from console.kill import Kill, KillPage
from console.neglected import NeglectedPage
from console.operations import Operations
from console.pages import pages
from console.pools import PoolsPage
from console.repair import RepairPage
from console.rules import RulesPage
from console.taken import TakenPage
from console.timeline import FindCapture, TimelinePage
from sales.money_files import order_said
from sales.outcomes import Said, record_outcome
from schemas.outcomes import OutcomeCode
from store import views
from store.acts import ActRefused, Append, Command, Plan
from store.acts_inbox import give_back, take
from store.database import Database

STATIC = Path(__file__).parent / "static"


def console_routes(
    store: Database,
    clock: Callable[[], int],
    new_id: Callable[[], str],
    append: Append,
    *,
    smtp_port: int = 0,
    kill: Kill | None = None,
    lists: Lists | None = None,
    find_capture: FindCapture = lambda _capture_id: None,
    operations: Operations | None = None,
    backups: Backups | None = None,
) -> list[BaseRoute]:
    """Return the console's routes over a store.

    `append` puts the events of acts on the store's log; `smtp_port` is where the mail door listens (0: closed),
    for show; `kill` lets the demo's visitors kill the process; `lists` brings lists in,
    `find_capture` finds the raw bytes; `operations` and `backups` do what
    operations asks for.
    """
    desk = Desk(store, clock, new_id, append)
    api = Api(desk)
    return [
        *pages(desk, smtp_port, can_kill=kill is not None).routes(),
        *(KillPage(desk, kill).routes() if kill else ()),
        *NeglectedPage(desk).routes(),
        *CollisionsPage(desk).routes(),
        *CustomersPage(desk).routes(),
        *DayPage(desk).routes(),
        *TimelinePage(desk, find_capture).routes(),
        *TakenPage(desk).routes(),
        *PoolsPage(desk).routes(),
        *CampaignsPage(desk).routes(),
        *MarketingApi(desk).routes(),
        *RepairPage(desk, find_capture, operations).routes(),
        *AuditPage(desk).routes(),
        *AlarmsPage(desk).routes(),
        *(BackupsPage(desk, backups).routes() if backups else ()),
        *(RulesPage(desk, operations).routes() if operations else ()),
        *(DoorsPage(desk, operations, find_capture).routes() if operations else ()),
        *(ImportsPage(desk, lists).routes() if lists else ()),
        Mount("/static", StaticFiles(directory=STATIC)),
        Route("/api/inbox/{holder_id}", api.inbox),
        Route("/api/tally", api.tally),
        Route("/api/orphans", api.orphans),
        Route("/api/tasks/{task_id}/outcome", api.outcome, methods=["POST"]),
        Route("/api/tasks/{task_id}/take", api.take, methods=["POST"]),
        Route("/api/tasks/{task_id}/return", api.give_back, methods=["POST"]),
    ]


@dataclass(frozen=True)
class Api:
    """JSON answers; every act names its actor."""

    desk: Desk

    async def inbox(self, request: Request) -> Response:
        """GET: the open tasks of a person or queue, most urgent first."""
        holder_id = request.path_params["holder_id"]
        return JSONResponse({"tasks": await run_in_threadpool(self._read, views.inbox, holder_id)})

    async def tally(self, _request: Request) -> Response:
        """GET: how many captures became what."""
        return JSONResponse(await run_in_threadpool(self._read, views.tally))

    async def orphans(self, _request: Request) -> Response:
        """GET: open customers without a holder; empty when all is well."""
        return JSONResponse(
            {"orphans": await run_in_threadpool(self._read, views.orphans, self.desk.clock())}
        )

    async def outcome(self, request: Request) -> Response:
        """POST {actor, code, note?, next_us?, reason?, order?: {order_no, amount, product?, currency?}}: end a task with an outcome."""

        def plan(body: dict[str, Any]) -> Plan:
            if body.get("code") not in get_args(OutcomeCode):
                raise ActRefused("unknown_outcome", f"Outcomes are {', '.join(get_args(OutcomeCode))}.")
            company = self._read(self.desk.companies.get)
            sold = body.get("order") if body["code"] == "won" else None
            cells = {key: str(value) for key, value in sold.items()} if isinstance(sold, dict) else {}
            order = order_said(cells, company, self.desk.clock())
            said = Said(body["code"], body.get("note"), body.get("next_us"), body.get("reason"), order)
            return record_outcome(said, company, self.desk.offices.get(company).due)

        return await self._act(request, "outcome", plan)

    async def take(self, request: Request) -> Response:
        """POST {actor}: take the customer of a waiting task."""
        return await self._act(request, "take", lambda _body: take())

    async def give_back(self, request: Request) -> Response:
        """POST {actor, reason}: return the customer of a task to its team's waiting queue."""
        return await self._act(request, "return", lambda _body: give_back())

    async def _act(self, request: Request, verb: str, plan: Callable[[dict[str, Any]], Plan]) -> Response:
        if not is_own_page(request):
            return problem(403, "cross_site", "This request was sent by a page of another site.")
        try:
            body = dict(await request.json())
            actor = visitor(request).person_id or body["actor"]
        except (ValueError, KeyError, TypeError):
            return problem(400, "bad_body", 'Send {"actor": person id, …} as JSON.')
        key = request.headers.get("idempotency-key") or self.desk.new_id()
        command = Command(verb, actor, key, request.path_params["task_id"], body.get("reason"))
        try:
            done = await run_in_threadpool(lambda: self.desk.perform(command, plan(body)))
        except ActRefused as refused:
            status = (
                422
                if refused.code
                in (
                    "unknown_outcome",
                    "reason_missing",
                    "date_missing",
                    "outcome_reason_missing",
                    "order_number_missing",
                    "amount_form",
                )
                else 409
            )
            return problem(status, refused.code, str(refused))
        return JSONResponse({"act_id": command.act_id, "repeated": not done})

    def _read(self, view: Callable[..., Any], *args: Any) -> Any:
        with self.desk.store.read() as connection:
            return view(connection, *args)
