"""Finding customers by what somebody typed: the leads under ranges of `find_key`, and whose they are now.

Every step reads a range of an index, and so many rows of it at most: a million customers cost what a thousand do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from store import tables
from store.bulk import keys_in

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


def _within(spans: Sequence[Span]) -> ColumnElement[bool]:
    key = tables.find_key.c.key
    return or_(*(and_(key >= start, key < end) for start, end in spans))


def _under(connection: Connection, spans: Sequence[Span], limit: int) -> list[str]:
    """Return leads under some spans, so many of each at most."""
    found: dict[str, None] = {}
    for span in spans:
        rows = connection.execute(
            select(tables.find_key.c.lead_id)
            .where(_within([span]))
            .order_by(tables.find_key.c.key, tables.find_key.c.lead_id)
            .limit(limit)
        )
        found |= dict.fromkeys(rows.scalars())
    return list(found)[:limit]


def _fitting(connection: Connection, leads: Collection[str], spans: Sequence[Span]) -> list[str]:
    """Return those of some leads that fit a word, too."""
    wanted = keys_in(connection, ["lead_id"], [(one,) for one in leads])
    rows = connection.execute(select(tables.find_key.c.lead_id).where(wanted, _within(spans)).distinct())
    return list(rows.scalars())


def _whose(connection: Connection, leads: Collection[str]) -> list[FoundLead]:
    """Return the open customers that leads belong to at present."""
    if not leads:
        return []
    member, alias, customer = tables.membership, tables.alias, tables.customer
    name = func.coalesce(alias.c.now_id, member.c.customer_id)
    rows = connection.execute(
        select(member.c.lead_id, customer.c.customer_id)
        .select_from(member)
        .outerjoin(alias, alias.c.old_id == member.c.customer_id)
        .join(customer, customer.c.customer_id == name)
        .where(
            keys_in(connection, ["membership.lead_id"], [(one,) for one in leads]),
            member.c.to_us.is_(None),
            customer.c.state == "open",
            customer.c.purpose != "probe",
        )
    )
    return [FoundLead._make(row) for row in rows]
