"""Retention: what every reader of the store's log is past, and is old enough, is deleted; a little at a time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, delete, exists, select, update

from store import tables
from store.bulk import keys_in
from store.database import Database

AT_ONCE = 1_000
"""Rows deleted in one transaction: some milliseconds, behind which nobody notices waiting."""

KEEP_US = 72 * 3_600 * 1_000_000
"""How long the log keeps what all have read: over a weekend, for whoever looks into what went wrong."""
PAUSE_S = 60.0
"""Between two looks when nothing is left to delete."""

_LOG, _HEAD, _DEAD = tables.log, tables.topic_head, tables.dead


class Retention:
    """Trims a log for a loop that has nothing else to do at the moment."""

    def __init__(self, store: Database, readers: Mapping[str, Sequence[str]], keep_us: int) -> None:
        self._store = store
        self._readers = readers
        self._keep_us = keep_us
        self._next_s = 0.0

    def turn(self, now_us: int) -> int:
        """Delete the next old events, unless none were left a moment ago; return how many."""
        if time.monotonic() < self._next_s:
            return 0
        done = trim(self._store, self._readers, now_us - self._keep_us)
        if not done:
            self._next_s = time.monotonic() + PAUSE_S
        return done


def trim(store: Database, readers: Mapping[str, Sequence[str]], before_us: int) -> int:
    """Delete the next old events of each topic; return how many offsets were given up, 0 when all is done.

    `readers` are the topics to look at, and who reads each, by the names under which they keep their progress: one that has not
    begun keeps everything. An event that a dead letter would be replayed from stays.
    """
    return sum(_trim(store, topic, readers[topic], before_us) for topic in sorted(readers))


def _trim(store: Database, topic: str, readers: Sequence[str], before_us: int) -> int:
    with store.read() as connection:
        start = _start(connection, topic)
        end = _end(
            connection,
            topic,
            start,
            min(start + AT_ONCE, _read_by_all(connection, topic, readers)),
            before_us,
        )
    if end <= start:
        return 0
    wanted_by_a_letter = exists().where(
        _DEAD.c.topic == _LOG.c.topic,
        _DEAD.c.part == _LOG.c.part,
        _DEAD.c.off == _LOG.c.off,
        _DEAD.c.state.in_(("open", "held", "replayed")),
    )
    with store.write() as connection:
        these = (_LOG.c.topic == topic) & (_LOG.c.part == 0) & (_LOG.c.off >= start) & (_LOG.c.off < end)
        connection.execute(delete(_LOG).where(these, ~wanted_by_a_letter))
        head = (_HEAD.c.topic == topic) & (_HEAD.c.part == 0) & (_HEAD.c.start_off < end)
        connection.execute(update(_HEAD).where(head).values(start_off=end))
    return end - start


def _start(connection: Connection, topic: str) -> int:
    start = select(_HEAD.c.start_off).where(_HEAD.c.topic == topic, _HEAD.c.part == 0)
    return int(connection.execute(start).scalar_one())


def _read_by_all(connection: Connection, topic: str, readers: Sequence[str]) -> int:
    progress = tables.progress
    if not readers:
        head = select(_HEAD.c.next_off).where(_HEAD.c.topic == topic, _HEAD.c.part == 0)
        return int(connection.execute(head).scalar_one())
    of_topic = (progress.c.topic == topic) & (progress.c.part == 0)
    wanted = keys_in(connection, ["stage"], [(one,) for one in readers])
    found = connection.execute(select(progress.c.next_off).where(of_topic, wanted)).scalars().all()
    return min(found) if len(found) == len(set(readers)) else 0


def _end(connection: Connection, topic: str, start: int, limit: int, before_us: int) -> int:
    """Return the first offset from `start` on, at most `limit`, that is not old enough."""
    young = (
        select(_LOG.c.off)
        .where(_LOG.c.topic == topic, _LOG.c.part == 0, _LOG.c.off >= start, _LOG.c.off < limit)
        .where(_LOG.c.appended_us >= before_us)
        .order_by(_LOG.c.off)
        .limit(1)
    )
    first = connection.execute(young).scalar_one_or_none()
    return limit if first is None else int(first)
