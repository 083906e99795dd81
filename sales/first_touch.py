"""Time to first touch: how much working time went by until somebody first turned to a lead, hours counted one by one.

The first touch is the end of the first task: an outcome, an attempt that found nobody included, or a call that was answered.
What nobody has touched yet counts on, also after its limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from statistics import median
from typing import Any

from sqlalchemy import Connection, select

from store import tables
from worktime import Calendar, working_seconds, working_spans

FIRSTS = ("first_response", "call_back")
"""Origins of tasks that wait for the first touch."""


@dataclass(frozen=True, slots=True)
class FirstTouch:
    """One lead: since when and till when it waited (`touched_us` None: it still does), in whole seconds of working time."""

    lead_id: str | None
    customer_id: str
    holder_id: str
    created_us: int
    touched_us: int | None
    counted_s: int
    limit_s: int

    @property
    def over_s(self) -> int:
        """By how much the limit is broken; 0 if it is not."""
        return max(0, self.counted_s - self.limit_s)


@dataclass(frozen=True, slots=True)
class Line:
    """What somebody's first touches were like; a median of no touch is None."""

    holder_id: str
    leads: int
    touched: int
    within: int
    median_s: int | None
    worst_s: int


def first_touch(row: Any, calendar: Calendar, now_us: int) -> FirstTouch | None:
    """Return how long the lead of a first task waited, by the calendar of whoever has it; None for any other task.

    `row` is the task's. The limit is counted by the same calendar, from the same moment.
    """
    if row["origin"] not in FIRSTS or row["ordinal"] != 0 or row["state"] == "cancelled":
        return None
    until_us = now_us if row["ended_us"] is None else row["ended_us"]
    return FirstTouch(
        row["lead_id"],
        row["customer_id"],
        row["holder_id"],
        row["created_us"],
        row["ended_us"],
        working_seconds(calendar, row["created_us"], until_us),
        working_seconds(calendar, row["created_us"], row["due_us"]),
    )


def counted(one: FirstTouch, calendar: Calendar, now_us: int) -> list[tuple[int, int]]:
    """Return the stretches of working time that were counted, each from a moment to a moment in µs."""
    return working_spans(calendar, one.created_us, now_us if one.touched_us is None else one.touched_us)


def first_touches(
    connection: Connection, calendar_of: Callable[[str], Calendar], from_us: int, to_us: int, now_us: int
) -> list[FirstTouch]:
    """Return every real lead's first touch whose task was made in a stretch of time, oldest first."""
    task, customer = tables.task, tables.customer
    rows = connection.execute(
        select(task)
        .join(customer, customer.c.customer_id == task.c.customer_id)
        .where(
            task.c.origin.in_(FIRSTS),
            task.c.ordinal == 0,
            task.c.created_us >= from_us,
            task.c.created_us < to_us,
            customer.c.purpose.in_(("real", "demo")),
        )
        .order_by(task.c.created_us, task.c.task_id)
    ).mappings()
    found = (first_touch(row, calendar_of(row["holder_id"]), now_us) for row in rows)
    return [one for one in found if one is not None]


def lines_of(touches: Iterable[FirstTouch]) -> list[Line]:
    """Return a line for each holder, whoever was over the limit most often first."""
    by_holder: dict[str, list[FirstTouch]] = {}
    for one in touches:
        by_holder.setdefault(one.holder_id, []).append(one)
    lines = []
    for holder_id, of_holder in by_holder.items():
        done = [one.counted_s for one in of_holder if one.touched_us is not None]
        lines.append(
            Line(
                holder_id,
                len(of_holder),
                len(done),
                sum(one.over_s == 0 for one in of_holder),
                round(median(done)) if done else None,
                max(one.counted_s for one in of_holder),
            )
        )
    return sorted(lines, key=lambda line: (line.within - line.leads, line.holder_id))
