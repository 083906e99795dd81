"""Whether a source's events are still tried: counts in, verdict out. Pure; `stream.watch` keeps the counts.

One sender gone wrong (a form rebuilt, a column moved) must not fill the dead letters with what will be fine once the
cause is put right. Everybody failing at once is no sender's doing: then the stage stops.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["go_on", "hold", "stop"]


SHARE = 0.8
"""Of what was tried. A changed form or a moved column makes nearly everything fail; while one in five can still be
read, those leads are worth more than the quiet. And a stranger who wants a form's leads held has to send four bad posts for
each good one."""
WINDOW_US = 3_600_000_000
"""An hour: long enough for a source of a few leads a quarter of an hour to be judged at all, short enough that what
went well yesterday does not hide what fails now."""
MINIMUM = 20
"""Tries before there is a share to speak of: fewer are one sender's bad afternoon, and soon repaired by hand."""


@dataclass(frozen=True, slots=True)
class Policy:
    """When a source has failed too often."""

    share: float = SHARE
    window_us: int = WINDOW_US
    minimum: int = MINIMUM


@dataclass(frozen=True, slots=True)
class Count:
    """What was tried of a source within the window, and how much of it was refused."""

    tried: int = 0
    refused: int = 0


def fails(policy: Policy, count: Count) -> bool:
    """Tell whether too large a share was refused, of enough to say so."""
    return count.tried >= policy.minimum and count.refused >= policy.share * count.tried


@dataclass(frozen=True, slots=True)
class Sources:
    """Which sources fail, of those that were heard of within the window."""

    failing: frozenset[str]
    heard: frozenset[str]

    @property
    def are_mostly_failing(self) -> bool:
        """More than half, and at least two: of a single source nobody knows whether it or the world is at fault."""
        return len(self.failing) >= 2 and 2 * len(self.failing) > len(self.heard)


def survey(policy: Policy, counts: Mapping[str, Count], opened: Collection[str]) -> Sources:
    """Look over all sources: `counts` within the window, and those whose breaker `opened` within it."""
    failing = {one for one, count in counts.items() if fails(policy, count)}
    heard = {one for one, count in counts.items() if count.tried}
    return Sources(frozenset(failing | set(opened)), frozenset(heard | set(opened)))


def judge(policy: Policy, source_id: str, counts: Mapping[str, Count], opened: Collection[str]) -> Verdict:
    """Return what a refusal of `source_id` leads to; for `counts` and `opened` see `survey`."""
    if not fails(policy, counts.get(source_id, Count())):
        return "go_on"
    return "stop" if survey(policy, counts, opened).are_mostly_failing else "hold"
