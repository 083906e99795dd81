"""Matches: what may be one customer, answered; and parting a customer again."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.requests import Request

from answers.language import language_of
from console.api.acting import Key, command_for, done, is_repeated
from console.api.models import Done, Id
from console.api.models_matches import (
    Evidence,
    Match,
    MatchAnswer,
    Matches,
    MatchSide,
    Parted,
    PartedCustomer,
    PartingPreview,
    PartingSide,
    Parts,
)
from console.api.models_moves import SentCount
from console.api.operations import operations
from console.api.paging import Cursor, cursor_of, place_of
from console.api.refusals import Refused
from console.desk import Desk
from console.gate import visitor
from console.matches import ALTHOUGH, parted_by, parts, wanted_answer
from console.matches_read import SHOWN, Case, open_cases, owners_of
from enrich.acts_part import Wish, part, plan_parting
from store.present import present_ids

ReviewId = Annotated[Id, Path(description="The id of a match")]
CustomerId = Annotated[Id, Path(description="The id of a customer, also one that was merged into another")]
Few = Annotated[int, Field(ge=1, le=50, description="How many at most: each is weighed anew")]


def match_routes(desk: Desk) -> APIRouter:
    """Return the operations about matches."""
    router = operations("matches")

    @router.get("/matches", summary="What may be one customer and is to be answered, the likeliest first")
    def matches(request: Request, cursor: Cursor = "", limit: Few = SHOWN) -> Matches:
        place = place_of(cursor, int, int, str)
        after = (int(place[0]), int(place[1]), str(place[2])) if place else None
        with desk.store.read() as connection:
            language = language_of(request, desk.companies.get(connection).language)
            found, following = open_cases(connection, visitor(request), language, after, limit)
        return Matches(
            matches=[_match(one) for one in found], next=cursor_of(*following) if following else None
        )

    @router.post(
        "/matches/{review_id}/answer", summary="Join a match, keep it apart, or take it off the list"
    )
    def answer_match(request: Request, review_id: ReviewId, body: MatchAnswer, key: Key = "") -> Done:
        kind = "merge" if body.answer == ALTHOUGH else "review"
        command = command_for(desk, request, body, kind, key, scope=review_id, reason=body.reason)
        if is_repeated(desk, command):
            return Done(act_id=command.act_id, repeated=True)
        with desk.store.read() as connection:
            _, scope, plan = wanted_answer(connection, visitor(request), review_id, body.answer)
        command = command_for(desk, request, body, kind, key, scope=scope, reason=body.reason)
        return done(desk, command, plan)

    @router.get(
        "/customers/{customer_id}/parting", summary="What parting a customer would do; changes nothing"
    )
    def preview_parting(
        customer_id: CustomerId,
        leads: Annotated[
            str, Query(max_length=10_000, description="Those that go, with commas between")
        ] = "",
        act: Annotated[str, Query(max_length=200, description="Which merge; without one, the latest")] = "",
    ) -> PartingPreview:
        named = frozenset(one.strip() for one in leads.split(",") if one.strip())
        with desk.store.read() as connection:
            now = present_ids(connection, [customer_id])[customer_id]
            if now not in owners_of(connection, [now]):
                raise Refused(404, "unknown_customer", f"There is no customer {customer_id}.")
            found = plan_parting(connection, Wish(now, leads=named, act_id=act or None), desk.clock())
        sent = Counter(str(row["sink_id"]) for row in found.sent).most_common()
        return PartingPreview(
            sides=[
                PartingSide(
                    customer_id=one.name,
                    holder_kind=one.holder[0],
                    holder_id=one.holder[1],
                    leads=list(one.leads),
                    open_tasks=sum(task["state"] == "open" for task in one.tasks),
                )
                for one in found.sides
            ],
            undone=list(found.undone),
            shared=list(found.shared),
            sent=[SentCount(sink_id=sink_id, count=count) for sink_id, count in sent],
        )

    @router.post("/customers/{customer_id}/parting", summary="Part a customer that is two")
    def part_customer(request: Request, customer_id: CustomerId, body: Parts, key: Key = "") -> Parted:
        who = visitor(request)
        command = command_for(desk, request, body, "unmerge", key, scope=customer_id, reason=body.reason)
        repeated = is_repeated(desk, command)
        if not repeated:
            with desk.store.read() as connection:
                parts(connection, who, customer_id)
            wish = Wish(customer_id, leads=frozenset(body.leads), act_id=body.act)
            desk.perform(command, part(wish))
        with desk.store.read() as connection:
            left = [one for one in parted_by(connection, command.act_id) if who.sees(one.holder_id)]
        return Parted(
            act_id=command.act_id,
            repeated=repeated,
            customers=[PartedCustomer(customer_id=one.customer_id, holder_id=one.holder_id) for one in left],
        )

    return router


def _match(case: Case) -> Match:
    said = case.review
    return Match(
        review_id=said["review_id"],
        kind=said["kind"],
        why=said["why"],
        made_us=said["made_us"],
        leads=said["leads"],
        told=said["evidence"],
        sides=[MatchSide.model_validate(asdict(one)) for one in case.sides],
        evidence=[Evidence(text=bar.text, values=bar.values, bits=bar.bits) for bar in case.bars],
        probability=case.probability,
    )
