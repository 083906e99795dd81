"""Who comes second with an act on a task: what was recorded meanwhile, and where what they typed can still go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from store import tables

TOO_LATE = ("task_ended", "key_reused")
"""Refusals that say: something was recorded before."""


@dataclass(frozen=True, slots=True)
class Second:
    """The outcome that a task has got, if it has one, and the customer's task that is open with the same holder now."""

    row: Mapping[str, Any] | None
    open_id: str | None


def came_second(connection: Connection, holder_id: str, task_id: str) -> Second:
    """Return what became of a task that somebody wanted to act on, and what is open instead."""
    task, outcome = tables.task, tables.outcome
    row = connection.execute(select(outcome).where(outcome.c.task_id == task_id)).mappings().one_or_none()
    customer = select(task.c.customer_id).where(task.c.task_id == task_id).scalar_subquery()
    still_open = (
        select(task.c.task_id)
        .where(task.c.customer_id == customer, task.c.holder_id == holder_id, task.c.state == "open")
        .order_by(task.c.task_id != task_id, task.c.created_us.desc(), task.c.task_id)
        .limit(1)
    )
    return Second(dict(row) if row else None, connection.execute(still_open).scalar_one_or_none())
