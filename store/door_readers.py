"""Which process of a cluster reads a mailbox or a table of calls, and how far it is, for the one that follows it."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select, update

from store import tables
from store.bulk import insert_ignore

LEASE_S = 30.0
"""A process that is killed is followed after so long; one that lives asks again well within it."""

_reader = tables.door_reader


def claim(connection: Connection, source_id: str, worker: str, now_us: int) -> bool:
    """Take or prolong the right to read a source; False if another process has it."""
    insert_ignore(connection, _reader, [{"source_id": source_id, "worker": worker, "until_us": 0}])
    free = (_reader.c.worker == worker) | (_reader.c.until_us < now_us)
    mine = update(_reader).where(_reader.c.source_id == source_id, free)
    until_us = now_us + int(LEASE_S * 1_000_000)
    return connection.execute(mine.values(worker=worker, until_us=until_us)).rowcount == 1


def release(connection: Connection, worker: str) -> None:
    """Give up all that a process may read."""
    connection.execute(update(_reader).where(_reader.c.worker == worker).values(until_us=0))


def progress(connection: Connection, source_id: str, path: str) -> dict[str, Any] | None:
    """Return how far this mailbox or table was read; None if nobody has."""
    row = connection.execute(select(_reader).where(_reader.c.source_id == source_id)).one_or_none()
    if row is None or row.path != path or row.state_json is None:
        return None
    found: dict[str, Any] = orjson.loads(row.state_json)
    return found


def keep(connection: Connection, source_id: str, worker: str, path: str, state: dict[str, object]) -> None:
    """Keep how far was read, unless another process has gone on meanwhile."""
    mine = (_reader.c.source_id == source_id) & (_reader.c.worker == worker)
    values = {"path": path, "state_json": orjson.dumps(state).decode()}
    connection.execute(update(_reader).where(mine).values(values))
