"""Missed calls that are still open: for each visitor those of whom they see, with who has them and how late it is."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.day import midnight
from console.desk import Desk
from console.gate import visitor
from console.known import with_what_is_known
from console.texts import page
from console.view import View
from store.missed import missed_calls

SHOWN = 200


@dataclass(frozen=True)
class CallsPage:
    """One page, for whoever works with customers; of today's calls alone where the address says so."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/calls", self.show)]

    async def show(self, request: Request) -> Response:
        """List them, who waits longest first."""

        def answer() -> Response:
            who, now_us = visitor(request), self.desk.clock()
            of_today = request.query_params.get("of") == "today"
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                since_us = midnight(now_us, company.zone, 0) if of_today else 0
                calls = missed_calls(connection, None if who.sees_all else who.holders, SHOWN + 1, since_us)
                with_what_is_known(connection, calls)
            view = View(language_of(request, company.language), company, now_us, who)
            values = {
                "view": view,
                "calls": calls[:SHOWN],
                "is_all": len(calls) <= SHOWN,
                "of_today": of_today,
            }
            return page(request, view.language, "calls.html", values)

        return await run_in_threadpool(answer)
