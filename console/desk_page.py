"""The front desk's page: one box that finds customers, who has them, and the quick entry of somebody who is new."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.counter_answer import CounterAnswers
from console.desk import Desk, entered_in
from console.desk_found import Answer, find
from console.gate import visitor
from console.may import Visitor
from console.texts import page
from console.view import View
from enrich.taken import an_hour, asking
from schemas.base import Language
from schemas.work import ASKED
from store.acts import ActRefused, Command

ASKED_CHARS = 200
FIELDS = ("name", "phone", "company", "product", "note", "consent")
"""Of the quick entry."""


class Visits(Protocol):
    """How somebody who stands at the desk, or is on the telephone, comes in: by the door of a counter."""

    def enter(
        self, source_id: str, fields: Mapping[str, str], person_id: str | None, language: Language
    ) -> str | dict[str, str]:
        """Make a visit durable and return its receipt, else by field what is to be corrected.

        `fields` has those of `FIELDS` and `visit_no`: the same one twice is one visit.
        """
        ...


@dataclass(frozen=True)
class DeskPage:
    """For the front desk, and for whoever wants to find or add a customer."""

    desk: Desk
    visits: Visits

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/desk", self.show),
            Route("/desk", self.ask, methods=["POST"]),
            Route("/desk/visit", self.enter, methods=["POST"]),
            Route("/desk/answer", self.answer),
        ]

    async def show(self, request: Request) -> Response:
        """The box and the quick entry; after one (`?receipt=`), who looks after the visitor."""
        typed = {name: request.query_params.get(name, "")[:ASKED_CHARS] for name in ("phone", "name")}
        return await run_in_threadpool(self._page, request, typed)

    async def ask(self, request: Request) -> Response:
        """What the visitor may be told of what they typed; whose customer it is sees who asked."""
        entered = await entered_in(request, 5)
        asked = entered.get("asked", "").strip()[:ASKED_CHARS]
        return await run_in_threadpool(self._found, request, asked)

    async def enter(self, request: Request) -> Response:
        """Take a visit in, and show who looks after it (303)."""
        entered = await entered_in(request, 20)
        return await run_in_threadpool(self._enter, request, entered)

    async def answer(self, request: Request) -> Response:
        """Who looks after a visitor, alone, for the page to fetch until it is decided."""
        return await run_in_threadpool(self._page, request, {}, template="_desk_answer.html")

    def _found(self, request: Request, asked: str) -> Response:
        try:
            found = ask(self.desk, visitor(request), asked)
        except ActRefused as refused:
            return self._page(request, {}, asked=asked, refused=refused.code, status=409)
        typed = {"phone" if asked[:1] in "+0123456789" else "name": asked} if not found.hits else {}
        return self._page(request, typed, asked=asked, found=found)

    def _enter(self, request: Request, entered: dict[str, str]) -> Response:
        source_id = entered.get("source", "")
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        language = language_of(request, company.language)
        fields = {name: entered.get(name, "").strip() for name in (*FIELDS, "visit_no")}
        taken = self.visits.enter(source_id, fields, visitor(request).person_id, language)
        if isinstance(taken, dict):
            return self._page(request, fields, wrong=taken, status=422)
        place = urlencode({"source": source_id, "receipt": taken})
        return RedirectResponse(f"/desk?{place}", status_code=303)

    def _page(
        self,
        request: Request,
        typed: Mapping[str, str],
        *,
        asked: str = "",
        found: Answer | None = None,
        refused: str | None = None,
        wrong: Mapping[str, str] | None = None,
        status: int = 200,
        template: str = "desk.html",
    ) -> Response:
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        source_id, receipt = (request.query_params.get(one, "") for one in ("source", "receipt"))
        answers = CounterAnswers(self.desk.store, self.desk.companies, self.desk.clock)
        # What came by another door is told on that customer's pages, to whom they are open.
        is_visit = company.sources.get(source_id, {}).get("format") == "counter.visit"
        values = {
            "view": view,
            "asked": asked,
            "an_hour": an_hour(visitor(request).roles),
            "found": found,
            "refused": refused,
            "sources": [
                (one["source_id"], one["name"], one.get("consent_text") or "")
                for one in company.sources.values()
                if one["format"] == "counter.visit" and one.get("enabled", True)
            ],
            "typed": typed,
            "wrong": wrong or {},
            "visit_no": typed.get("visit_no") or self.desk.new_id(),
            "source_id": source_id,
            "receipt": receipt,
            "answer": answers(source_id, receipt, view.language) if receipt and is_visit else None,
        }
        return page(request, view.language, template, values, status)


def ask(desk: Desk, who: Visitor, asked: str) -> Answer:
    """Return what a visitor is told, after writing down what they asked about. Raises ActRefused beyond the limit."""
    now_us = desk.clock()
    with desk.store.read() as connection:
        office = desk.offices.get(desk.companies.get(connection))
        found = find(connection, office, asked, who, now_us)
    for customer_id in found.questions:
        desk.perform(Command(ASKED, who.actor, desk.new_id(), customer_id), asking(an_hour(who.roles)))
    return found
