"""The breakers' rows: which sources are held at which stage, what was tried of each, and whom to tell.

Written inside the stage's own transaction, so that any number of workers share them and a kill at any instant leaves
either all of a batch or nothing. A row of `breaker` exists while a breaker is open or its held events are replayed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import (
    Connection,
    Integer,
    Row,
    bindparam,
    case,
    delete,
    func,
    literal,
    select,
    union_all,
    update,
)

from schemas.outward import AlarmKind
from store import tables
from store.acts import ActRefused, Command, Plan
from store.alarms import raise_alarm
from store.bulk import OneOf, Prepared, insert_ignore, listed
from store.effects import Effect

WHOLE_STAGE = "*"
"""Stands for the source in the row of a stage that has stopped; no source can be called so."""

DELIVER = "deliver"
"""The stage under whose name destinations are held: their breakers are opened by dispatch, and close at once."""

Bucket = tuple[str, int, int]
"""Source, partition, and the moment at which the bucket begins."""

_breaker, _count, _dead = tables.breaker, tables.breaker_count, tables.dead
_delivery = tables.delivery
_DESTINATION = case(
    (_delivery.c.dest == _delivery.c.sink_id, "sinks." + _delivery.c.sink_id),
    else_="sinks." + _delivery.c.sink_id + "/" + _delivery.c.dest,
)
_OF_STAGE = _breaker.c.stage == bindparam("of_stage")
_OF_SOURCE = _breaker.c.source_id == bindparam("of_source")
# Shared: closing a breaker waits for every worker that still holds events by it (see `close_breaker`).
_BLOCKED = Prepared(select(_breaker).where(_OF_STAGE).with_for_update(read=True))
_LOCKED = Prepared(select(_breaker.c.state).where(_OF_STAGE, _OF_SOURCE).with_for_update())
_STANDING = Prepared(
    select(_breaker)
    .where(_OF_STAGE, _breaker.c.state != literal("open"))
    .order_by(_breaker.c.source_id)  # the whole stage, *, comes first
    .limit(1)
)
_HELD_OF = (
    (_dead.c.state == literal("held"))
    & (_dead.c.stage == bindparam("of_stage"))
    & (_dead.c.source_id == bindparam("of_source"))
)
_HELD = Prepared(
    select(_dead.c.dead_id, _dead.c.topic, _dead.c.part, _dead.c.off)
    .where(_HELD_OF)
    .order_by(_dead.c.part, _dead.c.off)
    .limit(bindparam("at_most", type_=Integer))
)
_STILL = Prepared(select(_dead.c.dead_id).where(_HELD_OF, OneOf(["dead_id"], "of_letters")))
_LETTERS = Prepared(
    select(_dead.c.event_id).where(_dead.c.stage == bindparam("of_stage"), OneOf(["event_id"], "of_events"))
)
_COUNTS = Prepared(
    select(
        _count.c.source_id,
        _count.c.from_us,
        func.sum(_count.c.tried).label("tried"),
        func.sum(_count.c.refused).label("refused"),
    )
    .where(_count.c.stage == bindparam("of_stage"))
    .group_by(_count.c.source_id, _count.c.from_us)
)


def blocked(connection: Connection, stage: str) -> Sequence[Row[Any]]:
    """Return the breakers of a stage that are not closed, and keep them from being closed until the commit."""
    return _BLOCKED(connection, of_stage=stage).all()


def counts(connection: Connection, stage: str) -> Sequence[Row[Any]]:
    """Return what was tried and refused at a stage, by source and the moment at which the bucket begins."""
    return _COUNTS(connection, of_stage=stage).all()


def add_counts(connection: Connection, stage: str, added: Mapping[Bucket, tuple[int, int]]) -> None:
    """Add what was tried and refused. Each partition has rows of its own, so that no worker waits for another."""
    if not added:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    rows = [(stage, *bucket, *added[bucket]) for bucket in sorted(added)]
    connection.exec_driver_sql(
        "INSERT INTO breaker_count (stage, source_id, part, from_us, tried, refused) "
        f"VALUES ({mark}, {mark}, {mark}, {mark}, {mark}, {mark}) "
        "ON CONFLICT (stage, source_id, part, from_us) DO UPDATE "
        "SET tried = breaker_count.tried + excluded.tried, refused = breaker_count.refused + excluded.refused",
        rows,
    )


def forget_counts(connection: Connection, before_us: int) -> None:
    """Delete the buckets that began before a moment."""
    connection.execute(delete(_count).where(_count.c.from_us < before_us))


def known_letters(connection: Connection, stage: str, event_ids: Iterable[str]) -> set[str]:
    """Return those of the events that are dead letters of a stage already, in whatever state."""
    wanted = listed((one,) for one in event_ids)
    return set(_LETTERS(connection, of_stage=stage, of_events=wanted).scalars())


@dataclass(frozen=True, slots=True)
class Opening:
    """Why and when a breaker opened (`open`), or a stage stopped (`stopped`)."""

    state: Literal["open", "stopped"]
    since_us: int
    tried: int
    """Within the window; of a stage that stopped: the sources heard of."""
    refused: int
    """Within the window; of a stage that stopped: the sources that fail."""
    code: str
    """Of the last refusal."""


def put_breaker(
    connection: Connection, stage: str, source_id: str, opening: Opening, *, again: bool = False
) -> None:
    """Open a breaker, `again`: while what it held is replayed; have a person told. One that another worker opened stays."""
    key, values = {"stage": stage, "source_id": source_id}, asdict(opening)
    known = (_breaker.c.stage == stage) & (_breaker.c.source_id == source_id)
    if again:
        connection.execute(update(_breaker).where(known).values(**values))
    else:
        insert_ignore(connection, _breaker, [{**key, **values}])
    since_us = connection.execute(select(_breaker.c.since_us).where(known)).scalar_one_or_none()
    if since_us == opening.since_us:
        what: AlarmKind = "source_held"
        if source_id == WHOLE_STAGE:
            what = "stage_stopped"
        elif stage == DELIVER:
            what = "destination_held"
        counts = {"tried": opening.tried, "refused": opening.refused}
        raise_alarm(connection, what, stage, source_id, since_us, code=opening.code, **counts)


def destination_key(sink_id: str, dest: str) -> str:
    """Return what stands for a destination in place of a source, as in company.toml: `sinks.crm`, `sinks.mail/wu-ting`."""
    return f"sinks.{sink_id}" if dest == sink_id else f"sinks.{sink_id}/{dest}"


def standing(connection: Connection, stage: str) -> Row[Any] | None:
    """Return the breaker that decides what a stage does next: it has stopped, or is to replay what was held of a source."""
    return _STANDING(connection, of_stage=stage).first()


def held(connection: Connection, stage: str, source_id: str, at_most: int) -> Sequence[Row[Any]]:
    """Return the first of a source's held dead letters, in the order of the stream."""
    return _HELD(connection, of_stage=stage, of_source=source_id, at_most=at_most).all()


