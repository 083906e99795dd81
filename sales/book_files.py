"""The rule book as files: CSV tables in a folder, or the sheets of one workbook. Knows nothing of what rules mean.

    rules.csv           the first table; every lead begins there
    rules-NAME.csv      a further table, to which `then_table` sends a lead on
    rules-examples.csv  pinned examples (router.examples)
    rules.xlsx          instead of all of them: sheets `rules`, NAME and `examples`

What a spreadsheet program may do to a table without being asked is refused by its cell: a formula, merged cells.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sales.problems import CompanyError, Problem, problem
from sales.tables import cell_text, decode
from schemas.company import Company, book_version
from schemas.decision_table import address

RULES, WORKBOOK, EXAMPLES = "rules.csv", "rules.xlsx", "examples"
_FILE = re.compile(r"rules-([a-z0-9][a-z0-9_-]{0,30})\.csv")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
_YES_NO = {True: "yes", False: "no"}
_MAX_BYTES = 256 * 1024 * 1024
"""50,000 rules of 20 columns unpack to 60 MB of XML; what unpacks to more is no rule book."""


@dataclass(frozen=True, slots=True)
class BookText:
    """A rule book as text: its first table, further tables by name, and its examples; all CSV."""

    csv: str
    tables: Mapping[str, str] = field(default_factory=dict)
    examples: str | None = None

    @property
    def version(self) -> str:
        """The version that decisions name: a digest of what decides."""
        return book_version(self.csv, self.tables)

    def fields(self) -> dict[str, Any]:
        """Return it as fields of `Company`."""
        return {
            "book_csv": self.csv,
            "book_tables": dict(self.tables),
            "book_examples": self.examples,
            "book_version": self.version,
        }

    def by_name(self) -> dict[str, str]:
        """Return every table's text by its name, the examples last; the first table's name is empty."""
        more = {EXAMPLES: self.examples} if self.examples is not None else {}
        return {"": self.csv, **self.tables, **more}


def book_of(company: Company) -> BookText | None:
    """Return a company's rule book, None if it has none."""
    if company.book_csv is None:
        return None
    return BookText(company.book_csv, company.book_tables, company.book_examples)


def file_of(table: str) -> str:
    """Return the name of the file in which a table stands."""
    return f"rules-{table}.csv" if table else RULES


def is_book_file(name: str) -> bool:
    """Tell whether a file of this name is part of a rule book."""
    return name in (RULES, WORKBOOK) or _FILE.fullmatch(name) is not None


def read_book_text(source: Path) -> BookText:
    """Read a rule book from a folder, one CSV file, or a workbook. Raises CompanyError."""
    try:
        paths = sorted(source.iterdir()) if source.is_dir() else [source]
        contents = {
            path.name: path.read_bytes() for path in paths if not source.is_dir() or is_book_file(path.name)
        }
    except OSError as error:
        raise CompanyError([problem("file_missing", str(source))]) from error
    if not source.is_dir():
        (data,) = contents.values()
        contents = {WORKBOOK if data.startswith(b"PK\x03\x04") else RULES: data}
    found = book_in(contents)
    if found is None:
        raise CompanyError([problem("file_missing", RULES)])
    return found


def book_in(contents: Mapping[str, bytes]) -> BookText | None:
    """Return the rule book among the files of a folder, None if there is none. Raises CompanyError."""
    names = sorted(name for name in contents if is_book_file(name))
    if not names:
        return None
    if WORKBOOK in names:
        if len(names) > 1:
            raise CompanyError([problem("book_twice", WORKBOOK, value=names[0])])
        return _read_workbook(contents[WORKBOOK])
    if RULES not in names:
        raise CompanyError([problem("file_missing", RULES)])
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for name in names:
        match = _FILE.fullmatch(name)
        try:
            texts[match[1] if match else ""] = decode(contents[name], name).replace("\r\n", "\n")
        except CompanyError as error:
            problems += error.problems
    if problems:
        raise CompanyError(problems)
    return _book(texts)


