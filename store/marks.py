"""Keyed hashes of what a person is known by: all that is kept of who was erased or opted out.

HMAC-SHA-256 under a secret that is derived from the master key, which no backup holds unless it is asked to; without
it a hash cannot be tried against all the numbers there are.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from schemas.resolved import CONTACT_KINDS
from store import tables
from store.bulk import keys_in
from store.journal import Mark

NAMED = "_named"
"""Ends the kind of a mark that an identifier has only together with a name."""
_WITH_NAME = "landline_name"
"""The kind whose value has the name in it already."""

KINDS = (*sorted(CONTACT_KINDS), *(f"{one}{NAMED}" for one in sorted(CONTACT_KINDS) if one != _WITH_NAME))
"""Every kind that a mark can have."""


@dataclass(frozen=True, slots=True)
class Given:
    """An identifier as a lead gave it, and the name it gave with it."""

    kind: str
    value: str
    name: str


def marks_of(secret: bytes, given: Iterable[Given]) -> Iterator[Mark]:
    """Yield every mark by which whoever gave these may be known: each alone, and each with the name."""
    for one in given:
        if one.kind in CONTACT_KINDS:
            yield one.kind, keyed_hash(secret, one.kind, one.value)
            if one.name and one.kind != _WITH_NAME:
                yield _named(secret, one)


def own_marks(connection: Connection, secret: bytes, leads: Iterable[str]) -> tuple[Mark, ...]:
    """Return what whoever gave these leads alone is known by.

    A number or address that others gave too (a desk's tablet, a family's telephone), or that stands for nobody, is
    theirs only together with their name. What stands for a company is nobody's: a domain, a switchboard, a tax id.
    """
    identifier, status, lead = tables.lead_identifier, tables.identifier_status, tables.lead
    mine = dict.fromkeys(leads, "")
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in mine])
    for row in connection.execute(select(lead.c.lead_id, lead.c.fields_json).where(of_leads)):
        mine[row.lead_id] = name_of(orjson.loads(row.fields_json))
    theirs = select(identifier).where(
        of_leads, identifier.c.kind.in_(sorted(CONTACT_KINDS)), identifier.c.trust != "none"
    )
    found = connection.execute(theirs).all()
    values = keys_in(connection, ["kind", "value"], {(row.kind, row.value) for row in found})
    shared = {tuple(row) for row in connection.execute(select(status.c.kind, status.c.value).where(values))}
    shared |= {(row.kind, row.value) for row in found if row.trust != "trusted"}
    shared |= {
        (row.kind, row.value)
        for row in connection.execute(select(identifier).where(values))
        if row.lead_id not in mine
    }
    marks = set[Mark]()
    for row in found:
        name = mine[row.lead_id]
        if (row.kind, row.value) not in shared or (row.kind == _WITH_NAME and name):
            marks.add((row.kind, keyed_hash(secret, row.kind, row.value)))
        elif name and row.kind != _WITH_NAME:
            marks.add(_named(secret, Given(row.kind, row.value, name)))
    return tuple(sorted(marks))


def name_of(fields: Iterable[Mapping[str, Any]]) -> str:
    """Return the name among the fields of a lead's row, normalised; empty if there is none."""
    return next((one["value"] for one in fields if one["name"] == "full_name" and one.get("value")), "")


def keyed_hash(secret: bytes, kind: str, value: str) -> str:
    """Return the hash by which an identifier is known again."""
    return hmac.digest(secret, f"{kind}\x00{value}".encode(), "sha256").hex()


def _named(secret: bytes, given: Given) -> Mark:
    kind = f"{given.kind}{NAMED}"
    return kind, keyed_hash(secret, kind, f"{given.value}|{given.name}")
