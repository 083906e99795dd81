"""Open pools (公海): customers that nobody has and that people may claim, each pool with its own limits.

Also the one decision on whether somebody may claim something, so that the page, the command and the act say the same. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from schemas.base import Frozen
from schemas.resolved import Grade

LADDER = (3, 5, 7)
"""Working days without a touch after which the owner is reminded, the manager told, and the customer offered."""
HOUR_US = 3_600_000_000
_DAY_US = 24 * HOUR_US

Reclaim = Literal["offer", "yes", "no"]
"""What the last step of a pool's ladder does: asks the manager, takes the customer back, or there is no ladder."""


class Pool(Frozen):
    """A pool, who may claim from it and how much, and which customers come back into it by themselves."""

    pool_id: str
    name_zh: str
    name_en: str
    units: tuple[str, ...] = Field((), description="Whose people may claim, those of units below included")
    open_limit: int | None = Field(
        None, ge=0, description="Open customers at once that a person claimed here"
    )
    day_limit: int | None = Field(None, ge=0, description="Claims of a person in one local day")
    again_days: int = Field(0, ge=0, description="Days until somebody may claim what they had before")
    owner_days: int = Field(0, ge=0, description="The same for whoever had it last")
    hold_hours: int = Field(0, ge=0, description="So long nobody may claim what came in")
    ladder: tuple[int, ...] = Field(
        LADDER, description="Working days without a touch: remind, copy, last step"
    )
    reclaim: Reclaim = "offer"
    grades: tuple[Grade, ...] = Field((), description="Grades that its ladder is for; empty: all")
    lines: tuple[str, ...] = Field((), description="Product lines that its ladder is for; empty: all")
    old_days: int = Field(20, ge=1, description="Working days from which on what lies here is neglected")
    protected: int = Field(0, ge=0, description="With so many open customers or fewer, a person keeps them")


ClaimRefused = Literal["other_pool", "held_back", "was_yours", "pool_full", "pool_day_full"]
"""Why somebody may not claim something (`store.acts.ActRefused`)."""


@dataclass(frozen=True, slots=True)
class Claimer:
    """What counts of somebody who would claim from a pool."""

    may: bool
    """Whether the pool is for them."""
    open: int
    """Open customers that they claimed there and still have."""
    today: int
    """Claims there since their day began."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What counts of a customer in a pool: since when it is there, and when the claimer last had it, if ever."""

    since_us: int
    had_until_us: int | None = None
    had_last: bool = False
    """Whether nobody had it between the claimer and now."""


def free_from(pool: Pool, entry: Entry) -> tuple[int, ClaimRefused | None]:
    """Return from when on the claimer may have an entry, limits aside, and what it is that they wait for."""
    moments: list[tuple[int, ClaimRefused | None]] = [(entry.since_us, None)]
    if pool.hold_hours:
        moments.append((entry.since_us + pool.hold_hours * HOUR_US, "held_back"))
    days = max(pool.again_days, pool.owner_days) if entry.had_last else pool.again_days
    if entry.had_until_us is not None and days:
        moments.append((entry.had_until_us + days * _DAY_US, "was_yours"))
    return max(moments, key=lambda one: one[0])


def limit_reached(pool: Pool, claimer: Claimer) -> ClaimRefused | None:
    """Return what keeps somebody from claiming anything of a pool now; None if nothing does."""
    if not claimer.may:
        return "other_pool"
    if pool.open_limit is not None and claimer.open >= pool.open_limit:
        return "pool_full"
    if pool.day_limit is not None and claimer.today >= pool.day_limit:
        return "pool_day_full"
    return None


def why_not(pool: Pool, claimer: Claimer, entry: Entry, now_us: int) -> ClaimRefused | None:
    """Return why somebody may not claim an entry of a pool now; None if they may."""
    moment, waits_for = free_from(pool, entry)
    return limit_reached(pool, claimer) or (waits_for if moment > now_us else None)
