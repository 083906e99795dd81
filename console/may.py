"""Who may see and do what: one pure decision, for every page and every act. Pure; the gate asks it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal

from schemas.company import Company, Member

Area = Literal["own", "work", "operate"]
"""`own`: pages that show each visitor what is theirs. `work`: tasks and stories that somebody holds.
`operate`: everything else, above all what shows or changes the work of all."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks: a person with a role, or (None, operator) somebody at this machine."""

    person_id: str | None
    role: Literal["sales", "manager", "operator"]
    holders: frozenset[str] = frozenset()
    """People and units whose work they may see."""

    @property
    def sees_all(self) -> bool:
        """Tell whether nothing is kept from them."""
        return self.role == "operator"

    def sees(self, holder_id: str) -> bool:
        """Tell whether they may see the work of a person or unit."""
        return self.sees_all or holder_id in self.holders


AT_THIS_MACHINE = Visitor(None, "operator")


def may(who: Visitor, area: Area, things: Collection[Collection[str]] = ()) -> bool:
    """Tell whether a visitor may have what is asked for.

    In the area `work`, `things` are the holders of each thing asked for: of each, one must be somebody (or
    a unit) whose work they may see. What nobody is known to hold is for operators.
    """
    if who.sees_all or area == "own":
        return True
    if area == "operate" or not things:
        return False
    return all(any(who.sees(holder_id) for holder_id in holders) for holders in things)


def visitor_of(
    company: Company, person_id: str, role: Literal["sales", "manager", "operator"], now_us: int
) -> Visitor | None:
    """Return a person as a visitor; None if they do not work here (any more).

    Sales: themselves and the queues of their own teams. A manager: also every unit that they manage, the
    units below it, the people there, and the pools of these units.
    """
    person = company.people.get(person_id)
    if person is None or person.state != "active":
        return None
    holders = {person_id}
    holders |= {
        one.unit_id for one in company.members if one.person_id == person_id and _is_open(one, now_us)
    }
    if role == "manager":
        units = set(_managed(company, person_id))
        holders |= units
        holders |= {
            one.person_id for one in company.members if one.unit_id in units and _is_open(one, now_us)
        }
        holders |= {one.pool_id for one in company.pools.values() if not units.isdisjoint(one.units)}
    return Visitor(person_id, role, frozenset(holders))


def _managed(company: Company, person_id: str) -> Iterator[str]:
    for unit_id in company.units:
        above, seen = company.units.get(unit_id), set[str]()
        while above is not None and above.unit_id not in seen:
            if above.manager_id == person_id:
                yield unit_id
                break
            seen.add(above.unit_id)
            above = company.units.get(above.parent_id) if above.parent_id else None


def _is_open(member: Member, now_us: int) -> bool:
    return member.from_us <= now_us and (member.to_us is None or now_us < member.to_us)
