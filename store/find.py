"""Finding customers by what somebody typed: the leads under ranges of `find_key`, and whose they are now.

Every step reads a range of an index, and so many rows of it at most: a million customers cost what a thousand do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, func, select

from store import tables
from store.bulk import OneOf, Prepared, listed

FEW = 60
"""Leads that are looked at first: enough to see that a name is not to be asked by alone."""
MANY = 600
"""Leads under a word that narrows nothing: two such words together are not looked for."""

Span = tuple[str, str]
"""Keys from one (included) to another (left out)."""


class FoundLead(NamedTuple):
    """A lead that fits, and the customer whose it is now."""

    lead_id: str
    customer_id: str


def leads_found(
    connection: Connection, words: Sequence[Sequence[Span]], most: int
) -> tuple[list[FoundLead], bool]:
    """Return leads of open customers that fit every word, and whether they are of more customers than `most`.

    Each word is any of its spans. With more customers than that the leads are only some of those that fit.
    """
    if not words:
        return [], False
    if len(words) == 1:
        for limit in (FEW, MANY):
            under = _under(connection, words[0], limit)
            found = _whose(connection, under)
            if len({one.customer_id for one in found}) > most:
                return found, True
            if len(under) < limit:
                break
        return found, False
    by_word = [_under(connection, word, MANY) for word in words]
    fewest = min(range(len(words)), key=lambda number: len(by_word[number]))
    left = by_word[fewest]
    if len(left) == MANY:
        return _whose(connection, left[:FEW]), True
    for number, word in enumerate(words):
        if number != fewest and left:
            left = _fitting(connection, left, word)
    found = _whose(connection, left)
    return found, len({one.customer_id for one in found}) > most


_KEY = tables.find_key
_UNDER = Prepared(
    select(_KEY.c.lead_id)
    .where(_KEY.c.key >= bindparam("start"), _KEY.c.key < bindparam("end"))
    .order_by(_KEY.c.key, _KEY.c.lead_id)
    .limit(bindparam("most"))
)
_FITTING = Prepared(
    select(_KEY.c.lead_id).where(
        OneOf(["lead_id"], "of_leads"), _KEY.c.key >= bindparam("start"), _KEY.c.key < bindparam("end")
    )
)
_WHOSE = Prepared(
    select(tables.membership.c.lead_id, tables.customer.c.customer_id)
    .select_from(tables.membership)
    .outerjoin(tables.alias, tables.alias.c.old_id == tables.membership.c.customer_id)
    .join(
        tables.customer,
        tables.customer.c.customer_id
        == func.coalesce(tables.alias.c.now_id, tables.membership.c.customer_id),
    )
    .where(
        OneOf(["membership.lead_id"], "of_leads"),
        tables.membership.c.to_us.is_(None),
        tables.customer.c.state == "open",
        tables.customer.c.purpose != "probe",
    )
)


def _under(connection: Connection, spans: Sequence[Span], limit: int) -> list[str]:
    """Return leads under some spans, so many at most."""
    found: dict[str, None] = {}
    for start, end in spans:
        rows = _UNDER(connection, start=start, end=end, most=limit)
        found |= dict.fromkeys(row.lead_id for row in rows)
    return list(found)[:limit]


def _fitting(connection: Connection, leads: Collection[str], spans: Sequence[Span]) -> list[str]:
    """Return those of some leads that fit a word, too."""
    wanted = listed((one,) for one in leads)
    found: dict[str, None] = {}
    for start, end in spans:
        rows = _FITTING(connection, of_leads=wanted, start=start, end=end)
        found |= dict.fromkeys(row.lead_id for row in rows)
    return list(found)


def _whose(connection: Connection, leads: Collection[str]) -> list[FoundLead]:
    """Return the open customers that leads belong to at present."""
    if not leads:
        return []
    return [FoundLead._make(row) for row in _WHOSE(connection, of_leads=listed((one,) for one in leads))]
