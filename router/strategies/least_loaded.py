"""Least loaded: whoever has the fewest open customers for their share."""

from __future__ import annotations

from collections.abc import Sequence

from router.strategies.candidate import Candidate, Tie, first


def least_loaded(team: Sequence[Candidate], tie: Tie) -> Candidate:
    """Return whoever has the fewest open customers, this one counted, a share: 40 of share 4 are like 10 of share 1."""
    per = 1
    for one in team:
        per *= one.share
    return first(team, lambda one: (one.open + 1) * (per // one.share), tie)
