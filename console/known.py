"""A customer at a glance: what is known, what is to be asked at the next contact, what it does not agree to, and who asked."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import Connection

from enrich.golden import opted_out
from enrich.taken import questions_about
from sales.life import Life
from sales.life_facts import records_of
from sales.segments import CustomerFacts
from store.claims import beside_owners
from store.protection import protected_until


@dataclass(frozen=True, slots=True)
class Known:
    """A customer's facts (schemas.segments), the required fields that nobody told, and purposes that it refused."""

    customer_id: str
    facts: dict[str, str]
    gaps: tuple[str, ...]
    refused: tuple[str, ...]
    asked: tuple[tuple[str, int], ...]
    """Who asked whether it is taken, and when (µs), the latest first (enrich.taken)."""
    protected_us: int = 0
    """Until when it is protected for its owner (store.protection)."""
    beside: tuple[str, ...] = ()
    """Who works on it beside its owner."""
    lives: tuple[Life, ...] = ()
    """How far it is on each product line (sales.life): its lives there, the last one counts."""


def at_a_glance(connection: Connection, customers: Iterable[CustomerFacts]) -> list[Known]:
    """Return these customers, in their order, with what each refused."""
    found = list(customers)
    ids = [one.customer_id for one in found]
    refused, asked = opted_out(connection, ids), questions_about(connection, ids)
    protected, beside = protected_until(connection, ids, 0), beside_owners(connection, ids)
    records = records_of(connection, ids)
    lives = {key: tuple(life for life, _ in record.lives()) for key, record in records.items()}
    return [
        Known(
            one.customer_id,
            one.facts,
            one.gaps,
            refused.get(key, ()),
            asked.get(key, ()),
            protected.get(key, 0),
            beside.get(key, ()),
            lives.get(key, ()),
        )
        for one, key in zip(found, ids, strict=True)
    ]
