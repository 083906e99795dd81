"""Reading what a lead may resemble: the leads under its blocking keys, and what of them is compared."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import orjson
from sqlalchemy import Connection, delete, select

from store import tables
from store.bulk import fetched, keys_in

MOST_UNDER_KEY = 50
"""Leads kept under one key. Who comes when there are as many is kept under the key's refinements."""

_KEYS = """
SELECT found.number, found.lead_id, found.signature FROM {wanted} JOIN match_key AS found
ON found.number = wanted.value {ordered}
"""
_RECORDS = """
SELECT found.lead_id, found.packed,
    coalesce(contact.now_id, present.contact_id), coalesce(customer.now_id, present.customer_id)
FROM {wanted} JOIN match_record AS found ON found.lead_id = wanted.value
JOIN membership AS present ON present.lead_id = found.lead_id AND present.to_us IS NULL
LEFT JOIN alias AS contact ON contact.old_id = present.contact_id
LEFT JOIN alias AS customer ON customer.old_id = present.customer_id
"""
# CROSS has SQLite begin with what is wanted, whatever it believes to know of the sizes. A key's rows lie in order there.
_IN_SQLITE = "json_each(?) AS wanted CROSS"
_KEYS_IN = {
    "sqlite": _KEYS.format(wanted=_IN_SQLITE, ordered=""),
    "postgresql": _KEYS.format(
        wanted="unnest(%s::bigint[]) AS wanted(value)", ordered="ORDER BY found.number, found.lead_id"
    ),
}
_RECORDS_IN = {
    "sqlite": _RECORDS.format(wanted=_IN_SQLITE),
    "postgresql": _RECORDS.format(wanted="unnest(%s::text[]) AS wanted(value)"),
}

_AT_ONCE = 1_000
"""Numbers named in one statement."""


UnderKey = tuple[str, int]
"""A lead that is found under a key, and its signature (enrich.match.block), which stands beside it."""


class RecordRow(NamedTuple):
    """What is compared of a lead, and whose it is at present."""

    lead_id: str
    packed: str
    contact_id: str
    customer_id: str


def leads_under(connection: Connection, numbers: Collection[int]) -> dict[int, list[UnderKey]]:
    """Return the leads under each key number, the oldest first, in one read."""
    under: dict[int, list[UnderKey]] = {}
    if not numbers:
        return under
    dialect = connection.dialect.name
    wanted = str(list(numbers)) if dialect == "sqlite" else list(numbers)
    for number, lead_id, signature in fetched(connection, _KEYS_IN[dialect], (wanted,)):
        if number in under:
            under[number].append((lead_id, signature))
        else:
            under[number] = [(lead_id, signature)]
    return under


def records_of(connection: Connection, leads: Collection[str]) -> list[RecordRow]:
    """Return what is compared of leads, with the contact and the customer that each belongs to at present."""
    if not leads:
        return []
    dialect = connection.dialect.name
    wanted = orjson.dumps(list(leads)).decode() if dialect == "sqlite" else list(leads)
    return list(map(RecordRow._make, fetched(connection, _RECORDS_IN[dialect], (wanted,))))


def forget(connection: Connection, leads: Collection[str]) -> None:
    """Delete what is compared of leads, and the keys under which they are found."""
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in leads])
    record, key = tables.match_record, tables.match_key
    rows = connection.execute(select(record.c.keys_json).where(of_leads)).scalars()
    numbers = sorted({number for row in rows for number in orjson.loads(row)})
    for start in range(0, len(numbers), _AT_ONCE):
        some = numbers[start : start + _AT_ONCE]
        connection.execute(delete(key).where(key.c.number.in_(some), of_leads))
    connection.execute(delete(record).where(of_leads))


def packed_records(connection: Connection, most: int | None = None) -> list[str]:
    """Return what is compared of leads, the first by id, of all or so many."""
    record = tables.match_record
    return list(connection.execute(select(record.c.packed).order_by(record.c.lead_id).limit(most)).scalars())
