"""The page of neglected customers: for managers those of their people, queues and pools, for operators all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.team import cuts_of
from console.texts import page
from console.view import View
from enrich.golden import called_of
from sales.neglected import DAYS, neglected, too_old
from store import tables
from store.bulk import keys_in
from store.team_now import neglected_by
from store.touches import owned, waiting

SHOWN = 200
LOOKED_AT = 1_000
"""More is a matter for a list to work off (`leadflow neglected`), not for a page."""


@dataclass(frozen=True)
class NeglectedPage:
    """Who is waiting for nothing to happen."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/neglected", self.show)]

    async def show(self, request: Request) -> Response:
        """List them by owner, the longest untouched first."""

        def answer() -> Response:
            now_us = self.desk.clock()
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                who, office = visitor(request), self.desk.offices.get(company)
                theirs = {one: office.calendar_of_id(one) for one in company.people if who.sees(one)}
                idle = neglected_by(connection, cuts_of(theirs, now_us), now_us, LOOKED_AT)
                found = neglected(owned(connection, idle), office.calendar_of_id, now_us)
                old = too_old(
                    [row for row in waiting(connection) if who.sees(row.holder_id)],
                    office.calendar_of_holder,
                    now_us,
                    (DAYS, company.pools),
                )
                shown = [one.customer_id for one in found[:SHOWN]]
                shown += (one.customer_id for one in old[:SHOWN])
                leads = first_leads(connection, shown)
            view = View(language_of(request, company.language), company, now_us, who)
            values = {
                "view": view,
                "found": found[:SHOWN],
                "count": len(found),
                "is_all": len(idle) < LOOKED_AT,
                "old": old[:SHOWN],
                "old_count": len(old),
                "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
                "names": {key: view.who(fields) for key, (_, fields) in leads.items()},
            }
            return page(request, view.language, "neglected.html", values)

        return await run_in_threadpool(answer)


def first_leads(connection: Connection, customers: Iterable[str]) -> dict[str, tuple[str, Any]]:
    """Return for each customer the lead by which it was born, whose story tells everything, and what it is called by."""
    customer, wanted = tables.customer, sorted(set(customers))
    rows = connection.execute(
        select(customer.c.customer_id, customer.c.born_lead).where(
            keys_in(connection, ["customer_id"], [(one,) for one in wanted])
        )
    ).all()
    called = called_of(connection, [row.customer_id for row in rows])
    return {row.customer_id: (row.born_lead, called[row.customer_id]) for row in rows}
