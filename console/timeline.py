"""A customer's timeline across all channels, and the original of each touch one tap away."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.correct import became_known, correctable, to_correct
from console.desk import Desk, entered_in, is_own_page
from console.gate import actor_of, visitor
from console.known import at_a_glance
from console.operations import Operations
from console.outcome_form import said_in
from console.texts import page
from console.view import View
from enrich.golden import called_of
from sales.outcomes import CONTACT, reasons_for, record_contact
from sales.segments import customers_of
from schemas.capture import Capture
from schemas.correction import CORRECTABLE
from store import listing
from store.acts import ActRefused
from store.timeline import timeline

Row = dict[str, Any]
SHOWN_BYTES = 200_000
"""Of an original: longer ones are read after downloading."""

FindCapture = Callable[[str], Capture | None]
"""Finds a capture with its raw bytes; None if it is unknown or was erased."""


@dataclass(frozen=True)
class TimelinePage:
    """For whoever may see the customer; the original only for whoever reads their numbers."""

    desk: Desk
    find_capture: FindCapture
    operations: Operations | None = None

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/customer/{customer_id}", self.show),
            Route("/customer/{customer_id}/contact", self.contact, methods=["POST"]),
            *(
                [Route("/customer/{customer_id}/correct", self.correct, methods=["POST"])]
                if self.operations
                else ()
            ),
            Route("/original/{any_id}", self.original),
            Route("/original/{any_id}/bytes", self.raw),
        ]

    async def show(self, request: Request) -> Response:
        """Everything that happened with a customer, newest first."""
        return await run_in_threadpool(self._show, request, None, {}, 200)

    async def contact(self, request: Request) -> Response:
        """Record what came of a contact that no task asked for; then show the customer again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 20)
        return await run_in_threadpool(self._contact, request, entered)

    def _contact(self, request: Request, entered: dict[str, str]) -> Response:
        customer_id = request.path_params["customer_id"]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        try:
            said = said_in(entered, company, self.desk.clock())
            actor = actor_of(request, entered, company)
            command = self.desk.command(request, entered, CONTACT, actor, customer_id, reason=said.reason)
            plan = record_contact(said, company, self.desk.offices.get(company).due)
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._show(request, refused.code, entered, 409)
        return RedirectResponse(f"/customer/{quote(customer_id, safe='')}?done=contact", status_code=303)

    async def correct(self, request: Request) -> Response:
        """Put right what is known of a customer; then show them again (303), as soon as they are known so."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 2 * len(CORRECTABLE) + 5)
        return await run_in_threadpool(self._correct, request, entered)

    def _correct(self, request: Request, entered: dict[str, str]) -> Response:
        customer_id = request.path_params["customer_id"]
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        offered = correctable(request)
        try:
            if self.operations is None:
                raise ActRefused("unknown_verb", "Nobody corrects here.")
            actor = actor_of(request, entered, company)
            with self.desk.remembers(request, entered):
                said = {
                    **visitor(request).acting_as,
                    "id": customer_id,
                    "actor": actor,
                    "fields": {name: entered[name] for name in offered if name in entered},
                    "was": {name: entered[f"was_{name}"] for name in offered if f"was_{name}" in entered},
                    **self.desk.keyed(request, entered),
                }
                captures = self.operations.do("correct", said)["captures"]
        except ActRefused as refused:
            return self._show(request, refused.code, entered, 409, form="correct")
        became_known(self.desk.store, captures)
        return RedirectResponse(f"/customer/{quote(customer_id, safe='')}?done=correct", status_code=303)

    async def original(self, request: Request) -> Response:
        """What was received, as text, with what the transport said."""
        return await run_in_threadpool(self._original, request)

    async def raw(self, request: Request) -> Response:
        """Exactly the bytes that were received, to keep; never shown by the browser as what they claim to be."""
        capture_id = request.path_params["any_id"]
        if not getattr(request.state, "clear", True):
            return RedirectResponse(f"/story/{quote(capture_id, safe='')}", status_code=303)
        capture = await run_in_threadpool(self.find_capture, capture_id)
        if capture is None:
            return Response("Unknown, or erased.\n", status_code=404)
        headers = {
            "content-disposition": f'attachment; filename="{capture.capture_id}.bin"',
            "x-content-type-options": "nosniff",
            "content-security-policy": "sandbox",
            "cache-control": "no-store",
        }
        return Response(capture.body, media_type="application/octet-stream", headers=headers)

    def _show(
        self,
        request: Request,
        refused: str | None,
        entered: Mapping[str, str],
        status: int,
        form: str = "contact",
    ) -> Response:
        customer_id, now_us = request.path_params["customer_id"], self.desk.clock()
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            found = timeline(connection, customer_id)
            known, called, tasks, row = [], list[Row](), list[Row](), None
            if found is not None:
                called = called_of(connection, [found[0]], CORRECTABLE)[found[0]]
                tasks = [one for one in listing.tasks_of(connection, found[0]) if one["state"] == "open"]
                row = listing.customer(connection, found[0])
                customers = customers_of(connection, company, now_us, {found[0]})
                known = list(at_a_glance(connection, customers))
        view = View(language_of(request, company.language), company, now_us, visitor(request))
        if found is None:
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": customer_id}, 404)
        # The second in intake is nobody's, and nobody's business.
        entries = [one for one in found[1] if one["kind"] != "owner" or view.name(one["holder_id"])]
        values: dict[str, Any] = {
            "view": view,
            "customer_id": found[0],
            "entries": entries,
            "known": known,
            "called": called,
            "tasks": tasks,
            "may_record": row is not None
            and row["holder_kind"] == "person"
            and not tasks
            and view.visitor.acts("/customer/x/contact"),
            "to_correct": to_correct(request, called, entered if form == "correct" else {})
            if self.operations and row is not None and view.visitor.acts("/customer/x/correct")
            else [],
            "form": form,
            "reasons": [code for code, _choices in reasons_for(company)],
            "actors": []
            if view.visitor.person_id
            else [one.person_id for one in company.people.values() if one.state == "active"],
            "new_key": self.desk.new_id,
            "entered": entered,
            "mine": entered,
            "refused": refused,
            "done": request.query_params.get("done"),
        }
        return page(request, view.language, "timeline.html", values, status)

    def _original(self, request: Request) -> Response:
        capture_id = request.path_params["any_id"]
        if not getattr(request.state, "clear", True):
            return RedirectResponse(f"/story/{quote(capture_id, safe='')}", status_code=303)
        capture = self.find_capture(capture_id)
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
        view = View(language_of(request, company.language), company, self.desk.clock(), visitor(request))
        if capture is None:
            return page(request, view.language, "unknown.html", {"view": view, "asked_for": capture_id}, 404)
        values = {"view": view, "capture": capture, "text": as_text(capture.body)}
        return page(request, view.language, "original.html", values)


def as_text(body: bytes) -> str:
    """Return the beginning of a body as people can read it: UTF-8, else GB18030, with what is neither as �."""
    head = body[:SHOWN_BYTES]
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        if error.start > len(head) - 4 and len(body) > len(head):
            return head[: error.start].decode()
        return head.decode("gb18030", "replace")
