"""The ladder of a pool: who did nothing about a customer for working days is reminded, then their manager is told, and then it is
offered to others or taken back. Pure.

Its clock is the owner's: working days by their calendar, days of leave left out, since the last touch or the latest step that was
planned. It is counted from what is on record, so a touch begins it anew without anything being written down. One step follows the
other by as many working days as the ladder says, also where a ladder was introduced late: nobody loses a customer without warning.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from router.office import Office
from schemas.company import Company
from schemas.pools import Pool
from worktime import after_working_days

Step = Literal["reminded", "copied", "offered", "reclaimed"]
STEPS: tuple[Step, ...] = ("reminded", "copied", "offered")
"""The codes of the decisions by which a ladder's steps are recorded; `reclaimed` may stand for the last."""


@dataclass(frozen=True, slots=True)
class Watched:
    """An open customer of a person, and what its ladder goes by."""

    person_id: str
    since_us: int
    """The last touch, or the due time of the latest step that is planned, whichever is later."""
    grade: str = ""
    line: str = ""
    open: int = 1
    """Open customers of its owner, this one included; read only where a pool has a quota."""
    protected_until_us: int = 0
    """Until then it is not taken back (store.protection); its owner and their manager are told all the same."""
    done: Mapping[str, int] = field(default_factory=dict)
    """Steps taken since then, by code, each with its moment."""


def pool_for(company: Company, watched: Watched) -> Pool | None:
    """Return the pool whose ladder a customer is under: the first that is for a unit of its owner, its grade and its line."""
    own: set[str] | None = None
    for pool in company.pools.values():
        if pool.reclaim == "no":
            continue
        if (pool.grades and watched.grade not in pool.grades) or (
            pool.lines and watched.line not in pool.lines
        ):
            continue
        if pool.units and own is None:
            own = units_above(company, watched.person_id)
        if not pool.units or not (own or set()).isdisjoint(pool.units):
            return pool
    return None


def units_above(company: Company, person_id: str) -> set[str]:
    """Return the units that a person works in now, and all above these."""
    found = set[str]()
    for one in company.members:
        unit_id: str | None = one.unit_id if one.person_id == person_id and one.to_us is None else None
        while unit_id is not None and unit_id not in found:
            found.add(unit_id)
            unit = company.units.get(unit_id)
            unit_id = unit.parent_id if unit else None
    return found


def next_step(pool: Pool, watched: Watched, office: Office) -> tuple[Step, int] | None:
    """Return the next step of a ladder and its moment, which may have passed; None if all is done, or they never work."""
    before_us, before_days = watched.since_us, 0
    for step, days in zip(STEPS, pool.ladder, strict=True):
        code: Step = "reclaimed" if step == "offered" and _takes_back(pool, watched) else step
        if code in watched.done:
            before_us, before_days = watched.done[code], days
            continue
        since_start = _passed(office, watched, watched.since_us, days)
        since_last = _passed(office, watched, before_us, days - before_days)
        if since_start is None or since_last is None:
            return None
        protected_us = watched.protected_until_us if code == "reclaimed" else 0
        return code, max(since_start, since_last, protected_us)
    return None


def _takes_back(pool: Pool, watched: Watched) -> bool:
    return pool.reclaim == "yes" and watched.open > pool.protected


def _passed(office: Office, watched: Watched, from_us: int, days: int) -> int | None:
    away = [(one.from_us, one.to_us) for one in office.absences.get(watched.person_id, ())]
    return after_working_days(office.calendar_of_id(watched.person_id), from_us, days, away)


def days_of(pool: Pool, step: Step) -> int:
    """Return after how many working days a ladder's step comes."""
    return pool.ladder[STEPS.index("offered" if step == "reclaimed" else step)]
