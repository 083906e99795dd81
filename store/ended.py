"""Whom one still knows when the work has ended: customers that an outcome closed, bought or not.

Erased customers and those of a list that was taken back are closed as well, but by no outcome: nobody is told of them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection

from store.views import last_outcomes

KNOWN = (
    "(customer.state = 'open' OR customer.state = 'closed' AND ("
    "EXISTS (SELECT 1 FROM outcome WHERE outcome.customer_id = customer.customer_id) OR "
    "EXISTS (SELECT 1 FROM alias AS was JOIN outcome ON outcome.customer_id = was.old_id "
    "WHERE was.now_id = customer.customer_id)))"
)
"""The condition, as SQL: a customer is worked on, or an outcome on it (or on what was merged into it) closed it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """By which outcome, the last one, a customer was closed, and when."""

    code: str
    at_us: int


def endings(connection: Connection, closed: Collection[str]) -> dict[str, Ended]:
    """Return how it ended with each of these closed customers."""
    if not closed:
        return {}
    found = last_outcomes(connection, closed)
    return {key: Ended(row["code"], row["recorded_us"]) for key, row in found.items()}
