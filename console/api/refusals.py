"""What the API answers when something cannot be done: a problem, with the code that pages and command line give as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from answers.problem import MEDIA_TYPE, problem
from console.api.models import Problem
from console.api.paging import CursorError
from console.imports import ListTrouble
from store.acts import ActRefused

_WRONG = frozenset(
    {
        "reason_missing",
        "date_missing",
        "outcome_reason_missing",
        "order_number_missing",
        "amount_form",
        "choice",
        "bad_date",
        "past_date",
        "until_past",
        "discard_reason_missing",
        "not_a_number",
        "not_a_name",
        "why_missing",
        "publish_reason_missing",
        "campaign_code",
        "campaign_name_missing",
        "campaign_too_long",
    }
)
"""Refusals that are about the body alone; the others are about how things stand, and may pass later."""
_HTTP = {404: "unknown_route", 405: "unknown_method"}

PROBLEMS: Mapping[int | str, dict[str, Any]] = {
    status: {"description": text, "model": Problem, "content": {MEDIA_TYPE: {}}}
    for status, text in {
        400: "The body is no JSON, or the cursor none of this list's",
        401: "No token, or one that opens nothing",
        403: "Not for this role or token, or not theirs; or sent by a page of another site",
        404: "There is no such thing",
        409: "It cannot be done as things stand",
        422: "A parameter or the body is not what this takes",
    }.items()
}
"""What any operation may answer besides what it is for."""


class Refused(Exception):
    """Answered as a problem."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.field = status, code, field


def handle_refusals(app: FastAPI) -> None:
    """Have every refusal of an application answered as a problem."""

    @app.exception_handler(Refused)
    async def refused(_request: Request, why: Refused) -> Response:
        return problem(why.status, why.code, str(why), field=why.field)

    @app.exception_handler(ActRefused)
    async def act_refused(request: Request, why: ActRefused) -> Response:
        is_missing = request.method == "GET" and why.code.startswith("unknown_")
        return problem(404 if is_missing else 422 if why.code in _WRONG else 409, why.code, str(why))

    @app.exception_handler(ListTrouble)
    async def no_list(request: Request, why: ListTrouble) -> Response:
        return problem(404 if request.method == "GET" else 422, why.code, str(why))

    @app.exception_handler(CursorError)
    async def no_cursor(_request: Request, _why: CursorError) -> Response:
        return problem(
            400, "bad_cursor", "This is no cursor of this list; begin again without one.", field="cursor"
        )

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, why: RequestValidationError) -> Response:
        return _of_validation(why)

    @app.exception_handler(HTTPException)
    async def http(request: Request, why: HTTPException) -> Response:
        answer = problem(
            why.status_code,
            _HTTP.get(why.status_code, "bad_body"),
            f"There is no {request.method} {request.url.path}." if why.status_code in _HTTP else why.detail,
            "GET /api/openapi.json lists what there is." if why.status_code in _HTTP else None,
        )
        answer.headers.update(why.headers or {})
        return answer


def _of_validation(why: RequestValidationError) -> Response:
    """Return the first mistake as a problem: of several, the others show once it is mended."""
    first = why.errors()[0]
    place = [str(one) for one in first["loc"]]
    if first["type"] == "json_invalid":
        return problem(400, "bad_json", f"The body is not valid JSON: {first['ctx']['error']}.")
    field = ".".join(place[1:]) or None
    code = "bad_body" if place[0] == "body" else "bad_parameter"
    return problem(422, code, f"{field or 'The body'}: {first['msg']}.", field=field)
