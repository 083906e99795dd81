"""Working time of a stretch of days as sorted moments, so that a question is one bisection."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from itertools import accumulate

Span = tuple[int, int]
"""From a moment (included) to a moment (excluded), both in µs since the epoch."""


class Page:
    """The working time between two fixed moments, merged and cut to them. Never changed once made."""

    __slots__ = ("_edges", "_worked_before", "days", "total_us", "unsettled")

    def __init__(
        self,
        work: Iterable[Span],
        days: tuple[Span, ...],
        unsettled: tuple[tuple[int, int, int], ...],
    ) -> None:
        """`work` is sorted and disjoint; `days` are the first and last moment of each working day that
        begins in the page; `unsettled` are (from, to, year) of days that a later notice may still change."""
        spans = tuple(work)
        self._edges = tuple(edge for span in spans for edge in span)
        self._worked_before = tuple(accumulate((end - start for start, end in spans), initial=0))
        self.total_us = self._worked_before[-1]
        self.days = days
        self.unsettled = unsettled

    def works(self, at_us: int) -> bool:
        """Say whether `at_us` is working time."""
        return bisect_right(self._edges, at_us) & 1 == 1

    def next_work(self, at_us: int) -> int | None:
        """Return `at_us` if it is working time, else the next moment that is, or None."""
        position = bisect_right(self._edges, at_us)
        if position & 1:
            return at_us
        return self._edges[position] if position < len(self._edges) else None

    def worked(self, at_us: int) -> int:
        """Return the µs of working time from the start of the page to `at_us`."""
        position = bisect_right(self._edges, at_us)
        done = self._worked_before[position >> 1]
        return done + at_us - self._edges[position - 1] if position & 1 else done

    @property
    def spans(self) -> list[Span]:
        """The stretches of working time, sorted."""
        return list(zip(self._edges[::2], self._edges[1::2], strict=True))

    def moment(self, worked_us: int) -> int:
        """Return the first moment by which `worked_us` (1 to `total_us`) of working time have passed."""
        span = bisect_left(self._worked_before, worked_us) - 1
        return self._edges[2 * span] + worked_us - self._worked_before[span]


def merged(spans: Iterable[Span]) -> list[Span]:
    """Return the union of `spans`, sorted and disjoint; empty ones vanish, touching ones join."""
    result: list[Span] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(end, result[-1][1]))
        else:
            result.append((start, end))
    return result


def without(spans: Iterable[Span], away: Iterable[Span]) -> list[Span]:
    """Return the parts of the disjoint, sorted `spans` that no span of `away` covers."""
    left = list(spans)
    for gone_from, gone_to in away:
        left = [
            part
            for start, end in left
            for part in ((start, min(end, gone_from)), (max(start, gone_to), end))
            if part[0] < part[1]
        ]
    return left
