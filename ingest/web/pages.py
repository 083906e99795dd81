"""The hosted form: asks, checks what a visitor typed, asks again or hands over to the door, and thanks.

Works without JavaScript. `/f/SOURCE` is the form, and where both it and the pasted HTML post to;
`/f/SOURCE/html` is that HTML; `/thanks/SOURCE` says thank you. A form posted to `/in/web/SOURCE` is taken
as it is, unchecked.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Message

from answers.language import language_of
from answers.problem import problem
from ingest.web.body import TooLarge, read_body
from ingest.web.form import _CLICK, _UTM, FormError, Posted, WebForm, field_of, read_form
from ingest.web.hosted import LABELS, input_of
from ingest.web.mistakes import mistakes
from ingest.web.texts import WORDING, page
from schemas.base import Language
from schemas.capture import capture_of
from stream.door_log import DoorLog, Overloaded

CSS = Path(__file__).parent / "static" / "form.css"


@dataclass(frozen=True)
class FormPages:
    """The pages of the web door; `accept` is the door's own way of taking a post."""

    log: DoorLog
    sources: Callable[[], dict[str, dict[str, Any]]]
    clock: Callable[[], int]
    new_id: Callable[[], str]
    accept: Callable[[Request], Awaitable[Response]]

    def routes(self) -> list[Route]:
        """Return the routes, all open to strangers. No source can be called `_`."""
        return [
            Route("/f/_/form.css", self.css),
            Route("/f/{source_id}", self.ask, methods=["GET"]),
            Route("/f/{source_id}", self.post, methods=["POST"]),
            Route("/f/{source_id}/html", self.snippet),
            Route("/thanks/{source_id}", self.thanks),
        ]

    async def css(self, _request: Request) -> Response:
        """The form's style."""
        return FileResponse(CSS, media_type="text/css", headers={"cache-control": "max-age=300"})

    async def ask(self, request: Request) -> Response:
        """The empty form, with a token of its own: posted twice, it is one lead."""
        source = self._source(request)
        if source is None:
            return _unknown(request)
        return _form(request, source, Posted(pairs=(("_token", self.new_id()),)), {})

    async def post(self, request: Request) -> Response:
        """Take the form, or show it again with what is wrong beside each field and all that was typed."""
        source = self._source(request)
        if source is None:
            return _unknown(request)
        language = language_of(request, source.language)
        try:
            body = await read_body(request)
            posted = read_form(request.headers.get("content-type", ""), body)
        except TooLarge:
            return _problem(request, language, "too_large", 413)
        except TimeoutError:
            return _problem(request, language, "too_slow", 408)
        except FormError:
            return _problem(request, language, "unreadable", 400)
        wrong = {} if posted.get(source.honeypot).strip() else mistakes(posted, source)
        if not wrong:
            return await self.accept(_again(request, body))
        # Without consent nothing is kept.
        if "consent" not in wrong:
            try:
                await self._keep(request, source, posted, body, wrong)
            except Overloaded:
                return _problem(request, language, "overloaded", 503)
        if "text/html" not in request.headers.get("accept", ""):
            return problem(
                422,
                "incomplete",
                "Some fields are missing or cannot be read; see fields.",
                more={"fields": wrong},
            )
        return _form(request, source, posted, wrong)

    async def _keep(
        self, request: Request, source: WebForm, posted: Posted, body: bytes, wrong: dict[str, str]
    ) -> None:
        """Make what was typed durable as an incomplete capture; it becomes no lead."""
        capture = capture_of(
            source_id=source.source_id,
            channel="web",
            format="web.form",
            body=body,
            accepted_us=self.clock(),
            trace_id=self.new_id(),
            idem_key=posted.get("_token") or None,
            made_key=self.new_id(),
            purpose=source.purpose,
            meta={
                "content_type": request.headers.get("content-type", ""),
                "incomplete": ",".join(wrong),
            },
        )
        await self.log.durable([capture])

    async def snippet(self, request: Request) -> Response:
        """The form as HTML to be pasted into a page of the company's own site."""
        source = self._source(request)
        if source is None:
            return _unknown(request)
        language = language_of(request, source.language)
        action = f"{str(request.base_url).rstrip('/')}/f/{source.source_id}"
        html = WORDING.render(
            language, "_snippet.html", {"source": source, "action": action, "asked": asked(source, language)}
        )
        return _secured(page(request, language, "snippet.html", {"html": html, "source": source}), source)

    async def thanks(self, request: Request) -> Response:
        """Where a visitor ends up."""
        source = self._source(request) or self._mapped(request)
        if source is None:
            return _unknown(request)
        language = language_of(request, source.language)
        return _secured(page(request, language, "thanks.html", {"source": source}), source)

    def _source(self, request: Request) -> WebForm | None:
        settings = self.sources().get(request.path_params["source_id"])
        if settings is None or settings["format"] != "web.form":
            return None
        return WebForm.model_validate(settings)

    def _mapped(self, request: Request) -> WebForm | None:
        """Return what the thank-you page needs of a mapped source whose visitors come from a form elsewhere."""
        settings = self.sources().get(request.path_params["source_id"])
        if settings is None or settings["format"] != "web.mapped":
            return None
        shared = WebForm.model_fields.keys() - {"fields"}
        return WebForm.model_validate({key: value for key, value in settings.items() if key in shared})


