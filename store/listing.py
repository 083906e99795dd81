"""Lists for another system: customers and leads, page by page, each page by an index whatever came before it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Connection, Select, and_, func, select, tuple_

from store import tables
from store.bulk import keys_in
from store.customer_list import came_by
from store.present import present
from store.whose import Aside, theirs

Row = dict[str, Any]


def customers(
    connection: Connection,
    limit: int,
    *,
    after: str = "",
    holders: Collection[str] | None = None,
    state: str | None = None,
    only: Collection[str] | None = None,
) -> list[Row]:
    """Return customers behind an id, in order of their ids; merged ones and probes are left out.

    `holders`: only what these have, or had before it was put aside; None: everybody's. `only`: only these, by their present ids.
    """
    customer = tables.customer
    order: ColumnElement[str] = customer.c.customer_id
    asked = _customers().where(customer.c.state != "merged", customer.c.purpose != "probe")
    if only is not None:
        order = _few_of_many(order)
        asked = asked.where(keys_in(connection, ["customer.customer_id"], [(one,) for one in only]))
    if state is not None:
        asked = asked.where(customer.c.state == state)
    if holders is not None:
        asked = asked.where(theirs(connection, customer.c.customer_id, holders))
    rows = connection.execute(asked.where(order > after).order_by(order).limit(limit))
    return [dict(row._mapping) for row in rows]


@dataclass(frozen=True, slots=True)
class Newest:
    """Of which customers the newest are wanted. None: of whatever they are."""

    holders: Collection[str] | None = None
    """As above."""
    campaign_id: str | None = None
    """Only of whom a lead came by it."""
    only: Collection[str] | None = None
    """Only these, by their present ids."""


def newest(
    connection: Connection, limit: int, wanted: Newest = Newest(), *, before: str = "", after: str = ""
) -> list[str]:
    """Return the ids of so many customers, those that came last first: an id begins with its moment.

    `before` an id the next ones, `after` an id the last ones before it came; with neither the newest of all. What comes
    in meanwhile is in front of them and moves none. Merged ones and probes are left out.
    """
    customer = tables.customer
    order: ColumnElement[str] = customer.c.customer_id
    asked = select(customer.c.customer_id).where(customer.c.state != "merged", customer.c.purpose != "probe")
    if wanted.holders is not None:
        asked = asked.where(theirs(connection, customer.c.customer_id, wanted.holders))
    if wanted.campaign_id is not None or wanted.only is not None:
        order = _few_of_many(order)
    if wanted.campaign_id is not None:
        asked = asked.where(came_by(wanted.campaign_id))
    if wanted.only is not None:
        asked = asked.where(keys_in(connection, ["customer.customer_id"], [(one,) for one in wanted.only]))
    if after:
        rows = connection.execute(asked.where(order > after).order_by(order).limit(limit))
        return list(rows.scalars())[::-1]
    if before:
        asked = asked.where(order < before)
    return list(connection.execute(asked.order_by(order.desc()).limit(limit)).scalars())


def born(connection: Connection, customers: Collection[str]) -> dict[str, int]:
    """Return when each of these came (µs)."""
    customer = tables.customer
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in sorted(customers)])
    rows = connection.execute(select(customer.c.customer_id, customer.c.born_us).where(wanted))
    return {row.customer_id: row.born_us for row in rows}


def customer(connection: Connection, customer_id: str) -> Row | None:
    """Return one customer by its present id; None if there is none."""
    row = connection.execute(
        _customers().where(tables.customer.c.customer_id == customer_id, tables.customer.c.state != "merged")
    ).one_or_none()
    return dict(row._mapping) if row is not None else None


def as_row(found: Mapping[str, Any], aside: Mapping[str, Aside]) -> Row:
    """Return a customer as it is told: the holder's three columns as one, and of one that is put aside whose it was, until when."""
    holder = {name: found[f"holder_{name}"] for name in ("kind", "id", "since_us")}
    own = {name: value for name, value in found.items() if not name.startswith("holder_")}
    told = aside.get(found["customer_id"])
    put_aside = {"person_id": told.person_id, "until_us": told.wakes_us} if told else None
    return {**own, "holder": holder if holder["id"] is not None else None, "put_aside": put_aside}


