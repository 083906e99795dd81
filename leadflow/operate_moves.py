"""What an operator does about who has customers: move them, and take that back; verbs of `leadflow.operate`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from leadflow.above import may_give_as
from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.payload import Payload, command_of
from schemas.work import Condition
from store.acts import perform
from store.acts_move import Give, Moving
from store.acts_undo import Undo, Undoing


def do_move(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Give customers to others; return how many, and the rows that were refused."""
    moving = Moving(gives_from(payload["gives"]), may_give_as(payload["actor"]))
    command = command_of(payload, "move")
    files = engine.files
    done = perform(files.store, command, moving, wall_clock_us(), files.store_log.append)
    refused = [[one.give.customer_id, one.refused] for one in moving.judged if one.refused]
    moved = len(moving.judged) - len(refused)
    return {"act_id": command.act_id, "repeated": not done, "moved": moved, "refused": refused}


def do_undo(engine: Engine, payload: Payload) -> dict[str, Any]:
    """Take an act back; return what went back, and what was left."""
    undo = Undo(may_give_as(payload["actor"]))
    command = command_of(payload, "undo", undoes=payload["id"])
    files = engine.files
    done = perform(files.store, command, undo, wall_clock_us(), files.store_log.append)
    return {"act_id": command.act_id, "repeated": not done, **told(undo.undoing)}


def told(undoing: Undoing | None) -> dict[str, Any]:
    """Return what taking back does, or did, to be shown."""
    if undoing is None:
        return {"back": [], "left": [], "sent": []}
    return {
        "back": [[one.held.customer_id, one.held.holder_id, one.holder_id] for one in undoing.back],
        "left": [list(one) for one in undoing.left],
        "sent": [[row["delivery_id"], row["sink_id"], row["dest"]] for row in undoing.sent],
    }


def gives_to(gives: Iterable[Give]) -> list[dict[str, Any]]:
    """Return rows to be sent to the host."""
    return [{**asdict(one), "conditions": [each.model_dump() for each in one.conditions]} for one in gives]


def gives_from(rows: Iterable[dict[str, Any]]) -> list[Give]:
    """Return the rows that were sent."""
    return [
        Give(**{**row, "conditions": tuple(Condition.model_validate(one) for one in row["conditions"])})
        for row in rows
    ]
