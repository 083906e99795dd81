"""One dead letter: what was received, put right and read again; and having masked numbers shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from console.api.acting import Key, about, command_for, done
from console.api.models import DeadRow, Done, Holder, Id, Reasoned
from console.api.models_repair import (
    Became,
    DeadLetter,
    NamedValue,
    Received,
    Repair,
    RepairDone,
    Settled,
)
from console.api.operations import operations
from console.api.ports import Ports
from console.api.refusals import Refused
from console.desk import Desk
from console.operations import Operations
from console.repair import correction
from console.repair_fields import editable
from store.acts import ActRefused
from store.repairs import became, letter
from store.reveal import REVEAL, reveal

DeadId = Annotated[Id, Path(description="The id of a dead letter")]
AnyId = Annotated[Id, Path(description="The id of a trace, lead, capture, task, decision or dead letter")]


def repair_routes(desk: Desk, ports: Ports, host: Operations) -> APIRouter:
    """Return the operations about one dead letter."""
    router = operations("house")

    @router.get(
        "/dead/{any_id}", summary="One dead letter: what was received, field by field, and what became of it"
    )
    def dead_letter(request: Request, any_id: DeadId) -> DeadLetter:
        with desk.store.read() as connection:
            dead = letter(connection, any_id)
            if dead is None:
                raise Refused(404, "unknown_dead_letter", f"There is no dead letter {any_id}.")
            found = became(connection, dead)
        capture = ports.find_capture(dead["capture_id"]) if dead["capture_id"] else None
        received = None
        if capture is not None:
            edit = editable(capture)
            pairs = [NamedValue(name=name, value=value) for name, value in edit.pairs]
            received = Received(kind=edit.kind, fields=pairs, text=edit.text, masked=not _is_clear(request))
        settled = dead["settled"]
        return DeadLetter(
            **{name: dead[name] for name in DeadRow.model_fields},
            settled=Settled(**settled) if settled else None,
            received=received,
            became=Became(
                result=found["result"],
                customers=[row["customer_id"] for row in found["holders"]],
                holders=[
                    Holder(kind=row["holder_kind"], id=row["holder_id"], since_us=row["from_us"])
                    for row in found["holders"]
                ],
                again=found["again"],
            ),
        )

    @router.post(
        "/dead/{any_id}/repair", summary="Have it read again with what was corrected; the raw bytes stay"
    )
    def repair_it(request: Request, any_id: DeadId, body: Repair, key: Key = "") -> RepairDone:
        command = command_for(desk, request, body, "repair", key, scope=any_id, reason=body.reason)
        with desk.store.read() as connection:
            dead = letter(connection, any_id)
        if dead is None:
            raise Refused(404, "unknown_dead_letter", f"There is no dead letter {any_id}.")
        capture = ports.find_capture(dead["capture_id"]) if dead["capture_id"] else None
        kind = editable(capture).kind if capture is not None else "text"
        if kind == "none":
            raise ActRefused(
                "not_text", "It is no text, or too long, to be corrected here: leadflow dead repair"
            )
        if (kind == "text") != (body.fields is None):
            wanted = "text" if kind == "text" else "fields"
            raise Refused(422, "bad_body", f"It is corrected by its {wanted}.", wanted)
        entered = {"text": body.text or ""}
        for at, one in enumerate(body.fields or ()):
            entered |= {f"name:{at}": one.name, f"value:{at}": one.value}
        payload = {"id": any_id, **about(request, command), "reason": command.reason}
        said = host.do("repair", payload | correction(capture, _is_clear(request), entered))
        return RepairDone(act_id=said["act_id"], repeated=said["repeated"], capture_id=said.get("capture_id"))

    @router.post(
        "/reveal/{any_id}", summary="Have masked numbers shown for a quarter of an hour; it is on record"
    )
    def reveal_it(request: Request, any_id: AnyId, body: Reasoned) -> Done:
        command = command_for(desk, request, body, REVEAL, "", scope=any_id, reason=body.reason)
        return done(desk, command, reveal())

    return router


def _is_clear(request: Request) -> bool:
    return bool(getattr(request.state, "clear", True))
