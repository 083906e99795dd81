"""What one act on many customers did, row by row, page by page: each that it gave to somebody, and each that it left."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, and_, func, literal, or_, select, tuple_

from store import tables
from store.acts import ActRefused

MOVES = ("move", "undo")
"""Verbs of acts that give many customers at once to others, or back."""


@dataclass(frozen=True, slots=True)
class Done:
    """One row of an act: from whom to whom, or (`code`) why it was left where it was."""

    customer_id: str
    before_id: str | None = None
    holder_id: str | None = None
    code: str | None = None
    went_on: bool = False
    """Somebody else has it by now, so that taking the act back leaves it."""


def read_act(connection: Connection, act_id: str) -> dict[str, Any]:
    """Return a move or an undo, with `undone_by`. Raises ActRefused for any other act."""
    act = tables.act
    row = connection.execute(select(act).where(act.c.act_id == act_id, act.c.verb.in_(MOVES))).one_or_none()
    if row is None:
        raise ActRefused("unknown_act", f"There is no move {act_id}.")
    by = connection.execute(select(act.c.act_id).where(act.c.undoes == act_id)).scalar_one_or_none()
    return {**row._mapping, "undone_by": by}


def lately(connection: Connection, actor: str, limit: int) -> list[dict[str, Any]]:
    """Return somebody's last moves and undoings, the newest first."""
    act = tables.act
    rows = connection.execute(
        select(act)
        .where(act.c.actor == actor, act.c.verb.in_(MOVES))
        .order_by(act.c.recorded_us.desc(), act.c.act_id)
        .limit(limit)
    )
    return [dict(row) for row in rows.mappings()]


def counted(connection: Connection, act_id: str) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    """Return how many an act gave to whom, and how many it left by which code, the most first."""
    decision, holding, left = tables.decision, tables.holding, tables.act_left
    gave = connection.execute(
        select(holding.c.holder_id, func.count())
        .select_from(decision)
        .join(holding, _by_decision())
        .where(decision.c.stage == "act", decision.c.event_id == act_id)
        .group_by(holding.c.holder_id)
        .order_by(func.count().desc(), holding.c.holder_id)
    )
    stayed = connection.execute(
        select(left.c.code, func.count())
        .where(left.c.act_id == act_id)
        .group_by(left.c.code)
        .order_by(func.count().desc(), left.c.code)
    )
    return [(row[0], row[1]) for row in gave], [(row[0], row[1]) for row in stayed]


def rows_of(connection: Connection, act_id: str, after: str, limit: int) -> Sequence[Done]:
    """Return so many rows of an act behind a customer, in the order of their ids."""
    decision, holding, left = tables.decision, tables.holding, tables.act_left
    before = tables.holding.alias("before")
    given = connection.execute(
        select(
            decision.c.subject_id,
            before.c.holder_id.label("before_id"),
            holding.c.holder_id,
            holding.c.to_us,
        )
        .select_from(decision)
        .join(holding, _by_decision())
        .outerjoin(
            before,
            and_(
                before.c.customer_id == holding.c.customer_id,
                before.c.role == "owner",
                before.c.to_us == holding.c.from_us,
            ),
        )
        .where(decision.c.stage == "act", decision.c.event_id == act_id, decision.c.subject_id > after)
        .order_by(decision.c.subject_id)
        .limit(limit)
    )
    stayed = connection.execute(
        select(left.c.customer_id, left.c.code)
        .where(left.c.act_id == act_id, left.c.customer_id > after)
        .order_by(left.c.customer_id)
        .limit(limit)
    )
    found = [Done(row.subject_id, row.before_id, row.holder_id, None, row.to_us is not None) for row in given]
    found += [Done(row.customer_id, code=row.code) for row in stayed]
    return sorted(found, key=lambda one: one.customer_id)[:limit]


def _by_decision() -> Any:
    decision, holding = tables.decision, tables.holding
    return and_(
        holding.c.customer_id == decision.c.subject_id,
        holding.c.decision_id == decision.c.decision_id,
        holding.c.role == "owner",
    )


@dataclass(frozen=True, slots=True)
class JobRow:
    """One customer of a hand-over."""

    number: int
    customer_id: str
    holder_id: str
    state: str
    code: str | None


def job_rows(connection: Connection, job_id: str, after: int, limit: int) -> list[JobRow]:
    """Return so many rows of a hand-over behind a number, in order."""
    item = tables.job_item
    rows = connection.execute(
        select(item.c.number, item.c.customer_id, item.c.holder_id, item.c.state, item.c.code)
        .where(item.c.job_id == job_id, item.c.number > after)
        .order_by(item.c.number)
        .limit(limit)
    )
    return [JobRow(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class Above:
    """Whose hand-overs somebody sees: those of people below them, of who was in these units then, and their own."""

    people: Collection[str]
    units: Collection[str]
    actor: str | None


def jobs_lately(
    connection: Connection, above: Above | None, limit: int, after: tuple[int, str] | None = None
) -> list[dict[str, Any]]:
    """Return so many hand-overs that somebody sees (None: all), the newest first, from behind a moment and a job on.

    Whoever has left is below nobody any more; who was above them, and who handed over for them, still finds it.
    """
    job = tables.job
    columns = [one for one in job.c if one is not job.c.spec_json]  # of a leaver it has a line for each task
    query = (
        select(*columns).where(job.c.kind == "hand_over").order_by(job.c.made_us.desc(), job.c.job_id.desc())
    )
    if above is not None:
        # As store.acts_job writes it: what a person typed stands there with its quotes escaped, and is no such text.
        places = (orjson.dumps({"unit_id": one}).decode().strip("{}") for one in sorted(above.units))
        was_there = (job.c.spec_json.contains(text + ",", autoescape=True) for text in places)
        query = query.where(
            or_(job.c.person_id.in_(sorted(above.people)), job.c.actor == above.actor, *was_there)
        )
    if after is not None:
        query = query.where(tuple_(job.c.made_us, job.c.job_id) < tuple_(*map(literal, after)))
    return [dict(row) for row in connection.execute(query.limit(limit)).mappings()]


@dataclass(frozen=True, slots=True)
class Meanwhile:
    """What was done with a customer while somebody stood in."""

    customer_id: str
    person_id: str
    code: str
    at_us: int


def meanwhile(connection: Connection, job_id: str, between: tuple[int, int], limit: int) -> list[Meanwhile]:
    """Return the outcomes of a job's customers from one moment to another, the newest first."""
    item, outcome = tables.job_item, tables.outcome
    rows = connection.execute(
        select(outcome.c.customer_id, outcome.c.person_id, outcome.c.code, outcome.c.recorded_us)
        .join(item, item.c.customer_id == outcome.c.customer_id)
        .where(
            item.c.job_id == job_id,
            item.c.state == "given",
            outcome.c.recorded_us >= between[0],
            outcome.c.recorded_us < between[1],
        )
        .order_by(outcome.c.recorded_us.desc(), outcome.c.customer_id)
        .limit(limit)
    )
    return [Meanwhile(*row) for row in rows]
