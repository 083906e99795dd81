"""A customer at a glance: what is known, what is to be asked at the next contact, what it does not agree to, and who asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from enrich.golden import Stands, corrected, opted_out, stands_of
from enrich.survivorship import key_of
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
    """Add to each row's `fields` (of its `lead_id`) what that lead did not say and others of the same person did, and have
    what was put right since stand instead of what the lead said.

    Somebody who writes again without a name is the one whom one knows, not a number.
    """
    of_lead: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["lead_id"]:
            of_lead.setdefault(row["lead_id"], []).append(row)
    if not of_lead:
        return
    member = tables.membership
    wanted = keys_in(connection, ["lead_id"], [(one,) for one in sorted(of_lead)])
    rows_of = connection.execute(
        select(member.c.lead_id, member.c.contact_id).where(wanted, member.c.to_us.is_(None))
    )
    of = {row.lead_id: row.contact_id for row in rows_of}
    now = present_ids(connection, of.values())
    lacking = {now[of[one]] for one in of if any(_lacks(row["fields"]) for row in of_lead[one])}
    stands = stands_of(connection, sorted(lacking | corrected(connection, set(now.values()))))
    for lead_id, contact_id in of.items():
        if (known := stands.get(now[contact_id])) is not None:
            for row in of_lead[lead_id]:
                row["fields"] = _with(known, row["fields"])


def _with(known: Stands, fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a lead's fields with what stands now in place of what was put right since, and where it said nothing."""
    right = {(one["name"], _key(one)): one for one in known.called if one["name"] in known.wrong}
    own = [
        right.get((one["name"], _key(one)), one)
        for one in fields
        if _key(one) not in known.wrong.get(one["name"], ())
    ]
    said, kept = {one["name"] for one in own}, {(one["name"], _key(one)) for one in own}
    gone = {one["name"] for one in fields if (one["name"], _key(one)) not in kept}
    added = (
        one
        for one in known.called
        if one["name"] not in said or (one["name"] in gone and (one["name"], _key(one)) not in kept)
    )
    return [*added, *own]


def _key(field: Mapping[str, Any]) -> str:
    return key_of(field.get("value") or field["received"])


def _lacks(fields: Iterable[Mapping[str, Any]]) -> bool:
    return not {"full_name", "company", "phone"} <= {field["name"] for field in fields}
