"""The refused rows of a list as a file to be put right and brought back: the same columns, and why, and where they stood."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

import xlsxwriter  # type: ignore[import-untyped]

from ingest.lists.row import ListSource
from ingest.lists.table import open_table
from leadflow.engine import Data
from leadflow.imports.pieces import assembled
from leadflow.imports.spec import Spec
from leadflow.imports.work import read_head
from schemas.base import Language
from schemas.text import guarded
from store.imports import Run, pieces_of, refused_rows

OURS = ("leadflow_code", "leadflow_hint", "leadflow_row")
"""Columns that are added; a list that is brought back is read by the last, and the others are passed over."""

HINTS: dict[str, tuple[str, str]] = {
    "phone_cut": (
        "A spreadsheet has rounded the number; take it from the original, in a column that is text.",
        "号码被表格软件舍入，请从原始资料重新填写，并把该列设为文本。",
    ),
    "phone_is_date": (
        "A spreadsheet has made a date of the number; take it from the original, in a column that is text.",
        "号码被表格软件变成了日期，请从原始资料重新填写，并把该列设为文本。",
    ),
    "nobody": (
        "Give a name, a company, a telephone number or a mail address.",
        "请填写姓名、公司、电话或邮箱。",
    ),
    "bad_row": ("This row cannot be read.", "该行无法读取。"),
}


def error_rows(
    data: Data, run: Run, source: ListSource, language: Language
) -> tuple[list[str], Iterator[list[str]]]:
    """Return the header and the rows of a list's file of errors. Raises ListRefused and NotYet."""
    with data.store.read() as connection:
        refused = refused_rows(connection, run.import_id)
        pieces = pieces_of(connection, run.import_id)
    spec = Spec.model_validate(run.spec)
    file = assembled(data, pieces, run.digest)
    table = open_table(file, sheet=spec.sheet)
    header, rows = read_head(table, {**source.said(), **spec.said})
    mine = [at for at, name in enumerate(header.names) if name.strip() not in OURS]

    def found() -> Iterator[list[str]]:
        try:
            for row in rows:
                if row.number not in refused:
                    continue
                code = refused[row.number][0]
                hint = HINTS[code][language == "zh"] if code in HINTS else ""
                place = f"{run.import_id}:{row.number}"
                if header.place is not None and header.place < len(row.cells):
                    place = row.cells[header.place] or place
                cells = [row.cells[at] if at < len(row.cells) else "" for at in mine]
                yield [*cells, code, hint, place]
        finally:
            file.close()

    return [*(header.names[at] for at in mine), *OURS], found()


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
