"""The refused rows of a list as a file to be put right and brought back: the same columns, and why, and where they stood."""

from __future__ import annotations

from collections.abc import Iterator

from ingest.lists.row import ListSource
from ingest.lists.table import open_table
from leadflow.engine import Data
from leadflow.imports.pieces import assembled
from leadflow.imports.spec import Spec
from leadflow.imports.work import read_head
from schemas.base import Language
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
