"""When something was last done about customers that people own, and what is planned. Reads only."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select, true

from schemas.work import ASKED
from store import tables
from store.acts import ITSELF
from store.acts_move import INTAKE
from store.bulk import keys_in


@dataclass(frozen=True, slots=True)
class Owned:
    """An open customer of a person: when something was last done, and the next step, if one is planned."""

    customer_id: str
    person_id: str
    touched_us: int
    next_us: int | None = None


def owned(connection: Connection, only: Iterable[str] | None = None) -> list[Owned]:
    """Return every open customer that a person owns, but probes; `only` these, by their present ids.

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
            true()
            if only is None
            else keys_in(connection, ["customer.customer_id"], [(one,) for one in only]),
        )
    )
    return [Owned(row[0], row[1], _latest(row[2:-1]), row[-1]) for row in rows]


def owned_after(connection: Connection, customer_id: str, limit: int) -> list[str]:
    """Return customers that a person owns, open or not, in the order of their ids, behind one: so many at most."""
    holding = tables.holding
    return list(
        connection.execute(
            select(holding.c.customer_id)
            .where(
                holding.c.customer_id > customer_id,
                holding.c.role == "owner",
                holding.c.holder_kind == "person",
                holding.c.to_us.is_(None),
            )
            .order_by(holding.c.customer_id)
            .limit(limit)
        ).scalars()
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """An open customer in a team's queue or a pool, and since when."""

    customer_id: str
    kind: str
    holder_id: str
    since_us: int


def waiting(connection: Connection) -> list[Waiting]:
    """Return every open customer that waits in a queue or lies in a pool, but probes and what is on its way."""
    holding, customer = tables.holding, tables.customer
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_kind, holding.c.holder_id, holding.c.from_us)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(
            customer.c.state == "open",
            customer.c.purpose != "probe",
            holding.c.role == "owner",
            holding.c.holder_kind.in_(("queue", "pool")),
            holding.c.holder_id != INTAKE,
            holding.c.to_us.is_(None),
        )
    )
    return [Waiting(*row) for row in rows]


def _newest(column: Any, *where: ColumnElement[bool]) -> Any:
    """Return the newest moment as a sub-query of the customer at hand: each goes by an index."""
    return select(func.max(column)).where(*where).correlate(tables.customer).scalar_subquery()


def _latest(moments: Iterable[int | None]) -> int:
    return max((one for one in moments if one is not None), default=0)
