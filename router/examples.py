"""Pinned examples: leads of which somebody has said where they must go, beside the rule book as rows of facts.

`example` names a row, `expect_team` is the unit that must get it, or `pool:ID` (`-`: no rule may take it), `lead` the id of the lead it was
made from, `note` is for people. Any other column is a fact; what stands nowhere is unknown.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from router.book import Book
from schemas.decision_table import Row, Shape, TableError, Wrong, try_rows
from schemas.facts import SCORED_FACTS
from schemas.unary import Exactly, FactKind, UnreadableTest, Within, read_test

TABLE = "examples"
NOBODY = "-"
COLUMNS = ("expect_team", "lead", *SCORED_FACTS)
_SHAPE = Shape("example", {}, COLUMNS, needed=("expect_team",))


@dataclass(frozen=True, slots=True)
class Example:
    """One pinned lead: its facts, and the team it must go to; None if no rule may take it."""

    row: Row
    facts: Mapping[str, str]
    team: str | None


def read_examples(text: str) -> tuple[Example, ...]:
    """Read examples from CSV. Raises TableError with everything that is wrong."""
    rows, wrong = try_rows(text, _SHAPE)
    for row in rows:
        wrong += _wrong(row)
    if wrong:
        raise TableError([one.within(TABLE) for one in wrong])
    return tuple(_example(row) for row in rows)


def failures(book: Book, examples: tuple[Example, ...]) -> Iterator[Wrong]:
    """Yield each example that a book sends elsewhere."""
    for one in examples:
        found = book.first(one.facts)
        got = found[0].goes_to if found else None
        if got == one.team:
            continue
        rule = found[0].rule_id if found else None
        en = f"rule {rule} sends it to {got}" if rule else "no rule takes it"
        zh = f"规则 {rule} 将其分给 {got}" if rule else "没有规则接收它"
        expected = one.team or "no rule"
        name = one.row.name
        yield one.row.wrong(
            "expect_team",
            f"example {name} must go to {expected}, and {en}",
            f"示例 {name} 应分给 {one.team or '（无规则）'}，而{zh}",
        ).within(TABLE)


def _example(row: Row) -> Example:
    team = row.cells["expect_team"]
    facts = {fact: _fact(row.cells.get(fact, ""), kind) for fact, kind in SCORED_FACTS.items()}
    return Example(row, facts, None if team == NOBODY else team)


def _fact(cell: str, kind: FactKind) -> str:
    return {"是": "yes", "否": "no"}.get(cell, cell) if kind == "yes_no" else cell


def _wrong(row: Row) -> Iterator[Wrong]:
    if not row.cells["expect_team"]:
        yield row.wrong(
            "expect_team",
            "this is empty; write a team, or - for no rule",
            "不能为空；请填写团队，或用 - 表示无规则接收",
        )
    for fact, kind in SCORED_FACTS.items():
        cell = row.cells.get(fact, "")
        if not cell or kind == "text":
            continue
        try:
            test = read_test(cell, kind)
        except UnreadableTest as error:
            yield row.wrong(fact, error.en, error.zh)
            continue
        if test is None or test.negated or len(test.items) != 1 or not _is_one_value(test.items[0]):
            yield row.wrong(fact, f"{cell!r} is no single value", f"{cell} 不是单个值")


def _is_one_value(item: object) -> bool:
    return isinstance(item, Exactly) or (isinstance(item, Within) and item.low == item.high)


def with_example(
    text: str | None, name: str, team: str | None, facts: Mapping[str, str], lead_id: str = ""
) -> str:
    """Return a table of examples with one more row: what is known of a lead, and the team it must go to.

    Raises TableError if the table cannot be read, or has an example of this name.
    """
    table = text if text is not None else "example,expect_team,lead\n"
    reader = csv.DictReader(io.StringIO(table.lstrip("\ufeff"), newline=""))
    known = {fact: value for fact, value in facts.items() if value}
    columns = [*(reader.fieldnames or ()), *(fact for fact in known if fact not in (reader.fieldnames or ()))]
    row = {"example": name, "expect_team": team or NOBODY, "lead": lead_id, **known}
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows([*reader, row])
    read_examples(out.getvalue())
    return out.getvalue()
