"""Customers that nobody does anything about: owned, with no step ahead and no touch for days, or too long in a queue or pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from schemas.pools import Pool
from store.touches import Owned, Waiting
from worktime import Calendar, working_days_between

DAYS = 5
"""A working week: shorter flags whoever was ill for three days, longer lets an enquiry go cold."""
_DAY_US = 86_400 * 1_000_000


@dataclass(frozen=True, slots=True)
class Neglected:
    """A customer without a step ahead, untouched for this many working days of its owner."""

    customer_id: str
    person_id: str
    touched_us: int
    working_days: int


def neglected(
    rows: Iterable[Owned], calendar_of: Callable[[str], Calendar], now_us: int, days: int = DAYS
) -> list[Neglected]:
    """Return what is neglected, the longest untouched first.

    Neglected is a customer with no step after `now_us`, whose owner has worked `days` whole days since the last
    touch, by the calendar that `calendar_of` has for them.
    """
    found = []
    for row in rows:
        if row.next_us is not None and row.next_us > now_us:
            continue
        if now_us - row.touched_us < days * _DAY_US // 2:
            continue  # no calendar has two working days in one: spares the reckoning for most customers
        passed = working_days_between(calendar_of(row.person_id), row.touched_us, now_us)
        if passed >= days:
            found.append(Neglected(row.customer_id, row.person_id, row.touched_us, passed))
    return sorted(found, key=lambda one: (one.touched_us, one.customer_id))


@dataclass(frozen=True, slots=True)
class TooOld:
    """A customer that has waited in a queue or lain in a pool for this many working days of the unit."""

    customer_id: str
    kind: str
    holder_id: str
    since_us: int
    working_days: int


def too_old(
    rows: Iterable[Waiting],
    calendar_of: Callable[[str], Calendar],
    now_us: int,
    limits: tuple[int, Mapping[str, Pool]],
) -> list[TooOld]:
    """Return what has waited too long, the oldest first.

    `limits`: the working days that a customer may wait in a queue, and the pools, each of which says it for itself.
    """
    days, pools = limits
    found = []
    for row in rows:
        pool = pools.get(row.holder_id) if row.kind == "pool" else None
        allowed = pool.old_days if pool is not None else days
        if now_us - row.since_us < allowed * _DAY_US // 2:
            continue
        passed = working_days_between(calendar_of(row.holder_id), row.since_us, now_us)
        if passed >= allowed:
            found.append(TooOld(row.customer_id, row.kind, row.holder_id, row.since_us, passed))
    return sorted(found, key=lambda one: (one.since_us, one.customer_id))
