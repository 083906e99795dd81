"""A table's rows out of CSV, TSV, XLSX or XLS, one after the other, each with its number in the file.

Knows nothing of what the columns mean. Text files are streamed; a sheet is opened whole by calamine (Rust) and handed
out row by row. What is no table, or would burst, is refused before it is opened here (`trial`).
"""

from __future__ import annotations

import codecs
import csv
import io
import re
import threading
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import BinaryIO, Literal, NamedTuple

from python_calamine import CalamineError, CalamineWorkbook, PasswordError

from ingest.email.charset import guessed
from ingest.lists.trial import tried

MAX_COLUMNS = 500
"""More than any list has; a row of a million empty cells is an attack."""
MAX_BYTES = 200 * 1024**2
MAX_UNPACKED_BYTES = 2 * 1024**3
"""A workbook of a million rows and twenty columns unpacks to about 1 GB."""
MAX_RATIO = 300
"""Sheets shrink to a tenth or a twentieth; what shrinks to a thousandth was made to burst."""

_ZIP, _OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_PROGRAMS = (
    b"MZ",
    b"\x7fELF",
    b"%PDF",
    b"#!",
    b"\x1f\x8b",
    b"Rar!",
    b"7z\xbc\xaf",
    b"\x89PNG",
    b"\xff\xd8\xff",
)
_MARKUP = re.compile(
    r"\s*<(!doctype|\?xml|\?mso|html|head|meta|style|body|div|table|workbook)\b", re.IGNORECASE
)
"""What older systems export as `.xls`: a web page, or a workbook in XML, that a spreadsheet program opens all the same."""
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_DELIMITERS = (",", "\t", ";", "|")
_SAMPLE_BYTES = 64 * 1024

Kind = Literal["csv", "xlsx", "xls"]


class ListRefused(ValueError):
    """A file is no list that can be read: a stable code, what is wrong, and what to do."""

    def __init__(self, code: str, message: str, hint: str, zh: str) -> None:
        super().__init__(f"{message} {hint}".strip())
        self.code, self.message, self.hint, self.zh = code, message, hint, zh


def _refused(code: str, message: str, hint: str, zh: str) -> ListRefused:
    return ListRefused(code, message, hint, zh)


class Row(NamedTuple):
    """A row's cells as text, without spaces around them; `number` counts from 1, as a spreadsheet program shows it."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """An open table: what kind of file it is, how it is written, and its rows, which can be gone through once."""

    kind: Kind
    rows: Iterator[Row]
    encoding: str | None = None
    delimiter: str | None = None
    sheet: str | None = None
    sheets: tuple[str, ...] = ()
    """The names of all sheets of a workbook, in its order."""
    total: int | None = None
    """Rows in the sheet, the header's included; unknown of text until it is read."""


def open_table(file: BinaryIO, *, sheet: str | None = None) -> Table:
    """Open a seekable file as a table, the sheet of this name or the first that holds anything. Raises ListRefused."""
    if file.seek(0, io.SEEK_END) > MAX_BYTES:
        raise _refused(
            "too_large_list",
            "The file is larger than 200 MB.",
            "Cut it in two.",
            "文件超过 200 MB，请拆成两个。",
        )
    file.seek(0)
    head = file.read(4096)
    if not head.strip(b"\x00 \t\r\n"):
        raise _refused(
            "empty_list", "There is nothing in this file.", "Export it again.", "文件是空的，请重新导出。"
        )
    if head.startswith(_ZIP):
        return _open_sheet(_checked_zip(file), "xlsx", sheet)
    if head.startswith(_OLE):
        return _open_sheet(file, "xls", sheet)
    encoding = _encoding(file, head)
    if head.startswith(_PROGRAMS) or (encoding != "utf-16" and b"\x00" in head):
        raise _not_a_list()
    return _open_text(file, encoding)


def _not_a_list() -> ListRefused:
    return _refused(
        "not_a_list",
        "This file is no table.",
        "Export the list as CSV or XLSX.",
        "这个文件不是表格，请导出为 CSV 或 XLSX。",
    )


def _open_text(file: BinaryIO, encoding: str) -> Table:
    file.seek(0)
    sample = file.read(_SAMPLE_BYTES)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    text = decoder.decode(sample)
    if _MARKUP.match(text.removeprefix("\ufeff")):
        raise _refused(
            "markup_list",
            "This is a web page or XML under the name of a workbook, as some systems export it.",
            "Open it in a spreadsheet program and save it as XLSX.",
            "这个文件虽以表格命名，内容却是网页或 XML（部分系统这样导出），请用表格软件打开后另存为 XLSX。",
        )
    delimiter = _delimiter(text)
    file.seek(0)
    return Table("csv", _text_rows(file, encoding, delimiter), encoding, delimiter)


def _text_rows(file: BinaryIO, encoding: str, delimiter: str) -> Iterator[Row]:
    text = io.TextIOWrapper(file, encoding, "replace", newline="")
    try:
        for number, cells in enumerate(csv.reader(text, delimiter=delimiter), start=1):
            yield Row(number, _checked([cell.strip() for cell in cells]))
    except csv.Error as error:
        raise _refused(
            "broken_table",
            f"The table cannot be read on ({str(error)[:80]}).",
            "A quotation mark may be missing; open it in a spreadsheet program and save it again.",
            "表格无法继续读取，可能缺少引号；请用表格软件打开后重新保存。",
        ) from error
    finally:
        with suppress(ValueError):  # whoever opened the file has closed it
            text.detach()


