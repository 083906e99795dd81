"""The page of customers that two departments want: for managers what is below them, for operators all."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.neglected import first_leads
from console.texts import page
from console.view import View
from store.claims import collisions


@dataclass(frozen=True)
class CollisionsPage:
    """Claims of which nobody decided yet."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/collisions", self.show)]

    async def show(self, request: Request) -> Response:
        """List them, the oldest first, with whoever has the customer."""

        def answer() -> Response:
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
            values = {
                "view": view,
                "found": found,
                "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
                "names": {
                    key: view.who(fields)
                    for key, (_, fields) in leads.items()
                    if who.sees(next(row["holder_id"] for row in found if row["customer_id"] == key))
                },
            }
            return page(request, view.language, "collisions.html", values)

        return await run_in_threadpool(answer)
