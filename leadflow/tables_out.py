"""Tables that go out to people: CSV and XLSX that spreadsheet programs open as they are, and damage nothing of."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import xlsxwriter  # type: ignore[import-untyped]

from schemas.text import guarded


def as_csv(header: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[bytes]:
    """Yield a CSV file that spreadsheet programs open as it is: UTF-8 with BOM, no cell a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([guarded(cell) for cell in header])
    yield b"\xef\xbb\xbf"
    for number, row in enumerate(rows):
        writer.writerow([guarded(cell) for cell in row])
        if number % 500 == 0:
            yield out.getvalue().encode()
            out.seek(0)
            out.truncate()
    yield out.getvalue().encode()


def as_xlsx(header: Sequence[str], rows: Iterator[Sequence[str]]) -> bytes:
    """Return a workbook in which every cell is text, so that no number loses a digit. Written row by row."""
    out = io.BytesIO()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with xlsxwriter.Workbook(out, options) as book:
        text, bold = book.add_format({"num_format": "@"}), book.add_format({"bold": True, "num_format": "@"})
        sheet = book.add_worksheet()
        sheet.freeze_panes(1, 0)
        sheet.set_column(0, max(len(header) - 1, 0), 16, text)
        for column, name in enumerate(header):
            sheet.write_string(0, column, name, bold)
        for number, row in enumerate(rows, start=1):
            for column, cell in enumerate(row):
                if cell:
                    sheet.write_string(number, column, cell[:32_767], text)
    return out.getvalue()
