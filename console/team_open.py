"""What the rules left open: customers for whom no rule decided, and those who wait in a team's queue."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.neglected import first_leads
from console.texts import page
from console.view import View
from store.decided_lately import left_open

SHOWN = 200
"""Who waits longest stands first; a longer queue is worked off from the top."""


@dataclass(frozen=True)
class TeamOpenPage:
    """For managers their queues and the default queue, of which anybody may take; names only of what they see."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/team/open", self.show)]

    async def show(self, request: Request) -> Response:
        """List them, who waits longest first."""
        return await run_in_threadpool(self._page, request)

    def _page(self, request: Request) -> Response:
        who, now_us = visitor(request), self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            queues = {one for one in company.units if who.sees(one)} | {company.default_queue}
            found = left_open(connection, queues, SHOWN)
            seen = [one.customer_id for one in found if who.sees(one.queue_id)]
            leads = first_leads(connection, seen)
        view = View(language_of(request, company.language), company, now_us, who)
        values = {
            "view": view,
            "unruled": [one for one in found if one.rule_id is None],
            "waiting": [one for one in found if one.rule_id is not None],
            "is_all": len(found) < SHOWN,
            "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
            "names": {key: view.who(fields) for key, (_, fields) in leads.items()},
        }
        return page(request, view.language, "team_open.html", values)
