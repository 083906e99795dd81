"""What came in and nobody could place: names on no campaign's list, and orders of nobody; whose they are is said here."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.requests import Request

from console.api.acting import Key, command_for, done
from console.api.models import Done, Id
from console.api.models_assign import (
    AliasAsked,
    AliasDone,
    OpenOrder,
    OpenOrders,
    OrderAssigned,
    UnlistedName,
    UnlistedNames,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.desk import Desk
from console.gate import visitor
from sales import aliases
from sales.orders import ASSIGN, assign_order, open_orders
from sales.unlisted import Unlisted, unlisted
from schemas.company import ALIAS_KINDS
from schemas.ids import body_digest
from schemas.mask import masked
from schemas.orders import Buyer

CampaignId = Annotated[Id, Path(description="The code of a campaign, as in campaigns.csv")]


def assign_routes(desk: Desk) -> APIRouter:
    """Return the operations by which names and orders are assigned."""
    router = operations("marketing")

    @router.get(
        "/campaigns/unlisted", summary="Names that leads came with and no campaign has, first seen first"
    )
    def unlisted_names(cursor: Cursor = "", limit: Limit = 50) -> UnlistedNames:
        place = place_of(cursor, int, str)
        with desk.store.read() as connection:
            found = unlisted(connection, desk.companies.get(connection))
        names = sorted((one for one in found if one.kind in ALIAS_KINDS), key=_place)
        behind = [one for one in names if place is None or _place(one) > tuple(place)]
        shown = [UnlistedName.model_validate(asdict(one)) for one in behind[:limit]]
        more = len(behind) > limit
        return UnlistedNames(names=shown, next=cursor_of(*_place(behind[limit - 1])) if more else None)

    @router.post(
        "/campaigns/{campaign_id}/aliases",
        summary="Have a name count for a campaign, also for the leads that came with it",
    )
    def assign_alias(request: Request, campaign_id: CampaignId, body: AliasAsked, key: Key = "") -> AliasDone:
        command = command_for(desk, request, body, aliases.VERB, key, scope=campaign_id, reason=body.reason)
        did = done(desk, command, aliases.assign_alias(body.kind, body.value, []))
        with desk.store.read() as connection:
            return AliasDone(**did.model_dump(), leads=aliases.counted_before(connection, command.act_id))

    @router.get("/orders/open", summary="Orders that belong to no customer yet, newest first")
    def orders_of_nobody(request: Request, cursor: Cursor = "", limit: Limit = 50) -> OpenOrders:
        place, is_clear = place_of(cursor, str), visitor(request).reads_clearly()
        with desk.store.read() as connection:
            found = open_orders(connection, limit + 1, str(place[0]) if place else None)
        shown = [_open_order(one, is_clear) for one in found[:limit]]
        more = len(found) > limit
        return OpenOrders(orders=shown, next=cursor_of(found[limit - 1]["order_id"]) if more else None)

    @router.post("/orders/assign", summary="Say whose an order is, also if it was matched to somebody else")
    def assign_one(request: Request, body: OrderAssigned, key: Key = "") -> Done:
        command = command_for(desk, request, body, ASSIGN, key, scope=body.customer_id, reason=body.reason)
        return done(desk, command, assign_order(body.order_no, body.source))

    return router


def _open_order(row: dict[str, Any], is_clear: bool) -> OpenOrder:
    """Return an order as a reader may see it: the buyer's numbers masked, its own number whole, by which it is assigned."""
    said = {name: str(value) for name, value in row["given"].items() if name in Buyer.model_fields}
    given = said if is_clear else {name: masked(value) for name, value in said.items()}
    return OpenOrder.model_validate({name: row[name] for name in OpenOrder.model_fields} | {"given": given})


def _place(one: Unlisted) -> tuple[int, str]:
    """Return a name's place in the list: names may be long, and a cursor stands in an address."""
    return one.first_us, body_digest(f"{one.kind} {one.value}".encode())