def tasks_of(connection: Connection, customer_id: str) -> list[Row]:
    """Return the tasks of a customer by its present id, the open ones first, by when they are due."""
    task, alias = tables.task, tables.alias
    known_as = select(alias.c.old_id).where(alias.c.now_id == customer_id)
    rows = connection.execute(
        select(task)
        .where((task.c.customer_id == customer_id) | task.c.customer_id.in_(known_as))
        .order_by(task.c.state != "open", task.c.due_us, task.c.task_id)
    )
    return [dict(row._mapping) for row in rows]


_STILL_COMING_US = 20 * 1_000_000
"""Longer than any transaction takes: with several workers, what was stamped before may become visible later."""


def leads(connection: Connection, limit: int, *, after: tuple[int, str], now_us: int) -> list[Row]:
    """Return leads behind a place (moment of taking in, id), oldest first, each with its present customer; no probes.

    Whoever goes on from the last one misses none: what is stamped so lately that another may still come before it is
    left for the next time, and so is what a clock that was ahead stamped.
    """
    until_us = now_us - (_STILL_COMING_US if connection.dialect.name == "postgresql" else 0)
    lead, membership, alias = tables.lead, tables.membership, tables.alias
    asked = (
        select(
            *(lead.c[name] for name in _LEAD),
            lead.c.fields_json,
            present(membership.c.customer_id).label("customer_id"),
        )
        .select_from(
            lead.outerjoin(
                membership, and_(membership.c.lead_id == lead.c.lead_id, membership.c.to_us.is_(None))
            ).outerjoin(alias, alias.c.old_id == membership.c.customer_id)
        )
        .where(
            tuple_(lead.c.resolved_us, lead.c.lead_id) > tuple_(*after),
            lead.c.resolved_us <= until_us,
            lead.c.purpose != "probe",
        )
        .order_by(lead.c.resolved_us, lead.c.lead_id)
        .limit(limit)
    )
    found = [dict(row._mapping) for row in connection.execute(asked)]
    return [{**row, "fields": orjson.loads(row.pop("fields_json"))} for row in found]


def dead_letters(
    connection: Connection, limit: int, *, state: str | None, before: tuple[int, str] | None
) -> list[Row]:
    """Return dead letters before a place (moment of the refusal, id), newest first."""
    dead = tables.dead
    asked = select(*(dead.c[name] for name in _DEAD))
    if state is not None:
        asked = asked.where(dead.c.state == state)
    if before is not None:
        asked = asked.where(tuple_(dead.c.refused_us, dead.c.dead_id) < tuple_(*before))
    rows = connection.execute(asked.order_by(dead.c.refused_us.desc(), dead.c.dead_id.desc()).limit(limit))
    return [dict(row._mapping) for row in rows]


def _customers() -> Select[Any]:
    customer, holding = tables.customer, tables.holding
    owned = and_(
        holding.c.customer_id == customer.c.customer_id, holding.c.role == "owner", holding.c.to_us.is_(None)
    )
    return select(
        customer.c.customer_id,
        customer.c.kind,
        customer.c.state,
        customer.c.born_us,
        customer.c.touched_us,
        holding.c.holder_kind.label("holder_kind"),
        holding.c.holder_id.label("holder_id"),
        holding.c.from_us.label("holder_since_us"),
    ).select_from(customer.outerjoin(holding, owned))


def _few_of_many(order: ColumnElement[str]) -> ColumnElement[str]:
    """Return an order that is no index's, as in `customer_list`: few of many are not to be looked for among all in order."""
    return func.coalesce(order, order)


_LEAD = (
    "lead_id",
    "trace_id",
    "capture_id",
    "source_id",
    "channel",
    "kind",
    "campaign_id",
    "product_line",
    "grade",
    "accepted_us",
    "resolved_us",
)
_DEAD = (
    "dead_id",
    "stage",
    "source_id",
    "capture_id",
    "trace_id",
    "code",
    "field",
    "message",
    "hint",
    "state",
    "refused_us",
)
