"""Decision tables in the DMN shape, read from CSV: a row a rule, a column a condition, a cell a unary test.

The rule book, the lead score and the segments are such tables; they differ in what a row leads to. What a cell may
say stands in `schemas.unary`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from schemas.base import Language
from schemas.unary import FactKind, UnaryTest, UnreadableTest, read_test
from schemas.work import Condition


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing wrong in a table: where (a spreadsheet's address where it is one cell), and what to do."""

    en: str
    zh: str
    line: int | None = None
    column: str | None = None
    cell: str | None = None
    """Such as `C7`."""
    table: str = ""
    """Which of several tables; empty for the only or first one."""

    def text(self, language: Language) -> str:
        """Say it in one line."""
        if language == "zh":
            where = (f"第 {self.line} 行" if self.line else "") + (
                f"，{self._named()} 列" if self.column else ""
            )
            return f"{where}：{self.zh}" if where else self.zh
        where = (f"line {self.line}" if self.line else "") + (
            f", column {self._named()}" if self.column else ""
        )
        return f"{where}: {self.en}" if where else self.en

    def within(self, table: str) -> Wrong:
        """Return the same, of a table of that name."""
        return replace(self, table=table)

    def _named(self) -> str:
        return f"{self.column} ({self.cell})" if self.cell else str(self.column)


class TableError(ValueError):
    """The table cannot be used; `wrong` lists everything that is wrong with it, not only the first."""

    def __init__(self, wrong: Sequence[Wrong]) -> None:
        super().__init__("\n".join(one.text("en") for one in wrong))
        self.wrong = tuple(wrong)


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its name, the conditions that are not `anything`, and its other cells."""

    name: str
    line: int
    tests: tuple[tuple[str, str, UnaryTest], ...]
    """Column, cell as it is written, and what it was read as."""
    cells: Mapping[str, str]
    places: Mapping[str, str]
    """Where each cell stands: column to address, such as `C7`."""

    def holds(self, facts: Mapping[str, str]) -> bool:
        """Tell whether all conditions hold for these facts."""
        for column, _, test in self.tests:  # noqa: SIM110 - a loop is faster than all()
            if not test.holds(facts[column]):
                return False
        return True

    def conditions(self, facts: Mapping[str, str]) -> tuple[Condition, ...]:
        """Return the conditions with the values that these facts have for them."""
        return tuple(
            Condition(column=column, test=cell, value=facts[column]) for column, cell, _ in self.tests
        )

    def wrong(self, column: str, en: str, zh: str) -> Wrong:
        """Say what is wrong with one of its cells."""
        return Wrong(en, zh, self.line, column, self.places.get(column))


@dataclass(frozen=True, slots=True)
class Shape:
    """What a table may have: the column that names a row, the facts to ask about, and its results.

    `needed` are those results without which a row says nothing; `note` may always stand there.
    """

    name: str
    facts: Mapping[str, FactKind]
    results: tuple[str, ...]
    needed: tuple[str, ...] = ()


def read_rows(text: str, shape: Shape) -> list[Row]:
    """Read a table. Raises TableError for what is no such table, and for a name that stands twice."""
    rows, wrong = try_rows(text, shape)
    if wrong:
        raise TableError(wrong)
    return rows


def try_rows(text: str, shape: Shape) -> tuple[list[Row], list[Wrong]]:
    """Read a table as far as it can be read; return its rows, and everything that is wrong with it."""
    reader = csv.reader(io.StringIO(text.lstrip("\ufeff"), newline=""), strict=False)
    columns = [column.strip() for column in next(reader, [])]
    if wrong := list(_wrong_columns(columns, shape)):
        return [], wrong
    rows: dict[str, Row] = {}
    number = 1
    line = reader.line_num
    for cells in reader:
        number, start, line = number + 1, line + 1, reader.line_num
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(columns):
            wrong.append(
                Wrong(
                    "the number of cells differs from the header; quote cells with a comma",
                    "单元格数与表头不一致；含逗号的单元格请加引号",
                    start,
                )
            )
            continue
        row, bad = _row(dict(zip(columns, cells, strict=True)), (start, number), shape)
        wrong += bad
        if row is None:
            continue
        if (first := rows.get(row.name)) is not None:
            en = f"{shape.name} {row.name!r} stands already in line {first.line}"
            wrong.append(row.wrong(shape.name, en, f"{row.name} 在第 {first.line} 行已有"))
            continue
        rows[row.name] = row
    return list(rows.values()), wrong


def _wrong_columns(columns: Sequence[str], shape: Shape) -> Iterator[Wrong]:
    for column in (shape.name, *shape.needed):
        if column not in columns:
            found = ", ".join(filter(None, columns)) or "nothing"
            yield Wrong(f"column {column!r} is missing; found {found}", f"缺少 {column} 列；现有：{found}", 1)
    known = (shape.name, *shape.facts, *shape.results, "note")
    for number, column in enumerate(columns):
        if column not in known:
            conditions, results = ", ".join(shape.facts), ", ".join(shape.results)
            yield Wrong(
                f"there is no such column; results are {results}; conditions are {conditions}",
                f"没有这一列；结果有 {results}；条件有 {conditions}",
                1,
                column or "–",
                address(number, 1),
            )
        elif column in columns[:number]:
            yield Wrong("this column stands twice", "此列重复", 1, column, address(number, 1))


def _row(cells: dict[str, str], place: tuple[int, int], shape: Shape) -> tuple[Row | None, list[Wrong]]:
    line, number = place
    places = {column: address(at, number) for at, column in enumerate(cells)}
    plain = {column: cell.strip() for column, cell in cells.items()}
    wrong: list[Wrong] = []
    for column, cell in plain.items():
        if cell.startswith("=") and column != "note":
            wrong.append(
                Wrong(
                    f"{cell!r} is a formula; write its value",
                    f"{cell} 是公式；请改为数值或文字",
                    line,
                    column,
                    places[column],
                )
            )
            plain[column] = ""
    name = plain.pop(shape.name)
    if not name:
        en, zh = f"this is empty; give the {shape.name} a name", "不能为空；请填写名称"
        wrong.append(Wrong(en, zh, line, shape.name, places[shape.name]))
        return None, wrong
    tests = []
    for column, kind in shape.facts.items():
        cell = plain.pop(column, "")
        try:
            test = read_test(cell, kind)
        except UnreadableTest as error:
            wrong.append(Wrong(error.en, error.zh, line, column, places[column]))
            continue
        if test is not None:
            tests.append((column, cell, test))
    return Row(name, line, tuple(tests), plain, places), wrong


def address(column: int, row: int) -> str:
    """Return a spreadsheet's name of a cell; columns are counted from 0, rows from 1: (2, 7) is C7."""
    letters = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return f"{letters}{row}"
