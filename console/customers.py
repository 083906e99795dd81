"""Views over customers: found by what somebody types, spread over a fact or a segment, page by page from the newest on. What is
chosen stands in the address."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from answers.language import language_of
from console.customer_search import asked_in
from console.customer_search import search as find
from console.desk import Desk
from console.gate import visitor
from console.known import at_a_glance
from console.neglected import first_leads
from console.texts import page
from console.view import View
from sales.segments import CustomerFacts, customers_of, members
from schemas.segments import Segment, read_segments
from store import listing
from store.find import WIDE

BY = ("province", "city", "territory", "industry", "product_line", "product", "grade", "channel", "campaign")
"""Facts that a page counts by; the command line counts by any."""
SHOWN = 50
LOOKED_AT = 300
"""Customers whose facts a page reads and counts: from a place in the list on, the newest first."""
_ID = re.compile(r"cus_[0-9a-z]{1,40}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of the list begins: behind a customer (`before`), or just in front of one (`after`); else with the newest."""

    before: str = ""
    after: str = ""

    @staticmethod
    def read(asked: Mapping[str, str]) -> Place:
        """Return the place that an address names; what is no customer's id is none."""
        before, after = (asked.get(name, "") for name in ("before", "after"))
        if _ID.fullmatch(after):
            return Place(after=after)
        return Place(before=before if _ID.fullmatch(before) else "")

    @property
    def said(self) -> dict[str, str]:
        """Return it as an address has it."""
        return {name: one for name in ("before", "after") if (one := getattr(self, name))}


@dataclass(frozen=True, slots=True)
class Looked:
    """The customers that a page looks at, the newest first, and whether there are others on either side of them."""

    place: Place
    ids: list[str]
    is_newest: bool
    is_oldest: bool

    def cut(self, fits: list[str]) -> tuple[list[str], str, str]:
        """Return which of those that fit are shown, and the ids behind which and in front of which others may be; empty: none."""
        if self.place.after:
            shown = fits[-SHOWN:]
            newest = "" if self.is_newest else self.ids[0]
            return shown, (shown or self.ids)[-1], shown[0] if len(fits) > SHOWN else newest
        shown = fits[:SHOWN]
        oldest = "" if self.is_oldest else self.ids[-1]
        newer = "" if self.is_newest or not self.ids else (shown or self.ids)[0]
        return shown, shown[-1] if len(fits) > SHOWN else oldest, newer


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
        """Find who fits what was typed, count by one fact within one segment or campaign, and list those of one value."""
        return await run_in_threadpool(self._show, request)

    def _show(self, request: Request) -> Response:
        now_us, who, asked = self.desk.clock(), visitor(request), request.query_params
        with self.desk.store.read() as connection:
            company = self.desk.companies.get(connection)
            campaign = asked.get("campaign", "") if asked.get("campaign") in company.campaigns else None
            typed = asked_in(asked.get("q", ""))
            search = find(connection, typed, who) if typed else None
            # Who was found is theirs to see; to ask again whose all those are would cost more than to find them.
            wanted = (
                listing.Newest(campaign_id=campaign, only=search.customers)
                if search
                else listing.Newest(None if who.sees_all else who.looks_after, campaign)
            )
            segments = {one.row.name: one for one in _segments(company.segments_csv)}
            by = asked.get("by") if asked.get("by") in BY else BY[0]
            segment = segments.get(asked.get("segment", ""))
            value = asked.get("value")
            for place in (Place.read(asked), Place()):
                looked = _look(connection, wanted, place)
                facts = customers_of(connection, company, now_us, looked.ids)
                everybody = sorted(facts, key=lambda one: one.customer_id, reverse=True)
                within = list(members(everybody, segment)) if segment else everybody
                found = [one for one in within if value is None or one.facts[str(by)] == value]
                if not place.after or not looked.is_newest or len(found) > SHOWN:
                    break  # else the first page, not a piece of it
            ids, older, newer = looked.cut([one.customer_id for one in found])
            shown = at_a_glance(connection, [one for one in found if one.customer_id in ids])
            leads = first_leads(connection, [one.customer_id for one in shown])
            ends = listing.born(connection, {looked.ids[0], looked.ids[-1]}) if looked.ids else {}
        view = View(language_of(request, company.language), company, now_us, who)
        base = {"q": typed} if typed else {}
        base |= {"campaign": campaign} if campaign else {}
        chosen = base | ({"segment": segment.row.name} if segment else {})
        here = looked.place.said
        turn = {**chosen, "by": str(by)} | ({"value": value} if value is not None else {})
        values = {
            "view": view,
            "by": by,
            "facts": [(one, _to({**chosen, **here, "by": one})) for one in BY],
            "segments": _choices(everybody, segments.values(), {**chosen, **here, "by": str(by)}, view),
            "all_segments": _to({**base, **here, "by": str(by)}),
            "campaign": campaign,
            "all_campaigns": _to({**({"q": typed} if typed else {}), "by": str(by)}),
            "search": search,
            "wide": WIDE,
            "all_found": _to({**({"campaign": campaign} if campaign else {}), "by": str(by)}),
            "counts": _counts(within, str(by), value, {**chosen, **here}),
            "found": shown,
            "count": len(found),
            "looked": looked,
            "ends": sorted(ends.values()),
            "older": _to({**turn, "before": older}) if older else "",
            "newer": _to({**turn, "after": newer}) if newer else "",
            "newest": _to(turn) if here else "",
            "leads": {key: lead_id for key, (lead_id, _) in leads.items()},
            "names": {key: view.who(fields) for key, (_, fields) in leads.items()},
        }
        return page(request, view.language, "customers.html", values)


def _look(connection: Connection, wanted: listing.Newest, place: Place) -> Looked:
    ids = listing.newest(connection, LOOKED_AT + 1, wanted, before=place.before, after=place.after)
    is_all = len(ids) <= LOOKED_AT
    if place.after and ids:
        return Looked(place, ids[-LOOKED_AT:], is_all, is_oldest=False)
    if place.after:  # whoever was newer is gone
        return _look(connection, wanted, Place())
    return Looked(place, ids[:LOOKED_AT], not place.before, is_all)


def _to(chosen: Mapping[str, str]) -> str:
    return f"?{urlencode(chosen)}"


def _segments(text: str | None) -> tuple[Segment, ...]:
    return read_segments(text) if text else ()


def _counts(within: list[CustomerFacts], by: str, value: str | None, chosen: dict[str, str]) -> list[Choice]:
    counts = Counter(one.facts[by] for one in within)
    return [
        Choice(each, count, _to({**chosen, "by": by, "value": each}), each == value)
        for each, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


def _choices(
    everybody: list[CustomerFacts], segments: Iterable[Segment], asked: dict[str, str], view: View
) -> list[Choice]:
    return [
        Choice(
            one.name_zh if view.language == "zh" else one.name_en,
            len(list(members(everybody, one))),
            _to({**asked, "segment": one.row.name}),
            one.row.name == asked.get("segment"),
        )
        for one in segments
    ]
