"""The screen that a telephone opens for an incoming call: `/pop?phone=`. Who it is, for whoever may see it; else the blind check.

A CTI client opens the address as a page of its own. A link on another site does not ask in somebody's name: that takes a click.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, is_own_page
from console.desk_found import Answer
from console.desk_page import ask
from console.gate import visitor
from console.texts import page
from console.view import View
from enrich.phone import parse_phone
from store import tables
from store.acts import ActRefused
from store.timeline import timeline

PHONE_CHARS = 60
LAST = 5
"""Touches shown; all are one click away."""


@dataclass(frozen=True)
class Screen:
    """What the screen shows of a customer that its reader sees: open tasks and the last touches."""

    tasks: Sequence[dict[str, Any]]
    entries: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class PopPage:
    """One page, by GET, so that a telephone can open it."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/pop", self.show)]

    async def show(self, request: Request) -> Response:
        """Who calls."""
        phone = request.query_params.get("phone", "").strip()[:PHONE_CHARS]
        return await run_in_threadpool(self._show, request, phone)

    def _show(self, request: Request, phone: str) -> Response:
        who = visitor(request)
        found, refused = None, None
        number = parse_phone(phone)
        is_whole = number is not None and number.line != "unknown"
        if is_whole and is_own_page(request):
            try:
                found = ask(self.desk, who, phone)
            except ActRefused as refusal:
                refused = refusal.code
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            screens = _screens(connection, found) if found is not None else {}
        view = View(language_of(request, company.language), company, self.desk.clock(), who)
        values = {
            "view": view,
            "phone": phone,
            "is_whole": is_whole,
            "found": found,
            "refused": refused,
            "screens": screens,
        }
        return page(request, view.language, "pop.html", values)


def _screens(connection: Connection, found: Answer) -> dict[str, Screen]:
    screens = {}
    task = tables.task
    for hit in found.hits:
        if not hit.is_seen:
            continue
        customer_id = hit.taken.customer_id
        tasks = connection.execute(
            select(task)
            .where(task.c.customer_id == customer_id, task.c.state == "open")
            .order_by(task.c.due_us)
        ).mappings()
        told = timeline(connection, customer_id)
        entries = [one for one in (told[1] if told else []) if one["kind"] != "owner"]
        screens[customer_id] = Screen([dict(one) for one in tasks], entries[:LAST])
    return screens
