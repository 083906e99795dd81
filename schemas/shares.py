"""How one lead is shared out among those who could have had it: what each is entitled to of it. Pure.

A lead counts as `LEAD` parts, so that thousands of them add up in whole numbers, and to exactly as many leads.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAD = 1_000_000_000_000
"""Parts of one lead. After a hundred thousand leads nobody's sum is off by more than a ten-millionth of a lead, and a
64-bit number holds nine million leads."""


def parts_of(shares: Sequence[int]) -> list[int]:
    """Return how many parts of one lead each of these shares (not all 0) is entitled to; together they are LEAD."""
    total, below, parts = sum(shares), 0, []
    passed = 0
    for share in shares:
        passed += share
        upto = passed * LEAD // total
        parts.append(upto - below)
        below = upto
    return parts
