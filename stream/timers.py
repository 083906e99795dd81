"""Timers: rows that become events at their time, once, whatever stops and starts in between."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import bindparam, select

from schemas.events import Event
from store import tables
from store.bulk import Prepared, update_rows
from store.database import Database
from stream.crash import crash_point
from stream.log import SqlLog

MakeEvent = Callable[[str, int], tuple[str, Event]]
"""Turns a timer's (subject id, due time) into (topic, event)."""

_AT_ONCE = 500
"""Fired in one transaction: a morning's worth of reminders in a few commits, none of them over 20 ms."""


_WAITING = (
    select(tables.timer.c.kind, tables.timer.c.subject_id, tables.timer.c.due_us)
    .where(tables.timer.c.fired_us.is_(None), tables.timer.c.due_us <= bindparam("now_us"))
    .order_by(tables.timer.c.due_us, tables.timer.c.kind, tables.timer.c.subject_id)
    .limit(_AT_ONCE)
)
_DUE, _TAKEN = Prepared(_WAITING), Prepared(_WAITING.with_for_update(skip_locked=True))


def fire_due(store: Database, out: SqlLog, kinds: Mapping[str, MakeEvent], now_us: int) -> int:
    """Turn timers due by `now_us` into their events and mark them fired, in one transaction; return how many.

    Any number of processes may: what one has at hand, the others pass over. Raises KeyError for a timer of a kind
    that nobody handles.
    """
    with store.read() as connection:
        if not _DUE(connection, now_us=now_us).first():
            return 0
    with store.write() as connection:
        due = _TAKEN(connection, now_us=now_us).all()
        update_rows(connection, tables.timer, [(row._asdict(), {"fired_us": now_us}) for row in due])
        by_topic: dict[str, list[Event]] = {}
        for row in due:
            topic, event = kinds[row.kind](row.subject_id, row.due_us)
            by_topic.setdefault(topic, []).append(event)
        for topic in sorted(by_topic):
            out.append(connection, topic, by_topic[topic], now_us)
        crash_point("timer fired")
    return len(due)


def next_due(store: Database) -> int | None:
    """Return when the next timer is due, or None."""
    table = tables.timer
    with store.read() as connection:
        return connection.execute(
            select(table.c.due_us).where(table.c.fired_us.is_(None)).order_by(table.c.due_us).limit(1)
        ).scalar_one_or_none()
