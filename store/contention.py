"""Several workers on one database: what it says when two of them meet, and doing the work once more then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy.exc import DBAPIError

T = TypeVar("T")

TRIES = 8
"""How often work is done anew because somebody else was at it. Each time somebody got through, so eight in a row
mean either far more workers than rows to work on, or a fault that trying again does not cure."""

_DEADLOCK_OR_SERIALISATION = frozenset({"40P01", "40001"})
"""SQLSTATE deadlock_detected and serialization_failure (postgresql.org, appendix A)."""


class Conflict(RuntimeError):
    """Another worker decided about the same thing at the same time: roll back, read again, decide again."""

    def __init__(self, what: str) -> None:
        super().__init__(f"somebody else has changed {what} meanwhile")
        self.what = what


def is_contention(error: BaseException) -> bool:
    """Tell whether the same work, done anew at once, may well succeed."""
    if isinstance(error, Conflict):
        return True
    return (
        isinstance(error, DBAPIError) and getattr(error.orig, "sqlstate", None) in _DEADLOCK_OR_SERIALISATION
    )


def until_alone(work: Callable[[], T], met: Callable[[BaseException], object] = lambda _error: None) -> T:
    """Do a whole transaction; do it anew, at most TRIES times, while others get in its way.

    `met` is told of each time. The last error is raised.
    """
    for _ in range(TRIES - 1):
        try:
            return work()
        except (Conflict, DBAPIError) as error:
            if not is_contention(error):
                raise
            met(error)
    return work()
