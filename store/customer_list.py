"""Customers by who has them, page by page: what a manager chooses from. Reads only, and never more than a page asks for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, exists, func, select, tuple_

from schemas.work import ASKED, HolderKind
from store import tables
from store.acts import ITSELF
from store.acts_move import INTAKE, PROBE
from store.bulk import keys_in

KINDS: tuple[HolderKind, ...] = ("person", "pool", "queue")
"""Who has what is listed; what is put aside until a date has its own place (`leadflow nurture`)."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which customers. None: whatever it is."""

    holders: Collection[str] | None = None
    state: str | None = None
    campaign_id: str | None = None
    untouched_since_us: int | None = None
    """Neither a lead nor an outcome nor an act on it since, and the same owner, as in `store.touches`."""
    only: Collection[str] | None = None
    """These, by their present ids."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a row stands in the order of the list: by holder, who has it longest first."""

    holder_kind: str
    holder_id: str
    from_us: int
    customer_id: str

    def __str__(self) -> str:
        return f"{self.holder_kind}:{self.from_us}:{self.customer_id}:{self.holder_id}"

    @staticmethod
    def read(text: str) -> Place | None:
        """Return the place that an address names; None if it names none."""
        parts = text.split(":", 3)
        if len(parts) != 4 or not parts[1].isdecimal() or len(parts[1]) > 18:
            return None
        return Place(parts[0], parts[3], int(parts[1]), parts[2])


@dataclass(frozen=True, slots=True)
class Listed:
    """A customer of the list."""

    place: Place
    state: str
    touched_us: int

    @property
    def customer_id(self) -> str:
        """Its id."""
        return self.place.customer_id


def listed(connection: Connection, wanted: Wanted, after: Place | None, limit: int) -> list[Listed]:
    """Return so many customers behind a place; probes and what is on its way through the stages are none."""
    customer, order = tables.customer, _order(wanted)
    asked = _those(connection, wanted).with_only_columns(*_PLACE, customer.c.state, customer.c.touched_us)
    if after is not None:
        at = (after.holder_kind, after.holder_id, after.from_us, after.customer_id)
        asked = asked.where(tuple_(*order) > tuple_(*at))
    rows = connection.execute(asked.order_by(*order).limit(limit))
    return [
        Listed(Place(row.holder_kind, row.holder_id, row.from_us, row.customer_id), row.state, row.touched_us)
        for row in rows
    ]


def count_up_to(connection: Connection, wanted: Wanted, most: int) -> int | None:
    """Return how many customers these are; None for more than `most`, which are not counted to the end."""
    some = _those(connection, wanted).limit(most + 1).subquery()
    count = connection.execute(select(func.count()).select_from(some)).scalar_one()
    return None if count > most else int(count)


_PLACE = (
    tables.holding.c.holder_kind,
    tables.holding.c.holder_id,
    tables.holding.c.from_us,
    tables.holding.c.customer_id,
)


def _order(wanted: Wanted) -> Sequence[ColumnElement[Any]]:
    if wanted.campaign_id is None and wanted.only is None:
        return _PLACE
    # A campaign has few customers of many, as a search finds few: going through all in order would be the long way to them.
    return [func.coalesce(one, one) for one in _PLACE[:3]] + [_PLACE[3]]


def _those(connection: Connection, wanted: Wanted) -> Select[Any]:
    customer, holding, order = tables.customer, tables.holding, _order(wanted)
    asked = (
        select(holding.c.customer_id)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(
            holding.c.to_us.is_(None),
            holding.c.role == "owner",
            order[0].in_(KINDS),
            order[1].not_in((INTAKE, PROBE)),
            customer.c.purpose != "probe",
        )
    )
    if wanted.holders is not None:
        asked = asked.where(order[1].in_(sorted(wanted.holders)))
    if wanted.state is not None:
        asked = asked.where(customer.c.state == wanted.state)
    if wanted.campaign_id is not None:
        asked = asked.where(came_by(wanted.campaign_id))
    if wanted.only is not None:
        asked = asked.where(keys_in(connection, ["customer.customer_id"], [(one,) for one in wanted.only]))
    if wanted.untouched_since_us is not None:
        asked = asked.where(untouched_since(wanted.untouched_since_us))
    return asked


def untouched_since(since_us: int | ColumnElement[int]) -> ColumnElement[bool]:
    """Return the condition that nothing was done about a customer since, nor did its owner change; each part by an index."""
    customer, holding, task = tables.customer, tables.holding, tables.task
    outcome, act = tables.outcome, tables.act
    said = exists().where(outcome.c.customer_id == customer.c.customer_id, outcome.c.recorded_us >= since_us)
    by_somebody = (act.c.recorded_us >= since_us, act.c.actor != ITSELF, act.c.verb != ASKED)
    on_it = exists().where(act.c.scope_id == customer.c.customer_id, *by_somebody)
    on_task = exists().where(
        task.c.customer_id == customer.c.customer_id, act.c.scope_id == task.c.task_id, *by_somebody
    )
    return (
        (holding.c.from_us < since_us)
        & (customer.c.touched_us < since_us)
        & ~said.correlate(customer)
        & ~on_it.correlate(customer)
        & ~on_task.correlate(customer)
    )


def came_by(campaign_id: str) -> ColumnElement[bool]:
    """Return the condition that a lead of a customer, or of one that is part of it, came by a campaign."""
    alias, member, lead = tables.alias, tables.membership, tables.lead
    present = func.coalesce(alias.c.now_id, member.c.customer_id)
    came = (
        select(present)
        .select_from(lead)
        .join(member, (member.c.lead_id == lead.c.lead_id) & member.c.to_us.is_(None))
        .outerjoin(alias, alias.c.old_id == member.c.customer_id)
        .where(lead.c.campaign_id == campaign_id)
    )
    return tables.customer.c.customer_id.in_(came)
