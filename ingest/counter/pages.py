"""The front desk's page: keyboard only, and without JavaScript too.

`/counter/SOURCE` is the form and where it posts to; `/counter/SOURCE/answer/RECEIPT` is the box that says who looks
after the visitor; `/counter/SOURCE/key` lets a device of the house in. No source can be called `_`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from answers.headers import PAGE_HEADERS
from answers.language import COOKIE as LANGUAGE_COOKIE
from answers.language import language_of
from ingest.counter.access import device_key, is_secret, key_cookie, may_use
from ingest.counter.take import NotTaken, Take, counter_of
from ingest.counter.texts import WORDING, mistake
from ingest.counter.visit import VISIT_TYPES, Counter
from ingest.web.body import TooLarge, read_body
from ingest.web.form import FormError, Posted, read_form
from schemas.base import Language
from stream.crash import crash_point

STATIC = Path(__file__).parent / "static"
_TAKER, _DESK = "counter_taker", "counter_desk"
_SHIFT_S = 12 * 3600
"""A shared machine forgets who typed overnight, so that nobody enters visits in the name of yesterday's shift."""
_YEAR_S = 365 * 86_400
_ON_THE_PAGE = frozenset({"name", "phone", "anonymous", "consent", "desk", "taken_by", "type"})

Wait = Callable[[str, str, Language], Awaitable[dict[str, Any] | None]]


