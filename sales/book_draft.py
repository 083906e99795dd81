"""A draft of the rule book: its tables as grids whose rows keep their names for good, and what people do to them.

Kept in the store, one for the company, so that a closed tab or a second person loses nothing. Everything here is pure but
`find_draft` and the plans.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import orjson
from sqlalchemy import Connection, select

from sales.book_files import BookText, book_of
from schemas.company import Company
from store import tables
from store.acts import ActRefused, Command, Plan
from store.company import last_book_number
from store.effects import Delete, Effect, Insert, Update
from store.locks import lock_company

EDIT, DROP = "edit_book", "drop_draft"
START = "rule,product_line,province,then_team,then_respond_within,note\n"
"""What an empty book begins with."""
MOST_ROWS, MOST_COLUMNS, MOST_CHARS = 10_000, 60, 2_000
"""A grid that a person edits; larger books come as files."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row; `tab` is the page that changed it last: what one types there is no conflict with oneself."""

    row_id: int
    cells: tuple[str, ...]
    tab: str = ""


@dataclass(frozen=True, slots=True)
class Grid:
    """One table."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """The draft. Revision 0: nobody has changed anything, it is the book in force."""

    revision: int
    base: int
    """The number of the book that it began from."""
    grids: Mapping[str, Grid]
    next_id: int
    actor: str | None = None
    changed_us: int | None = None

    def text(self, examples: str | None) -> BookText:
        """Return it as a rule book."""
        texts = {name: csv_of(grid) for name, grid in self.grids.items()}
        return BookText(texts.pop(""), texts, examples)


Edit = Callable[[Draft], Draft]
"""What somebody does to a draft. Raises ActRefused."""


def draft_of(company: Company, base: int) -> Draft:
    """Return the draft that nobody has changed yet. Its ids are the same each time, so that a page may name them before."""
    book = book_of(company) or BookText(START)
    grids, next_id = {}, 1
    for name, text in {"": book.csv, **book.tables}.items():
        grids[name], next_id = grid_of(text, next_id)
    return Draft(0, base, grids, next_id)


def grid_of(text: str, first_id: int) -> tuple[Grid, int]:
    """Return a table as a grid whose rows are named from `first_id` on, and the next free name."""
    lines = list(csv.reader(io.StringIO(text.lstrip("\ufeff"), newline="")))
    columns = tuple(one.strip() for one in lines[0]) if lines else ()
    rows = []
    for line in lines[1:]:
        if any(cell.strip() for cell in line):
            cells = tuple(" ".join(cell.split()) for cell in line[: len(columns)])
            rows.append(Row(first_id, cells + ("",) * (len(columns) - len(cells))))
            first_id += 1
    return Grid(columns, tuple(rows)), first_id


def csv_of(grid: Grid) -> str:
    """Return a grid as CSV: the header is line 1, row N stands in line N + 1."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(grid.columns)
    writer.writerows(row.cells for row in grid.rows)
    return out.getvalue()


def set_cells(
    table: str, row_id: int, was: Mapping[str, str], entered: Mapping[str, str], tab: str = ""
) -> Edit:
    """Return the edit that writes what was entered over what was there; cells that nobody changed stay as they are now.

    Refused where somebody else has written something else into a cell meanwhile.
    """

    def edit(draft: Draft) -> Draft:
        grid, row = _row(draft, table, row_id)
        theirs = {}
        cells = list(row.cells)
        for at, column in enumerate(grid.columns):
            mine = " ".join(entered.get(column, cells[at]).split())[:MOST_CHARS]
            before = was.get(column, cells[at])
            if mine in (before, cells[at]):
                continue
            if cells[at] != before and not (tab and row.tab == tab):
                theirs[column] = cells[at]
            cells[at] = mine
        if theirs:
            raise ActRefused("cell_changed", "Somebody else has changed this meanwhile.")
        if tuple(cells) == row.cells:
            return draft
        return _with_row(draft, table, replace(row, cells=tuple(cells), tab=tab))

    return edit


def add_row(table: str, behind: int | None) -> Edit:
    """Return the edit that adds an empty row behind another, or (None) at the end."""

    def edit(draft: Draft) -> Draft:
        grid = _grid(draft, table)
        if len(grid.rows) >= MOST_ROWS:
            raise ActRefused("book_too_large", "There are too many rows for a page; edit it as a file.")
        at = next((n for n, one in enumerate(grid.rows) if one.row_id == behind), len(grid.rows) - 1) + 1
        names = {one.cells[grid.columns.index("rule")] for one in grid.rows} if "rule" in grid.columns else ()
        number = next(n for n in range(1, MOST_ROWS + 2) if f"new-{n}" not in names)
        cells = tuple(f"new-{number}" if column == "rule" else "" for column in grid.columns)
        rows = (*grid.rows[:at], Row(draft.next_id, cells), *grid.rows[at:])
        changed = replace(draft, next_id=draft.next_id + 1)
        return _with(changed, table, replace(grid, rows=rows))

    return edit


