"""The door of mapped webhooks: who sends is checked, the leads of the body become durable, and the sender gets its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from answers.problem import problem
from ingest.registry import parse_capture
from ingest.web.body import MAX_BODY, SLOW_BODY_S, TooLarge, read_body
from ingest.web.form import FormError, read_form
from ingest.web.mapped import MappedWebhook, answer_to, items_of
from ingest.web.next_page import next_page
from ingest.web.proof import wrong_proof
from schemas.capture import Capture, capture_of
from schemas.lead import Lead
from stream.crash import crash_point
from stream.door_log import PROBE_HEADER, DoorLog, Overloaded

_MESSAGES = {
    "bad_token": "The secret is missing or wrong; it is `secret` of this source.",
    "bad_signature": "The signature is missing or wrong; see `hmac_…` and `secret` of this source.",
    "too_old": "The time of sending is missing, or not within five minutes of ours.",
}


@dataclass(frozen=True)
class MappedDoor:
    """Takes the posts of one kind of source; `log` makes them durable."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]

    async def web_to_lead(self, request: Request) -> Response:
        """Take a form that was made for Salesforce: its `oid` says which source is meant."""
        body = await _body(request)
        if isinstance(body, Response):
            return body
        try:
            oid = read_form(_content_type(request), body).get("oid").strip()
        except FormError as error:
            return problem(400, error.code, error.message, error.hint, error.field)
        # Salesforce shows an id with 15 characters, or with 3 more that only check them.
        settings = next(
            (
                one
                for one in self.sources().values()
                if one["format"] == "web.mapped" and oid and str(one.get("oid") or "")[:15] == oid[:15]
            ),
            None,
        )
        if settings is None:
            return problem(
                404, "unknown_source", "No source has this `oid`.", "Set `oid` of the source to the form's."
            )
        return await self.take(request, MappedWebhook.model_validate(settings), body)

    async def accept(self, request: Request, settings: Mapping[str, Any]) -> Response:
        """Take one post of a source."""
        body = await _body(request)
        if isinstance(body, Response):
            return body
        return await self.take(request, MappedWebhook.model_validate(settings), body)

    async def take(self, request: Request, source: MappedWebhook, body: bytes) -> Response:
        """Make the leads of a body durable, and answer as its sender wants it."""
        is_probe = self.log.is_probe(request.headers.get(PROBE_HEADER))
        if not is_probe and (
            wrong := wrong_proof(source, request.query_params, request.headers, body, self.clock())
        ):
            return problem(401, wrong, _MESSAGES[wrong])
        try:
            captures = self._captures(request, source, body, is_probe=is_probe)
        except FormError as error:
            return problem(400, error.code, error.message, error.hint, error.field)
        try:
            await self.log.durable(captures)
        except Overloaded:
            response: Response = problem(
                503, "overloaded", "It cannot be written at the moment.", "Try again in a few seconds."
            )
            response.headers["retry-after"] = "5"
            return response
        response = _answer(request, source, body, captures)
        crash_point("answered")
        return response

    def _captures(
        self, request: Request, source: MappedWebhook, body: bytes, *, is_probe: bool
    ) -> list[Capture]:
        content_type = _content_type(request)
        items = items_of(content_type, body, source)
        header = request.headers.get("idempotency-key")
        accepted_us, trace_id = self.clock(), self.new_id()
        return [
            capture_of(
                source_id=source.source_id,
                channel="web",
                format=source.format,
                body=item.body,
                accepted_us=accepted_us,
                trace_id=trace_id if number == 0 else self.new_id(),
                idem_key=item.key or (f"{header}#{number}" if header else None),
                made_key=self.new_id(),
                traceparent=request.headers.get("traceparent"),
                purpose="probe" if is_probe else source.purpose,
                meta={"content_type": content_type, **item.meta},
            )
            for number, item in enumerate(items)
        ]


def _content_type(request: Request) -> str:
    """Return the type of the body, with the charset that Web-to-Lead names in the address (`?encoding=`)."""
    kind = request.headers.get("content-type", "")
    encoding = request.query_params.get("encoding", "")
    if encoding and "charset" not in kind.lower() and encoding.replace("-", "").isalnum():
        kind = f"{kind or 'application/x-www-form-urlencoded'}; charset={encoding}"
    return kind


async def _body(request: Request) -> bytes | Response:
    try:
        return await read_body(request)
    except TooLarge:
        return problem(413, "too_large", f"More than {MAX_BODY} bytes.", "Send less, or fewer at once.")
    except TimeoutError:
        return problem(408, "too_slow", f"The body took over {SLOW_BODY_S:.0f} s.", "Send it again.")


def _answer(request: Request, source: MappedWebhook, body: bytes, captures: list[Capture]) -> Response:
    first = captures[0]
    if source.answers_with == "page" and "json" not in request.headers.get("accept", ""):
        posted = read_form(_content_type(request), body)
        if posted.get("debug").strip() in ("1", "true", "yes"):
            return _debug(source, captures)
        return RedirectResponse(next_page(posted, source), status_code=303)
    return Response(
        answer_to(source, [one.capture_id for one in captures], first.trace_id),
        status_code=source.answer_status,
        media_type="application/json",
    )


def _debug(source: MappedWebhook, captures: list[Capture]) -> Response:
    """Show the maker of a form what each field became, as text that no browser takes for a page."""
    lines = ["Taken. This is what was read; without debug=1 the visitor goes on to retURL."]
    for result in parse_capture(captures[0], {source.source_id: source.model_dump()}):
        if isinstance(result, Lead):
            lines += [
                f"{one.name}{f' ({one.label})' if one.label else ''}: {one.received}" for one in result.fields
            ]
        else:
            lines.append(str(getattr(result, "message", result)))
    headers = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
    return PlainTextResponse("\n".join(lines) + "\n", headers=headers)
