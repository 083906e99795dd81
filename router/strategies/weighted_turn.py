"""By turn: everybody gets their share of what came while they could have had it."""

from __future__ import annotations

from collections.abc import Sequence

from router.strategies.candidate import Candidate, Tie
from schemas.shares import LEAD, parts_of

_ROUNDED = LEAD // 1_000_000
"""What sums of rounded parts may be off by: two that differ by less are equal. Those that really differ do so by at
least 1 / (sum of shares)."""


def weighted_turn(team: Sequence[Candidate], tie: Tie) -> Candidate:
    """Among those below their share, whoever is due earliest: smallest (received + 1 - entitled) / share.

    While the same people can be chosen, that is (received + 1) / share, and nobody is ever a whole lead above or
    below what they are entitled to. Whoever joins, or comes back, is entitled to nothing that came without them, so
    that they catch up with nothing. In whole numbers, so that every host decides alike.
    Sources: the quota method of Balinski and Young (1975), which this is while nobody comes or goes; earliest
    eligible virtual deadline first (Stoica and Abdel-Wahab 1995) for those who do.
    """
    if len(team) == 1:
        return team[0]
    parts = parts_of([one.share for one in team])
    below = [
        one
        for one, part in zip(team, parts, strict=True)
        if one.received * LEAD + _ROUNDED < one.entitled + part
    ]
    due: Candidate | None = None
    for one in below or team:
        if due is None:
            due = one
            continue
        left, right = _wait(one) * due.share, _wait(due) * one.share
        close = _ROUNDED * (one.share + due.share)
        if left < right - close or (abs(left - right) <= close and tie(one.person_id) < tie(due.person_id)):
            due = one
    assert due is not None
    return due


def _wait(one: Candidate) -> int:
    """Return by how much one is entitled to too little for the next lead, in parts of it."""
    return (one.received + 1) * LEAD - one.entitled
