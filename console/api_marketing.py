"""The JSON API of marketing: the table of campaigns, orders in, and the stage of a customer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from answers.problem import problem
from console.campaigns import BYS
from console.desk import Desk, is_own_page
from console.gate import visitor
from enrich.given import identifiers_given
from sales import orders, stages
from sales.campaigns import asked_period, campaigns_table
from sales.campaigns_shown import as_json
from sales.money_files import ORDER_COLUMNS, WrongCell, order_of
from schemas.company import Company
from schemas.orders import HAND
from store.acts import ActRefused, Command

MOST = 500
"""Orders of one call: one act, one transaction of some 60 ms."""


class _Wrong(ValueError):
    def __init__(self, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code, self.field = code, field


@dataclass(frozen=True)
class MarketingApi:
    """JSON answers; every act names its actor."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the routes."""
        return [
            Route("/api/campaigns", self.campaigns),
            Route("/api/orders", self.orders, methods=["POST"]),
            Route("/api/customers/{customer_id}/stage", self.stage, methods=["POST"]),
        ]

    async def campaigns(self, request: Request) -> Response:
        """GET ?from=&to=&by=: the table of a period."""
        return await run_in_threadpool(self._table, request)

    async def orders(self, request: Request) -> Response:
        """POST {actor, source, orders: [{order_no, date, amount, …}]}: take orders in; once under an Idempotency-Key."""
        return await self._act(request, self._take)

    async def stage(self, request: Request) -> Response:
        """POST {actor, stage, line?, until_us?, lost?, reason?}: set how far a customer is."""
        return await self._act(request, self._stage)

    def _table(self, request: Request) -> Response:
        asked = request.query_params
        by = next((one for one in BYS if one == asked.get("by", BYS[0])), None)
        if by is None:
            return problem(422, "bad_by", f"by is one of {', '.join(BYS)}.", field="by")
        with self.desk.store.read() as connection:
            zone = self.desk.companies.get(connection).zone
            try:
                period = asked_period(asked.get("from", ""), asked.get("to", ""), zone, self.desk.clock())
            except (ValueError, OverflowError):
                return problem(
                    422, "bad_days", "from and to are days such as 2026-11-30, the first one first."
                )
            return JSONResponse(as_json(campaigns_table(connection, period, by), period, by))

    async def _act(
        self, request: Request, do: Callable[[Request, dict[str, Any], str, str], dict[str, Any]]
    ) -> Response:
        if not is_own_page(request):
            return problem(403, "cross_site", "This request was sent by a page of another site.")
        try:
            body = dict(await request.json())
            actor = str(visitor(request).person_id or body["actor"])
        except (ValueError, KeyError, TypeError):
            return problem(400, "bad_body", 'Send {"actor": who, …} as JSON.')
        key = request.headers.get("idempotency-key") or self.desk.new_id()
        try:
            return JSONResponse(await run_in_threadpool(do, request, body, actor, key))
        except _Wrong as wrong:
            return problem(422, wrong.code, str(wrong), field=wrong.field)
        except ActRefused as refused:
            return problem(409, refused.code, str(refused))

    def _take(self, _request: Request, body: dict[str, Any], actor: str, key: str) -> dict[str, Any]:
        source, given = body.get("source"), body.get("orders")
        if not isinstance(source, str) or not source.strip() or source == HAND:
            raise _Wrong("bad_body", "source is the name of the system that the orders come from.", "source")
        if not isinstance(given, list) or not 0 < len(given) <= MOST:
            raise _Wrong("bad_body", f"orders is a list of 1 to {MOST}.", "orders")
        company = self._company()
        named = []
        for number, one in enumerate(given):
            cells = _cells(one, number)
            try:
                row = order_of(cells, company, "CNY")
            except WrongCell as wrong:
                field = f"orders[{number}].{wrong.column}"
                raise _Wrong("bad_order", f"{field} {wrong.code}", field) from None
            named.append((row, identifiers_given(row.buyer.model_dump(exclude_none=True))))
        told: list[orders.Taken] = []
        command = Command(orders.VERB, actor, key, source)
        done = self.desk.perform(command, orders.take_orders(source, named, told))
        return {"act_id": command.act_id, "repeated": not done, "orders": [asdict(one) for one in told]}

    def _stage(self, request: Request, body: dict[str, Any], actor: str, key: str) -> dict[str, Any]:
        until_us = body.get("until_us")
        texts = {name: body.get(name) for name in ("stage", "line", "lost", "reason")}
        if not isinstance(until_us, int | None) or any(
            not isinstance(one, str | None) for one in texts.values()
        ):
            raise _Wrong("bad_body", "until_us is a number of microseconds, everything else is text.")
        wish = stages.Wish(texts["stage"] or "", texts["line"], until_us, texts["lost"])
        command = Command(stages.VERB, actor, key, request.path_params["customer_id"], texts["reason"])
        done = self.desk.perform(command, stages.set_stage(wish, self._company()))
        return {"act_id": command.act_id, "repeated": not done}

    def _company(self) -> Company:
        with self.desk.store.read() as connection:
            return self.desk.companies.get(connection)


def _cells(one: Any, number: int) -> dict[str, str]:
    """Return an order's columns as text. Raises _Wrong for what is no order, or has a column that there is not."""
    if not isinstance(one, dict):
        raise _Wrong("bad_body", f"orders[{number}] is no object.", f"orders[{number}]")
    strange = [name for name in one if name not in ORDER_COLUMNS]
    if strange:
        field = f"orders[{number}].{strange[0][:60]}"
        raise _Wrong("bad_order", f"{field}: columns are {', '.join(ORDER_COLUMNS)}.", field)
    if any(not isinstance(value, str | int | float | None) for value in one.values()):
        raise _Wrong("bad_order", f"orders[{number}] holds more than text and numbers.", f"orders[{number}]")
    return {name: str(value).strip() for name, value in one.items() if value is not None}
