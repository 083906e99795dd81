"""The page of customers that two departments want, and where a manager of both sides decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.move_filter import offered
from console.neglected import first_leads
from console.operations import Operations
from console.texts import page
from console.view import View
from schemas.company import Company
from schemas.units import is_of
from store.acts import ActRefused
from store.claims import collisions

REASON_CHARS = 500


@dataclass(frozen=True)
class CollisionsPage:
    """Claims of which nobody decided yet: for managers those of which one side is below them, for operators all."""

    desk: Desk
    operations: Operations | None

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/collisions", self.show),
            Route("/collisions/{customer_id}", self.decide, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """List them, the oldest first, with whoever has the customer."""
        return await run_in_threadpool(self._page, request, {}, None, 200)

    async def decide(self, request: Request) -> Response:
        """Decide who has a customer, and whether the other side works on it; then show what is left (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._decide, request, entered)

    def _decide(self, request: Request, entered: Mapping[str, str]) -> Response:
        customer_id, owner = request.path_params["customer_id"], entered.get("owner", "")
        try:
            if self.operations is None:
                raise ActRefused("unknown_verb", "Nothing is decided here.")
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                sides = [
                    row
                    for row in collisions(connection, self.desk.clock())
                    if row["customer_id"] == customer_id
                ]
            decided = {
                "id": customer_id,
                "owner": owner,
                "beside": _others(company, sides, owner) if entered.get("beside") else [],
                **visitor(request).acting_as,
                "reason": entered.get("reason", "").strip()[:REASON_CHARS],
                **self.desk.keyed(request, entered),
            }
            with self.desk.remembers(request, entered):
                self.operations.do("decide_claim", decided)
        except ActRefused as refused:
            return self._page(request, {**entered, "customer": customer_id}, refused.code, 409)
        return RedirectResponse("/collisions?done=decided", status_code=303)

    def _page(
        self, request: Request, entered: Mapping[str, str], refused: str | None, status: int
    ) -> Response:
        now_us, who = self.desk.clock(), visitor(request)
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            found = [
                row
                for row in collisions(connection, now_us)
                if who.sees(row["holder_id"]) or who.sees(row["claimant_id"])
            ]
            leads = first_leads(connection, [row["customer_id"] for row in found])
        view = View(language_of(request, company.language), company, now_us, who)
        may_decide = self.operations is not None and who.acts("/collisions/x")
        values = {
            "view": view,
            "found": found,
            "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
            "names": {
                key: view.who(fields)
                for key, (_, fields) in leads.items()
                if who.sees(next(row["holder_id"] for row in found if row["customer_id"] == key))
            },
            "may_decide": may_decide,
            "people": offered(company, who).people if may_decide else [],
            "entered": entered,
            "new_key": self.desk.new_id,
            "refused": refused,
            "done": request.query_params.get("done"),
        }
        return page(request, view.language, "collisions.html", values, status)


def _others(company: Company, sides: list[dict[str, Any]], owner: str) -> list[str]:
    """Return whoever has or claims a customer and is not on the side of who is to have it."""
    wanting = dict.fromkeys(one for row in sides for one in (row["holder_id"], row["claimant_id"]))
    return [one for one in wanting if one != owner and not is_of(company, owner, one)]
