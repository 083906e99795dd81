"""The console's API: inbox, acts, explain and the sum that must add up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from schemas.outcomes import OutcomeCode
from store import views
from store.acts import ActRefused, Command, perform, record_outcome
from store.database import Database


def console_routes(store: Database, clock: Callable[[], int], new_id: Callable[[], str]) -> list[Route]:
    """Return the console's routes over a store."""
    api = Api(store, clock, new_id)
    return [
        Route("/api/inbox/{holder_id}", api.inbox),
        Route("/api/tally", api.tally),
        Route("/api/orphans", api.orphans),
        Route("/api/tasks/{task_id}/outcome", api.outcome, methods=["POST"]),
    ]


@dataclass(frozen=True)
class Api:
    """JSON answers; every act names its actor."""

    store: Database
    clock: Callable[[], int]
    new_id: Callable[[], str]

    async def inbox(self, request: Request) -> Response:
        """GET: the open tasks of a person or queue, most urgent first."""
        holder_id = request.path_params["holder_id"]
        return JSONResponse({"tasks": await run_in_threadpool(self._read, views.inbox, holder_id)})

    async def tally(self, _request: Request) -> Response:
        """GET: how many captures became what."""
        return JSONResponse(await run_in_threadpool(self._read, views.tally))

    async def orphans(self, _request: Request) -> Response:
        """GET: open customers without a holder; empty when all is well."""
        return JSONResponse({"orphans": await run_in_threadpool(self._read, views.orphans, self.clock())})

    async def outcome(self, request: Request) -> Response:
        """POST {actor, code, note?, next_us?}: end a task with an outcome."""
        try:
            body = await request.json()
            code, actor = body["code"], body["actor"]
        except (ValueError, KeyError, TypeError):
            return _problem(400, "bad_body", 'Send {"actor": person id, "code": outcome, "note": …}.')
        if code not in get_args(OutcomeCode):
            return _problem(422, "unknown_outcome", f"Outcomes are {', '.join(get_args(OutcomeCode))}.")
        key = request.headers.get("idempotency-key") or self.new_id()
        command = Command("outcome", actor, key, request.path_params["task_id"])
        plan = record_outcome(code, body.get("note"), body.get("next_us"))
        try:
            done = await run_in_threadpool(perform, self.store, command, plan, self.clock())
        except ActRefused as refused:
            return _problem(409, refused.code, str(refused))
        return JSONResponse({"act_id": command.act_id, "repeated": not done})

    def _read(self, view: Callable[..., Any], *args: Any) -> Any:
        with self.store.read() as connection:
            return view(connection, *args)


def _problem(status: int, code: str, message: str) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
