"""How one of a team is chosen: a strategy a file, and the names by which rules ask for them.

A strategy may first narrow those who could have the lead (`best_match`: to those who know most of what it is about;
`fixed`: to the person named), then picks one of them; or it leaves it to them for some minutes (`call_now`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from router.strategies.candidate import Candidate, Pick, Tie
from router.strategies.least_loaded import least_loaded
from router.strategies.least_recent import least_recent
from router.strategies.weighted_turn import weighted_turn

__all__ = [
    "CALL_MINUTES",
    "STRATEGIES",
    "Candidate",
    "Strategy",
    "StrategyError",
    "StrategyName",
    "Tie",
    "strategy_named",
]

StrategyName = Literal["weighted_turn", "least_loaded", "least_recent", "best_match", "fixed"]


class StrategyError(ValueError):
    """There is no such strategy; the message says which there are, in both languages."""

    def __init__(self, asked: str) -> None:
        names = ", ".join(STRATEGIES)
        super().__init__(
            f"{asked!r} is no strategy; there are {names}, fixed:<person>, call_now, call_now:<minutes>"
        )
        self.zh = f"没有 {asked} 这种分配方式；现有：{names}、fixed:<人员>、call_now、call_now:<分钟>"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A way to choose one of those who can take a lead."""

    code: StrategyName
    pick: Pick
    number: Callable[[Candidate], int]
    """What it goes by besides share, received and entitled: shown where a decision is explained."""
    by_match: bool = False
    """Only whoever knows most of what the lead is about."""
    person_id: str | None = None
    """Only this person."""
    call_minutes: int | None = None
    """So long the first to take it gets it; after that somebody is picked."""


def _no_number(_one: Candidate) -> int:
    return 0


STRATEGIES: Mapping[str, Strategy] = {
    one.code: one
    for one in (
        Strategy("weighted_turn", weighted_turn, _no_number),
        Strategy("least_loaded", least_loaded, lambda one: one.open),
        Strategy("least_recent", least_recent, lambda one: one.last_us),
        Strategy("best_match", weighted_turn, lambda one: one.matches, by_match=True),
    )
}
"""By the name that a rule gives; `fixed:<person>` names a person besides, `call_now:<minutes>` how long."""

_FIXED = "fixed:"
_CALL_NOW = re.compile(r"call_now(?::([1-9]\d{0,3}))?")
CALL_MINUTES = 5
"""Without a number of its own. Odds to reach and to qualify somebody who asked on the web fall steeply after the first
five minutes (Oldroyd, McElheran and Elkington, The Short Life of Online Sales Leads, Harvard Business Review 3/2011,
and the study of 2007 behind it)."""


def strategy_named(text: str | None) -> Strategy:
    """Return the strategy that a rule asks for; None asks for the turn. Raises StrategyError."""
    if text is None:
        return STRATEGIES["weighted_turn"]
    if text.startswith(_FIXED) and (person_id := text.removeprefix(_FIXED).strip()):
        return Strategy("fixed", weighted_turn, _no_number, person_id=person_id)
    if (call := _CALL_NOW.fullmatch(text)) is not None:
        minutes = int(call[1] or CALL_MINUTES)
        return Strategy("weighted_turn", weighted_turn, _no_number, call_minutes=minutes)
    if text not in STRATEGIES:
        raise StrategyError(text)
    return STRATEGIES[text]


def offered_until(strategy: str | None, since_us: int) -> int:
    """Return until when the first to take a customer gets it, who has been offered to a team since a moment."""
    return since_us + (strategy_named(strategy).call_minutes or 0) * 60_000_000
