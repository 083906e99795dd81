"""The demo's "kill it now": the process dies by SIGKILL, and what its sender was promised is counted after."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, is_own_page
from console.texts import page
from console.view import View
from store import views

DIES_AFTER_S = 0.2
"""Time for the answer to leave."""
SETTLED_US = 10_000_000
"""After a start the stages work off what the doors have; what is not there by then is lost."""


@dataclass(frozen=True)
class Kill:
    """How this process dies, since when it lives, and the receipts that its sender was given, oldest first."""

    die: Callable[[], None]
    acknowledged: Callable[[], list[str]]
    started_us: int


@dataclass(frozen=True)
class KillPage:
    """The button's two answers."""

    desk: Desk
    kill: Kill

    def routes(self) -> list[BaseRoute]:
        """Return the routes; they exist in the demo only."""
        return [
            Route("/demo/kill", self.die, methods=["POST"]),
            Route("/demo/killed/{killed_us:int}", self.killed),
        ]

    async def die(self, request: Request) -> Response:
        """Answer, then die."""
        if not is_own_page(request):
            return Response("This was sent from another site.\n", status_code=403)
        now_us = self.desk.clock()
        response = await run_in_threadpool(self._answer, request, now_us)

        async def then() -> None:
            await asyncio.sleep(DIES_AFTER_S)
            self.kill.die()

        response.background = BackgroundTask(then)
        return response

    async def killed(self, request: Request) -> Response:
        """Say how it ended: how long it was away, and what of the sender's receipts is there."""
        return await run_in_threadpool(self._answer, request, request.path_params["killed_us"])

    def _answer(self, request: Request, killed_us: int) -> Response:
        receipts = self.kill.acknowledged()
        now_us = self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            stored, twice = views.kept(connection, receipts)
        is_back = self.kill.started_us > killed_us
        missing = len(receipts) - stored
        values = {
            "killed_us": killed_us,
            "away_us": self.kill.started_us - killed_us if is_back else None,
            "promised": len(receipts),
            "missing": missing,
            "twice": twice,
            "settled": is_back and (missing == 0 or now_us > self.kill.started_us + SETTLED_US),
        }
        view = View(language_of(request, company.language), company, now_us)
        return page(request, view.language, "_killed.html", {"view": view, **values})
