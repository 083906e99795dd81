"""Where units stand: department, nearest manager, and the people whom codes of people and units mean. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from schemas.company import Company, Unit


def up(company: Company, unit_id: str | None) -> Iterator[Unit]:
    """Yield a unit and those above it, the nearest first."""
    seen = set[str]()
    while unit_id is not None and unit_id not in seen and (unit := company.units.get(unit_id)) is not None:
        seen.add(unit_id)
        yield unit
        unit_id = unit.parent_id


def department_of(company: Company, unit_id: str | None) -> str | None:
    """Return the department or branch that a unit is part of, the nearest one; the unit itself if it is part of none."""
    above = list(up(company, unit_id))
    near = next((one.unit_id for one in above if one.kind in ("department", "branch")), None)
    return near or (above[0].unit_id if above else None)


def manager_of(company: Company, unit_id: str | None) -> str | None:
    """Return the nearest manager of a unit who works here; None if there is none."""
    return next((one.manager_id for one in up(company, unit_id) if works_here(company, one.manager_id)), None)


def works_here(company: Company, person_id: str | None) -> bool:
    """Tell whether a code is that of a person who is still with the company."""
    person = company.people.get(person_id or "")
    return person is not None and person.state == "active"


def people_beside(codes: Collection[str], company: Company) -> tuple[str, ...]:
    """Return the people whom codes mean, in their order: a person who works here, or whoever manages a unit."""
    found = (one if works_here(company, one) else manager_of(company, one) for one in codes)
    return tuple(dict.fromkeys(one for one in found if one is not None))


def is_of(company: Company, holder_id: str, claimant_id: str) -> bool:
    """Tell whether a person or unit is the claimant, or is part of the unit that is."""
    if holder_id == claimant_id:
        return True
    places = [one.unit_id for one in company.members if one.person_id == holder_id and one.to_us is None]
    places += [holder_id] if holder_id in company.units else []
    return any(unit.unit_id == claimant_id for one in places for unit in up(company, one))
