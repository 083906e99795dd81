"""Customers, leads and stories, as lists by cursor and one by one; and the acts on a customer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from starlette.requests import Request

from console.api.acting import Key, about, command_for, company_of, done, said_by
from console.api.models import (
    Body,
    Correction,
    CustomerAnswer,
    Customers,
    CustomerState,
    Done,
    HistoryEntry,
    Id,
    Leads,
    Moment,
    Outcome,
    Release,
    StageSet,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.api.refusals import Refused
from console.correct import correctable
from console.customer_search import ASKED_CHARS, Trouble, asked_in, search
from console.desk import Desk
from console.gate import visitor
from console.operations import Operations
from sales import stages
from sales.outcomes import CONTACT, record_contact
from store import listing, views
from store.acts_pool import claim, release
from store.find import WIDE
from store.pools import CLAIM, RELEASE
from store.timeline import timeline
from store.whose import asides

CustomerId = Annotated[Id, Path(description="The id of a customer, also one that was merged into another")]


_TROUBLES: Mapping[Trouble, str] = {
    "says_too_little": "This says too little: four digits, two letters or two characters at least; an e-mail address whole.",
    "fits_too_many": f"More than {WIDE} enquiries fit; add digits of the telephone, or another word.",
    "numbers_masked": "Telephone numbers are masked for you, so nobody is found by one; ask by name, e-mail or order number.",
}


def customer_routes(desk: Desk, host: Operations | None) -> APIRouter:
    """Return the operations about customers and leads."""
    router = operations("customers")

    @router.get("/customers", summary="Customers, of those one may see, in order of their ids")
    def customers(
        request: Request,
        *,
        cursor: Cursor = "",
        limit: Limit = 50,
        holder: Annotated[
            Id | None, Query(description="Only what this person or unit has, or had before it was put aside")
        ] = None,
        state: CustomerState | None = None,
        q: Annotated[
            str,
            Query(
                max_length=ASKED_CHARS,
                description="Only whom this finds: a name, pinyin or its initials, the company's short name, a telephone "
                "number or the end of one, a whole e-mail address or order number",
            ),
        ] = "",
    ) -> Customers:
        who, place, typed = visitor(request), place_of(cursor, str), asked_in(q)
        # Who is found is theirs to see.
        holders = None if who.sees_all or typed else set(who.looks_after)
        if holder is not None:
            holders = {holder} if holders is None else holders & {holder}
        with desk.store.read() as connection:
            looked_for = search(connection, typed, who) if typed else None
            if looked_for and looked_for.trouble:
                raise Refused(422, looked_for.trouble, _TROUBLES[looked_for.trouble], field="q")
            found = listing.customers(
                connection,
                limit + 1,
                after=str(place[0]) if place else "",
                holders=holders,
                state=state,
                only=looked_for.customers if looked_for else None,
            )
            aside = asides(connection, [one["customer_id"] for one in found])
        more = len(found) > limit
        rows = [listing.as_row(one, aside) for one in found[:limit]]
        return Customers.model_validate(
            {"customers": rows, "next": cursor_of(rows[-1]["customer_id"]) if more else None}
        )

    @router.get("/customers/{customer_id}", summary="One customer: holder, tasks, and all that happened")
    def customer(customer_id: CustomerId) -> CustomerAnswer:
        with desk.store.read() as connection:
            found = timeline(connection, customer_id)
            row = listing.customer(connection, found[0]) if found is not None else None
            if found is None or row is None:
                raise Refused(404, "unknown_customer", f"There is no customer {customer_id}.")
            tasks, aside = listing.tasks_of(connection, found[0]), asides(connection, [found[0]])
        history = [
            HistoryEntry(
                kind=one["kind"],
                at_us=one["at_us"],
                what={
                    name: value for name, value in one.items() if name not in ("kind", "at_us", "fields_json")
                },
            )
            for one in found[1]
        ]
        return CustomerAnswer.model_validate(
            {**listing.as_row(row, aside), "tasks": tasks, "history": history}
        )

    @router.post("/customers/{customer_id}/stage", summary="Say how far a customer is, backward too")
    def stage(request: Request, customer_id: CustomerId, body: StageSet, key: Key = "") -> Done:
        wish = stages.Wish(body.stage, body.line, body.until_us, body.lost)
        command = command_for(desk, request, body, stages.VERB, key, scope=customer_id, reason=body.reason)
        return done(desk, command, stages.set_stage(wish, company_of(desk)))

    @router.post(
        "/customers/{customer_id}/contact", summary="Record what came of a contact that no task asked for"
    )
    def contact(request: Request, customer_id: CustomerId, body: Outcome, key: Key = "") -> Done:
        company = company_of(desk)
        said = said_by(body, company, desk.clock())
        command = command_for(desk, request, body, CONTACT, key, scope=customer_id, reason=body.reason)
        return done(desk, command, record_contact(said, company, desk.offices.get(company).due))

    if host is not None:
        _correcting(router, desk, host)

    @router.post("/customers/{customer_id}/claim", summary="Claim a customer out of its pool")
    def claim_it(request: Request, customer_id: CustomerId, body: Body, key: Key = "") -> Done:
        office = desk.offices.get(company_of(desk))
        return done(desk, command_for(desk, request, body, CLAIM, key, scope=customer_id), claim(office.due))

    @router.post("/customers/{customer_id}/release", summary="Put a customer of one's own into a pool")
    def release_it(request: Request, customer_id: CustomerId, body: Release, key: Key = "") -> Done:
        command = command_for(desk, request, body, RELEASE, key, scope=customer_id, reason=body.reason)
        return done(desk, command, release(body.pool))

    @router.get(
        "/leads", summary="Leads, in the order in which they were taken in: for another system to follow"
    )
    def leads(
        cursor: Cursor = "",
        limit: Limit = 50,
        since_us: Annotated[Moment, Query(description="Only leads taken in from then on")] = 0,
    ) -> Leads:
        place = place_of(cursor, int, str)
        after = (int(place[0]), str(place[1])) if place else (since_us, "")
        with desk.store.read() as connection:
            rows = listing.leads(connection, limit, after=after, now_us=desk.clock())
        last = (rows[-1]["resolved_us"], rows[-1]["lead_id"]) if rows else place
        return Leads.model_validate({"leads": rows, "next": cursor_of(*last) if last else None})

    @router.get(
        "/stories/{any_id}",
        summary="All that is on record about a trace, lead, capture, task, decision or dead letter",
    )
    def story(any_id: Id) -> dict[str, list[dict[str, Any]]]:
        with desk.store.read() as connection:
            return views.story(connection, any_id)

    return router


def _correcting(router: APIRouter, desk: Desk, host: Operations) -> None:
    @router.post("/customers/{customer_id}/correct", summary="Put right what is known of a customer")
    def correct(request: Request, customer_id: CustomerId, body: Correction, key: Key = "") -> Done:
        fields, was = body.fields.model_dump(exclude_none=True), body.was.model_dump(exclude_none=True)
        if masked := sorted({*fields, *was} - set(correctable(request))):
            raise Refused(
                403, "masked", "Numbers are masked for you; who reads them corrects them.", masked[0]
            )
        command = command_for(desk, request, body, "correct", key, scope=customer_id)
        said = {**about(request, command), "id": customer_id, "fields": fields, "was": was}
        did = host.do("correct", said)
        return Done(act_id=did["act_id"], repeated=did["repeated"])
