"""Views over customers: how they spread over a fact, or a segment, and who they are. What is chosen stands in the address."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.desk import Desk
from console.gate import visitor
from console.known import at_a_glance
from console.neglected import first_leads
from console.texts import page
from console.view import View
from sales.segments import CustomerFacts, customers_of, members
from schemas.segments import Segment, read_segments
from store import listing

BY = ("province", "city", "territory", "industry", "product_line", "product", "grade", "channel", "campaign")
"""Facts that a page counts by; the command line counts by any."""
SHOWN = 50
LOOKED_AT = 300
"""Customers whose facts a page reads, the newest ones. More is a matter for a list to work off (`leadflow segments NAME`)."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a fact, or one segment: how many customers, and the address of the list of them."""

    value: str
    count: int
    href: str
    is_chosen: bool


@dataclass(frozen=True)
class CustomersPage:
    """Who the customers are, by region, industry, product, grade; each visitor sees those whose holder they see."""

    desk: Desk

    def routes(self) -> list[BaseRoute]:
        """Return the page's route."""
        return [Route("/customers", self.show)]

    async def show(self, request: Request) -> Response:
        """Count by one fact within one segment, or of whom came by one campaign, and list those of one value."""

        def answer() -> Response:
            now_us, who, asked = self.desk.clock(), visitor(request), request.query_params
            with self.desk.store.read() as connection:
                company = self.desk.companies.get(connection)
                campaign = asked.get("campaign", "") if asked.get("campaign") in company.campaigns else None
                holders = None if who.sees_all else who.looks_after
                newest = listing.newest(connection, LOOKED_AT + 1, holders, campaign)
                is_all = len(newest) <= LOOKED_AT
                everybody = sorted(
                    customers_of(connection, company, now_us, newest[:LOOKED_AT]),
                    key=lambda one: one.customer_id,
                    reverse=True,
                )
                segments = {one.row.name: one for one in _segments(company.segments_csv)}
                by = asked.get("by") if asked.get("by") in BY else BY[0]
                segment = segments.get(asked.get("segment", ""))
                within = list(members(everybody, segment)) if segment else everybody
                value = asked.get("value")
                found = [one for one in within if value is None or one.facts[str(by)] == value]
                shown = at_a_glance(connection, found[:SHOWN])
                leads = first_leads(connection, [one.customer_id for one in shown])
            view = View(language_of(request, company.language), company, now_us, who)
            chosen = {"segment": segment.row.name} if segment else {}
            chosen |= {"campaign": campaign} if campaign else {}
            values = {
                "view": view,
                "by": by,
                "facts": [(one, f"?{urlencode({**chosen, 'by': one})}") for one in BY],
                "segments": _choices(everybody, segments.values(), {**chosen, "by": str(by)}, view),
                "campaign": campaign,
                "counts": _counts(within, str(by), value, chosen),
                "found": shown,
                "count": len(found),
                "newest": None if is_all else LOOKED_AT,
                "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
                "names": {key: view.who(fields) for key, (_, fields) in leads.items()},
            }
            return page(request, view.language, "customers.html", values)

        return await run_in_threadpool(answer)


def _segments(text: str | None) -> tuple[Segment, ...]:
    return read_segments(text) if text else ()


def _counts(within: list[CustomerFacts], by: str, value: str | None, chosen: dict[str, str]) -> list[Choice]:
    counts = Counter(one.facts[by] for one in within)
    return [
        Choice(each, count, f"?{urlencode({**chosen, 'by': by, 'value': each})}", each == value)
        for each, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _choices(
    everybody: list[CustomerFacts], segments: Iterable[Segment], asked: dict[str, str], view: View
) -> list[Choice]:
    return [
        Choice(
            one.name_zh if view.language == "zh" else one.name_en,
            len(list(members(everybody, one))),
            f"?{urlencode({**asked, 'segment': one.row.name})}",
            one.row.name == asked.get("segment"),
        )
        for one in segments
    ]
