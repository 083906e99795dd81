"""Moving customers: exactly what would happen, doing it, what became of each, and taking it back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import orjson
from fastapi import APIRouter, Path
from starlette.requests import Request

from console.api.acting import Key, about, command_for, is_repeated
from console.api.models import Done, Id, Reasoned
from console.api.models_moves import (
    ActRow,
    ActRows,
    Chosen,
    MoveAsked,
    MoveDone,
    MovePreview,
    MoveRow,
    MoveState,
    SentCount,
    Undo,
    code_counts,
    holder_counts,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.desk import Desk
from console.gate import visitor
from console.may import Visitor
from console.move import Mover, all_that_match, seen_act
from console.move_filter import Filter
from schemas.ids import body_digest
from store.acted import counted, rows_of
from store.acts import ActRefused
from store.acts_move import Judged

ROWS = 200
"""Rows of a preview: enough to see whether it is what was meant; `receivers` and `stays` count all."""
_CONFIRM_DIGITS = 32
"""So many are known for a digest where telephone numbers are masked (schemas.mask)."""
ActId = Annotated[Id, Path(description="The id of a move, or of what took one back")]


def move_routes(desk: Desk, mover: Mover) -> APIRouter:
    """Return the operations about moves."""
    router = operations("moves")

    def chosen(who: Visitor, body: Chosen) -> list[str]:
        if body.filter is None:
            return list(dict.fromkeys(body.customers or ()))
        said = body.filter.model_dump(exclude_none=True)
        if (days := said.pop("silent_days", None)) is not None:
            said["silent"] = str(days)
        return all_that_match(desk, who, Filter(**said))

    def told(act_id: str, repeated: bool) -> MoveDone:
        with desk.store.read() as connection:
            gave, stayed = counted(connection, act_id)
        return MoveDone(
            act_id=act_id, repeated=repeated, gave=holder_counts(gave), stayed=code_counts(stayed)
        )

    @router.post("/moves/preview", summary="What a move would do, exactly; changes nothing")
    def preview_move(request: Request, body: Chosen) -> MovePreview:
        who = visitor(request)
        actor = command_for(desk, request, body, "move", "", scope="").actor
        judged = mover.preview(chosen(who, body), body.to, actor, who.as_role)
        moves = [one for one in judged if one.refused is None]
        stays = [one for one in judged if one.refused is not None]
        return MovePreview(
            chosen=len(judged),
            moves=len(moves),
            open_tasks=sum(len(one.held.open_tasks) for one in moves if one.held),
            receivers=holder_counts(Counter(one.give.holder_id for one in moves).most_common()),
            stays=code_counts(Counter(str(one.refused) for one in stays).most_common()),
            rows=[row_of(who, one) for one in [*moves, *stays][:ROWS]],
            confirm=confirm_of(judged),
        )

    @router.post("/moves", summary="Move customers: as one act, what cannot go stays with a reason")
    def move(request: Request, body: MoveAsked, key: Key = "") -> MoveDone:
        command = command_for(desk, request, body, "move", key, scope="", reason=body.reason)
        if is_repeated(desk, command):
            return told(command.act_id, repeated=True)
        who = visitor(request)
        customers = chosen(who, body)
        if len(customers) != body.expected:
            raise ActRefused("count_differs", f"{len(customers)} are meant, not {body.expected}; look again.")
        if body.confirm and body.confirm != confirm_of(
            mover.preview(customers, body.to, command.actor, who.as_role)
        ):
            raise ActRefused(
                "preview_differs", "Something else would happen by now; ask for a preview again."
            )
        return told(mover.move(customers, body.to, about(request, command)), repeated=False)

    @router.get("/moves/{act_id}", summary="What a move did, and what taking it back would do")
    def move_state(request: Request, act_id: ActId) -> MoveState:
        who = visitor(request)
        with desk.store.read() as connection:
            act = seen_act(connection, who, act_id)
            gave, stayed = counted(connection, act_id)
        undo, cannot = None, None
        try:
            found = mover.undoing(act_id, who.actor, who.as_role)
            sent = Counter(one["sink_id"] for one in found.sent).most_common()
            undo = Undo(
                back=len(found.back),
                left=code_counts(Counter(code for _, code in found.left).most_common()),
                sent=[SentCount(sink_id=sink_id, count=count) for sink_id, count in sent],
            )
        except ActRefused as why:
            cannot = why.code
        return MoveState(
            **{name: act[name] for name in _OF_ACT},
            gave=holder_counts(gave),
            stayed=code_counts(stayed),
            undo=undo,
            cannot=cannot,
        )

    @router.get("/moves/{act_id}/rows", summary="What became of each customer of a move")
    def move_rows(request: Request, act_id: ActId, cursor: Cursor = "", limit: Limit = 50) -> ActRows:
        place = place_of(cursor, str)
        with desk.store.read() as connection:
            seen_act(connection, visitor(request), act_id)
            found = rows_of(connection, act_id, str(place[0]) if place else "", limit + 1)
        rows = [ActRow(**asdict(one)) for one in found[:limit]]
        return ActRows(rows=rows, next=cursor_of(rows[-1].customer_id) if len(found) > limit else None)

    @router.post("/moves/{act_id}/undo", summary="Take a move back, where nothing went on since")
    def undo_move(request: Request, act_id: ActId, body: Reasoned) -> Done:
        command = command_for(desk, request, body, "undo", "", scope=act_id, reason=body.reason)
        with desk.store.read() as connection:
            act = seen_act(connection, visitor(request), act_id)
        undone_by = mover.undo(act_id, command.actor, command.reason or "", visitor(request).as_role)
        return Done(act_id=undone_by, repeated=act["undone_by"] is not None)

    return router


_OF_ACT = ("act_id", "verb", "actor", "reason", "recorded_us", "undoes", "undone_by")


def confirm_of(judged: Sequence[Judged]) -> str:
    """Return the digest of what would happen: the same as long as the same would."""
    rows = [(one.give.customer_id, one.give.kind, one.give.holder_id, one.refused) for one in judged]
    return body_digest(orjson.dumps(sorted(rows, key=lambda row: row[0])))[:_CONFIRM_DIGITS]


def row_of(who: Visitor, one: Judged) -> MoveRow:
    """Return what would become of a customer, as a visitor may see it."""
    is_seen = one.held is not None and who.sees(one.held.holder_id)
    is_shown = is_seen or one.refused is None  # whom a rule would give it to tells what it asked for
    return MoveRow(
        customer_id=one.give.customer_id,
        before_id=one.held.holder_id if one.held and is_seen else None,
        to_kind=one.give.kind if is_shown else None,
        to_id=one.give.holder_id if is_shown else None,
        code=one.refused,
    )
