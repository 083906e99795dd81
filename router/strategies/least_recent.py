"""Least recently assigned: whoever has waited longest since the team last gave them something."""

from __future__ import annotations

from collections.abc import Sequence

from router.strategies.candidate import Candidate, Tie, first


def least_recent(team: Sequence[Candidate], tie: Tie) -> Candidate:
    """Return whoever was given something longest ago, never first."""
    return first(team, lambda one: one.last_us, tie)
