"""Tables as people keep them: CSV in any usual encoding, XLSX; in as rows of text, out again.

Knows nothing of what the columns mean.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time

from sales.problems import CompanyError, problem
from schemas.text import guarded, unguarded

_XLSX, _XLS = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True, slots=True)
class Row:
    """A row's cells as text, and its line in the file (in a sheet: its row number)."""

    line: int
    cells: tuple[str, ...]


def read_table(data: bytes, file: str) -> list[Row]:
    """Return every row that is not empty, the header first. Raises CompanyError."""
    if data.startswith((_XLSX, _XLS)):
        return _read_sheet(data, file)
    text = decode(data, file)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text))
    rows, line = [], 1
    try:
        for cells in reader:
            plain = tuple(unguarded(cell.strip()) for cell in cells)
            if any(plain):
                rows.append(Row(line, plain))
            line = reader.line_num + 1
    except csv.Error as error:
        raise CompanyError([problem("bad_sheet", file)]) from error
    return rows


def decode(data: bytes, file: str) -> str:
    """Return a text file's text: UTF-8 with or without BOM, else GB18030 as Excel saves it in China."""
    for charset in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(charset)
        except UnicodeDecodeError:
            continue
    raise CompanyError([problem("bad_charset", file)])


def write_csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a CSV file that spreadsheet programs open as it is: UTF-8 with BOM, no cell a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([guarded(cell) for cell in row] for row in rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def write_xlsx(name: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a workbook of one sheet in which every cell is text, so that no number loses a digit."""
    import xlsxwriter  # type: ignore[import-untyped]

    out = io.BytesIO()
    options = {"in_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"bold": True, "num_format": "@"})
        sheet = book.add_worksheet(name)
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, len(header) - 1, 16, text)
        sheet.write_row(0, 0, header, bold)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell, text)
    return out.getvalue()


def _delimiter(text: str) -> str:
    head = text.partition("\n")[0]
    return max((",", ";", "\t"), key=head.count)


def _read_sheet(data: bytes, file: str) -> list[Row]:
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        sheet = CalamineWorkbook.from_filelike(io.BytesIO(data)).get_sheet_by_index(0)
        found = sheet.to_python(skip_empty_area=False)
    except (CalamineError, IndexError, OSError) as error:
        raise CompanyError([problem("bad_sheet", file)]) from error
    rows = (
        Row(number, tuple(cell_text(cell) for cell in cells)) for number, cells in enumerate(found, start=1)
    )
    return [row for row in rows if any(row.cells)]


def cell_text(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == time() else cell.isoformat(timespec="minutes")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell).strip()
