"""The alarms: what is wrong now, what was, who was told of it and by which way."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.texts import page
from console.view import View
from sinks.alarms import alarm_of, told
from store.alarms import past
from store.breakers import open_breakers
from store.silences import silent

SHOWN = 50


@dataclass(frozen=True)
class AlarmsPage:
    """For operations and auditors."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/alarms", self.show)]

    async def show(self, request: Request) -> Response:
        """What holds now, then every alarm, the newest first."""
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        at, _, alarm_id = request.query_params.get("after", "").partition(".")
        after = (int(at), alarm_id) if at.isdecimal() and len(at) < 19 and alarm_id else None
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            breakers, quiet = open_breakers(connection), silent(connection)
            found = past(connection, after, SHOWN + 1)
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        more = None
        if len(found) > SHOWN:
            last = found[SHOWN - 1][0]
            place = f"{last['at_us']}.{last['alarm_id']}"
            more = f"/alarms?{urlencode({'after': place})}"
        values = {
            "view": view,
            "breakers": breakers,
            "silent": sorted(quiet.items(), key=lambda one: one[1]),
            "alarms": [
                (row, *told(alarm_of(row, None), company, view.language), ways) for row, ways in found[:SHOWN]
            ],
            "more": more,
            "is_first": after is None,
        }
        return page(request, view.language, "alarms.html", values)
