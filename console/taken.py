"""The blind check as a page: is this customer taken? See enrich.taken."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, is_own_page
from console.gate import visitor
from console.texts import page
from console.view import View
from enrich.taken import Taken, an_hour, asking, look_up, scopes_of
from schemas.work import ASKED
from store.acts import ActRefused, Command

ASKED_CHARS = 200
"""The longest registered names of companies have some 60 characters."""


@dataclass(frozen=True)
class TakenPage:
    """Asks, and answers with department, since when and whom to ask."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [Route("/taken", self.show), Route("/taken", self.ask, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        """The form."""
        return await run_in_threadpool(self._page, request, "", None, None, 200)

    async def ask(self, request: Request) -> Response:
        """The answer; whose customer it is sees who asked."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        async with request.form(max_files=0, max_fields=5) as posted:
            asked = str(posted.get("asked", "")).strip()[:ASKED_CHARS]
        return await run_in_threadpool(self._answer, request, asked)

    def _answer(self, request: Request, asked: str) -> Response:
        who = visitor(request)
        try:
            found = ask(self.desk, asked, who.actor, who.roles)
        except ActRefused as refused:
            return self._page(request, asked, None, refused.code, 409)
        return self._page(request, asked, found, None, 200)

    def _page(
        self, request: Request, asked: str, found: list[Taken] | None, refused: str | None, status: int
    ) -> Response:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        values = {"view": view, "asked": asked, "found": found, "refused": refused}
        return page(request, view.language, "taken.html", values, status)


def ask(desk: Desk, asked: str, actor: str, roles: Collection[str]) -> list[Taken]:
    """Return who has the customers that are asked for; each question is an act of its own, and counts. Raises ActRefused."""
    with desk.store.read() as connection:
        found = look_up(connection, desk.companies.get(connection), asked, actor)
    for customer_id in scopes_of(found):
        desk.perform(Command(ASKED, actor, desk.new_id(), customer_id), asking(an_hour(roles)))
    return found
