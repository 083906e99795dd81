"""Choosing one of the people who could have a lead."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Representative:
    """Somebody who can take the lead now, and their share in the team's turn (at least 1)."""

    person_id: str
    share: int


def weighted_turn(
    team: Sequence[Representative], received: Mapping[str, int], tie: Callable[[str], int]
) -> Representative:
    """Return whoever is due earliest: smallest (received + 1) / share.

    Keeps everyone within one lead of their share while all can be chosen. Compared as integers, so that
    every host decides alike. `tie` is a seeded hash of a person for this decision, so that ties favour nobody.
    Source: weighted round robin as Webster/Sainte-Laguë apportionment without its half step (D'Hondt).
    """
    due = team[0]
    for other in team[1:]:
        left = (received.get(other.person_id, 0) + 1) * due.share
        right = (received.get(due.person_id, 0) + 1) * other.share
        if left < right or (left == right and tie(other.person_id) < tie(due.person_id)):
            due = other
    return due
