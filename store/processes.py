"""The processes of a cluster: each says every few seconds that it lives, and what troubles it.

Moments are the store's own, so that no machine's clock can make a process look dead. For PostgreSQL only: on one machine
there is one process, and nobody beside it to look.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import BigInteger, Connection, cast, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from store import tables
from store.alarms import raise_alarm

BEAT_S = 10.0
"""How often a process says that it lives: some ten small commits a minute and process."""
LIFE_S = 60.0
"""Who has not been heard of for so long is gone: five beats may be lost while a server restarts, and whoever is killed
and started again under the same name within it was never missed."""

_process = tables.process
_NOW = cast(func.extract("epoch", func.clock_timestamp()) * 1_000_000, BigInteger)
_SINCE = _NOW - int(LIFE_S * 1_000_000)


def beat(connection: Connection, name: str, part: str, stages: Iterable[str], trouble: str | None) -> None:
    """Record that a process lives, which part and stages it runs, and why these stand, if so."""
    values = {
        "part": part,
        "stages": " ".join(stages),
        "trouble": trouble,
        "beat_us": _NOW,
        "has_left": False,
    }
    row = insert(_process).values(process_id=name, **values)
    connection.execute(row.on_conflict_do_update(index_elements=["process_id"], set_=values))


def leave(connection: Connection, name: str) -> None:
    """Record that a process ended as it was told to: nobody is to miss it."""
    connection.execute(
        _process.update().where(_process.c.process_id == name).values(has_left=True, trouble=None)
    )


def bury(connection: Connection) -> list[str]:
    """Forget the processes that have not been heard of for LIFE_S; return those that never said that they leave.

    A person is told of each of these. Any number of processes may look: one of them finds it.
    """
    gone = connection.execute(
        delete(_process).where(_process.c.beat_us < _SINCE).returning(*_process.c, _NOW.label("now_us"))
    ).all()
    died = [row for row in gone if not row.has_left]
    for row in died:
        raise_alarm(connection, "process_gone", row.part, row.process_id, row.now_us)
    return sorted(row.process_id for row in died)


def missing(connection: Connection, parts: Iterable[str], stages: Iterable[str]) -> str | None:
    """Return what nobody does any more, or what troubles those who do; None if all is well."""
    rows = connection.execute(select(_process).where(_process.c.beat_us >= _SINCE)).all()
    done = {row.part for row in rows} | {stage for row in rows for stage in row.stages.split()}
    if undone := [one for one in (*parts, *stages) if one not in done]:
        return f"no process runs: {', '.join(undone)}"
    return next((row.trouble for row in rows if row.trouble), None)
