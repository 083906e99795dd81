"""Marketing's operations: the table of campaigns, and orders in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.requests import Request

from console.api.acting import Key, command_for, company_of
from console.api.models import Orders, OrdersDone
from console.api.operations import operations
from console.api.refusals import Refused
from console.desk import Desk
from enrich.given import identifiers_given
from sales import orders as sold
from sales.campaign_table import By
from sales.campaigns import asked_period, campaigns_table
from sales.campaigns_shown import as_json
from sales.money_files import ORDER_COLUMNS, WrongCell, order_of
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
            zone = desk.companies.get(connection).zone
            try:
                period = asked_period(since, until, zone, desk.clock())
            except (ValueError, OverflowError):
                message = "from and to are days such as 2026-11-30, the first one first."
                raise Refused(422, "bad_days", message) from None
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

    return router


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
