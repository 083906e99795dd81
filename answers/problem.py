"""An error as JSON, the same at every door and in the console: a problem of RFC 9457, with code, field and hint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse

MEDIA_TYPE = "application/problem+json"


def problem_body(
    status: int, code: str, message: str, hint: str | None = None, field: str | None = None
) -> dict[str, Any]:
    """Return the members of a problem: `type`, `title`, `status`, `detail`, and ours: `code`, `field`, `hint`.

    `type` names the code as a URN, which nobody has to be able to fetch (RFC 9457, 3.1.1); the codes are in
    docs/errors.md. `title` is the same for each problem of a code, `detail` is this one's.
    """
    told = {
        "type": f"urn:leadflow:error:{code}",
        "title": code.replace("_", " ").capitalize(),
        "status": status,
        "detail": message,
        "code": code,
        "field": field,
        "hint": hint,
    }
    return {key: value for key, value in told.items() if value}


def problem(
    status: int,
    code: str,
    message: str,
    hint: str | None = None,
    field: str | None = None,
    *,
    more: Mapping[str, Any] | None = None,
) -> JSONResponse:
    """Return an error: what was wrong, in which field if it was one, and what to do next; `more`: members of its own."""
    body = {**problem_body(status, code, message, hint, field), **(more or {})}
    return JSONResponse(body, status_code=status, media_type=MEDIA_TYPE)
