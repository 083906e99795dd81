"""Reading what a lead may resemble: the leads under its blocking keys, and what of them is compared."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, Row, func, select

from store import tables
from store.bulk import OneOf, Prepared, listed

MOST_UNDER_KEY = 50
"""Leads read under one key. Who comes when there are as many is kept under the key's refinements."""

# The oldest ones, so that what a full key leads to does not change.
_SQLITE = f"""
SELECT wanted.value, found.lead_id FROM json_each(?) AS wanted JOIN match_key AS found
ON found.number = wanted.value AND found.lead_id IN (
    SELECT lead_id FROM match_key WHERE number = wanted.value ORDER BY lead_id LIMIT {MOST_UNDER_KEY})
"""  # noqa: S608  a number of ours
_POSTGRES = f"""
SELECT wanted.number, found.lead_id FROM unnest(%s::bigint[]) AS wanted(number) CROSS JOIN LATERAL (
    SELECT lead_id FROM match_key WHERE number = wanted.number ORDER BY lead_id LIMIT {MOST_UNDER_KEY}) AS found
"""  # noqa: S608

_PRESENT = tables.membership.alias("present")
_CONTACT, _CUSTOMER = tables.alias.alias("contact_alias"), tables.alias.alias("customer_alias")
_RECORDS = Prepared(
    select(
        tables.match_record.c.lead_id,
        tables.match_record.c.packed,
        func.coalesce(_CONTACT.c.now_id, _PRESENT.c.contact_id).label("contact_id"),
        func.coalesce(_CUSTOMER.c.now_id, _PRESENT.c.customer_id).label("customer_id"),
    )
    .join(_PRESENT, (_PRESENT.c.lead_id == tables.match_record.c.lead_id) & _PRESENT.c.to_us.is_(None))
    .outerjoin(_CONTACT, _CONTACT.c.old_id == _PRESENT.c.contact_id)
    .outerjoin(_CUSTOMER, _CUSTOMER.c.old_id == _PRESENT.c.customer_id)
    .where(OneOf(["match_record.lead_id"], "of_leads"))
)


def leads_under(connection: Connection, numbers: Collection[int]) -> list[tuple[int, str]]:
    """Return the leads under each key number, the oldest `MOST_UNDER_KEY` of each, in one read."""
    if not numbers:
        return []
    wanted = sorted(numbers)
    if connection.dialect.name == "sqlite":
        text = "[" + ",".join(map(str, wanted)) + "]"
        found = connection.exec_driver_sql(_SQLITE, (text,))
    else:
        found = connection.exec_driver_sql(_POSTGRES, (wanted,))
    return [(number, lead_id) for number, lead_id in found.all()]


def records_of(connection: Connection, leads: Iterable[str]) -> list[Row[tuple[str, str, str, str]]]:
    """Return (lead_id, packed, contact_id, customer_id) of leads, the ids as they are at present."""
    wanted = listed((lead_id,) for lead_id in leads)
    return list(_RECORDS(connection, of_leads=wanted).all()) if wanted != "[]" else []


def packed_records(connection: Connection, most: int | None = None) -> list[str]:
    """Return what is compared of leads, the first by id, of all or so many."""
    record = tables.match_record
    return list(connection.execute(select(record.c.packed).order_by(record.c.lead_id).limit(most)).scalars())
