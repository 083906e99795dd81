"""The web door's routes: take a post, make it durable, and only then say so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from answers.problem import problem
from ingest.web.body import MAX_BODY, SLOW_BODY_S, TooLarge, read_body
from ingest.web.form import FormError, WebForm, read_form
from ingest.web.mapped_door import MappedDoor
from ingest.web.next_page import next_page
from ingest.web.pages import FormPages
from schemas.capture import capture_of
from stream.crash import crash_point
from stream.door_log import PROBE_HEADER, DoorLog, Overloaded


@dataclass(frozen=True)
class WebDoor:
    """The web door: where sources are looked up and captures are made durable."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]

    def routes(self) -> list[Route]:
        """Return the door's routes; the only ones that answer beyond loopback."""
        pages = FormPages(self.log, self.sources, self.clock, self.new_id, self.accept)
        return [
            Route("/in/web/{source_id}", self.accept, methods=["POST"]),
            Route("/servlet/servlet.WebToLead", self.mapped.web_to_lead, methods=["POST"]),
            *pages.routes(),
        ]

    @property
    def mapped(self) -> MappedDoor:
        """The door of mapped webhooks, at the same addresses."""
        return MappedDoor(self.log, self.sources, self.clock, self.new_id)

    async def accept(self, request: Request) -> Response:
        """Take one post: 202 with a receipt (JSON), or 303 to the thank-you page (browser)."""
        settings = self.sources().get(request.path_params["source_id"])
        if settings is not None and settings["format"] == "web.mapped":
            return await self.mapped.accept(request, settings)
        if settings is None or settings["format"] != "web.form":
            return problem(
                404, "unknown_source", "There is no web source of this name.", "Check the form's address."
            )
        try:
            body = await read_body(request)
        except TooLarge:
            return problem(
                413, "too_large", f"More than {MAX_BODY} bytes.", "Send less, or a link to the files."
            )
        except TimeoutError:
            return problem(408, "too_slow", f"The body took over {SLOW_BODY_S:.0f} s.", "Send it again.")
        content_type = request.headers.get("content-type", "")
        try:
            posted = read_form(content_type, body)
        except FormError as error:
            return problem(400, error.code, error.message, error.hint, error.field)
        source = WebForm.model_validate(settings)
        key = request.headers.get("idempotency-key") or posted.get("_token") or None
        capture = capture_of(
            source_id=source.source_id,
            channel="web",
            format="web.form",
            body=body,
            accepted_us=self.clock(),
            trace_id=self.new_id(),
            idem_key=key,
            made_key=self.new_id(),
            traceparent=request.headers.get("traceparent"),
            purpose="probe" if self.log.is_probe(request.headers.get(PROBE_HEADER)) else source.purpose,
            meta={"content_type": content_type},
        )
        try:
            await self.log.durable([capture])
        except Overloaded:
            response = problem(
                503, "overloaded", "It cannot be written at the moment.", "Try again in a few seconds."
            )
            response.headers["retry-after"] = "5"
            return response
        if wants_page(request):
            answer: Response = RedirectResponse(next_page(posted, source), status_code=303)
        else:
            answer = JSONResponse(
                {"receipt": capture.capture_id, "trace_id": capture.trace_id}, status_code=202
            )
        crash_point("answered")
        return answer


def wants_page(request: Request) -> bool:
    """Tell whether a browser waits for a page rather than a program for JSON."""
    accept = request.headers.get("accept", "")
    return "text/html" in accept and "json" not in request.headers.get("content-type", "")
