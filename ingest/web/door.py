"""The web door's routes: take a post, make it durable, and only then say so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from ingest.web.form import FormError, WebForm, read_form
from schemas.capture import capture_of
from stream.crash import crash_point
from stream.door_log import DoorLog, Overloaded

MAX_BODY = 1024 * 1024
"""A form with a long message is 10 kB; files are not taken by this door yet."""
SLOW_BODY_S = 15.0
"""A body of 1 MB on a bad mobile line takes 10 s; one that trickles longer holds a connection for nothing."""


@dataclass(frozen=True)
class WebDoor:
    """The web door: where sources are looked up and captures are made durable."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]

    def routes(self) -> list[Route]:
        """Return the door's routes; the only ones that answer beyond loopback."""
        return [Route("/in/web/{source_id}", self.accept, methods=["POST"])]

    async def accept(self, request: Request) -> Response:
        """Take one post: 202 with a receipt (JSON), or 303 to the thank-you page (browser)."""
        settings = self.sources().get(request.path_params["source_id"])
        if settings is None or settings["format"] != "web.form":
            return _error(
                404, "unknown_source", "There is no web form of this name.", "Check the form's address."
            )
        try:
            body = await asyncio.wait_for(_body(request), SLOW_BODY_S)
        except _TooLarge:
            return _error(
                413, "too_large", f"More than {MAX_BODY} bytes.", "Send less, or a link to the files."
            )
        except TimeoutError:
            return _error(408, "too_slow", f"The body took over {SLOW_BODY_S:.0f} s.", "Send it again.")
        content_type = request.headers.get("content-type", "")
        try:
            posted = read_form(content_type, body)
        except FormError as error:
            return _error(400, error.code, error.message, error.hint, error.field)
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
            purpose=source.purpose,
            meta={"content_type": content_type},
        )
        try:
            await asyncio.wrap_future(self.log.append([capture]))
        except Overloaded:
            response = _error(
                503, "overloaded", "Too much is waiting to be written.", "Try again in a few seconds."
            )
            response.headers["retry-after"] = "5"
            return response
        if wants_page(request):
            answer: Response = RedirectResponse(
                source.thanks or f"/thanks/{source.source_id}", status_code=303
            )
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


class _TooLarge(Exception):
    """The body is larger than the door takes."""


async def _body(request: Request) -> bytes:
    chunks, size = [], 0
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_BODY:
                raise _TooLarge
            chunks.append(chunk)
    except ClientDisconnect:
        raise TimeoutError from None
    return b"".join(chunks)


def _error(status: int, code: str, message: str, hint: str, field: str | None = None) -> JSONResponse:
    problem = {"code": code, "field": field, "message": message, "hint": hint}
    return JSONResponse(
        {"error": {key: value for key, value in problem.items() if value}}, status_code=status
    )
