"""What whoever brings a list asks for, and what follows from it for one row: owner, heap, and the day of a dated step."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from pydantic import Field

from router.office import Office
from schemas.base import Frozen
from schemas.company import Company, person_called
from schemas.lead import Imported
from store.acts import ActRefused
from worktime import after_working_days, next_working

DAY_US = 86_400 * 1_000_000


class Spec(Frozen):
    """What was asked for; kept with the list."""

    route: bool = Field(True, description="Whether rules decide on what nobody has")
    notify: bool = Field(True, description="Whether anybody is told")
    heap: str | None = Field(None, description="`queue:UNIT`, `pool:POOL` or `nurture:CADENCE`")
    horizon_days: int | None = Field(
        None, ge=1, description="Customers untouched for longer get a dated step"
    )
    per_day: int = Field(10, ge=1, le=1_000, description="Dated steps a person and working day")
    sheet: str | None = None
    said: dict[str, str] = Field(
        default_factory=dict, description="By column_key, what a person said a column is"
    )
    mapping: dict[str, str] = Field(default_factory=dict, description="By column, what it was read as")
    header_row: int = 0


def checked(spec: Spec, company: Company) -> Spec:
    """Return what was asked for with its heap named. Raises ActRefused for a heap that is none, or would route."""
    heap = spec.heap
    if heap is None and (spec.route or _cadence(company) is None):
        heap = f"queue:{company.default_queue}"
    elif heap is None:
        heap = f"nurture:{_cadence(company)}"
    kind, _, name = heap.partition(":")
    known: dict[str, Collection[str]] = {
        "queue": company.units,
        "pool": company.pools,
        "nurture": {one.code for one in company.choices_of("nurture")},
    }
    if name not in known.get(kind, ()):
        raise ActRefused(
            "unknown_heap", f"{heap!r} is no heap: write queue:UNIT, pool:POOL or nurture:CADENCE."
        )
    if kind == "queue" and not spec.route and _shares_out(company, name):
        raise ActRefused(
            "heap_routes",
            f"The people of {name} would get what waits there at once; name a pool, nurture:…, or a unit without people.",
        )
    return spec.model_copy(update={"heap": heap})


def _cadence(company: Company) -> str | None:
    return next((one.code for one in company.choices_of("nurture")), None)


def _shares_out(company: Company, unit_id: str) -> bool:
    return any(one.unit_id == unit_id and one.to_us is None and one.share for one in company.members)


@dataclass
class Aside:
    """Dated steps, spread over the working days of whoever will have them: `counts` says how many each has so far."""

    spec: Spec
    office: Office
    from_us: int
    """When the list was brought: the first step is due on the working day after."""
    counts: dict[str, int] = field(default_factory=dict)
    _days: dict[tuple[str, int], int] = field(default_factory=dict)

    @property
    def may_be_due(self) -> bool:
        """Tell whether any row can get a dated step."""
        return self.spec.horizon_days is not None or (self.spec.heap or "").startswith("nurture:")

    def meta_of(self, row: Imported) -> dict[str, str]:
        """Return what is to be noted of a row whose customer gets a dated step; nothing for all others."""
        if row.kind == "leads" and row.route:
            return {}
        kind, _, name = (self.spec.heap or "").partition(":")
        named = person_called(self.office.company, row.owner) if row.owner else None
        here = named if named is not None and self.office.works_here(named) else None
        horizon = self.spec.horizon_days
        known = [one for one in (row.last_us, row.since_us) if one is not None]
        is_old = horizon is not None and bool(known) and max(known) < self.from_us - horizon * DAY_US
        if not is_old and (here is not None or kind != "nurture"):
            return {}
        cadence = name if kind == "nurture" else str(_cadence(self.office.company))
        whose = here or (name if kind == "queue" else self.office.company.default_queue)
        return {"wakes": str(self._next(whose, is_person=here is not None)), "cadence": cadence}

    def _next(self, whose: str, *, is_person: bool) -> int:
        count = self.counts.get(whose, 0)
        self.counts[whose] = count + 1
        people = 1 if is_person else max(1, len(self.office.members.get(whose, ())))
        day = count // (self.spec.per_day * people) + 1
        if (whose, day) not in self._days:
            calendar = self.office.calendar_of_holder(whose)
            before_us = self._days.get((whose, day - 1))
            ends_us = after_working_days(calendar, before_us or self.from_us, day if before_us is None else 1)
            begins_us = next_working(calendar, ends_us) if ends_us is not None else None
            self._days[whose, day] = begins_us or self.from_us + (day + 1) * DAY_US
        return self._days[whose, day]


def spec_of(asked: dict[str, Any], company: Company) -> Spec:
    """Return what was asked for, as sent. Raises ActRefused, and ValueError for what is no such thing."""
    return checked(Spec.model_validate(asked), company)
