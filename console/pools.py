"""The open pools as a page: what lies there, what a person may still claim, why not, and the button that claims it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk, entered_in, is_own_page
from console.gate import visitor
from console.may import Visitor
from console.texts import page
from console.view import View
from schemas.company import Company
from schemas.pools import Pool, free_from, limit_reached
from store.acts import ActRefused
from store.acts_pool import claim, release
from store.pools import CLAIM, RELEASE, Count, Lying, claimer, counts, entries, lying, may_claim

SHOWN = 100
"""Who is there longest stands first; a longer list is for `leadflow pool show`."""
REASON_CHARS = 500


@dataclass(frozen=True, slots=True)
class Shown:
    """An entry as a page shows it: what waits for what, and until when."""

    entry: Lying
    why: str | None
    from_us: int


@dataclass(frozen=True)
class PoolsPage:
    """Each visitor sees the pools that are for them; whoever works at this machine sees all."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's routes."""
        return [
            Route("/pools", self.show),
            Route("/pools/{customer_id}/{verb}", self.act, methods=["POST"]),
        ]

    async def show(self, request: Request) -> Response:
        """One pool, chosen in the address, else the first that is for the visitor."""
        return await run_in_threadpool(self._page, request, None, 200)

    async def act(self, request: Request) -> Response:
        """Claim a customer, or release one; then show the pool, or the tasks, again (303)."""
        if not is_own_page(request):
            return Response("This form was sent from another site.\n", status_code=403)
        entered = await entered_in(request, 10)
        return await run_in_threadpool(self._act, request, entered)

    def _act(self, request: Request, entered: Mapping[str, str]) -> Response:
        customer_id, verb = request.path_params["customer_id"], request.path_params["verb"]
        actor = visitor(request).person_id or entered.get("actor", "")
        try:
            with self.desk.store.read() as connection:
                office = self.desk.offices.get(self.desk.companies.get(connection))
            if verb == CLAIM:
                plan = claim(office.due)
                command = self.desk.command(request, entered, CLAIM, actor, customer_id)
            elif verb == RELEASE:
                reason = entered.get("reason", "").strip()[:REASON_CHARS]
                plan = release(entered.get("pool") or None)
                command = self.desk.command(
                    request, entered, RELEASE, actor, customer_id, reason=reason or None
                )
            else:
                raise ActRefused("unknown_verb", f"There is no act {verb!r}.")
            self.desk.perform_form(request, entered, command, plan)
        except ActRefused as refused:
            return self._page(request, refused.code, 409)
        asked = {"pool": entered.get("pool", ""), "by": entered.get("actor", ""), "done": verb}
        place = f"/pools?{urlencode({name: value for name, value in asked.items() if value})}"
        return RedirectResponse(place, status_code=303)

    def _page(self, request: Request, refused: str | None, status: int) -> Response:
        who, now_us, asked = visitor(request), self.desk.clock(), request.query_params
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            mine = [one for one in company.pools.values() if _sees(company, one, who, now_us)]
            chosen = next(
                (one for one in mine if one.pool_id == asked.get("pool")), mine[0] if mine else None
            )
            by = who.person_id or asked.get("by") or None
            known = by if by in company.people else None
            values = self._of_pool(connection, company, chosen, known) if chosen is not None else {}
            full = counts(connection)
        view = View(language_of(request, company.language), company, now_us, who)
        claimers = [] if who.person_id or chosen is None else _claimers(company, chosen, now_us)
        tabs = [(one, full.get(one.pool_id, Count(0, None)), _address(one, known)) for one in mine]
        return page(
            request,
            view.language,
            "pools.html",
            {
                "view": view,
                "pools": tabs,
                "chosen": chosen,
                "by": known,
                "claimers": claimers,
                "new_key": self.desk.new_id,
                "refused": refused,
                "done": asked.get("done"),
                **values,
            },
            status,
        )

    def _of_pool(
        self, connection: Connection, company: Company, pool: Pool, by: str | None
    ) -> dict[str, Any]:
        now_us = self.desk.clock()
        found = lying(connection, pool.pool_id, SHOWN)
        if by is None:
            return {
                "entries": [Shown(one, None, one.since_us) for one in found],
                "claimer": None,
                "limit": None,
            }
        who = claimer(connection, company, pool, by, now_us)
        past = entries(connection, {one.customer_id: one.since_us for one in found}, by)
        shown = []
        for one in found:
            from_us, why = free_from(pool, past[one.customer_id])
            shown.append(Shown(one, why if from_us > now_us else None, from_us))
        return {"entries": shown, "claimer": who, "limit": limit_reached(pool, who)}


def _sees(company: Company, pool: Pool, who: Visitor, now_us: int) -> bool:
    if who.sees_all or who.sees(pool.pool_id):
        return True
    return who.person_id is not None and may_claim(company, pool, who.person_id, now_us)


def _claimers(company: Company, pool: Pool, now_us: int) -> list[str]:
    return [one for one in company.people if may_claim(company, pool, one, now_us)]


def _address(pool: Pool, by: str | None) -> str:
    return f"/pools?pool={quote(pool.pool_id)}" + (f"&by={quote(by)}" if by else "")
