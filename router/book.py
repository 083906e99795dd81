"""The rule book: decision tables (schemas.decision_table) with hit policy FIRST, of which one may send on to another.

Columns that begin with `then_` are what follows: `then_team` (a unit id), `then_respond_within` (minutes of working
time), `then_strategy` (how one of the team is chosen, see `router.strategies`; empty: by turn), `then_table` (another table of the book goes on from here), and what `router.besides` reads. `rule` names
the row, `note` is for people. `then_pool` puts it into an open pool instead of giving it to a team. Any other column is a condition on that fact.

A row that sends on says with its other results what holds where the other table leaves them open: what a later table
says counts before what an earlier one said, and its `then_team` gets what no row of the later table takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter

from router.besides import NOTHING, Besides, besides_of, wrong_besides
from router.besides import RESULTS as _BESIDES
from router.strategies import StrategyError, strategy_named
from schemas.company import book_version
from schemas.decision_table import Row, Shape, TableError, Wrong, try_rows
from schemas.facts import SCORED_FACTS
from schemas.table_index import first_of
from schemas.unary import UnaryTest
from schemas.work import Condition

MAIN = ""
"""The table in which every lead begins: rules.csv."""
POOL = "pool:"
"""What stands before a pool's code where a team's or a person's could stand, too."""
_RESULTS = ("then_team", "then_pool", "then_strategy", "then_respond_within", "then_table", *_BESIDES)
SHAPE = Shape("rule", SCORED_FACTS, _RESULTS)
_TEAM_MISSING = (
    "this is empty; write a team, a pool, or a table that goes on from here",
    "不能为空；请填写团队、公海，或填写由哪张表继续",
)
_POOL_ALONE = (
    "it cannot go into a pool and to a team, or by a strategy; write one of them",
    "不能既放入公海又分给团队或指定分配方式；请只填一种",
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One row, and what follows."""

    row: Row
    team: str
    respond_within_minutes: int | None
    strategy: str | None = None
    goes_on: str | None = None
    """The table that takes it from here."""
    table: str = MAIN
    """The table in which it stands."""
    pool: str | None = None
    """The open pool into which it goes; there is no team then."""
    besides: Besides = NOTHING

    @property
    def rule_id(self) -> str:
        """The row's name, with its table's before it unless that is the first: `east/pallet`."""
        return f"{self.table}/{self.row.name}" if self.table else self.row.name

    @property
    def goes_to(self) -> str:
        """Where it sends a lead: its team, or `pool:ID`; empty if it only sends it on."""
        return f"{POOL}{self.pool}" if self.pool else self.team

    def results(self) -> dict[str, str]:
        """Return what follows, as it is written, by column."""
        return {name: cell for name in _RESULTS if (cell := self.row.cells.get(name, ""))}


Found = tuple[Rule, tuple[Condition, ...]]
"""A rule that holds, with the conditions that made it hold."""

Decided = tuple[Rule, tuple[tuple[str, str, UnaryTest], ...], tuple[str, ...]]
"""A rule that holds, the tests that made it hold, and the value each held for."""


class Table:
    """One table of a book, compiled."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        tests = [rule.row.tests for rule in rules]
        self.found = first_of(tests, [(rule, rule.row.tests, _values_of(rule)) for rule in rules])

    def first(self, facts: Mapping[str, str]) -> Decided | None:
        """Return the first rule that holds, and why; None if none does."""
        found = self.found(facts)
        if found is None:
            return None
        rule, tests, values = found
        return rule, tests, values(facts)


class Book:
    """A version of the rule book; the version is the digest of its text."""

    def __init__(self, version: str, tables: Mapping[str, Sequence[Rule]]) -> None:
        self.version = version
        self.tables = {name: Table(rules) for name, rules in tables.items()}
        self._begin = self.tables[MAIN].found
        self.meets_owners = any(rule.besides.if_owned for rule in self.rules)
        """Some rule says what becomes of a customer that another department has."""

    @property
    def rules(self) -> Iterator[Rule]:
        """Every rule of every table, the first table first."""
        return (rule for table in self.tables.values() for rule in table.rules)

    def first(self, facts: Mapping[str, str]) -> Found | None:
        """Return the first rule whose every condition holds, with those conditions; None if none does."""
        decided = self.decide(facts)
        if decided is None:
            return None
        rule, tests, values = decided
        return rule, tuple(
            Condition(column=column, test=cell, value=value)
            for (column, cell, _), value in zip(tests, values, strict=True)
        )

    def decide(self, facts: Mapping[str, str]) -> Decided | None:
        """Return the same as `first` as plain tuples."""
        found = self._begin(facts)
        if found is None:
            return None
        rule, tests, values = found
        if rule.goes_on is None:
            return rule, tests, values(facts)
        return self._sent_on((rule, tests, values(facts)), facts)

    def _sent_on(self, decided: Decided, facts: Mapping[str, str]) -> Decided | None:
        rule, tests, values = decided
        while rule.goes_on is not None:
            following = self.tables[rule.goes_on].first(facts)
            if following is None:
                return (rule, tests, values) if rule.goes_to else None
            rule = _continued(rule, following[0])
            tests, values = tests + following[1], values + following[2]
        return rule, tests, values


def _values_of(rule: Rule) -> Callable[[Mapping[str, str]], tuple[str, ...]]:
    """Return what takes the values that a rule asks about out of facts."""
    columns = [column for column, _, _ in rule.row.tests]
    if len(columns) > 1:
        return itemgetter(*columns)
    return lambda facts: tuple(facts[column] for column in columns)


def _continued(earlier: Rule, rule: Rule) -> Rule:
    """Return a rule of a later table with what an earlier one said where this one says nothing."""
    minutes = rule.respond_within_minutes
    return replace(
        rule,
        team=rule.team if rule.goes_to else earlier.team,
        pool=rule.pool if rule.goes_to else earlier.pool,
        respond_within_minutes=earlier.respond_within_minutes if minutes is None else minutes,
        strategy=None if rule.pool else rule.strategy or earlier.strategy,
        besides=rule.besides.over(earlier.besides),
    )


def read_book(
    text: str,
    teams: Collection[str] | None = None,
    more: Mapping[str, str] | None = None,
) -> Book:
    """Read a rule book from the CSV of its first table and of `more`, by name.

    Raises TableError with everything that is wrong; with `teams`, also for one that does not exist.
    """
    texts = {MAIN: text, **(more or {})}
    wrong: list[Wrong] = []
    tables: dict[str, tuple[Rule, ...]] = {}
    for name, csv in texts.items():
        rows, bad = try_rows(csv, SHAPE)
        wrong += (one.within(name) for one in bad)
        rules = []
        for row in rows:
            wrong += (one.within(name) for one in _wrong(row, teams, texts))
            rules.append(_rule(row, name))
        tables[name] = tuple(rules)
    wrong += _circles(tables)
    if wrong:
        raise TableError(wrong)
    return Book(book_version(text, more or {}), tables)


def readable_rules(text: str, table: str = MAIN) -> list[Rule]:
    """Return the rules of one table as far as they can be read: what a draft says already, while it is being written."""
    rows, _ = try_rows(text, SHAPE)
    return [_rule(row, table) for row in rows]


def _rule(row: Row, table: str) -> Rule:
    cells = row.cells
    minutes = cells.get("then_respond_within", "")
    return Rule(
        row,
        cells.get("then_team", ""),
        int(minutes) if minutes.isdecimal() else None,
        cells.get("then_strategy") or None,
        cells.get("then_table") or None,
        table,
        cells.get("then_pool") or None,
        besides_of(cells),
    )


def _wrong(row: Row, teams: Collection[str] | None, tables: Collection[str]) -> Iterator[Wrong]:
    cells = row.cells
    team, minutes = cells.get("then_team", ""), cells.get("then_respond_within", "")
    goes_on = cells.get("then_table", "")
    try:
        strategy_named(cells.get("then_strategy") or None)
    except StrategyError as error:
        yield row.wrong("then_strategy", str(error), error.zh)
    pool = cells.get("then_pool", "")
    if pool and (team or cells.get("then_strategy")):
        yield row.wrong("then_pool", *_POOL_ALONE)
    if not team and not goes_on and not pool:
        yield row.wrong("then_team", *_TEAM_MISSING)
    for column, value, known, what in (
        ("then_team", team, teams, ("team", "团队")),
        ("then_table", goes_on, [one for one in tables if one], ("table", "规则表")),
    ):
        if value and known is not None and value not in known:
            names = ", ".join(sorted(known)) or "–"
            yield row.wrong(
                column,
                f"there is no {what[0]} {value!r}; there are {names}",
                f"没有 {value} 这个{what[1]}；现有：{names}",
            )
    for column, en, zh in wrong_besides(cells):
        yield row.wrong(column, en, zh)
    if minutes and not (minutes.isdecimal() and minutes.isascii() and 0 < int(minutes) <= _MOST_MINUTES):
        yield row.wrong(
            "then_respond_within",
            f"{minutes!r} is no whole number of minutes",
            f"{minutes} 不是整数分钟（1 至 {_MOST_MINUTES}）",
        )


def _circles(tables: Mapping[str, tuple[Rule, ...]]) -> Iterator[Wrong]:
    """Yield each row that sends a lead to a table from which it could come back."""
    leads_to = {
        name: {rule.goes_on for rule in rules if rule.goes_on in tables} for name, rules in tables.items()
    }
    for name, rules in tables.items():
        for rule in rules:
            if rule.goes_on in tables and (path := _path(leads_to, rule.goes_on, name)) is not None:
                way = " → ".join(one or "rules" for one in (name, *path))
                yield rule.row.wrong(
                    "then_table",
                    f"a lead would go round for ever: {way}",
                    f"线索会无休止地循环：{way}",
                ).within(name)


def _path(leads_to: Mapping[str, Collection[str | None]], start: str | None, end: str) -> list[str] | None:
    """Return the tables from `start` to `end`, both included; None if none leads there."""
    ways: list[list[str]] = [[start or MAIN]]
    seen = {start}
    while ways:
        way = ways.pop()
        if way[-1] == end:
            return way
        for following in sorted(one for one in leads_to[way[-1]] if one is not None and one not in seen):
            seen.add(following)
            ways.append([*way, following])
    return None


_MOST_MINUTES = 525_600
"""A year of working time; more is a slip of the keyboard."""
