"""Whose a customer is now: who has it and works on it; of one that is put aside, who had it last, to whom it comes back."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import orjson
from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Connection,
    Select,
    exists,
    func,
    literal_column,
    select,
    union_all,
)

from store import tables
from store.bulk import keys_in

WHOSE = (
    "CASE holding.holder_kind WHEN 'nurture' THEN coalesce((SELECT was.holder_id FROM holding AS was "
    "WHERE was.customer_id = holding.customer_id AND was.role = 'owner' AND was.holder_kind = 'person' "
    "ORDER BY was.from_us DESC LIMIT 1), '') ELSE holding.holder_id END"
)
"""As SQL: whose a customer is by a row of `holding`: who has it, or had it last before it was put aside; empty: no person."""
_HAVE = ("person", "queue", "pool")
"""Kinds of holders whose ids are those of people, units and pools; a cadence may be called as a unit is."""
_MANY = 50_000
"""Customers of somebody: to look them all up and sort them takes some 60 ms."""


@dataclass(frozen=True, slots=True)
class Aside:
    """Of a customer that is put aside: who had it last, if a person had, and until when."""

    person_id: str | None
    wakes_us: int | None


def asides(connection: Connection, customers: Collection[str]) -> dict[str, Aside]:
    """Return those of these customers, by their present ids, that are put aside now."""
    holding, decision = tables.holding, tables.decision
    wanted = keys_in(connection, ["holding.customer_id"], [(one,) for one in sorted(customers)])
    rows = connection.execute(
        select(holding.c.customer_id, literal_column(WHOSE).label("person_id"), decision.c.reason_json)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .where(
            wanted,
            holding.c.role == "owner",
            holding.c.holder_kind == "nurture",
            holding.c.to_us.is_(None),
        )
    )
    return {
        row.customer_id: Aside(
            row.person_id or None, orjson.loads(row.reason_json).get("wakes_us") if row.reason_json else None
        )
        for row in rows
    }


def whose(connection: Connection, customers: Collection[str]) -> dict[str, list[str]]:
    """Return of these customers, by their present ids, whose each is, and who works on it beside them."""
    holding = tables.holding
    wanted = keys_in(connection, ["holding.customer_id"], [(one,) for one in sorted(customers)])
    rows = connection.execute(
        select(holding.c.customer_id, literal_column(WHOSE).label("holder_id")).where(
            wanted, holding.c.to_us.is_(None)
        )
    )
    found: dict[str, list[str]] = {one: [] for one in customers}
    for row in rows:
        if row.holder_id:
            found[row.customer_id].append(row.holder_id)
    return found


def theirs(
    connection: Connection, customer_id: ColumnElement[str], holders: Collection[str]
) -> ColumnElement[bool]:
    """Return the condition that a customer is one of these holders' (`customers_of`), for a list in order of ids.

    Few are looked up by who has them, and sorted; of many, as whoever manages the whole house has, the list is gone
    through in order until a page is full, and each one's holder looked at.
    """
    some = customers_of(holders).limit(_MANY).subquery()
    if connection.execute(select(func.count()).select_from(some)).scalar_one() < _MANY:
        return customer_id.in_(customers_of(holders))
    holding = tables.holding
    return exists().where(
        holding.c.customer_id == customer_id,
        holding.c.role == "owner",
        holding.c.to_us.is_(None),
        literal_column(WHOSE).in_(sorted(holders)),
    )


def customers_of(holders: Collection[str], roles: Collection[str] = ("owner",)) -> CompoundSelect[tuple[str]]:
    """Return the ids of what these have, and of what is put aside and they had last, each by an index of who has or had it.

    `roles`: with "collaborator" also of what they work on beside its owner.
    """
    return union_all(_had_by(holders, roles), _had_last(holders))


def _had_by(holders: Collection[str], roles: Collection[str]) -> Select[tuple[str]]:
    holding = tables.holding
    return select(holding.c.customer_id).where(
        holding.c.holder_kind.in_(_HAVE),
        holding.c.holder_id.in_(sorted(holders)),
        holding.c.role.in_(roles),
        holding.c.to_us.is_(None),
    )


def _had_last(holders: Collection[str]) -> Select[tuple[str]]:
    holding, was, last = tables.holding, tables.holding.alias("was"), tables.holding.alias("last")
    newest = select(func.max(last.c.from_us)).where(
        last.c.customer_id == was.c.customer_id, last.c.role == "owner", last.c.holder_kind == "person"
    )
    return (
        select(was.c.customer_id)
        .join(holding, holding.c.customer_id == was.c.customer_id)
        .where(
            was.c.holder_kind == "person",
            was.c.holder_id.in_(sorted(holders)),
            was.c.to_us.is_not(None),
            was.c.role == "owner",
            was.c.from_us == newest.scalar_subquery(),
            holding.c.role == "owner",
            holding.c.holder_kind == "nurture",
            holding.c.to_us.is_(None),
        )
    )
