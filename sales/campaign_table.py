"""What campaigns cost and brought: one table of plain rows. Pure.

Attribution is to the first touch within a life cycle (`sales.life`): whatever a life leads to counts for the lead that it
began with, and so for that lead's campaign, channel and source. A life counts in the period in which its first lead came,
with all that has become of it until now. Leads and valid leads count for themselves, in the period in which they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from sales.life import Life
from sales.money import Amounts, added, each

By = Literal["campaign", "channel", "source"]


@dataclass(frozen=True, slots=True)
class Came:
    """A lead as far as the table cares."""

    lead_id: str
    customer_id: str
    at_us: int
    campaign: str
    channel: str
    source: str
    is_valid: bool


@dataclass(frozen=True, slots=True)
class Spent:
    """What was spent on a campaign from one day to another, both included; the day 1 is 1 January of the year 1."""

    campaign: str
    from_day: int
    to_day: int
    minor: int
    currency: str

    def within(self, first: int, last: int) -> int:
        """Return the part that falls on these days: day by day alike, so that parts of periods add up to the whole."""
        days = self.to_day - self.from_day + 1
        begin = min(max(first, self.from_day), self.to_day + 1) - self.from_day
        end = max(min(last, self.to_day) + 1 - self.from_day, begin)
        return self.minor * end // days - self.minor * begin // days


@dataclass(frozen=True, slots=True)
class Sold:
    """An order that stands, with the lead that it was matched to."""

    lead_id: str
    line: str
    minor: int
    currency: str


@dataclass(slots=True)
class Line:
    """A row of the table; `key` is empty for what came by no campaign. Amounts are minor units by currency."""

    key: str
    leads: int = 0
    valid: int = 0
    contacted: int = 0
    opportunities: int = 0
    won: int = 0
    orders: int = 0
    spend: dict[str, int] = field(default_factory=dict)
    amount: dict[str, int] = field(default_factory=dict)

    @property
    def costs(self) -> dict[str, Amounts | None]:
        """Return what each lead, valid lead, opportunity and order cost; None where nothing is known or there is none."""
        return {
            "lead": each(self.spend, self.leads),
            "valid": each(self.spend, self.valid),
            "opportunity": each(self.spend, self.opportunities),
            "order": each(self.spend, self.orders),
        }


@dataclass(frozen=True, slots=True)
class Period:
    """From the beginning of one local day to the end of another, in µs and in days."""

    from_us: int
    to_us: int
    first: date
    last: date

    def has(self, at_us: int) -> bool:
        """Tell whether a moment lies in it."""
        return self.from_us <= at_us < self.to_us


Customer = tuple[Mapping[str, Came], Iterable[tuple[Life, list[Sold]]]]
"""A customer's leads by id, and its lives with the orders that belong to them."""


def reckon(period: Period, customers: Iterable[Customer], spent: Iterable[Spent], by: By) -> list[Line]:
    """Return the rows, most leads first; the row of no campaign last.

    Spend is entered for campaigns, so only that table has any.
    """
    key_of: Callable[[Came], str] = {
        "campaign": lambda one: one.campaign,
        "channel": lambda one: one.channel,
        "source": lambda one: one.source,
    }[by]
    found: dict[str, Line] = {}

    def line(key: str) -> Line:
        return found.setdefault(key, Line(key))

    for came, lives in customers:
        for one in came.values():
            if period.has(one.at_us):
                row = line(key_of(one))
                row.leads += 1
                row.valid += one.is_valid
        for life, sold in lives:
            first = came.get(life.lead_id)
            if first is not None and period.has(first.at_us):
                _add_life(line(key_of(first)), life, sold)
    for paid in spent if by == "campaign" else ():
        if minor := paid.within(period.first.toordinal(), period.last.toordinal()):
            row = line(paid.campaign)
            row.spend = added([row.spend, {paid.currency: minor}])
    return sorted(found.values(), key=lambda row: (row.key == "", -row.leads, row.key))


def _add_life(row: Line, life: Life, sold: list[Sold]) -> None:
    row.contacted += life.level >= 1
    row.opportunities += life.level >= 2
    row.won += life.level >= 3
    row.orders += len(sold) or life.level >= 3
    row.amount = added([row.amount, *({one.currency: one.minor} for one in sold)])


def total(rows: Iterable[Line]) -> Line:
    """Return the sums of a table."""
    whole = Line("")
    for row in rows:
        whole.leads += row.leads
        whole.valid += row.valid
        whole.contacted += row.contacted
        whole.opportunities += row.opportunities
        whole.won += row.won
        whole.orders += row.orders
        whole.spend = added([whole.spend, row.spend])
        whole.amount = added([whole.amount, row.amount])
    return whole
