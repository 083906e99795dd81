"""The rule book as a grid to look at: rows with their sentence and what is wrong with each cell. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from router.book import readable_rules
from router.sentences import sentence
from sales.book_draft import Draft, csv_of
from sales.book_files import file_of
from sales.problems import Problem
from schemas.base import Language
from schemas.company import Company
from schemas.decision_table import TableError

SHOWN = 30
"""Rows on one page: with ten columns each, well below what a phone loads in a second."""


@dataclass(frozen=True)
class Shown:
    """One row as the page shows it."""

    row_id: int
    number: int
    cells: Mapping[str, str]
    said: str
    wrong: Mapping[str, Sequence[Problem]] = field(default_factory=dict)
    """By column; of the row as a whole under an empty one."""


@dataclass(frozen=True)
class Sheet:
    """A part of a table."""

    columns: Sequence[str]
    rows: Sequence[Shown]
    begin: int
    total: int
    general: Sequence[Problem]
    """What concerns no row of this table: gaps, other tables, examples."""


def sheet(
    draft: Draft,
    place: tuple[str, int],
    problems: Iterable[Problem],
    company: Company,
    language: Language,
) -> Sheet:
    """Return the rows from a place on (table, number of the row), each with its sentence and what is wrong with it."""
    table, begin = place
    grid = draft.grids[table]
    begin = max(0, min(begin, (len(grid.rows) - 1) // SHOWN * SHOWN)) if grid.rows else 0
    said = _sentences(csv_of(grid), table, company, language)
    by_line: dict[int, dict[str, list[Problem]]] = {}
    general = []
    for one in problems:
        if one.file == file_of(table) and one.line is not None and one.line > 1:
            column = (one.column or "").partition(" (")[0]
            by_line.setdefault(one.line, {}).setdefault(column if column in grid.columns else "", []).append(
                one
            )
        else:
            general.append(one)
    rows = [
        Shown(
            row.row_id,
            number,
            dict(zip(grid.columns, row.cells, strict=True)),
            "" if _is_wrong(wrong := by_line.get(number + 1, {})) else said.get(number + 1, ""),
            wrong,
        )
        for number, row in enumerate(grid.rows[begin : begin + SHOWN], begin + 1)
    ]
    return Sheet(grid.columns, rows, begin, len(grid.rows), general)


def _is_wrong(found: Mapping[str, Sequence[Problem]]) -> bool:
    return any(one.severity == "error" for problems in found.values() for one in problems)


def _sentences(text: str, table: str, company: Company, language: Language) -> dict[int, str]:
    """Return the sentence of each rule that can be read, by its line."""
    try:
        rules = readable_rules(text, table)
    except TableError:
        return {}
    found = {}
    for rule in rules:
        try:
            found[rule.row.line] = sentence(rule, language, company)
        except ValueError:  # a strategy that there is not: the cell says so
            continue
    return found
