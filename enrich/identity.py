"""The life of identities: atoms, joins and partings, and the grouping they lead to.

An *atom* is a contact or customer as it was born with one lead. Atoms are never deleted and never renamed.
A join says that two atoms are one; a parting, that two are not. The grouping is a function of the sets of
atoms, joins and partings alone, so it cannot depend on the order in which they came:

    joins are taken in their own order (rank, then id), and one that would bring a parted pair together, even
    through others, is left out.

The id of a group is its oldest atom's. Every other atom is an alias of it; so every id ever given out leads
to where its leads went, after any number of merges and splits.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

Pair = tuple[str, str]

PERSON, MACHINE = 0, 1
"""Whose word a join is. A person's goes first."""


@dataclass(frozen=True, slots=True, order=True)
class Join:
    """Says that two atoms are one; joins of a lower rank are taken first."""

    rank: int
    join_id: str
    a: str
    b: str


def pair(a: str, b: str) -> Pair:
    """Return two ids as an unordered pair."""
    return (a, b) if a < b else (b, a)


def group(born_us: Mapping[str, int], joins: Iterable[Join], parted: AbstractSet[Pair]) -> dict[str, str]:
    """Return each atom's group, named by the group's oldest atom (then smallest id).

    `born_us` are the atoms and when they were born. Joins with an unknown atom raise KeyError.
    """
    members = {atom: [atom] for atom in born_us}
    of = {atom: atom for atom in born_us}
    for join in sorted(joins):
        left, right = of[join.a], of[join.b]
        if left == right or _are_parted(members[left], members[right], parted):
            continue
        if len(members[left]) < len(members[right]):
            left, right = right, left
        for atom in members[right]:
            of[atom] = left
        members[left] += members.pop(right)
    names = {key: min(atoms, key=lambda atom: (born_us[atom], atom)) for key, atoms in members.items()}
    return {atom: names[key] for atom, key in of.items()}


def reach(atoms: Iterable[str], joins: Iterable[Join], parted: AbstractSet[Pair]) -> set[str]:
    """Return every atom whose group a change at `atoms` may alter: all that joins or partings connect to them.

    Regrouping these alone gives the same as regrouping everything.
    """
    near: dict[str, set[str]] = {}
    for a, b in [(join.a, join.b) for join in joins] + list(parted):
        near.setdefault(a, set()).add(b)
        near.setdefault(b, set()).add(a)
    found, todo = set(atoms), list(atoms)
    while todo:
        for atom in near.get(todo.pop(), ()):
            if atom not in found:
                found.add(atom)
                todo.append(atom)
    return found


def partings(side: AbstractSet[str], other: AbstractSet[str]) -> set[Pair]:
    """Return what a person's parting of two sides says: each atom of one is not any atom of the other."""
    return {pair(a, b) for a in side for b in other}


def inherited(parted: AbstractSet[Pair], atom: str, new: str) -> set[Pair]:
    """Return the partings that an atom split off from another takes along: whoever that one is not, it is not."""
    return {pair(new, b if a == atom else a) for a, b in parted if atom in (a, b)}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who got a customer by one recorded decision: the atom of the lead it was about, when, and to whom."""

    atom: str
    decided_us: int
    decision_id: str
    holder: tuple[str, str]


def owner_by_own_decisions(atoms: AbstractSet[str], claims: Iterable[Claim]) -> tuple[str, str] | None:
    """Return the holder that the latest decision about the leads of these atoms gave; None if there is none.

    This is what a side gets back at an unmerge: what was decided about the other side's leads does not count.
    """
    own = [claim for claim in claims if claim.atom in atoms]
    return max(own, key=lambda claim: (claim.decided_us, claim.decision_id)).holder if own else None


def merged_owner(
    sides: Mapping[str, tuple[tuple[str, str], int]], is_active: AbstractSet[str]
) -> tuple[tuple[str, str], set[str]]:
    """Return who owns a merged customer, and which persons of the other sides become collaborators.

    `sides` maps each merging customer to its holder (kind, id) and since when. A person still with the company
    goes before a queue or pool, these before what is put aside, and who has had it longest before the others.
    """

    def rank(customer_id: str) -> tuple[bool, bool, int, str]:
        (kind, holder_id), since_us = sides[customer_id]
        somebody = kind == "person" and holder_id in is_active
        return not somebody, kind == "nurture", since_us, customer_id

    owner = sides[min(sides, key=rank)][0]
    others = {holder for (kind, holder), _ in sides.values() if kind == "person" and holder in is_active}
    return owner, others - {owner[1]}


def _are_parted(left: list[str], right: list[str], parted: AbstractSet[Pair]) -> bool:
    return bool(parted) and any(pair(a, b) in parted for a in left for b in right)
