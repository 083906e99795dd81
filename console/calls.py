"""Missed calls that are still open: for each visitor those of whom they see, with who has them and how late it is."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, true
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.day import midnight
from console.desk import Desk
from console.gate import visitor
from console.known import with_what_is_known
from console.may import Visitor
from console.news import CALMLY, mark, news
from console.texts import page
from console.view import View
from store import tables
from store.missed import CALL_BACK, missed_calls

SHOWN = 200


@dataclass(frozen=True)
class CallsPage:
    """One page, for whoever works with customers; of today's calls alone where the address says so."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [Route("/calls", self.show), Route("/calls/news", self.news)]

    async def news(self, request: Request) -> Response:
        """Tell whenever a call was missed, or one returned."""
        who = visitor(request)

        def look() -> str:
            with self.desk.store.read() as connection:
                return _mark(connection, who)

        return news(request, look, CALMLY)

    async def show(self, request: Request) -> Response:
        """List them, who waits longest first."""

        def answer() -> Response:
            who, now_us = visitor(request), self.desk.clock()
            of_today = request.query_params.get("of") == "today"
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                since_us = midnight(now_us, company.zone, 0) if of_today else 0
                # Before the calls: what comes in while they are read is told once too often, not once too seldom.
                seen = _mark(connection, who)
                calls = missed_calls(connection, None if who.sees_all else who.holders, SHOWN + 1, since_us)
                with_what_is_known(connection, calls)
            view = View(language_of(request, company.language), company, now_us, who)
            values = {
                "view": view,
                "seen": seen,
                "calls": calls[:SHOWN],
                "is_all": len(calls) <= SHOWN,
                "of_today": of_today,
            }
            return page(request, view.language, "calls.html", values)

        return await run_in_threadpool(answer)


def _mark(connection: Connection, who: Visitor) -> str:
    task = tables.task
    theirs = true() if who.sees_all else task.c.holder_id.in_(sorted(who.holders))
    return mark(connection, (task.c.origin == CALL_BACK) & theirs)
