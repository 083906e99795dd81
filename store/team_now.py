"""How things stand with a team's people and queue at this moment: what they have, what waits, what is late. Reads only."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, case, exists, func, select

from store import tables
from store.customer_list import untouched_since

FIRST = ("first_response", "call_back")
"""Origins of tasks by which somebody is answered for the first time."""

MOST_NEGLECTED = 200
"""So many neglected customers of a person are counted: more says no more, and takes longer."""


@dataclass(frozen=True, slots=True)
class Load:
    """What a person or queue has now."""

    customers: int = 0
    """Open ones."""
    oldest_us: int | None = None
    """Since when the one is there that is there longest."""
    tasks: int = 0
    overdue: int = 0
    at_risk: int = 0
    """First answers whose limit is about to pass."""
    missed: int = 0
    """First answers whose limit has passed."""
    neglected: int = 0


def loads(
    connection: Connection,
    holders: Collection[str],
    moments: tuple[int, int],
    cuts: Mapping[int, Collection[str]],
) -> dict[str, Load]:
    """Return the load of each of these people and queues.

    `moments`: now, and until when a limit that passes is at risk. `cuts`: by a moment, the people who neglect what nothing
    was done about since then and has no step ahead.
    """
    found = dict.fromkeys(holders, Load())
    for row in connection.execute(_customers(holders)):
        found[row.holder_id] = replace(found[row.holder_id], customers=row.number, oldest_us=row.oldest)
    for row in connection.execute(_tasks(holders, *moments)):
        more = {"tasks": row.tasks, "overdue": row.overdue, "at_risk": row.at_risk, "missed": row.missed}
        found[row.holder_id] = replace(found[row.holder_id], **more)
    for cut_us, people in cuts.items():
        for one in people:
            some = _idle([one], cut_us, moments[0], MOST_NEGLECTED).subquery()
            count = connection.execute(select(func.count()).select_from(some)).scalar_one()
            found[one] = replace(found[one], neglected=int(count))
    return found


def _customers(holders: Collection[str]) -> Select[Any]:
    holding, customer = tables.holding, tables.customer
    return (
        select(holding.c.holder_id, func.count().label("number"), func.min(holding.c.from_us).label("oldest"))
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(*_theirs(("person", "queue"), holders))
        .group_by(holding.c.holder_id)
    )


def customers_marked(connection: Connection, holders: Collection[str]) -> str:
    """Return what changes whenever one of these people and queues gets a customer or loses one."""
    holding = tables.holding
    number, last = connection.execute(
        select(func.count(), func.max(holding.c.from_us)).where(
            holding.c.to_us.is_(None),
            holding.c.holder_kind.in_(("person", "queue")),
            holding.c.holder_id.in_(sorted(holders)),
        )
    ).one()
    return f"{number}-{last or 0}"


def _theirs(kinds: Collection[str], holders: Collection[str]) -> tuple[ColumnElement[bool], ...]:
    holding, customer = tables.holding, tables.customer
    return (
        holding.c.to_us.is_(None),
        holding.c.role == "owner",
        holding.c.holder_kind.in_(kinds),
        holding.c.holder_id.in_(sorted(holders)),
        customer.c.state == "open",
        customer.c.purpose != "probe",
    )


def _tasks(holders: Collection[str], now_us: int, soon_us: int) -> Select[Any]:
    task = tables.task
    is_first = and_(task.c.origin.in_(FIRST), task.c.ordinal == 0)

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.sum(case((condition, 1), else_=0))

    late = task.c.due_us < now_us
    return (
        select(
            task.c.holder_id,
            func.count().label("tasks"),
            count(late).label("overdue"),
            count(and_(is_first, ~late, task.c.due_us < soon_us)).label("at_risk"),
            count(and_(is_first, late)).label("missed"),
        )
        .where(task.c.holder_id.in_(sorted(holders)), task.c.state == "open")
        .group_by(task.c.holder_id)
    )


def neglected_by(
    connection: Connection, cuts: Mapping[int, Collection[str]], now_us: int, limit: int
) -> list[str]:
    """Return customers whom these people neglect, so many at most; `cuts` as for `loads`. It stops where it has enough."""
    found = list[str]()
    for cut_us, people in cuts.items():
        found += connection.execute(_idle(people, cut_us, now_us, limit - len(found))).scalars()
        if len(found) >= limit:
            break
    return found


def _idle(people: Collection[str], cut_us: int, now_us: int, limit: int) -> Select[Any]:
    holding, customer, task = tables.holding, tables.customer, tables.task
    ahead = exists().where(
        task.c.customer_id == customer.c.customer_id, task.c.state == "open", task.c.due_us > now_us
    )
    return (
        select(holding.c.customer_id)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(*_theirs(("person",), people), ~ahead.correlate(customer), untouched_since(cut_us))
        .limit(limit)
    )


@dataclass(frozen=True, slots=True)
class Covered:
    """Customers of somebody away that another has until a day, by a hand-over."""

    job_id: str
    person_id: str
    holder_id: str
    count: int
    until_us: int


def covered(connection: Connection, people: Collection[str]) -> list[Covered]:
    """Return who has whose customers meanwhile, of those who are among these people, on either side."""
    job, item = tables.job, tables.job_item
    rows = connection.execute(
        select(job.c.job_id, job.c.person_id, item.c.holder_id, func.count(), job.c.until_us)
        .join(item, item.c.job_id == job.c.job_id)
        .where(job.c.state == "covering", item.c.state == "given")
        .group_by(job.c.job_id, job.c.person_id, item.c.holder_id, job.c.until_us)
        .order_by(job.c.person_id, item.c.holder_id)
    )
    among = set(people)
    return [Covered(*row) for row in rows if row.person_id in among or row.holder_id in among]