@dataclass(frozen=True)
class DeskPages:
    """The pages; `take` and `wait` are the door's."""

    sources: Callable[[], dict[str, dict[str, Any]]]
    new_id: Callable[[], str]
    staff: Callable[[Language], Mapping[str, str]]
    wait: Wait
    take: Take

    def routes(self) -> list[Route]:
        """Return the pages' routes."""
        return [
            Route("/counter/_/{name}", self.static),
            Route("/counter/{source_id}", self.ask, methods=["GET"]),
            Route("/counter/{source_id}", self.post, methods=["POST"]),
            Route("/counter/{source_id}/key", self.let_in, methods=["POST"]),
            Route("/counter/{source_id}/answer/{receipt}", self.box),
        ]

    async def static(self, request: Request) -> Response:
        """The page's script and style."""
        kinds = {"counter.js": "text/javascript", "counter.css": "text/css"}
        name = request.path_params["name"]
        if name not in kinds:
            return Response(status_code=404)
        return FileResponse(STATIC / name, media_type=kinds[name], headers={"cache-control": "max-age=300"})

    async def ask(self, request: Request) -> Response:
        """The empty form; with `?receipt=`, beside it who looks after the visitor entered last."""
        source = counter_of(self.sources(), request.path_params["source_id"])
        if source is None:
            return _unknown(request)
        if not may_use(request, source):
            return _key_wanted(request, source, wrong=False)
        language = language_of(request, source.language)
        receipt = request.query_params.get("receipt", "")
        answer = await self.wait(source.source_id, receipt, language) if receipt else None
        known = {
            "visit_no": self.new_id(),
            "taken_by": request.cookies.get(_TAKER, ""),
            "desk": unquote(request.cookies.get(_DESK, "")),
        }
        values = {"typed": known, "wrong": {}, "receipt": receipt, "answer": answer}
        return self._form(request, source, values)

    async def post(self, request: Request) -> Response:
        """Take the form; then 303 to the empty one, or 202 with a receipt where the page's script asked."""
        source = counter_of(self.sources(), request.path_params["source_id"])
        if source is None:
            return _unknown(request)
        if not may_use(request, source):
            return _key_wanted(request, source, wrong=False)
        by_script = "text/html" not in request.headers.get("accept", "")
        taken = await self.take(request, source)
        if isinstance(taken, NotTaken):
            language = language_of(request, source.language, taken.posted.get("lang"))
            wrong: dict[str, str] = {}
            for one in taken.wrong:
                field = one.field if one.field in _ON_THE_PAGE else ""
                wrong.setdefault(field, mistake(one, language))
            if by_script:
                return JSONResponse({"wrong": wrong}, status_code=taken.status, headers=PAGE_HEADERS)
            typed = dict(reversed(taken.posted.pairs))
            typed.setdefault("visit_no", self.new_id())
            values = {"typed": typed, "wrong": wrong, "receipt": "", "answer": None}
            return self._form(request, source, values, taken.status)
        posted = read_form(taken.meta["content_type"], taken.body)
        if by_script:
            response: Response = JSONResponse({"receipt": taken.capture_id}, status_code=202)
        else:
            response = RedirectResponse(f"{request.url.path}?receipt={taken.capture_id}", status_code=303)
        _remember(response, posted)
        crash_point("answered")
        return response

    async def box(self, request: Request) -> Response:
        """The answer as a piece of the page: 200 when it is there, 202 while it is being decided."""
        source = counter_of(self.sources(), request.path_params["source_id"])
        if source is None or not may_use(request, source):
            return Response(status_code=404 if source is None else 401)
        language = language_of(request, source.language)
        receipt = request.path_params["receipt"]
        answer = await self.wait(source.source_id, receipt, language)
        html = WORDING.render(language, "_answer.html", {"answer": answer, "receipt": receipt})
        return HTMLResponse(html, 202 if answer is None else 200, headers=PAGE_HEADERS)

    async def let_in(self, request: Request) -> Response:
        """Let a device in for good once somebody has typed the source's secret on it."""
        source = counter_of(self.sources(), request.path_params["source_id"])
        if source is None:
            return _unknown(request)
        try:
            posted = read_form(request.headers.get("content-type", ""), await read_body(request))
        except (TooLarge, TimeoutError, FormError):
            return _key_wanted(request, source, wrong=True)
        if not is_secret(posted.get("key").strip(), source):
            return _key_wanted(request, source, wrong=True)
        response = RedirectResponse(f"/counter/{source.source_id}", status_code=303)
        response.set_cookie(
            key_cookie(source),
            device_key(source),
            max_age=_YEAR_S,
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    def _form(
        self, request: Request, source: Counter, values: dict[str, Any], status: int = 200
    ) -> HTMLResponse:
        language = language_of(request, source.language, values["typed"].get("lang", ""))
        staff = dict(sorted(self.staff(language).items()))
        if values["typed"].get("taken_by") not in staff:
            values["typed"] = {**values["typed"], "taken_by": ""}
        shown = {"source": source, "staff": staff, "types": VISIT_TYPES, **values}
        return _page(request, language, "counter.html", shown, status)


def _remember(response: Response, posted: Posted) -> None:
    """Keep on the device who types, for a shift, and where it stands."""
    if code := posted.get("taken_by").strip()[:2]:
        response.set_cookie(
            _TAKER, quote(code), max_age=_SHIFT_S, path="/counter/", httponly=True, samesite="strict"
        )
    if desk := posted.get("desk").strip()[:200]:
        response.set_cookie(
            _DESK, quote(desk), max_age=_YEAR_S, path="/counter/", httponly=True, samesite="strict"
        )


def _key_wanted(request: Request, source: Counter, *, wrong: bool) -> HTMLResponse:
    language = language_of(request, source.language)
    return _page(request, language, "key.html", {"source": source, "wrong": wrong}, 401)


def _unknown(request: Request) -> HTMLResponse:
    return _page(request, language_of(request, "zh"), "unknown.html", {}, 404)


def _page(
    request: Request, language: Language, template: str, values: dict[str, Any], status: int
) -> HTMLResponse:
    html = WORDING.render(language, template, values)
    response = HTMLResponse(html, status, headers={**PAGE_HEADERS, "content-language": language})
    if request.query_params.get("lang", "")[:2] == language:
        response.set_cookie(LANGUAGE_COOKIE, language, max_age=_YEAR_S, samesite="lax", httponly=True)
    return response