def _encoding(file: BinaryIO, head: bytes) -> str:
    """Return the encoding of a text file: by its mark, else UTF-8 if all of it is, else as mail is guessed."""
    for mark, name in _BOMS:
        if head.startswith(mark):
            return name
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    file.seek(0)
    before = b""
    while chunk := file.read(1024 * 1024):
        try:
            decoder.decode(chunk)
        except UnicodeDecodeError as error:
            start = max(0, error.start - _SAMPLE_BYTES // 4)
            sample = (before[-_SAMPLE_BYTES:] + chunk)[start : start + _SAMPLE_BYTES]
            return guessed(sample.partition(b"\n")[2] or sample)
        before = chunk
    return "utf-8"


def _delimiter(text: str) -> str:
    """Return what separates the cells: that which cuts the first lines into the most columns, evenly."""

    def columns(delimiter: str) -> tuple[int, int]:
        lines = text.splitlines()[:30]
        try:
            widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
        except csv.Error:
            return (0, 0)
        width, lines_of = max(widths.items(), key=lambda one: (one[0] > 1, one[1]), default=(1, 0))
        return (lines_of if width > 1 else 0, width)

    return max(_DELIMITERS, key=columns)


def _checked_zip(file: BinaryIO) -> BinaryIO:
    file.seek(0, io.SEEK_END)
    packed = max(file.tell(), 1)
    file.seek(0)
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise _damaged() from error
    unpacked = sum(one.file_size for one in entries)
    if unpacked > MAX_UNPACKED_BYTES or (unpacked > 64 * 1024**2 and unpacked > packed * MAX_RATIO):
        raise _bursting()
    if not any(one.filename.startswith("xl/") for one in entries):
        raise _not_a_list()
    return file


def _bursting() -> ListRefused:
    return _refused(
        "bursting_list",
        "This file unpacks to far more than a list holds.",
        "Save the list as CSV.",
        "该文件解压后远大于正常的表格，请另存为 CSV。",
    )


def _damaged() -> ListRefused:
    return _refused(
        "damaged_list",
        "The workbook is damaged.",
        "Open it in a spreadsheet program and save it again.",
        "工作簿已损坏，请用表格软件打开后重新保存。",
    )


_ONE_AT_A_TIME = threading.Lock()
"""Several that are tried at once would need the memory several times."""


def _open_sheet(file: BinaryIO, kind: Kind, wanted: str | None) -> Table:
    file.seek(0)
    data = file.read()
    locked = _refused(
        "locked_list",
        "The workbook is protected by a password.",
        "Take the password away and save it again.",
        "工作簿设有密码，请取消密码后重新保存。",
    )
    if kind == "xls" and _ENCRYPTED in data:
        raise locked
    with _ONE_AT_A_TIME:
        outcome = tried(data)
    if outcome != "opens":
        raise _bursting() if outcome == "bursts" else _damaged()
    del data  # up to 200 MB, beside what the reader holds
    file.seek(0)
    try:
        book = CalamineWorkbook.from_filelike(file)
        names = [one for one in book.sheet_names if wanted is None or one == wanted]
        if not names and wanted is None:
            raise _damaged()
        if not names:
            raise _refused(
                "unknown_sheet",
                f"There is no sheet {wanted!r}.",
                "Leave it out for the first.",
                "没有这个工作表。",
            )
        sheet = book.get_sheet_by_name(names[0])
        for name in names[1:]:
            if sheet.total_height:
                break
            sheet = book.get_sheet_by_name(name)
    except PasswordError as error:
        raise locked from error
    except (CalamineError, OSError, ValueError, OverflowError) as error:
        if isinstance(error, ListRefused):
            raise
        raise _damaged() from error
    if sheet.total_width > MAX_COLUMNS:
        raise _too_wide()
    rows = (
        Row(number, tuple([cell_text(cell) for cell in cells]))
        for number, cells in enumerate(sheet.iter_rows(), 1)
    )
    return Table(kind, rows, sheet=sheet.name, sheets=tuple(book.sheet_names), total=sheet.total_height)


def _checked(cells: Sequence[str]) -> tuple[str, ...]:
    if len(cells) > MAX_COLUMNS:
        raise _too_wide()
    return tuple(cells)


def _too_wide() -> ListRefused:
    return _refused(
        "too_many_columns",
        f"A row has more than {MAX_COLUMNS} columns.",
        "Leave out the columns that say nothing.",
        f"列数超过 {MAX_COLUMNS}，请删去无用的列。",
    )


def cell_text(cell: object) -> str:
    """Return a sheet's cell as text: a whole number without its point, a day or moment in ISO form."""
    if isinstance(cell, str):
        return cell.strip()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, datetime):
        return (
            cell.date().isoformat() if cell.time() == time() else cell.isoformat(sep=" ", timespec="seconds")
        )
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell).strip()
