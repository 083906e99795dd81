"""A customer at a glance: what is known, what is to be asked at the next contact, what it does not agree to, and who asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from enrich.golden import called_of, opted_out
from enrich.taken import questions_about
from sales.life import Life
from sales.life_facts import records_of
from sales.segments import CustomerFacts
from store import tables
from store.bulk import keys_in
from store.claims import beside_owners
from store.present import present_ids
from store.protection import protected_until
from store.whose import Aside, asides


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
    aside: Aside | None = None
    """Of one that is put aside: whose it was, and until when."""


def at_a_glance(connection: Connection, customers: Iterable[CustomerFacts]) -> list[Known]:
    """Return these customers, in their order, with what each refused."""
    found = list(customers)
    ids = [one.customer_id for one in found]
    refused, asked = opted_out(connection, ids), questions_about(connection, ids)
    protected, beside = protected_until(connection, ids, 0), beside_owners(connection, ids)
    records, aside = records_of(connection, ids), asides(connection, ids)
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
            aside.get(key),
        )
        for one, key in zip(found, ids, strict=True)
    ]


def with_what_is_known(connection: Connection, rows: Iterable[dict[str, Any]]) -> None:
    """Add to each row's `fields` (of its `lead_id`) what that lead did not say and earlier ones of the same person did.

    Somebody who writes again without a name is the one whom one knows, not a number.
    """
    lacking: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["lead_id"] and _lacks(row["fields"]):
            lacking.setdefault(row["lead_id"], []).append(row)
    if not lacking:
        return
    member = tables.membership
    wanted = keys_in(connection, ["lead_id"], [(one,) for one in sorted(lacking)])
    rows_of = connection.execute(
        select(member.c.lead_id, member.c.contact_id).where(wanted, member.c.to_us.is_(None))
    )
    of = {row.lead_id: row.contact_id for row in rows_of}
    now = present_ids(connection, of.values())
    called = called_of(connection, sorted(set(now.values())))
    for lead_id, contact_id in of.items():
        for row in lacking[lead_id]:
            own = {field["name"] for field in row["fields"]}
            known = (one for one in called[now[contact_id]] if one["name"] not in own)
            row["fields"] = [*row["fields"], *known]


def _lacks(fields: Iterable[Mapping[str, Any]]) -> bool:
    return not {"full_name", "company", "phone"} <= {field["name"] for field in fields}