def move_row(table: str, row_id: int, by: int) -> Edit:
    """Return the edit that moves a row up (-1) or down (1); at the end it stays."""

    def edit(draft: Draft) -> Draft:
        grid, row = _row(draft, table, row_id)
        rest = [one for one in grid.rows if one.row_id != row_id]
        at = max(0, min(grid.rows.index(row) + by, len(rest)))
        return _with(draft, table, replace(grid, rows=(*rest[:at], row, *rest[at:])))

    return edit


def remove_row(table: str, row_id: int, was: Mapping[str, str]) -> Edit:
    """Return the edit that takes a row out. Refused where it is not as it was when it was looked at."""

    def edit(draft: Draft) -> Draft:
        grid, row = _row(draft, table, row_id)
        now = dict(zip(grid.columns, row.cells, strict=True))
        if any(now.get(column, "") != cell for column, cell in was.items()):
            raise ActRefused("cell_changed", "Somebody else has changed this meanwhile.")
        rows = tuple(one for one in grid.rows if one.row_id != row_id)
        return _with(draft, table, replace(grid, rows=rows))

    return edit


def add_column(table: str, column: str, known: Sequence[str]) -> Edit:
    """Return the edit that adds an empty column, of those that there may be: conditions stand before results."""

    def edit(draft: Draft) -> Draft:
        grid = _grid(draft, table)
        if column not in known or column in grid.columns or len(grid.columns) >= MOST_COLUMNS:
            raise ActRefused("unknown_column", "There is no such column, or it is there already.")
        order = list(known)
        at = next((n for n, one in enumerate(grid.columns) if one in order and order.index(one) > order.index(column)), len(grid.columns))  # fmt: skip
        columns = (*grid.columns[:at], column, *grid.columns[at:])
        rows = tuple(replace(row, cells=(*row.cells[:at], "", *row.cells[at:])) for row in grid.rows)
        return _with(draft, table, Grid(columns, rows))

    return edit


def find_draft(connection: Connection, company: Company) -> Draft:
    """Return the draft as it is now; where there is none, the book in force."""
    table = tables.book_draft
    row = connection.execute(select(table)).mappings().one_or_none()
    if row is None:
        return draft_of(company, last_book_number(connection))
    held = orjson.loads(row["grids_json"])
    grids = {
        name: Grid(
            tuple(grid["columns"]), tuple(Row(key, tuple(cells), tab) for key, cells, tab in grid["rows"])
        )
        for name, grid in held["grids"].items()
    }
    return Draft(row["revision"], row["base"], grids, held["next_id"], row["actor"], row["changed_us"])


def edit_draft(edit: Edit, company_of: Callable[[Connection], Company]) -> Plan:
    """Return the plan of an act that changes the draft; where there is none, it begins with the book in force."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        before = find_draft(connection, company_of(connection))
        after = edit(before)
        if after is before:
            return ()
        grids = {
            name: {"columns": grid.columns, "rows": [(one.row_id, one.cells, one.tab) for one in grid.rows]}
            for name, grid in after.grids.items()
        }
        values = {
            "revision": before.revision + 1,
            "base": after.base,
            "grids_json": orjson.dumps({"grids": grids, "next_id": after.next_id}).decode(),
            "actor": command.actor,
            "changed_us": now_us,
        }
        if before.revision == 0:
            return [Insert("book_draft", {"draft_id": _ONLY, **values})]
        return [Update("book_draft", {"draft_id": _ONLY}, values)]

    return plan


def drop_draft(seen: str, company_of: Callable[[Connection], Company]) -> Plan:
    """Return the plan of the act that throws the draft away; `seen` is the version that was looked at.

    Refused where somebody has changed it since.
    """

    def plan(connection: Connection, _command: Command, _now_us: int) -> Sequence[Effect]:
        lock_company(connection)
        found = find_draft(connection, company_of(connection))
        if found.revision and found.text(None).version != seen:
            raise ActRefused("draft_changed", "Somebody has changed the draft since you looked at it.")
        return [Delete("book_draft", {"draft_id": _ONLY})] if found.revision else []

    return plan

    return plan


_ONLY = "book"


def _grid(draft: Draft, table: str) -> Grid:
    if table not in draft.grids:
        raise ActRefused("unknown_table", "There is no such table any more.")
    return draft.grids[table]


def _row(draft: Draft, table: str, row_id: int) -> tuple[Grid, Row]:
    grid = _grid(draft, table)
    row = next((one for one in grid.rows if one.row_id == row_id), None)
    if row is None:
        raise ActRefused("row_gone", "Somebody has taken this row out meanwhile.")
    return grid, row


def _with_row(draft: Draft, table: str, row: Row) -> Draft:
    grid = draft.grids[table]
    rows = tuple(row if one.row_id == row.row_id else one for one in grid.rows)
    return _with(draft, table, replace(grid, rows=rows))


def _with(draft: Draft, table: str, grid: Grid) -> Draft:
    return replace(draft, grids={**draft.grids, table: grid})
