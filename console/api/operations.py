"""What every operation of the API has in common."""

from __future__ import annotations

from fastapi import APIRouter

from console.api.refusals import PROBLEMS


def operations(tag: str) -> APIRouter:
    """Return an empty set of operations, named by their functions, which may answer any of the problems."""
    return APIRouter(
        tags=[tag], responses=dict(PROBLEMS), generate_unique_id_function=lambda route: route.name
    )
