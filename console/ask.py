"""What people want to know, each with a link to where it stands: for everybody what one of their roles may ask."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.texts import page
from console.view import View


@dataclass(frozen=True)
class AskPage:
    """One page, linked from the head of every other."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/ask", self.show)]

    async def show(self, request: Request) -> Response:
        """The questions."""

        def answer() -> Response:
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
            view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
            return page(request, view.language, "ask.html", {"view": view})

        return await run_in_threadpool(answer)
