"""An error as JSON: `{"error": {code, field?, message, hint?}}`, the same at every door and in the console."""

from __future__ import annotations

from starlette.responses import JSONResponse


def problem(
    status: int, code: str, message: str, hint: str | None = None, field: str | None = None
) -> JSONResponse:
    """Return an error: what was wrong, in which field if it was one, and what to do next."""
    told = {"code": code, "field": field, "message": message, "hint": hint}
    return JSONResponse({"error": {key: value for key, value in told.items() if value}}, status_code=status)