def _book(texts: dict[str, str]) -> BookText:
    first, examples = texts.pop(""), texts.pop(EXAMPLES, None)
    return BookText(first, texts, examples)


def write_book(book: BookText) -> dict[str, bytes]:
    """Return the book's files by name; read again they are the same book."""
    return {file_of(name): b"\xef\xbb\xbf" + text.encode() for name, text in book.by_name().items()}


def write_workbook(book: BookText) -> bytes:
    """Return the book as a workbook, a sheet a table, every cell text; read again it is the same book but for spaces."""
    import xlsxwriter  # type: ignore[import-untyped]

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as workbook:
        text = workbook.add_format({"num_format": "@"})
        bold = workbook.add_format({"bold": True, "num_format": "@"})
        for name, table in book.by_name().items():
            sheet = workbook.add_worksheet(name or "rules")
            sheet.freeze_panes(1, 1)
            for row, cells in enumerate(csv.reader(io.StringIO(table.lstrip("\ufeff"), newline=""))):
                for column, cell in enumerate(cells):
                    sheet.write_string(row, column, cell, text if row else bold)
            sheet.set_column(0, 25, 16, text)
    return out.getvalue()


def _read_workbook(data: bytes) -> BookText:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _MAX_BYTES:
                raise CompanyError([problem("bad_sheet", WORKBOOK)])
            formulas = dict(_formulas(archive))
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        sheets = {name: workbook.get_sheet_by_name(name) for name in workbook.sheet_names}
        grids = {name: sheet.to_python(skip_empty_area=False) for name, sheet in sheets.items()}
    except (CalamineError, zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise CompanyError([problem("bad_sheet", WORKBOOK)]) from error
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    for number, (name, sheet) in enumerate(sheets.items()):
        table = "" if name == "rules" or (number == 0 and "rules" not in sheets) else name
        if table and not _NAME.fullmatch(table):
            problems.append(problem("sheet_name", WORKBOOK, value=name))
        cells = formulas.get(name, ())
        problems += (problem("cell_formula", WORKBOOK, column=f"{name}!{cell}") for cell in cells)
        for (top, left), (bottom, right) in sheet.merged_cell_ranges or ():
            merged = f"{name}!{address(left, top + 1)}:{address(right, bottom + 1)}"
            problems.append(problem("cells_merged", WORKBOOK, column=merged))
        texts[table] = _csv_of(grids[name])
    if problems:
        raise CompanyError(problems)
    return _book(texts)


def _csv_of(grid: list[list[Any]]) -> str:
    rows = [
        [_YES_NO[cell] if isinstance(cell, bool) else cell_text(cell) for cell in cells] for cells in grid
    ]
    width = max((number for row in rows for number, cell in enumerate(row, start=1) if cell), default=0)
    while rows and not any(rows[-1]):
        rows.pop()
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(row[:width] for row in rows)
    return out.getvalue()


def _formulas(archive: zipfile.ZipFile) -> Iterator[tuple[str, list[str]]]:
    """Yield each sheet of a workbook with the cells that are formulas (ECMA-376 part 1, 18.3.1.4 and 18.3.1.40)."""
    from defusedxml.ElementTree import fromstring, iterparse

    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    link = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
    targets = {
        one.get("Id"): str(one.get("Target")).removeprefix("/xl/")
        for one in fromstring(archive.read("xl/_rels/workbook.xml.rels"))
    }
    for sheet in fromstring(archive.read("xl/workbook.xml")).iter(f"{main}sheet"):
        found: list[str] = []
        with archive.open(f"xl/{targets[sheet.get(link)]}") as part:
            for _, element in iterparse(part):
                if element.tag == f"{main}c" and element.find(f"{main}f") is not None:
                    found.append(str(element.get("r")))
                if element.tag == f"{main}row":
                    element.clear()
        yield str(sheet.get("name")), found
