"""Which customers a manager means: a filter that stands in the address, narrowed to whose customers they see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from sqlalchemy import Connection

from console.customer_search import Search, Trouble, asked_in, search
from console.may import Visitor, holders_in
from sales.segments import customers_of, members
from schemas.company import Company
from schemas.segments import Segment, read_segments
from store.customer_list import Listed, Place, Wanted, count_up_to, listed

NAMES = ("q", "unit", "holder", "segment", "campaign", "silent", "state")
"""The parts of a filter, as they stand in an address."""
STATES = ("open", "closed")
MOST = 5_000
"""Customers that one act from a page moves: some half a second of the store's lock on SQLite. More is a hand-over, which goes
in chunks, or several filters."""
SCANNED = 20_000
"""Customers whose facts are looked at for a segment before the page says that it did not see all: a second or two."""
_BATCH = 500
_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter as it was asked for; what is empty narrows nothing."""

    q: str = ""
    """Whom it finds (console.customer_search)."""
    unit: str = ""
    holder: str = ""
    segment: str = ""
    campaign: str = ""
    silent: str = ""
    """Untouched for so many days."""
    state: str = ""

    @staticmethod
    def read(asked: Mapping[str, str]) -> Filter:
        """Return what an address or a form asks for."""
        parts = {name: asked.get(name, "").strip()[:200] for name in NAMES}
        return Filter(**{**parts, "q": asked_in(parts["q"])})

    @property
    def said(self) -> dict[str, str]:
        """Return what is not empty."""
        return {name: value for name in NAMES if (value := getattr(self, name))}

    def address(self, **more: str) -> str:
        """Return the address of the list by this filter."""
        query = urlencode({**self.said, **more})
        return f"/move?{query}" if query else "/move"


@dataclass(frozen=True, slots=True)
class Found:
    """What a filter found: the customers, and whether that is all of them."""

    rows: list[Listed]
    is_all: bool
    trouble: Trouble | None = None
    """Why nobody was looked for by what was typed."""


def find(
    connection: Connection, seen: tuple[Company, Visitor, int], asked: Filter, after: Place | None, limit: int
) -> Found:
    """Return so many customers of a filter behind a place, of those that the visitor (of a company, at a moment) sees."""
    company, who, now_us = seen
    looked_for = search(connection, asked.q, who) if asked.q else None
    if looked_for and looked_for.trouble:
        return Found([], is_all=True, trouble=looked_for.trouble)
    wanted = _wanted(seen, asked, looked_for)
    segment = _segment(company, asked.segment)
    if segment is None:
        rows = [] if asked.segment else listed(connection, wanted, after, limit + 1)
        return Found(rows[:limit], len(rows) <= limit)
    rows, looked_at = [], 0
    for batch in _batches(connection, wanted, after):
        facts = customers_of(connection, company, now_us, {one.customer_id for one in batch})
        fits = {one.customer_id for one in members(facts, segment)}
        rows += [one for one in batch if one.customer_id in fits]
        looked_at += len(batch)
        if len(rows) > limit or looked_at >= SCANNED:
            return Found(rows[:limit], False)
    return Found(rows, True)


def count(connection: Connection, seen: tuple[Company, Visitor, int], asked: Filter) -> int | None:
    """Return how many customers of a filter a visitor sees; None for more than `MOST`, or more than a page looks at."""
    if asked.segment:
        found = find(connection, seen, asked, None, MOST)
        return len(found.rows) if found.is_all else None
    looked_for = search(connection, asked.q, seen[1]) if asked.q else None
    return count_up_to(connection, _wanted(seen, asked, looked_for), MOST)


def _batches(connection: Connection, wanted: Wanted, after: Place | None) -> Iterator[list[Listed]]:
    while batch := listed(connection, wanted, after, _BATCH):
        yield batch
        after = batch[-1].place


def _wanted(seen: tuple[Company, Visitor, int], asked: Filter, looked_for: Search | None) -> Wanted:
    company, who, now_us = seen
    holders = None if who.sees_all else set(who.holders)
    if asked.unit:
        within = holders_in(company, asked.unit, now_us)
        holders = within if holders is None else holders & within
    if asked.holder:
        holders = {asked.holder} if holders is None else holders & {asked.holder}
    days = int(asked.silent) if asked.silent.isdecimal() and len(asked.silent) < 6 else None
    return Wanted(
        holders,
        asked.state if asked.state in STATES else None,
        asked.campaign or None,
        now_us - days * _DAY_US if days else None,
        looked_for.customers if looked_for else None,
    )


def _segment(company: Company, name: str) -> Segment | None:
    if not name or not company.segments_csv:
        return None
    return next((one for one in read_segments(company.segments_csv) if one.row.name == name), None)


@dataclass(frozen=True, slots=True)
class Offered:
    """What a manager can choose among: by whom customers are held, and whom they can be given to."""

    units: list[str]
    people: list[str]
    pools: list[str]


def offered(company: Company, who: Visitor) -> Offered:
    """Return the units, people who work here and pools that a visitor sees, each in the order of the company's files."""
    return Offered(
        [one for one in company.units if who.sees(one)],
        [key for key, one in company.people.items() if one.state == "active" and who.sees(key)],
        [one for one in company.pools if who.sees(one)],
    )


def segments_of(company: Company) -> list[Segment]:
    """Return the company's segments."""
    return list(read_segments(company.segments_csv)) if company.segments_csv else []
