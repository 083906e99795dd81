"""What every operation of the API has in common."""

from __future__ import annotations

from fastapi import APIRouter, Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request

from console.api.refusals import PROBLEMS, Refused

_TOKEN = HTTPBearer(auto_error=False, description="A token; a browser's session and this machine need none")
"""Stands in the description alone: the gate before the application has asked already."""


def operations(tag: str) -> APIRouter:
    """Return an empty set of operations, named by their functions, which may answer any of the problems."""
    return APIRouter(
        tags=[tag],
        responses=dict(PROBLEMS),
        dependencies=[Depends(_TOKEN), Depends(_only_known_parameters)],
        generate_unique_id_function=lambda route: route.name,
    )


def _only_known_parameters(request: Request) -> None:
    """Raise Refused for a parameter that there is not: a misspelt filter would otherwise be passed over in silence."""
    known = {one.alias for one in request.scope["route"].dependant.query_params}
    for name in request.query_params:
        if name not in known:
            message = f"There is no parameter {name[:60]!r}; there are: {', '.join(sorted(known)) or 'none'}."
            raise Refused(422, "bad_parameter", message, name[:60])