def still_held(connection: Connection, stage: str, source_id: str, dead_ids: Iterable[str]) -> set[str]:
    """Lock a breaker that is being replayed; return those of its letters that still wait, none if it opened again."""
    if _LOCKED(connection, of_stage=stage, of_source=source_id).scalar_one_or_none() != "draining":
        return set()
    wanted = listed((one,) for one in dead_ids)
    return set(_STILL(connection, of_stage=stage, of_source=source_id, of_letters=wanted).scalars())


def give_up(connection: Connection, dead_ids: Iterable[str]) -> None:
    """Have held letters wait no more whose events their topic keeps no longer: they cannot be tried."""
    gone = {
        "state": "open",
        "code": "no_raw_bytes",
        "message": "It was held for longer than its topic keeps events, so it cannot be tried any more.",
        "hint": "Ask the sender for it again, then discard this; and have topics keep events for longer.",
    }
    connection.execute(update(_dead).where(_dead.c.dead_id.in_(list(dead_ids))).values(**gone))


def close_breaker(connection: Connection, stage: str, source_id: str) -> bool:
    """Close a breaker whose last held event was replayed; return False if there is another by now."""
    if _LOCKED(connection, of_stage=stage, of_source=source_id).scalar_one_or_none() != "draining":
        return False
    if _HELD(connection, of_stage=stage, of_source=source_id, at_most=1).first() is not None:
        return False
    connection.execute(delete(_breaker).where(_breaker.c.stage == stage, _breaker.c.source_id == source_id))
    return True


def open_breakers(connection: Connection) -> list[dict[str, Any]]:
    """Return every breaker that is not closed, and every stage that stopped, oldest first, with how many wait."""
    if connection.execute(select(_breaker.c.stage).limit(1)).first() is None:
        return []  # as a rule; and then nobody need count deliveries
    waiting = union_all(
        select(_dead.c.stage, _dead.c.source_id, func.count().label("held"))
        .where(_dead.c.state == "held")
        .group_by(_dead.c.stage, _dead.c.source_id),
        select(literal(DELIVER), _DESTINATION, func.count())
        .where(_delivery.c.state == "waiting")
        .group_by(_delivery.c.sink_id, _delivery.c.dest),
    ).subquery()
    same = (waiting.c.stage == _breaker.c.stage) & (waiting.c.source_id == _breaker.c.source_id)
    rows = connection.execute(
        select(_breaker, func.coalesce(waiting.c.held, 0).label("held"))
        .select_from(_breaker.outerjoin(waiting, same))
        .order_by(_breaker.c.since_us, _breaker.c.stage, _breaker.c.source_id)
    )
    return [dict(row) for row in rows.mappings()]


def reset() -> Plan:
    """Return the plan that has a source's held events replayed, at every stage at which they are held.

    Its counts begin anew. What waits for a destination is due at once, in order. For `*`: of every source and
    destination, and stages that stopped go on. Raises ActRefused.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        source_id = command.scope_id
        is_all = source_id == WHOLE_STAGE
        mine = _breaker.c.source_id.is_not(None) if is_all else _breaker.c.source_id == source_id
        counted = _count.c.source_id.is_not(None) if is_all else _count.c.source_id == source_id
        found = connection.execute(
            select(_breaker).where(mine, _breaker.c.state != "draining").with_for_update()
        ).all()
        if not found:
            raise ActRefused("no_breaker", f"No breaker of {source_id} is open; see `leadflow breaker`.")
        at_once = (_breaker.c.state == "stopped") | (_breaker.c.stage == DELIVER)
        connection.execute(delete(_breaker).where(mine, at_once))
        connection.execute(update(_breaker).where(mine).values(state="draining"))
        keys = [row.source_id for row in found if row.stage == DELIVER]
        waiting = (_delivery.c.state == "waiting") & _DESTINATION.in_(keys)
        again = {"attempt": 0, "since_us": now_us, "next_us": now_us}
        connection.execute(update(_delivery).where(waiting).values(**again))
        connection.execute(delete(_count).where(counted))
        return ()

    return plan
