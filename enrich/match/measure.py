"""How well a grouping of records agrees with the true one: precision, recall and F1, of pairs and of clusters.

A record whose truth is not known (None) counts nowhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import NamedTuple


class Score(NamedTuple):
    """Shares between 0 and 1."""

    precision: float
    recall: float
    f1: float


class Measured(NamedTuple):
    """Agreement of a grouping with the truth."""

    pairs: Score
    """Of every two records put together, and of every two that belong together: what is called cluster F1 of
    record linkage, because the pairs are those of the whole clusters and not only those that were compared."""
    clusters: Score
    """Of clusters found exactly, no record more or less, single records included."""
    found: int
    """Clusters found."""
    true: int


def measure(truth: Sequence[Hashable | None], found: Sequence[Hashable]) -> Measured:
    """Hold the cluster of each record against the true one; both in the order of the records."""
    known = [(real, put) for real, put in zip(truth, found, strict=True) if real is not None]
    cells = Counter(known)
    true = Counter(real for real, _ in known)
    put = Counter(put for _, put in known)
    both = _pairs(cells.values())
    exact = sum(1 for (real, at), count in cells.items() if count == true[real] == put[at])
    return Measured(
        _score(both, _pairs(put.values()), _pairs(true.values())),
        _score(exact, len(put), len(true)),
        len(put),
        len(true),
    )


def mean(scores: Sequence[Score]) -> Score:
    """Return the mean of each share; of nothing, zeros."""
    count = len(scores) or 1
    return Score(
        sum(one.precision for one in scores) / count,
        sum(one.recall for one in scores) / count,
        sum(one.f1 for one in scores) / count,
    )


def _pairs(counts: Iterable[int]) -> int:
    return sum(count * (count - 1) // 2 for count in counts)


def _score(right: int, found: int, true: int) -> Score:
    """Where nothing was to be found and nothing was, all is well."""
    precision = right / found if found else 1.0
    recall = right / true if true else 1.0
    both = precision + recall
    return Score(precision, recall, 2 * precision * recall / both if both else 0.0)
