"""Showing the numbers of one story that are masked for whoever reads it: with a reason, and on record."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from console.desk import Desk, is_own_page
from console.gate import visitor
from store.acts import ActRefused, Command
from store.reveal import REVEAL, reveal

REASON_CHARS = 500


@dataclass(frozen=True)
class Reveal:
    """The act; the gate then lets the story out as it is, for a quarter of an hour."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the route."""
        return [Route("/reveal/{any_id}", self.act, methods=["POST"])]

    async def act(self, request: Request) -> Response:
        """Put on record who wants to see the numbers and why, and show the story, or what needs repair, again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        async with request.form(max_files=0, max_fields=5) as posted:
            reason = str(posted.get("reason", "")).strip()[:REASON_CHARS]
            back = str(posted.get("back", ""))
        any_id = request.path_params["any_id"]
        actor = visitor(request).actor
        command = Command(REVEAL, actor, self.desk.new_id(), any_id, reason or None)
        place = f"/{'needs-repair' if back == 'needs-repair' else 'story'}/{quote(any_id, safe='')}"
        try:
            await run_in_threadpool(self.desk.perform, command, reveal())
        except ActRefused as refused:
            return RedirectResponse(f"{place}?refused={refused.code}", status_code=303)
        return RedirectResponse(place, status_code=303)
