"""What a page says of each door: its last lead, how much came of late, what was refused, the last probe, and its captures.

Each question is answered by an index, however much came in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, select

from store import tables
from store.breakers import open_breakers
from store.silences import silent

HOUR_US = 3_600_000_000
MOST_COUNTED = 10_000
"""More in an hour is shown as so many and more."""
_capture, _count = tables.capture, tables.breaker_count


@dataclass(frozen=True, slots=True)
class Health:
    """How one door is."""

    last_us: int | None
    """When its last capture was accepted that is no probe."""
    hour: int
    """Captures of the last hour, probes and all."""
    tried: int
    refused: int
    """Of what it sent within the window that its breaker looks at."""
    probe_us: int | None
    probe_result: str | None
    """What became of the last probe."""
    silent_us: int | None
    """Since when it is silent, by the moment of its last capture; None: it is not."""
    breaker: dict[str, Any] | None


def health(connection: Connection, source_ids: list[str], now_us: int) -> dict[str, Health]:
    """Return how doors are, by source."""
    quiet = silent(connection)
    held = {row["source_id"]: row for row in open_breakers(connection)}
    tried = {
        row.source_id: (int(row.tried), int(row.refused))
        for row in connection.execute(
            select(
                _count.c.source_id,
                func.sum(_count.c.tried).label("tried"),
                func.sum(_count.c.refused).label("refused"),
            )
            .where(_count.c.stage == "parse")
            .group_by(_count.c.source_id)
        )
    }
    found = {}
    for source_id in source_ids:
        probe = connection.execute(
            select(_capture.c.accepted_us, _capture.c.result)
            .where(_capture.c.source_id == source_id, _capture.c.purpose == "probe")
            .order_by(_capture.c.accepted_us.desc())
            .limit(1)
        ).first()
        found[source_id] = Health(
            _last(connection, source_id),
            _hour(connection, source_id, now_us),
            *tried.get(source_id, (0, 0)),
            probe.accepted_us if probe else None,
            probe.result if probe else None,
            quiet.get(source_id),
            held.get(source_id),
        )
    return found


def captures(connection: Connection, source_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the last captures of a door, newest first."""
    rows = connection.execute(
        select(
            _capture.c.capture_id,
            _capture.c.accepted_us,
            _capture.c.purpose,
            _capture.c.result,
            _capture.c.kind,
            _capture.c.code,
            _capture.c.trace_id,
        )
        .where(_capture.c.source_id == source_id)
        .order_by(_capture.c.accepted_us.desc(), _capture.c.capture_id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def _last(connection: Connection, source_id: str) -> int | None:
    asked = (
        select(_capture.c.accepted_us)
        .where(
            _capture.c.source_id == source_id, _capture.c.purpose != "probe", _capture.c.parent_id.is_(None)
        )
        .order_by(_capture.c.accepted_us.desc())
        .limit(1)
    )
    return connection.execute(asked).scalar_one_or_none()


def _hour(connection: Connection, source_id: str, now_us: int) -> int:
    some = (
        select(_capture.c.accepted_us)
        .where(_capture.c.source_id == source_id, _capture.c.accepted_us >= now_us - HOUR_US)
        .limit(MOST_COUNTED)
        .subquery()
    )
    return connection.execute(select(func.count()).select_from(some)).scalar_one()
