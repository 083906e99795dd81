"""Alarms: what a person is to be told, and by which way they were told already."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, select, update

from schemas.ids import make_id
from schemas.outward import AlarmKind
from store import tables
from store.bulk import insert_ignore

_alarm, _way = tables.alarm, tables.alarm_way


def raise_alarm(
    connection: Connection,
    what: AlarmKind,
    stage: str,
    source_id: str,
    at_us: int,
    *,
    tried: int = 0,
    refused: int = 0,
    code: str | None = None,
    within_us: int = 1,
) -> None:
    """Have a person told, in the transaction of what is told. The same again `within_us` is not told again."""
    alarm = {
        "alarm_id": make_id("alm", what, stage, source_id, at_us // within_us),
        "what": what,
        "stage": stage,
        "source_id": source_id,
        "at_us": at_us,
        "tried": tried,
        "refused": refused,
        "code": code,
    }
    insert_ignore(connection, _alarm, [alarm])


def due(
    connection: Connection, ways: Iterable[str], since_us: int, now_us: int
) -> list[tuple[dict[str, Any], str]]:
    """Return the alarms from `since_us` on that are to be told now, oldest first, each with the way."""
    alarms = connection.execute(
        select(_alarm).where(_alarm.c.at_us >= since_us).order_by(_alarm.c.at_us, _alarm.c.alarm_id)
    ).mappings()
    of_alarm = _way.join(_alarm, _alarm.c.alarm_id == _way.c.alarm_id)
    tries = connection.execute(
        select(_way).select_from(of_alarm).where(_alarm.c.at_us >= since_us)
    ).mappings()
    known = {(row["alarm_id"], row["way"]): row for row in tries}
    found: list[tuple[dict[str, Any], str]] = []
    for alarm in alarms:
        for way in ways:
            row = known.get((alarm["alarm_id"], way))
            if row is None or (row["told_us"] is None and row["next_us"] <= now_us):
                found.append(({**alarm, "attempt": row["attempt"] if row else 0}, way))
    return found


def claim(connection: Connection, alarm_id: str, way: str, now_us: int, until_us: int) -> bool:
    """Take a try for this process, until a moment at which another may have it; False if another has it."""
    row = {"alarm_id": alarm_id, "way": way, "attempt": 0, "next_us": now_us}
    insert_ignore(connection, _way, [row])
    free = _mine(alarm_id, way) & _way.c.told_us.is_(None) & (_way.c.next_us <= now_us)
    return connection.execute(update(_way).where(free).values(next_us=until_us)).rowcount == 1


def told(connection: Connection, alarm_id: str, way: str, now_us: int) -> None:
    """Record that the alarm has arrived."""
    connection.execute(update(_way).where(_mine(alarm_id, way)).values(told_us=now_us, code=None))


def failed(connection: Connection, alarm_id: str, way: str, code: str, next_us: int) -> None:
    """Record a try that failed, why, and when the next one is due."""
    values = {"attempt": _way.c.attempt + 1, "code": code, "next_us": next_us}
    connection.execute(update(_way).where(_mine(alarm_id, way)).values(values))


def _mine(alarm_id: str, way: str) -> Any:
    return (_way.c.alarm_id == alarm_id) & (_way.c.way == way)


def past(
    connection: Connection, after: tuple[int, str] | None, limit: int
) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Return alarms, the newest first, from a place (moment and alarm) on, each with the ways by which it was told or tried."""
    asked = select(_alarm).order_by(_alarm.c.at_us.desc(), _alarm.c.alarm_id.desc()).limit(limit)
    if after is not None:
        at_us, alarm_id = after
        same = (_alarm.c.at_us == at_us) & (_alarm.c.alarm_id < alarm_id)
        asked = asked.where(_alarm.c.at_us <= at_us, (_alarm.c.at_us < at_us) | same)
    found = [dict(row) for row in connection.execute(asked).mappings()]
    ids = [row["alarm_id"] for row in found]
    ways: dict[str, list[dict[str, Any]]] = {one: [] for one in ids}
    for way in connection.execute(
        select(_way).where(_way.c.alarm_id.in_(ids)).order_by(_way.c.way)
    ).mappings():
        ways[way["alarm_id"]].append(dict(way))
    return [(row, ways[row["alarm_id"]]) for row in found]
