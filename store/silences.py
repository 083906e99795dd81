"""What each source took in by the hour, when it last did, and which are silent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, delete, func, select

from store import tables
from store.alarms import raise_alarm
from store.bulk import insert_ignore

HOUR_US = 3_600_000_000
DOOR = "door"
"""Stands for the stage in an alarm about a door."""

_capture, _silence, _rhythm = tables.capture, tables.door_silence, tables.door_rhythm
_COUNTED = (_capture.c.purpose != "probe") & _capture.c.parent_id.is_(None)


def by_hour(connection: Connection, since_us: int) -> dict[str, dict[int, int]]:
    """Return by source how many captures each hour since a moment had (hours since the epoch); no probes, no repairs."""
    hour = (_capture.c.accepted_us - _capture.c.accepted_us % HOUR_US) / HOUR_US
    rows = connection.execute(
        select(_capture.c.source_id, hour.label("hour"), func.count().label("many"))
        .where(_capture.c.accepted_us >= since_us, _COUNTED)
        .group_by(_capture.c.source_id, hour)
    )
    found: dict[str, dict[int, int]] = defaultdict(dict)
    for row in rows:
        found[row.source_id][int(row.hour)] = row.many
    return dict(found)


def last_taken(connection: Connection, since_us: int) -> dict[str, int]:
    """Return by source when its last capture since a moment was accepted; no probes."""
    rows = connection.execute(
        select(_capture.c.source_id, func.max(_capture.c.accepted_us).label("last_us"))
        .where(_capture.c.accepted_us >= since_us, _COUNTED)
        .group_by(_capture.c.source_id)
    )
    return {row.source_id: row.last_us for row in rows}


def silent(connection: Connection) -> dict[str, int]:
    """Return the sources that are known to be silent, with the moment of their last capture."""
    rows = connection.execute(select(_silence.c.source_id, _silence.c.last_us))
    return {row.source_id: row.last_us for row in rows}


def keep_rhythm(
    connection: Connection, source_id: str, hourly: Sequence[float], zone: str, now_us: int
) -> None:
    """Write down how a door usually speaks, so that a page can say so."""
    connection.execute(delete(_rhythm).where(_rhythm.c.source_id == source_id))
    told = orjson.dumps([round(one, 4) for one in hourly]).decode()
    row = {"source_id": source_id, "hourly_json": told, "zone": zone, "learnt_us": now_us}
    insert_ignore(connection, _rhythm, [row])


def rhythms(connection: Connection) -> dict[str, tuple[tuple[float, ...], str]]:
    """Return how each door usually speaks: by the hour of the week, and in which zone."""
    rows = connection.execute(select(_rhythm.c.source_id, _rhythm.c.hourly_json, _rhythm.c.zone))
    return {row.source_id: (tuple(orjson.loads(row.hourly_json)), row.zone) for row in rows}


def fell_silent(connection: Connection, source_id: str, last_us: int, now_us: int, expected: int) -> bool:
    """Note a silence and have a person told; False if it was known."""
    row = {"source_id": source_id, "last_us": last_us, "found_us": now_us}
    if not insert_ignore(connection, _silence, [row]):
        return False
    raise_alarm(connection, "door_silent", DOOR, source_id, now_us, tried=expected)
    return True


def speaks_again(connection: Connection, source_id: str, now_us: int) -> bool:
    """End a silence and have a person told; False if there was none."""
    if connection.execute(delete(_silence).where(_silence.c.source_id == source_id)).rowcount != 1:
        return False
    raise_alarm(connection, "door_speaks", DOOR, source_id, now_us)
    return True


def forget(connection: Connection, source_id: str) -> None:
    """End the silence of a source that is gone or switched off; nobody is told."""
    connection.execute(delete(_silence).where(_silence.c.source_id == source_id))