def _form(request: Request, source: WebForm, posted: Posted, wrong: dict[str, str]) -> Response:
    language = language_of(request, source.language, posted.get("lang"))
    return _secured(
        page(
            request,
            language,
            "form.html",
            form_values(source, posted, wrong, language, _marks(request, posted, wrong)),
            422 if wrong else 200,
        ),
        source,
    )


def _marks(request: Request, posted: Posted, wrong: dict[str, str]) -> list[tuple[str, str]]:
    """Return what names the campaign: it stands in the address of the page, and must survive a second rendering."""
    marks = posted.pairs if wrong else request.query_params.multi_items()
    return [(key, value) for key, value in marks if key in (*_UTM, *_CLICK)]


@dataclass(frozen=True, slots=True)
class Shown:
    """A field of the form as the templates show it."""

    field: str
    label: str
    required: bool
    input: dict[str, Any]


def asked(source: WebForm, language: Language) -> list[Shown]:
    """Return the fields of a source's form in a language."""
    return [
        Shown(
            one.field,
            one.label(language) or WORDING.gettext(language, LABELS[one.field]),
            one.required,
            input_of(one),
        )
        for one in source.form
    ]


def form_values(
    source: WebForm, posted: Posted, wrong: dict[str, str], language: Language, carried: list[tuple[str, str]]
) -> dict[str, Any]:
    """Return what the template of the form needs: `wrong` by field, `carried` what names the campaign."""
    typed: dict[str, str] = {}
    for key, value in posted.pairs:
        typed.setdefault(field_of(key, source), value)
    ways = [one.field for one in source.form if one.field in ("phone", "email")]
    is_either = len(ways) == 2 and not any(one.required for one in source.form if one.field in ways)
    return {
        "source": source,
        "asked": asked(source, language),
        "either": ways[0] if is_either else None,
        "token": posted.get("_token"),
        "typed": typed,
        "consented": bool(posted.get("consent").strip()),
        "wrong": wrong,
        "carried": carried,
    }


def _again(request: Request, body: bytes) -> Request:
    """Return the request with its body to be read anew."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)


def _unknown(request: Request) -> Response:
    return _problem(request, language_of(request, "zh"), "unknown", 404)


def _problem(request: Request, language: Language, code: str, status: int) -> Response:
    response = _secured(page(request, language, "problem.html", {"code": code}, status), None)
    if status == 503:
        response.headers["retry-after"] = "5"
    return response


def _secured(response: Response, source: WebForm | None) -> Response:
    # Browsers hold a redirect after a post to form-action too, so where a visitor may end up must be there.
    targets = ["'self'", *(source.hosts if source else ())]
    if source and source.thanks and (host := urlsplit(source.thanks).netloc):
        targets.append(host)
    response.headers.update(
        {
            "content-security-policy": (
                "default-src 'none'; style-src 'self'; img-src 'self'; "
                f"form-action {' '.join(targets)}; base-uri 'none'; frame-ancestors 'none'"
            ),
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        }
    )
    return response
