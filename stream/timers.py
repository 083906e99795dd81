"""Timers: rows that become events at their time, once, whatever stops and starts in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.engine import Row

from schemas.events import Event
from store import tables
from store.bulk import Prepared
from store.database import Database
from stream.crash import crash_point
from stream.log import SqlLog

MakeEvent = Callable[[str, int], tuple[str, Event]]
"""Turns a timer's (subject id, due time) into (topic, event)."""

_AT_ONCE = 500
"""Fired in one transaction: a morning's worth of reminders in a few commits, none of them over 20 ms."""


_DUE = Prepared(
    select(tables.timer.c.kind, tables.timer.c.subject_id, tables.timer.c.due_us)
    .where(tables.timer.c.fired_us.is_(None), tables.timer.c.due_us <= bindparam("now_us"))
    .order_by(tables.timer.c.due_us)
    .limit(_AT_ONCE)
)


def fire_due(store: Database, out: SqlLog, kinds: Mapping[str, MakeEvent], now_us: int) -> int:
    """Turn every timer due by `now_us` into its event and mark it fired, in one transaction; return how many.

    Raises KeyError for a timer of a kind that nobody handles.
    """
    with store.read() as connection:
        due = _DUE(connection, now_us=now_us).all()
    if not due:
        return 0
    with store.write() as connection:
        still = [row for row in due if _take(connection, row, now_us)]
        by_topic: dict[str, list[Event]] = {}
        for row in still:
            topic, event = kinds[row.kind](row.subject_id, row.due_us)
            by_topic.setdefault(topic, []).append(event)
        for topic in sorted(by_topic):
            out.append(connection, topic, by_topic[topic], now_us)
        crash_point("timer fired")
    return len(still)


def next_due(store: Database) -> int | None:
    """Return when the next timer is due, or None."""
    table = tables.timer
    with store.read() as connection:
        return connection.execute(
            select(table.c.due_us).where(table.c.fired_us.is_(None)).order_by(table.c.due_us).limit(1)
        ).scalar_one_or_none()


def _take(connection: Connection, row: Row[Any], now_us: int) -> bool:
    table = tables.timer
    taken = connection.execute(
        table.update()
        .where(
            table.c.kind == row.kind,
            table.c.subject_id == row.subject_id,
            table.c.due_us == row.due_us,
            table.c.fired_us.is_(None),
        )
        .values(fired_us=now_us)
    )
    return taken.rowcount == 1
