"""Taking one customer (or contact) apart into two: who goes where, and what each side gets back. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from itertools import pairwise

from enrich.identity import Claim, Join, Pair, group, inherited, owner_by_own_decisions, pair, partings
from enrich.merge import CustomerKind, CustomerState, Holder


@dataclass(frozen=True, slots=True)
class Atom:
    """One atom of what is to be parted, with the lead it was born with and the leads it has now."""

    atom: str
    born_lead: str
    leads: frozenset[str]


@dataclass(frozen=True, slots=True)
class Cut:
    """What a parting says of identities: two sides of atoms, and what has to be written for them.

    `born` are atoms split off from others: the new one, whose place it takes for its leads, and the lead that it is
    born with. `moved` tells for each lead that goes along where it was and where it goes.
    """

    mine: frozenset[str]
    others: frozenset[str]
    born: tuple[tuple[str, str, str], ...] = ()
    moved: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    parted: frozenset[Pair] = frozenset()
    bridges: tuple[Pair, ...] = ()
    """Atoms of one side that nothing else holds together any more."""


def cut(
    atoms: Iterable[Atom],
    side: AbstractSet[str],
    facts: tuple[Mapping[str, int], Iterable[Join], AbstractSet[Pair]],
    make_id: Callable[[str], str],
) -> Cut:
    """Part the leads of `side` from all others of these atoms.

    An atom with leads of both sides is split: it stays with the lead it was born with, and the others get one
    that is born with their first lead (ids of leads sort by time). `facts` are when each atom was born, the joins
    and the partings there are; `make_id` names an atom by the lead that it is born with. The new atom inherits the
    partings of the one it was split off from.
    """
    born_us, joins, parted = facts
    mine, others = set[str](), set[str]()
    born: list[tuple[str, str, str]] = []
    moved: dict[str, tuple[str, str]] = {}
    taken_along: set[Pair] = set()
    for one in sorted(atoms, key=lambda atom: atom.atom):
        here, there = one.leads & side, one.leads - side
        stays_here = one.born_lead in side
        if here and there:
            leaving = there if stays_here else here
            lead_id = min(leaving)
            new = make_id(lead_id)
            born.append((new, one.atom, lead_id))
            moved |= dict.fromkeys(sorted(leaving), (one.atom, new))
            taken_along |= inherited(parted, one.atom, new)
            (others if stays_here else mine).add(new)
            (mine if stays_here else others).add(one.atom)
        else:
            (mine if here else others).add(one.atom)
    said = partings(mine, others)
    inner = [join for join in joins if pair(join.a, join.b) not in said]
    new_born = {new: born_us[of] for new, of, _ in born}
    bridges = [
        two for atoms_of in (mine, others) for two in _bridges(atoms_of, {**born_us, **new_born}, inner)
    ]
    return Cut(
        frozenset(mine),
        frozenset(others),
        tuple(born),
        moved,
        frozenset((said | taken_along) - parted),
        tuple(bridges),
    )


def _bridges(atoms: AbstractSet[str], born_us: Mapping[str, int], joins: Iterable[Join]) -> list[Pair]:
    within = [join for join in joins if join.a in atoms and join.b in atoms]
    names = set(group({atom: born_us[atom] for atom in atoms}, within, frozenset()).values())
    return list(pairwise(sorted(names)))


def components(
    atoms: Iterable[str], joins: Iterable[Join], without: AbstractSet[str]
) -> list[frozenset[str]]:
    """Return into which sets these atoms fall when the joins `without` are taken back, the largest first."""
    listed = sorted(set(atoms))
    left = [
        join
        for join in joins
        if join.join_id not in without and join.a in set(listed) and join.b in set(listed)
    ]
    found: dict[str, set[str]] = {}
    for atom, name in group(dict.fromkeys(listed, 0), left, frozenset()).items():
        found.setdefault(name, set()).add(atom)
    return sorted((frozenset(one) for one in found.values()), key=lambda one: (-len(one), min(one)))


@dataclass(frozen=True, slots=True)
class Given:
    """One recorded decision about a lead: who had its customer by it, and whether it gave or only found them."""

    lead_id: str
    decided_us: int
    decision_id: str
    holder: Holder
    gave: bool


def owner_of(
    leads: AbstractSet[str],
    given: Iterable[Given],
    is_active: Callable[[Holder], bool],
    before: Holder,
) -> tuple[Holder, str | None]:
    """Return who gets a side, and by which decision: what the latest one about its own leads gave it.

    A lead that went to whoever had the customer already was given to nobody by that: it only counts where no
    other decision does. Whoever has left gets nothing back; then it stays with who had the whole.
    """
    own = [one for one in given if one.lead_id in leads]
    for chosen in ([one for one in own if one.gave], own):
        claims = [Claim(one.lead_id, one.decided_us, one.decision_id, one.holder) for one in chosen]
        holder = owner_by_own_decisions(leads, claims)
        if holder is not None:
            latest = max(claims, key=lambda claim: (claim.decided_us, claim.decision_id))
            return (holder, latest.decision_id) if is_active(holder) else (before, None)
    return before, None


def kind_of(says_company: Iterable[bool]) -> CustomerKind:
    """Return what a side is: a company if one of its leads names one."""
    return "company" if any(says_company) else "person"


def state_of(tasks: Sequence[str], before: CustomerState) -> CustomerState:
    """Return whether a side is open, by the states of its own leads' tasks: as before if there never were any."""
    if not tasks:
        return before
    return "open" if "open" in tasks else "closed"


def on_both(mine: AbstractSet[tuple[str, str]], others: AbstractSet[tuple[str, str]]) -> set[tuple[str, str]]:
    """Return the trusted identifiers that leads of both sides gave: they identify neither."""
    return set(mine & others)
