"""The rule book: a decision table in the DMN shape, read from CSV, hit policy FIRST.

One rule a row, one condition a column; a cell is a unary test (OMG DMN 1.4, S-FEEL subset):

    (empty) or -          anything
    web                   equal; so is "web"
    web, email            one of
    not(web, email)       none of
    >= 10   < 5   [1..9]  numbers
    上海*                  starts with

Columns that begin with `then_` are what follows: `then_team` (a unit id), `then_respond_within` (minutes of
working time). `rule` names the row, `note` is for people. Any other column is a condition on that fact.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from schemas.company import book_version
from schemas.work import Condition

FACTS = (
    "channel", "source", "campaign", "product_line", "territory", "province", "city", "customer_kind", "language",
    "call_missed", "new_customer", "junk",
)  # fmt: skip
"""What a rule may ask about a resolved lead; every fact is text, empty when unknown."""

_OUTPUTS = ("then_team", "then_respond_within")
_PLAIN = ("rule", "note")

Test = Callable[[str], bool]


class BookError(ValueError):
    """The rule book cannot be used. The message names line, column, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: its name, the conditions that are not `anything`, and what follows."""

    rule_id: str
    line: int
    tests: tuple[tuple[str, str, Test], ...]
    team: str
    respond_within_minutes: int | None


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
            if all(test(facts[column]) for column, _, test in rule.tests):
                return rule, tuple(
                    Condition(column=column, test=cell, value=facts[column]) for column, cell, _ in rule.tests
                )
        return None


def read_book(text: str, teams: frozenset[str] | None = None) -> Book:
    """Read a rule book from CSV. Raises BookError; with `teams`, also for a team that does not exist."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    columns = reader.fieldnames or []
    _check_columns(columns)
    rules = [
        _rule(row, reader.line_num, teams)
        for row in reader
        if any((cell or "").strip() for cell in _cells(row))
    ]
    seen: dict[str, int] = {}
    for rule in rules:
        if rule.rule_id in seen:
            raise BookError(
                f"line {rule.line}: rule {rule.rule_id!r} stands already in line {seen[rule.rule_id]}"
            )
        seen[rule.rule_id] = rule.line
    return Book(book_version(text), tuple(rules))


def _cells(row: Mapping[str | None, str | list[str] | None]) -> list[str]:
    return [cell for cell in row.values() if isinstance(cell, str)]


def _check_columns(columns: Sequence[str]) -> None:
    for needed in ("rule", "then_team"):
        if needed not in columns:
            raise BookError(f"line 1: column {needed!r} is missing; found {', '.join(columns) or 'nothing'}")
    for column in columns:
        if column not in (*FACTS, *_OUTPUTS, *_PLAIN):
            raise BookError(
                f"line 1: column {column!r} is unknown; conditions are {', '.join(FACTS)}; "
                f"results are {', '.join(_OUTPUTS)}"
            )


def _rule(row: dict[str, str], line: int, teams: frozenset[str] | None) -> Rule:
    if None in row or None in row.values():
        raise BookError(f"line {line}: the number of cells differs from the header; quote cells with a comma")
    name = row["rule"].strip()
    if not name:
        raise BookError(f"line {line}: column 'rule' is empty; give the rule a name")
    team = row["then_team"].strip()
    if teams is not None and team not in teams:
        raise BookError(
            f"line {line}, column 'then_team': there is no team {team!r}; there are {', '.join(sorted(teams))}"
        )
    minutes = (row.get("then_respond_within") or "").strip()
    if minutes and not minutes.isdecimal():
        raise BookError(
            f"line {line}, column 'then_respond_within': {minutes!r} is no whole number of minutes"
        )
    tests = tuple(
        (column, cell, _test(cell, line, column))
        for column in FACTS
        if (cell := (row.get(column) or "").strip()) not in ("", "-")
    )
    return Rule(name, line, tests, team, int(minutes) if minutes else None)


_NUMBER = r"-?\d+(?:\.\d+)?"
_COMPARE = re.compile(rf"^(<=|>=|<|>)\s*({_NUMBER})$")
_RANGE = re.compile(rf"^([\[(\]])\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*([\])\[])$")
_NOT = re.compile(r"^not\s*\((.*)\)$")


def _test(cell: str, line: int, column: str) -> Test:
    if match := _NOT.match(cell):
        inner = _test(match[1].strip(), line, column)
        return lambda value: not inner(value)
    if match := _COMPARE.match(cell):
        return _comparison(match[1], float(match[2]))
    if match := _RANGE.match(cell):
        low = _comparison(">=" if match[1] == "[" else ">", float(match[2]))
        high = _comparison("<=" if match[4] == "]" else "<", float(match[3]))
        return lambda value: low(value) and high(value)
    if cell[0] in "<>[(" or cell.count('"') % 2:
        raise BookError(
            f"line {line}, column {column!r}: cannot read {cell!r}; write a value, a list a, b, "
            "not(a, b), >= 10 or [1..9]"
        )
    wanted = [one.strip().strip('"') for one in cell.split(",") if one.strip()]
    exact = frozenset(one for one in wanted if not one.endswith("*"))
    starts = tuple(one[:-1] for one in wanted if one.endswith("*"))
    return lambda value: value in exact or (bool(starts) and value.startswith(starts))


def _comparison(sign: str, bound: float) -> Test:
    def compare(value: str) -> bool:
        try:
            number = float(value)
        except ValueError:
            return False
        match sign:
            case "<":
                return number < bound
            case "<=":
                return number <= bound
            case ">":
                return number > bound
            case _:
                return number >= bound

    return compare
