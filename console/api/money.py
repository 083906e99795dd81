"""Marketing's operations: the table of campaigns, orders in, and what campaigns cost."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query
from sqlalchemy import Connection
from starlette.requests import Request

from console.api.acting import Key, command_for, company_of, done
from console.api.models import (
    Done,
    Id,
    Orders,
    OrdersDone,
    Reasoned,
    SpendDone,
    SpendEntries,
    SpendRow,
    Spent,
)
from console.api.operations import operations
from console.api.paging import Cursor, Limit, cursor_of, place_of
from console.api.refusals import Refused
from console.desk import Desk
from enrich.given import identifiers_given
from sales import orders as sold
from sales import spend as spent
from sales.campaign_table import By, Period
from sales.campaigns import asked_period, campaigns_table
from sales.campaigns_shown import as_json
from sales.money_files import ORDER_COLUMNS, WrongCell, order_of, spending_of
from schemas.orders import HAND
from schemas.text import storable

Day = Annotated[str, Query(max_length=10, description="A day such as 2026-11-30")]


def money_routes(desk: Desk) -> APIRouter:
    """Return the operations about campaigns and orders."""
    router = operations("marketing")

    @router.get(
        "/campaigns", summary="What each campaign cost and brought; amounts in minor units by currency"
    )
    def campaigns(
        since: Annotated[Day, Query(alias="from")] = "",
        until: Annotated[Day, Query(alias="to")] = "",
        by: By = "campaign",
    ) -> dict[str, Any]:
        with desk.store.read() as connection:
            period = _period(desk, connection, since, until)
            return as_json(campaigns_table(connection, period, by), period, by)

    @router.post("/orders", summary="Take orders in; the same number from the same source again corrects")
    def orders(request: Request, body: Orders, key: Key = "") -> OrdersDone:
        if not body.source.strip() or body.source == HAND:
            message = "source is the name of the system that the orders come from."
            raise Refused(422, "bad_body", message, "source")
        company, named = company_of(desk), []
        for number, one in enumerate(body.orders):
            cells = _cells(one, number)
            try:
                row = order_of(cells, company, "CNY")
            except WrongCell as wrong:
                field = f"orders[{number}].{wrong.column}"
                raise Refused(422, "bad_order", f"{field} {wrong.code}", field) from None
            named.append((row, identifiers_given(row.buyer.model_dump(exclude_none=True))))
        told: list[sold.Taken] = []
        command = command_for(desk, request, body, sold.VERB, key, scope=body.source)
        did = desk.perform(command, sold.take_orders(body.source, named, told))
        if not did:
            with desk.store.read() as connection:
                told = sold.told_again(connection, command.act_id, named)
        return OrdersDone(act_id=command.act_id, repeated=not did, orders=[asdict(one) for one in told])

    @router.get("/spend", summary="What campaigns cost, entry by entry, of a period")
    def spend(
        since: Annotated[Day, Query(alias="from")] = "",
        until: Annotated[Day, Query(alias="to")] = "",
        cursor: Cursor = "",
        limit: Limit = 50,
    ) -> SpendEntries:
        place = place_of(cursor, str, str, str, int, str)
        after: Any = tuple(place) if place else None
        with desk.store.read() as connection:
            period = _period(desk, connection, since, until)
            found = spent.entries(connection, period.first, period.last, limit + 1, after)
        rows = [SpendRow(**{name: one[name] for name in SpendRow.model_fields}) for one in found[:limit]]
        more = len(found) > limit
        return SpendEntries(entries=rows, next=cursor_of(*spent.place_of(found[limit - 1])) if more else None)

    @router.post("/spend", summary="Enter what a campaign cost, beside what there is")
    def add_spend(request: Request, body: Spent, key: Key = "") -> SpendDone:
        company = company_of(desk)
        said = body.model_dump(include={"campaign", "amount", "currency", "note"}, exclude_none=True)
        days = {"from": body.from_day, "to": body.to_day or ""}
        try:
            entry = spending_of(
                {name: str(one).strip() for name, one in {**said, **days}.items()}, company, "CNY"
            )
        except WrongCell as wrong:
            raise Refused(422, "bad_spend", f"{wrong.column} {wrong.code}", wrong.column) from None
        command = command_for(
            desk, request, body, spent.VERB, key, scope=entry.campaign_id, reason=body.reason
        )
        did = done(desk, command, spent.add_spend(entry, company))
        with desk.store.read() as connection:
            spend_id = spent.added_by(connection, command.act_id)
        return SpendDone(**did.model_dump(), spend_id=spend_id)

    @router.post(
        "/spend/{spend_id}/end", summary="Take an entry back; it stays on record, and counts no more"
    )
    def end_spend(
        request: Request,
        spend_id: Annotated[Id, Path(description="The id of an entry of spend")],
        body: Reasoned,
        key: Key = "",
    ) -> Done:
        command = command_for(desk, request, body, spent.END, key, scope=spend_id, reason=body.reason)
        return done(desk, command, spent.end_spend())

    return router


def _period(desk: Desk, connection: Connection, since: str, until: str) -> Period:
    try:
        return asked_period(since, until, desk.companies.get(connection).zone, desk.clock())
    except (ValueError, OverflowError):
        message = "from and to are days such as 2026-11-30, the first one first."
        raise Refused(422, "bad_days", message) from None


def _cells(one: dict[str, Any], number: int) -> dict[str, str]:
    """Return an order's columns as text. Raises Refused for a column that there is not, or what no cell can hold."""
    strange = [name for name in one if name not in ORDER_COLUMNS]
    if strange:
        field = f"orders[{number}].{strange[0][:60]}"
        raise Refused(422, "bad_order", f"{field}: columns are {', '.join(ORDER_COLUMNS)}.", field)
    if any(not isinstance(value, str | int | float | None) for value in one.values()):
        field = f"orders[{number}]"
        raise Refused(422, "bad_order", f"{field} holds more than text and numbers.", field)
    if any(isinstance(value, str) and value != storable(value) for value in one.values()):
        field = f"orders[{number}]"
        raise Refused(422, "bad_order", f"{field} holds signs that no text has.", field)
    return {name: str(value).strip() for name, value in one.items() if value is not None}
