"""The acts on record: a page of them by person, kind and time, each question answered by an index."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Select, and_, or_, select

from store import tables

_act = tables.act
Place = tuple[int, str]
"""Where a page ends: the moment of its last act, and the act."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """Which acts: of a person (or `leadflow` itself), of a kind, between two moments; from a place on."""

    actor: str = ""
    verb: str = ""
    from_us: int | None = None
    to_us: int | None = None
    after: Place | None = None


def acts(connection: Connection, asked: Asked, limit: int) -> list[dict[str, Any]]:
    """Return acts, the newest first."""
    return [dict(row) for row in connection.execute(_query(asked).limit(limit)).mappings()]


def all_acts(connection: Connection, asked: Asked, most: int) -> Iterator[dict[str, Any]]:
    """Yield acts, the newest first, a few hundred at a time."""
    while most > 0:
        rows = acts(connection, asked, min(_AT_ONCE, most))
        yield from rows
        if len(rows) < _AT_ONCE:
            return
        most -= len(rows)
        asked = replace(asked, after=(rows[-1]["recorded_us"], rows[-1]["act_id"]))


def _query(asked: Asked) -> Select[Any]:
    query = select(
        _act.c.act_id,
        _act.c.actor,
        _act.c.verb,
        _act.c.reason,
        _act.c.scope_id,
        _act.c.undoes,
        _act.c.recorded_us,
    ).order_by(_act.c.recorded_us.desc(), _act.c.act_id.desc())
    if asked.actor:
        query = query.where(_act.c.actor == asked.actor)
    if asked.verb:
        query = query.where(_act.c.verb == asked.verb)
    if asked.from_us is not None:
        query = query.where(_act.c.recorded_us >= asked.from_us)
    if asked.to_us is not None:
        query = query.where(_act.c.recorded_us < asked.to_us)
    if asked.after is not None:
        at_us, act_id = asked.after
        # The first condition is implied by the second, and tells the index where to begin.
        query = query.where(
            _act.c.recorded_us <= at_us,
            or_(_act.c.recorded_us < at_us, and_(_act.c.recorded_us == at_us, _act.c.act_id < act_id)),
        )
    return query
