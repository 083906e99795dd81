"""Taking one visit out of a request: read it, check it, make it durable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.requests import Request

from ingest.counter.visit import Counter, mistakes, visit_number
from ingest.web.body import MAX_BODY, SLOW_BODY_S, TooLarge, read_body
from ingest.web.form import FormError, Posted, read_form
from schemas.capture import Capture, capture_of
from schemas.results import Refused
from stream.door_log import PROBE_HEADER, DoorLog, Overloaded

NOTHING = Posted(pairs=())


@dataclass(frozen=True, slots=True)
class NotTaken:
    """Nothing was kept: what somebody must correct, the HTTP status that says so, and what could be read."""

    status: int
    wrong: tuple[Refused, ...]
    posted: Posted


@dataclass(frozen=True, slots=True)
class Take:
    """Takes visits for a door."""

    log: DoorLog
    clock: Callable[[], int]
    new_id: Callable[[], str]

    async def __call__(self, request: Request, source: Counter) -> Capture | NotTaken:
        """Return the capture once it is on disk."""
        content_type = request.headers.get("content-type", "")
        try:
            body = await read_body(request)
            posted = read_form(content_type, body)
        except TooLarge:
            return _not(413, "too_large", f"More than {MAX_BODY} bytes.", "Send less.")
        except TimeoutError:
            return _not(408, "too_slow", f"The body took over {SLOW_BODY_S:.0f} s.", "Send it again.")
        except FormError as error:
            return _not(400, error.code, error.message, error.hint, error.field)
        if wrong := mistakes(posted, source):
            return NotTaken(422, wrong, posted)
        capture = capture_of(
            source_id=source.source_id,
            channel="counter",
            format="counter.visit",
            body=body,
            accepted_us=self.clock(),
            trace_id=self.new_id(),
            idem_key=visit_number(posted),
            made_key=self.new_id(),
            traceparent=request.headers.get("traceparent"),
            purpose="probe" if self.log.is_probe(request.headers.get(PROBE_HEADER)) else source.purpose,
            meta={"content_type": content_type},
        )
        try:
            await self.log.durable([capture])
        except Overloaded:
            busy = _not(
                503, "overloaded", "It cannot be written at the moment.", "Try again in a few seconds."
            )
            return replace(busy, posted=posted)
        return capture


def counter_of(sources: Mapping[str, Mapping[str, Any]], source_id: str) -> Counter | None:
    """Return the front desk of this id, None if there is none."""
    settings = sources.get(source_id)
    if settings is None or settings["format"] != "counter.visit":
        return None
    return Counter.model_validate(settings)


def _not(status: int, code: str, message: str, hint: str, field: str | None = None) -> NotTaken:
    refused = Refused(stage="door", code=code, field=field, message=message, hint=hint)
    return NotTaken(status, (refused,), NOTHING)
