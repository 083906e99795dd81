"""Customers that somebody owns and nobody does anything about: no step ahead, and no touch for days."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from schemas.work import ASKED
from store import tables
from store.acts import ITSELF
from worktime import Calendar, working_days_between

DAYS = 5
"""A working week: shorter flags whoever was ill for three days, longer lets an enquiry go cold."""
_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Owned:
    """An open customer of a person: when something was last done, and the next step, if one is planned."""

    customer_id: str
    person_id: str
    touched_us: int
    next_us: int | None = None


@dataclass(frozen=True, slots=True)
class Neglected:
    """A customer without a step ahead, untouched for this many working days of its owner."""

    customer_id: str
    person_id: str
    touched_us: int
    working_days: int


def neglected(
    rows: Iterable[Owned], calendar_of: Callable[[str], Calendar], now_us: int, days: int = DAYS
) -> list[Neglected]:
    """Return what is neglected, the longest untouched first.

    Neglected is a customer with no step after `now_us`, whose owner has worked `days` whole days since the last
    touch, by the calendar that `calendar_of` has for them.
    """
    found = []
    for row in rows:
        if row.next_us is not None and row.next_us > now_us:
            continue
        if now_us - row.touched_us < days * _DAY_US // 2:
            continue  # no calendar has two working days in one: spares the reckoning for most customers
        passed = working_days_between(calendar_of(row.person_id), row.touched_us, now_us)
        if passed >= days:
            found.append(Neglected(row.customer_id, row.person_id, row.touched_us, passed))
    return sorted(found, key=lambda one: (one.touched_us, one.customer_id))


def owned(connection: Connection) -> list[Owned]:
    """Return every open customer that a person owns, but probes.

    A touch is a lead, an outcome, somebody's act on the customer or a task of theirs, or that the owner got them; that
    somebody asked whether the customer is taken is none. The next step is the latest of the open tasks' due times.
    """
    customer, holding, task = tables.customer, tables.holding, tables.task
    outcome, act = tables.outcome, tables.act
    mine = task.c.customer_id == customer.c.customer_id
    theirs = outcome.c.customer_id == customer.c.customer_id
    by_somebody = (act.c.actor != ITSELF, act.c.verb != ASKED)
    touches = (
        holding.c.from_us,
        customer.c.touched_us,
        _newest(outcome.c.recorded_us, theirs),
        _newest(act.c.recorded_us, act.c.scope_id == customer.c.customer_id, *by_somebody),
        _newest(act.c.recorded_us, act.c.scope_id == task.c.task_id, mine),
    )
    step = _newest(task.c.due_us, mine, task.c.state == "open")
    rows = connection.execute(
        select(customer.c.customer_id, holding.c.holder_id, *touches, step)
        .join(holding, holding.c.customer_id == customer.c.customer_id)
        .where(
            customer.c.state == "open",
            customer.c.purpose != "probe",
            holding.c.role == "owner",
            holding.c.holder_kind == "person",
            holding.c.to_us.is_(None),
        )
    )
    return [Owned(row[0], row[1], _latest(row[2:-1]), row[-1]) for row in rows]


def _newest(column: Any, *where: ColumnElement[bool]) -> Any:
    """Return the newest moment as a sub-query of the customer at hand: each goes by an index."""
    return select(func.max(column)).where(*where).correlate(tables.customer).scalar_subquery()


def _latest(moments: Iterable[int | None]) -> int:
    return max((one for one in moments if one is not None), default=0)
