"""The doors: how each is, its last captures, what the other side needs, and having a held one go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.operations import Operations
from console.repair_fields import editable
from console.texts import page
from console.timeline import FindCapture, as_text
from console.view import View
from schemas.mask import masked
from store.acts import ActRefused
from store.breakers import open_breakers
from store.door_health import Health, captures, health

CAPTURES = 20
EXCERPT_CHARS = 160
State = Literal["off", "stopped", "held", "draining", "silent", "open"]


@dataclass(frozen=True)
class DoorsPage:
    """For operations; an auditor reads, without secrets."""

    desk: Desk
    operations: Operations
    find_capture: FindCapture

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/doors", self.show),
            Route("/doors/reset", self.reset, methods=["POST"]),
            Route("/doors/{source_id}", self.one),
        ]

    async def show(self, request: Request) -> Response:
        """Every source with its health."""
        return await run_in_threadpool(self._all, request, None, 200)

    async def one(self, request: Request) -> Response:
        """One source: its health, what the other side needs, and what it sent last."""
        return await run_in_threadpool(self._one, request)

    async def reset(self, request: Request) -> Response:
        """Have what is held of a source, a destination, or (`*`) of all go on; then show the doors again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 5)
        return await run_in_threadpool(self._reset, request, entered)

    def _reset(self, request: Request, entered: Mapping[str, str]) -> Response:
        reason = entered.get("reason", "").strip()[:500]
        payload = {"id": entered.get("source", ""), "actor": visitor(request).actor, "reason": reason or None}
        try:
            with self.desk.remembers(request, entered):
                self.operations.do("reset_breaker", {**payload, **self.desk.keyed(request, entered)})
        except ActRefused as refused:
            return self._all(request, refused.code, 409)
        return RedirectResponse(f"/doors?{urlencode({'done': entered['source']})}", status_code=303)

    def _all(self, request: Request, refused: str | None, status: int) -> Response:
        now_us = self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            found = health(connection, list(company.sources), now_us)
            breakers = open_breakers(connection)
        view = View(language_of(request, company.language), company, now_us, visitor(request))
        doors = [
            (section, state_of(found[key]), found[key], self._expected(view, key, found[key]))
            for key, section in company.sources.items()
        ]
        order = ("stopped", "held", "draining", "silent", "open")
        values = {
            "view": view,
            "doors": sorted(doors, key=lambda one: (order.index(one[1]), one[0]["name"])),
            "off": list(company.sources_off.values()),
            "breakers": breakers,
            "acts": "operations" in view.visitor.roles,
            "new_key": self.desk.new_id,
            "refused": refused,
            "done": request.query_params.get("done"),
        }
        return page(request, view.language, "doors.html", values, status)

    def _one(self, request: Request) -> Response:
        source_id, now_us = request.path_params["source_id"], self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            found = health(connection, [source_id], now_us)[source_id]
            last = captures(connection, source_id, CAPTURES)
        view = View(language_of(request, company.language), company, now_us, visitor(request))
        section = company.sources.get(source_id) or company.sources_off.get(source_id)
        if section is None:
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": source_id}, 404)
        acts = "operations" in view.visitor.roles
        shown = section if acts or not section.get("secret") else {**section, "secret": "•••"}
        values = {
            "view": view,
            "section": section,
            "state": state_of(found) if source_id in company.sources else "off",
            "health": found,
            "expected": self._expected(view, source_id, found),
            "advice": self.operations.advice(shown, view.language),
            "captures": [(row, self._excerpt(row["capture_id"])) for row in last],
            "acts": acts,
            "new_key": self.desk.new_id,
        }
        return page(request, view.language, "door.html", values)

    def _expected(self, view: View, source_id: str, found: Health) -> tuple[float, float] | None:
        last_us = found.last_us if found.last_us is not None else view.now_us
        return self.operations.expected(source_id, view.company, last_us, view.now_us)

    def _excerpt(self, capture_id: str) -> str:
        """Return how a capture begins, its numbers masked for whoever looks: the whole is one tap further."""
        capture = self.find_capture(capture_id)
        if capture is None:
            return ""
        pairs = editable(capture).pairs
        text = " · ".join(f"{name}: {value}" for name, value in pairs) if pairs else as_text(capture.body)
        return masked(" ".join(text[: 4 * EXCERPT_CHARS].split()))[:EXCERPT_CHARS]


def state_of(found: Health) -> State:
    """Return in one word how a door is."""
    if found.breaker is not None:
        states: dict[str, State] = {"open": "held", "draining": "draining", "stopped": "stopped"}
        return states[found.breaker["state"]]
    return "silent" if found.silent_us is not None else "open"
