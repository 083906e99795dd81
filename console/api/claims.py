"""Is a customer taken, and who claims it: the blind check, registrations, and a manager's decision."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from console.api.acting import Key, about, command_for
from console.api.models import Done, Id
from console.api.models_claims import (
    Ask,
    ClaimRow,
    Claims,
    Decision,
    Registered,
    Registration,
    TakenAnswer,
    TakenBy,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.desk import Desk
from console.gate import visitor
from console.operations import Operations
from console.taken import ask
from schemas.work import ASKED
from store.claims import collisions

CustomerId = Annotated[Id, Path(description="The id of a customer, also one that was merged into another")]


def claim_routes(desk: Desk, host: Operations) -> APIRouter:
    """Return the operations about asking for customers and claiming them."""
    router = operations("claims")

    @router.post("/taken", summary="Ask whether somebody has a customer; its owner sees who asked")
    def taken(request: Request, body: Ask) -> TakenAnswer:
        actor = command_for(desk, request, body, ASKED, "", scope="").actor
        found = ask(desk, body.asked.strip(), actor, visitor(request).roles)
        return TakenAnswer(
            taken=[
                TakenBy(
                    unit_id=one.unit_id,
                    since_us=one.since_us,
                    ask=one.ask,
                    yours=one.yours,
                    closed=one.ended is not None,
                )
                for one in found
            ]
        )

    @router.get("/claims", summary="Claims on customers of which nobody decided yet, the oldest first")
    def claims(request: Request, cursor: Cursor = "", limit: Limit = 50) -> Claims:
        who, place = visitor(request), place_of(cursor, int, str)
        with desk.store.read() as connection:
            every = collisions(connection, desk.clock())
        found = [
            row
            for row in every
            if (who.sees(row["holder_id"]) or who.sees(row["claimant_id"]))
            and (place is None or [row["made_us"], row["claim_id"]] > place)
        ]
        rows = [ClaimRow(**{name: row[name] for name in ClaimRow.model_fields}) for row in found[:limit]]
        more = len(found) > limit
        return Claims(claims=rows, next=cursor_of(rows[-1].made_us, rows[-1].claim_id) if more else None)

    @router.post("/customers/{customer_id}/register", summary="Register a customer for somebody until a day")
    def register(request: Request, customer_id: CustomerId, body: Registration, key: Key = "") -> Registered:
        command = command_for(desk, request, body, "register", key, scope=customer_id, reason=body.reason)
        said = {"id": customer_id, "for_id": body.for_id, "until_us": body.until_us}
        return Registered(**host.do("register", {**about(request, command), **said}))

    @router.post(
        "/customers/{customer_id}/decide", summary="Decide who has a customer on which there are claims"
    )
    def decide(request: Request, customer_id: CustomerId, body: Decision, key: Key = "") -> Done:
        command = command_for(desk, request, body, "decide_claim", key, scope=customer_id, reason=body.reason)
        said = {"id": customer_id, "owner": body.owner, "beside": body.beside}
        return Done(**host.do("decide_claim", {**about(request, command), **said}))

    return router
