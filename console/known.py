"""A customer at a glance: what is known, what is to be asked at the next contact, and what it does not agree to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from enrich.golden import opted_out
from sales.segments import CustomerFacts


@dataclass(frozen=True, slots=True)
class Known:
    """A customer's facts (schemas.segments), the required fields that nobody told, and purposes that it refused."""

    customer_id: str
    facts: dict[str, str]
    gaps: tuple[str, ...]
    refused: tuple[str, ...]


def at_a_glance(connection: Connection, customers: Iterable[CustomerFacts]) -> list[Known]:
    """Return these customers, in their order, with what each refused."""
    found = list(customers)
    refused = opted_out(connection, [one.customer_id for one in found])
    return [Known(one.customer_id, one.facts, one.gaps, refused.get(one.customer_id, ())) for one in found]
