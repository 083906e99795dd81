"""Dead letters to look at: a page of them by what is asked for, one with what became of it, and a selection to replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from store import tables
from store.present import present

_dead, _capture = tables.dead, tables.capture
Place = tuple[int, str]
"""Where a page ends: the moment of the last refusal, and its id."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which dead letters: of a state, and perhaps only of a source, a stage, a code."""

    state: str = "open"
    source_id: str = ""
    stage: str = ""
    code: str = ""


def letters(connection: Connection, wanted: Wanted, after: Place | None, limit: int) -> list[dict[str, Any]]:
    """Return dead letters, newest first, from a place on, each with the channel of what was received; no probes."""
    asked = (
        select(_dead, _capture.c.channel, _capture.c.accepted_us)
        .select_from(_dead.outerjoin(_capture, _capture.c.capture_id == _dead.c.capture_id))
        .where(_is(wanted), or_(_capture.c.purpose.is_(None), _capture.c.purpose != "probe"))
        .order_by(_dead.c.refused_us.desc(), _dead.c.dead_id.desc())
    )
    if after is not None:
        at_us, dead_id = after
        asked = asked.where(
            or_(_dead.c.refused_us < at_us, and_(_dead.c.refused_us == at_us, _dead.c.dead_id < dead_id))
        )
    return [dict(row) for row in connection.execute(asked.limit(limit)).mappings()]


def oldest(connection: Connection, wanted: Wanted, limit: int) -> list[str]:
    """Return the ids of dead letters, the oldest first: in this order they are replayed."""
    asked = (
        select(_dead.c.dead_id)
        .select_from(_dead.outerjoin(_capture, _capture.c.capture_id == _dead.c.capture_id))
        .where(_is(wanted), or_(_capture.c.purpose.is_(None), _capture.c.purpose != "probe"))
        .order_by(_dead.c.refused_us, _dead.c.dead_id)
        .limit(limit)
    )
    return list(connection.execute(asked).scalars())


def letter(connection: Connection, dead_id: str) -> dict[str, Any] | None:
    """Return one dead letter, with the act that settled it, if any did."""
    row = connection.execute(select(_dead).where(_dead.c.dead_id == dead_id)).mappings().one_or_none()
    if row is None:
        return None
    act = tables.act
    settled = connection.execute(
        select(act.c.verb, act.c.actor, act.c.reason, act.c.recorded_us)
        .where(act.c.scope_id == dead_id, act.c.verb.in_(("repair", "replay", "discard")))
        .order_by(act.c.recorded_us.desc())
        .limit(1)
    ).mappings()
    return {**row, "settled": next((dict(one) for one in settled), None)}


def repaired_as(connection: Connection, dead: dict[str, Any]) -> str | None:
    """Return the capture that a dead letter was repaired as; None while it was not, or is being read."""
    if dead["capture_id"] is None:
        return None
    asked = select(_capture.c.capture_id).where(
        _capture.c.trace_id == dead["trace_id"], _capture.c.parent_id == dead["capture_id"]
    )
    return connection.execute(asked.order_by(_capture.c.accepted_us.desc()).limit(1)).scalar_one_or_none()


def became(connection: Connection, dead: dict[str, Any]) -> dict[str, Any]:
    """Return what came of a repair or a replay: `holders` of the customers by now, `result` of its capture, `again` refused as."""
    repaired = repaired_as(connection, dead)
    capture_id = repaired or (dead["capture_id"] if dead["state"] == "replayed" else None)
    if capture_id is None:
        return {"holders": [], "result": None, "again": None}
    origin, member, holding, alias = tables.lead_capture, tables.membership, tables.holding, tables.alias
    holders = connection.execute(
        select(holding.c.holder_kind, holding.c.holder_id, holding.c.customer_id, holding.c.from_us)
        .select_from(
            origin.join(member, and_(member.c.lead_id == origin.c.lead_id, member.c.to_us.is_(None)))
            .outerjoin(alias, alias.c.old_id == member.c.customer_id)
            .join(
                holding,
                and_(
                    holding.c.customer_id == present(member.c.customer_id),
                    holding.c.role == "owner",
                    holding.c.to_us.is_(None),
                ),
            )
        )
        .where(origin.c.capture_id == capture_id)
        .distinct()
    ).mappings()
    result = connection.execute(
        select(_capture.c.result).where(_capture.c.capture_id == capture_id)
    ).scalar_one_or_none()
    again = connection.execute(
        select(_dead.c.dead_id)
        .where(
            _dead.c.capture_id == capture_id,
            _dead.c.dead_id != dead["dead_id"],
            _dead.c.state.in_(("open", "held")),
        )
        .limit(1)
    ).scalar_one_or_none()
    return {"holders": [dict(row) for row in holders], "result": result, "again": again}


def codes(connection: Connection, state: str, among: int) -> Sequence[str]:
    """Return the codes of the newest letters of a state, most frequent first: what to filter by."""
    newest = (
        select(_dead.c.code)
        .where(_dead.c.state == state)
        .order_by(_dead.c.refused_us.desc())
        .limit(among)
        .subquery()
    )
    many = func.count()
    rows = select(newest.c.code).group_by(newest.c.code).order_by(many.desc(), newest.c.code)
    return list(connection.execute(rows).scalars())


def _is(wanted: Wanted) -> ColumnElement[bool]:
    asked = [_dead.c.state == wanted.state]
    if wanted.source_id:
        asked.append(_dead.c.source_id == wanted.source_id)
    if wanted.stage:
        asked.append(_dead.c.stage == wanted.stage)
    if wanted.code:
        asked.append(_dead.c.code == wanted.code)
    return and_(*asked)
