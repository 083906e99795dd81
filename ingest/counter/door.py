"""The front desk's routes: take a visit, make it durable, say so, then say who looks after the visitor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from answers.language import language_of
from answers.problem import problem
from ingest.counter.access import may_use
from ingest.counter.pages import DeskPages
from ingest.counter.take import NotTaken, Take, counter_of
from schemas.base import Language
from stream.crash import crash_point
from stream.door_log import DoorLog

Answers = Callable[[str, str, Language], dict[str, Any] | None]
"""(source id, receipt, language) → who looks after the visitor; None while that is not decided, or unknown.

A dict of `owner` {name, extension, present: here|away|off_shift|left, back} or None, `team` (its name), `instead`
{name, extension, role: stand_in|colleague|manager} or None, `known` (came before), `why` (a sentence), `due_us`
and `due` (as people read it). Times are texts in the language; all but `owner`, `instead` may be empty.
"""

WAIT_S = 1.0
"""How long a request waits for the answer: a visitor stands at the desk, and routing takes milliseconds. When the
stages are behind, the browser asks again rather than hold a connection."""
LOOK_S = 0.04
"""How often it looks meanwhile: 25 small reads at most."""


@dataclass(frozen=True)
class CounterDoor:
    """The front desk: `staff` names the people by two-digit code, `answers` says who has a visitor."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]
    staff: Callable[[Language], Mapping[str, str]]
    answers: Answers

    def routes(self) -> list[Route]:
        """Return the routes. They let in this machine, the source's secret, and devices that gave it once."""
        pages = DeskPages(self.sources, self.new_id, self.staff, self.wait, self._take)
        return [
            Route("/in/counter/{source_id}", self.accept, methods=["POST"]),
            Route("/api/counter/{source_id}/answer/{receipt}", self.answer),
            *pages.routes(),
        ]

    async def accept(self, request: Request) -> Response:
        """Take one visit from a program: 202 with a receipt once durable, else what to correct."""
        source = counter_of(self.sources(), request.path_params["source_id"])
        if source is None:
            return problem(
                404, "unknown_source", "There is no front desk of this name.", "Check the address."
            )
        if not may_use(request, source):
            return _not_allowed()
        taken = await self._take(request, source)
        if isinstance(taken, NotTaken):
            first = taken.wrong[0]
            response = problem(taken.status, first.code, first.message, first.hint, first.field)
            if taken.status == 503:
                response.headers["retry-after"] = "5"
            return response
        response = JSONResponse({"receipt": taken.capture_id, "trace_id": taken.trace_id}, status_code=202)
        crash_point("answered")
        return response

    async def answer(self, request: Request) -> Response:
        """Say who looks after a visitor: 200 with the answer, 202 while it is being decided."""
        source = counter_of(self.sources(), request.path_params["source_id"])
        if source is None:
            return problem(
                404, "unknown_source", "There is no front desk of this name.", "Check the address."
            )
        if not may_use(request, source):
            return _not_allowed()
        language = language_of(request, source.language)
        found = await self.wait(source.source_id, request.path_params["receipt"], language)
        if found is None:
            return JSONResponse({"state": "waiting"}, status_code=202, headers={"retry-after": "1"})
        return JSONResponse({"state": "decided", **found})

    async def wait(self, source_id: str, receipt: str, language: Language) -> dict[str, Any] | None:
        """Return the answer as soon as there is one, or None after WAIT_S."""
        loop = asyncio.get_running_loop()
        give_up = loop.time() + WAIT_S
        while True:
            found = await run_in_threadpool(self.answers, source_id, receipt, language)
            if found is not None or loop.time() >= give_up:
                return found
            await asyncio.sleep(LOOK_S)

    @property
    def _take(self) -> Take:
        return Take(self.log, self.clock, self.new_id)


def _not_allowed() -> JSONResponse:
    hint = "Send `Authorization: Bearer` with the `secret` of this source, or ask on the machine itself."
    return problem(401, "bad_token", "The token is missing or wrong.", hint)
