"""Who asks, who is away, what needs repair, and the sums that must add up."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from console.api.acting import Key, command_for, done
from console.api.models import Body, Cancelled, DeadLetters, DeadState, Done, Id, Leave, Me, Reasoned
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.desk import Desk
from console.gate import visitor
from sales.away import cancel_leave, come_back, go_away
from store import listing, views
from store.acts_dead import discard, replay

PersonId = Annotated[Id, Path(description="The code of a person, as in people.csv")]
DeadId = Annotated[Id, Path(description="The id of a dead letter")]


def house_routes(desk: Desk) -> APIRouter:
    """Return the operations about people and the running of the house."""
    router = operations("house")

    @router.get("/me", summary="Who the token belongs to, and what it opens")
    def me(request: Request) -> Me:
        who = visitor(request)
        return Me(
            person_id=who.person_id,
            roles=sorted(who.roles),
            sees_all=who.sees_all,
            holders=sorted(who.holders),
            scopes=None if who.scopes is None else sorted(who.scopes),
        )

    @router.post(
        "/people/{person_id}/away", summary="Say that somebody is away; nothing new goes to them meanwhile"
    )
    def away(request: Request, person_id: PersonId, body: Leave, key: Key = "") -> Done:
        command = command_for(desk, request, body, "away", key, scope=person_id)
        return done(desk, command, go_away(body.from_us, body.to_us, body.stand_in))

    @router.post("/people/{person_id}/back", summary="Say that somebody is back")
    def back(request: Request, person_id: PersonId, body: Body, key: Key = "") -> Done:
        return done(desk, command_for(desk, request, body, "back", key, scope=person_id), come_back())

    @router.post(
        "/people/{person_id}/cancel-leave", summary="Say that somebody does not go on a leave after all"
    )
    def cancel(request: Request, person_id: PersonId, body: Cancelled, key: Key = "") -> Done:
        command = command_for(desk, request, body, "cancel_leave", key, scope=person_id)
        return done(desk, command, cancel_leave(body.from_us))

    @router.get("/dead", summary="Dead letters, newest first")
    def dead(cursor: Cursor = "", limit: Limit = 50, state: DeadState | None = "open") -> DeadLetters:
        place = place_of(cursor, int, str)
        before = (int(place[0]), str(place[1])) if place else None
        with desk.store.read() as connection:
            found = listing.dead_letters(connection, limit + 1, state=state, before=before)
        rows = found[:limit]
        following = cursor_of(rows[-1]["refused_us"], rows[-1]["dead_id"]) if len(found) > limit else None
        return DeadLetters.model_validate({"dead": rows, "next": following})

    @router.post("/dead/{dead_id}/replay", summary="Have the stage that refused decide once more")
    def replay_it(request: Request, dead_id: DeadId, body: Body, key: Key = "") -> Done:
        return done(desk, command_for(desk, request, body, "replay", key, scope=dead_id), replay())

    @router.post("/dead/{dead_id}/discard", summary="Give a dead letter up; its raw bytes stay")
    def discard_it(request: Request, dead_id: DeadId, body: Reasoned, key: Key = "") -> Done:
        command = command_for(desk, request, body, "discard", key, scope=dead_id, reason=body.reason)
        return done(desk, command, discard())

    @router.get("/tally", summary="How many captures became what: the sum that must add up")
    def tally() -> dict[str, int]:
        with desk.store.read() as connection:
            return views.tally(connection)

    @router.get("/orphans", summary="Open customers without a holder; empty when all is well")
    def orphans() -> dict[str, list[dict[str, Any]]]:
        with desk.store.read() as connection:
            return {"orphans": views.orphans(connection, desk.clock())}

    return router
