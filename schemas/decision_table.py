"""Decision tables in the DMN shape, read from CSV: a row a rule, a column a condition, a cell a unary test.

A cell is one of (OMG DMN 1.4, S-FEEL subset):

    (empty) or -          anything
    web                   equal; so is "web"
    web, email            one of
    not(web, email)       none of
    >= 10   < 5   [1..9]  numbers
    上海*                  starts with
    null   not(null)      unknown, known

The rule book, the lead score and the segments are such tables; they differ in what a row leads to.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from schemas.work import Condition

Test = Callable[[str], bool]


class TableError(ValueError):
    """The table cannot be used. The message names line, column, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, the conditions that are not `anything`, and its other cells."""

    name: str
    line: int
    tests: tuple[tuple[str, str, Test], ...]
    cells: Mapping[str, str]

    def conditions(self, facts: Mapping[str, str]) -> tuple[Condition, ...] | None:
        """Return the conditions if all of them hold for these facts, else None."""
        if not all(test(facts[column]) for column, _, test in self.tests):
            return None
        return tuple(
            Condition(column=column, test=cell, value=facts[column]) for column, cell, _ in self.tests
        )

    def wrong(self, column: str, text: str) -> TableError:
        """Return the error that says what is wrong with one of the other cells."""
        return TableError(f"line {self.line}, column {column!r}: {text}")


@dataclass(frozen=True, slots=True)
class Shape:
    """What a table may have: the column that names a row, the facts to ask about, and its results.

    `needed` are those results without which a row says nothing; `note` may always stand there.
    """

    name: str
    facts: Collection[str]
    results: tuple[str, ...]
    needed: tuple[str, ...] = ()


def read_rows(text: str, shape: Shape) -> list[Row]:
    """Read a table. Raises TableError for what is no such table, and for a name that stands twice."""
    reader = csv.DictReader(io.StringIO(text.lstrip("\ufeff")))
    columns = reader.fieldnames or []
    for column in (shape.name, *shape.needed):
        if column not in columns:
            raise TableError(f"line 1: column {column!r} is missing; found {', '.join(columns) or 'nothing'}")
    for column in columns:
        if column not in (shape.name, *shape.facts, *shape.results, "note"):
            raise TableError(
                f"line 1: column {column!r} is unknown; conditions are {', '.join(shape.facts)}; "
                f"results are {', '.join(shape.results)}"
            )
    rows: dict[str, Row] = {}
    for cells in reader:
        if not any((cell or "").strip() for cell in cells.values() if not isinstance(cell, list)):
            continue
        row = _row(cells, reader.line_num, shape)
        if row.name in rows:
            raise TableError(
                f"line {row.line}: {shape.name} {row.name!r} stands already in line {rows[row.name].line}"
            )
        rows[row.name] = row
    return list(rows.values())


def _row(cells: dict[str, str], line: int, shape: Shape) -> Row:
    if None in cells or None in cells.values():
        raise TableError(
            f"line {line}: the number of cells differs from the header; quote cells with a comma"
        )
    plain = {column: cell.strip() for column, cell in cells.items()}
    name = plain.pop(shape.name)
    if not name:
        raise TableError(f"line {line}: column {shape.name!r} is empty; give the {shape.name} a name")
    tests = tuple(
        (column, cell, _test(cell, line, column))
        for column in shape.facts
        if (cell := plain.pop(column, "")) not in ("", "-")
    )
    return Row(name, line, tests, plain)


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
    if not cell or cell[0] in "<>[(" or cell.count('"') % 2:
        raise TableError(
            f"line {line}, column {column!r}: cannot read {cell!r}; write a value, a list a, b, "
            "not(a, b), >= 10 or [1..9]"
        )
    wanted = [one.strip() for one in cell.split(",") if one.strip()]
    wanted = ["" if one == "null" else one.strip('"') for one in wanted]
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
