"""Making two customers (or two contacts) one: what speaks against it, and what the merged one is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Literal, cast

from enrich.identity import merged_owner
from schemas.work import HolderKind

UNIQUE_KINDS = frozenset({"tax_id", "national_id"})
"""Identifiers of which one person or company has one: two that differ are two people or companies."""

CustomerKind = Literal["person", "company"]
CustomerState = Literal["open", "closed"]
Holder = tuple[str, str]
"""Kind and id of whoever has a customer."""


def kind_of_holder(holder: Holder) -> HolderKind:
    """Return the kind of a holder as read from the store, which allows no other."""
    return cast(HolderKind, holder[0])


@dataclass(frozen=True, slots=True)
class Side:
    """One of the customers to be merged, under its present id."""

    customer_id: str
    kind: CustomerKind
    state: CustomerState
    holder: Holder
    since_us: int
    collaborators: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Merged:
    """What becomes of the sides: who has the one that is left, and who works on it beside them."""

    holder: Holder
    collaborators: tuple[str, ...]
    kind: CustomerKind
    state: CustomerState


def conflicts(
    one: Mapping[str, AbstractSet[str]], other: Mapping[str, AbstractSet[str]]
) -> tuple[tuple[str, str, str], ...]:
    """Return the trusted identifiers by which two cannot be one: (kind, of the one, of the other).

    Both map a kind to the trusted values that the leads of a side gave. A side with several has been merged
    before, or has got a new one: as long as one value is the same on both, nothing speaks against it.
    """
    found = []
    for kind in sorted(UNIQUE_KINDS):
        mine, theirs = one.get(kind, frozenset()), other.get(kind, frozenset())
        if mine and theirs and not mine & theirs:
            found.append((kind, min(mine), min(theirs)))
    return tuple(found)


def merge(sides: Iterable[Side], is_active: AbstractSet[str]) -> Merged:
    """Return what the merged customer is.

    The person still here who has had one of the sides longest has it; the owners and collaborators of the others
    work on it beside them. It is a company if one of them was, and open if one of them was.
    """
    listed = list(sides)
    holder, others = merged_owner({one.customer_id: (one.holder, one.since_us) for one in listed}, is_active)
    beside = others | {
        person
        for one in listed
        for person in one.collaborators
        if person in is_active and person != holder[1]
    }
    return Merged(
        holder=holder,
        collaborators=tuple(sorted(beside)),
        kind="company" if any(one.kind == "company" for one in listed) else "person",
        state="open" if any(one.state == "open" for one in listed) else "closed",
    )
