"""Somebody who could have a lead, with the numbers that strategies go by."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Tie = Callable[[str], int]
"""A seeded hash of a person for one decision, so that ties favour nobody."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Somebody who can take the lead now."""

    person_id: str
    share: int
    """In the team's turn, at least 1."""
    received: int = 0
    """Of the team's leads of this grade, in this period."""
    entitled: int = 0
    """To them, by what came while this person could have had it; in parts of a lead (`schemas.shares`)."""
    open: int = 0
    """Open customers of theirs, of all teams."""
    last_us: int = 0
    """When they were last given something by this team; 0: not in this or the last period."""
    matches: int = 0
    """How much of what the lead is about they know."""


Pick = Callable[[Sequence[Candidate], Tie], Candidate]
"""Chooses one of a team, which is not empty."""


def first(team: Sequence[Candidate], number: Callable[[Candidate], int], tie: Tie) -> Candidate:
    """Return whoever has the smallest number; of several whom the hash says."""
    least = min(number(one) for one in team)
    return min((one for one in team if number(one) == least), key=lambda one: tie(one.person_id))
