"""Which customer a record belongs to: decided by the customer's members together, in three bands.

Not here: which customers are candidates (block.py), what a pair is worth (model.py), where customers are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import Generic, Literal, NamedTuple, TypeVar

from enrich.match.record import Record
from enrich.match.trusted import conflict

Band = Literal["same", "review", "apart"]
Id = TypeVar("Id", bound=Hashable)
Weigh = Callable[[Record, Record], float]
"""Bits for two records being one, prior included."""


class Bands(NamedTuple):
    """From how many bits on two are the same, and from how many a person should look."""

    same: float
    review: float

    def of(self, bits: float) -> Band:
        """Return the band of a weight."""
        return "same" if bits >= self.same else "review" if bits >= self.review else "apart"


@dataclass(frozen=True, slots=True)
class Candidate(Generic[Id]):
    """A customer that shares a key with the record."""

    id: Id
    members: Sequence[Record]
    """Those that stand for it, the likeliest to resemble the record first; `MOST_MEMBERS` are looked at."""
    trusted_ids: frozenset[str] = frozenset()
    """Of all members, also of those that are not shown."""


@dataclass(frozen=True, slots=True)
class Found(Generic[Id]):
    """A candidate and what the record is worth for it."""

    id: Id
    bits: float


@dataclass(frozen=True, slots=True)
class Assignment(Generic[Id]):
    """What becomes of a record."""

    band: Band
    customer: Id | None
    """The customer it joins; None if a new one."""
    bits: float
    joins: tuple[Id, ...] = ()
    """Further customers that are that customer, now that this record is known."""
    review: tuple[Found[Id], ...] = ()
    """Customers that may be the same, likeliest first: for a person to decide."""


MOST_MEMBERS = 8
"""Members looked at of one customer: eight agree or disagree as well as eighty."""
MOST_REVIEWED = 3
CLIP = 10.0
"""Bits of one pair that count in a mean: a thousand to one. More, from one lucky pair, would outvote all others."""


def assign(
    record: Record,
    candidates: Iterable[Candidate[Id]],
    weigh: Weigh,
    bands: Bands,
    own: frozenset[str] = frozenset(),
) -> Assignment[Id]:
    """Decide which customer a record belongs to.

    The likeliest candidate in the band `same` takes it. Others in that band are joined with it only if their
    members and its members resemble each other on average, the record among them: one record that resembles two
    customers is no proof that they are one. `own` are the record's trusted identifiers (trusted.py): who holds another one is apart, whatever the weight.
    """
    possible = (one for one in candidates if not conflict(own, one.trusted_ids))
    weighed = [(weight_of(record, one.members, weigh), one) for one in possible]
    weighed.sort(key=lambda one: -one[0])
    same = [(bits, one) for bits, one in weighed if bits >= bands.same]
    review = tuple(Found(one.id, bits) for bits, one in weighed if bands.review <= bits < bands.same)
    if not same:
        bits = weighed[0][0] if weighed else -CLIP
        return Assignment("review" if review else "apart", None, bits, (), review[:MOST_REVIEWED])
    bits, best = same[0]
    joined, ids = [record, *best.members[:MOST_MEMBERS]], best.trusted_ids | own
    joins: list[Id] = []
    doubtful: list[Found[Id]] = []
    for other_bits, other in same[1:]:
        cross = between(joined, other.members, weigh)
        if cross >= bands.same and not conflict(ids, other.trusted_ids):
            joins.append(other.id)
            joined += other.members[:MOST_MEMBERS]
            ids |= other.trusted_ids
        else:
            doubtful.append(Found(other.id, other_bits))
    return Assignment("same", best.id, bits, tuple(joins), (*doubtful, *review)[:MOST_REVIEWED])


def weight_of(record: Record, members: Sequence[Record], weigh: Weigh) -> float:
    """Return what a record is worth for a customer: the mean over the better half of its members.

    Like a median, this hears neither the one pair that happens to agree, nor the members that say little or are
    out of date. No pair counts beyond `CLIP`.
    """
    if len(members) == 1:
        return clipped(weigh(record, members[0]))
    return mean_of_better_half([weigh(record, one) for one in members[:MOST_MEMBERS]])


def mean_of_better_half(bits: Sequence[float]) -> float:
    """Return the mean of the greater half of some weights, rounded up."""
    better = nlargest((len(bits) + 1) // 2, bits)
    return sum(map(clipped, better)) / len(better)


def between(some: Sequence[Record], others: Sequence[Record], weigh: Weigh) -> float:
    """Return the mean weight of all pairs across two groups, no pair beyond `CLIP`."""
    others = others[:MOST_MEMBERS]
    bits = [clipped(weigh(one, other)) for one in some[:MOST_MEMBERS] for other in others]
    return sum(bits) / len(bits)


def clipped(bits: float) -> float:
    """Return the bits of a pair as they count in a mean."""
    return max(-CLIP, min(CLIP, bits))
