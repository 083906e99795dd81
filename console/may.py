"""Who may see and do what: one pure decision, for every page and every act. Pure; the gate asks it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from console.permits import Permit, permit_of
from schemas.company import Company, Member, Role, stood_in_for

_SEE_ALL: frozenset[Role] = frozenset({"operations", "auditor", "marketing"})
"""Roles whose permits are not narrowed to a part of the organisation."""
_WORKS: frozenset[Role] = frozenset({"representative", "manager"})
"""Roles that have customers to call, or people who do."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Whoever asks: a person with their roles, or (None, operations) somebody at this machine."""

    person_id: str | None
    roles: frozenset[Role]
    holders: frozenset[str] = frozenset()
    """People and units whose work is theirs to see and do."""
    stands_for: frozenset[str] = frozenset()
    """Who is away now while they stand in: what is those people's own is theirs to see and to work on, as a representative
    would; not to give away, and nothing that is not the representative's."""
    acting: frozenset[Role] | None = None
    """Of their roles those that let them have what they ask for now: the others widen nothing on that page."""
    scopes: frozenset[str] | None = None
    """The only parts of the API that their token opens (`console.permits.scope_of`); None: it is not narrowed so."""

    @property
    def actor(self) -> str:
        """Return who does what they do: the person, else whoever operates this machine, as at the command line."""
        return self.person_id or "operator"

    @property
    def as_role(self) -> Role | None:
        """Return the one role in which they do what they do, as a token may be narrowed to; None: in all that they have."""
        return next(iter(self.roles)) if self.person_id is not None and len(self.roles) == 1 else None

    @property
    def acting_as(self) -> dict[str, str]:
        """Return who does what they do, and in which one role, as a host is told."""
        return {"actor": self.actor} | ({"acting_role": self.as_role} if self.as_role else {})

    @property
    def looks_after(self) -> frozenset[str]:
        """Return whose customers they look after: of those they see, and of those for whom they stand in."""
        return self.holders | self.stands_for

    @property
    def sees_all(self) -> bool:
        """Tell whether lists are not narrowed to a part of the organisation for them."""
        return not _SEE_ALL.isdisjoint(self.roles if self.acting is None else self.acting)

    def opens(self, path: str) -> bool:
        """Tell whether a page is for one of their roles: what their menu shows."""
        return self.person_id is None or not self.roles.isdisjoint(permit_of("GET", path)[0].roles)

    def acts(self, path: str) -> bool:
        """Tell whether an act is for one of their roles: which buttons a page shows."""
        return self.person_id is None or not self.roles.isdisjoint(permit_of("POST", path)[0].roles)

    def reveals(self) -> bool:
        """Tell whether they may have masked numbers shown, giving a reason."""
        return not self.roles.isdisjoint(permit_of("POST", "/reveal/x")[0].roles)

    def sees(self, holder_id: str) -> bool:
        """Tell whether they may see the work of a person or unit."""
        return self.sees_all or holder_id in self.holders

    def knows(self, holder_id: str) -> bool:
        """Tell whether they may see the customers of a person or unit, if only as long as they stand in for them."""
        return self.sees_all or holder_id in self.looks_after

    def reads_clearly(self, things: Collection[Collection[str]] = ()) -> bool:
        """Tell whether they see telephone numbers in full, of things that these hold.

        Who works with customers sees nothing but their own, and calls them. Whoever sees more than that sees numbers
        masked, where it is not theirs to call.
        """
        if self.person_id is None or self.roles <= _WORKS:
            return True
        return bool(things) and all(not self.looks_after.isdisjoint(holders) for holders in things)


AT_THIS_MACHINE = Visitor(None, frozenset({"operations"}))


def may(who: Visitor, permit: Permit, things: Collection[Collection[str]] = ()) -> bool:
    """Tell whether a visitor may have what is asked for under a permit.

    `things` are the holders of each thing asked for, where the permit is `of` something: of each, one must be
    somebody (or a unit) whose work they may see; where a representative may, also somebody for whom they stand in.
    What nobody is known to hold is for those who see all.
    """
    roles = who.roles & permit.roles
    if not roles:
        return False
    if not permit.of or not _SEE_ALL.isdisjoint(roles):
        return True
    theirs = who.looks_after if "representative" in permit.roles else who.holders
    return bool(things) and all(not theirs.isdisjoint(holders) for holders in things)


def roles_of(company: Company, person_id: str) -> frozenset[Role]:
    """Return a person's roles: as people.csv has them, else manager for who manages a unit, else representative."""
    person = company.people.get(person_id)
    if person is not None and person.roles:
        return frozenset(person.roles)
    manages = any(unit.manager_id == person_id for unit in company.units.values())
    return frozenset({"manager"} if manages else {"representative"})


def visitor_of(company: Company, person_id: str, role: Role | None, now_us: int) -> Visitor | None:
    """Return a person as a visitor, in one role or (None) in all that they have now.

    None if they do not work here (any more). A representative's: themselves and the queues of their own teams. A
    manager's: also every unit that they manage, the units below it, the people there, and the pools of these units.
    """
    person = company.people.get(person_id)
    if person is None or person.state != "active":
        return None
    roles = roles_of(company, person_id) if role is None else frozenset({role})
    holders, stands_for = {person_id}, frozenset[str]()
    if not roles.isdisjoint(_WORKS):
        holders |= teams_of(company, person_id, now_us)
        stands_for = stood_in_for(company, person_id, now_us)
    if "manager" in roles:
        units = managed_units(company, person_id)
        holders |= units
        holders |= {
            one.person_id for one in company.members if one.unit_id in units and _is_open(one, now_us)
        }
        holders |= {one.pool_id for one in company.pools.values() if not units.isdisjoint(one.units)}
    return Visitor(person_id, roles, frozenset(holders), stands_for)


def teams_of(company: Company, person_id: str | None, now_us: int) -> set[str]:
    """Return the units that a person belongs to at a moment, whose waiting queues they may take from."""
    return {one.unit_id for one in company.members if one.person_id == person_id and _is_open(one, now_us)}


def holders_in(company: Company, unit_id: str, now_us: int) -> set[str]:
    """Return a unit and the units below it, the people there now, and the pools of these units: who can have customers."""
    units = {one for one in company.units if unit_id in _up(company, one)}
    people = {one.person_id for one in company.members if one.unit_id in units and _is_open(one, now_us)}
    pools = {one.pool_id for one in company.pools.values() if not units.isdisjoint(one.units)}
    return units | people | pools


def _up(company: Company, unit_id: str) -> Iterator[str]:
    """Yield a unit, the one above it, and so on."""
    above, seen = company.units.get(unit_id), set[str]()
    while above is not None and above.unit_id not in seen:
        yield above.unit_id
        seen.add(above.unit_id)
        above = company.units.get(above.parent_id) if above.parent_id else None


def managed_units(company: Company, person_id: str | None) -> set[str]:
    """Return the units that a person manages, and all below them."""
    return {
        unit_id
        for unit_id in company.units
        if person_id is not None
        and any(company.units[above].manager_id == person_id for above in _up(company, unit_id))
    }


def _is_open(member: Member, now_us: int) -> bool:
    return member.from_us <= now_us and (member.to_us is None or now_us < member.to_us)
