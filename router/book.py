"""The rule book: a decision table (schemas.decision_table) with hit policy FIRST.

Columns that begin with `then_` are what follows: `then_team` (a unit id), `then_respond_within` (minutes of
working time), `then_strategy` (how one of the team is chosen, see `router.strategies`; empty: by turn). `rule` names the row, `note` is for people. Any other column is a condition on that fact.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from router.strategies import StrategyError, strategy_named
from schemas.company import book_version
from schemas.decision_table import Row, Shape, read_rows
from schemas.facts import SCORED_FACTS
from schemas.work import Condition

_SHAPE = Shape(
    "rule", SCORED_FACTS, ("then_team", "then_respond_within", "then_strategy"), needed=("then_team",)
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row, and what follows."""

    row: Row
    team: str
    respond_within_minutes: int | None
    strategy: str | None = None
    """How one of the team is chosen (`router.strategies`); None: by turn."""

    @property
    def rule_id(self) -> str:
        """The row's name."""
        return self.row.name


Found = tuple[Rule, tuple[Condition, ...]]
"""A rule that holds, with the conditions that made it hold."""


@dataclass(frozen=True, slots=True)
class Book:
    """A version of the rule book; the version is the digest of its text."""

    version: str
    rules: tuple[Rule, ...]

    def first(self, facts: Mapping[str, str]) -> Found | None:
        """Return the first rule whose every condition holds, with those conditions; None if none does."""
        for rule in self.rules:
            conditions = rule.row.conditions(facts)
            if conditions is not None:
                return rule, conditions
        return None


def read_book(text: str, teams: frozenset[str] | None = None) -> Book:
    """Read a rule book from CSV. Raises TableError; with `teams`, also for a team that does not exist."""
    return Book(book_version(text), tuple(_rule(row, teams) for row in read_rows(text, _SHAPE)))


def _rule(row: Row, teams: frozenset[str] | None) -> Rule:
    team, minutes = row.cells["then_team"], row.cells.get("then_respond_within", "")
    if teams is not None and team not in teams:
        raise row.wrong("then_team", f"there is no team {team!r}; there are {', '.join(sorted(teams))}")
    if minutes and not minutes.isdecimal():
        raise row.wrong("then_respond_within", f"{minutes!r} is no whole number of minutes")
    strategy = row.cells.get("then_strategy", "") or None
    try:
        strategy_named(strategy)
    except StrategyError as error:
        raise row.wrong("then_strategy", str(error)) from None
    return Rule(row, team, int(minutes) if minutes else None, strategy)
