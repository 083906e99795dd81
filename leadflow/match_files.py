"""Records out of a CSV file, by a map from its columns to the fields that can be compared."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from enrich.match.record import FIELDS, Record, record_of

CHANNELS = ("web", "email", "cti", "counter", "list")

Maps = Annotated[
    list[str] | None,
    typer.Option("--map", help="Column of the file and what it holds: surname=family_name; may be repeated"),
]


class FileRefused(ValueError):
    """The file cannot be read as records; the message says why, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the file: the record read from it, and its cells as they stand."""

    record: Record
    cells: Mapping[str, str]


def read_maps(stated: Sequence[str]) -> dict[str, str]:
    """Read `column=field` texts; FileRefused where one is none, or its field is unknown."""
    maps: dict[str, str] = {}
    for one in stated:
        column, equals, name = one.rpartition("=")
        if not equals or not column or name not in (*FIELDS, "channel"):
            known = ", ".join((*FIELDS, "channel"))
            raise FileRefused(
                f"--map {one}: write COLUMN=FIELD, with a field of: {known}",
                f"--map {one}：请写成 列名=字段，字段为：{known}",
            )
        maps[column] = name
    return maps


def read_rows(path: Path, maps: Mapping[str, str], id_column: str | None = None) -> Iterator[Row]:
    """Yield the rows of a CSV file (UTF-8, or GB18030 as Excel writes it), in its order.

    `maps` gives each column its field; without any, the columns that are named like a field are taken. The id is
    that of `id_column`, else the number of the row, from 1. Several columns may hold one field. FileRefused where
    a column is not there.
    """
    reader = csv.DictReader(io.StringIO(_text(path), newline=""))
    columns = reader.fieldnames or ()
    maps = maps or {column: column for column in columns if column in (*FIELDS, "channel")}
    wanted = [*maps, *([id_column] if id_column else [])]
    if missing := [column for column in wanted if column not in columns]:
        raise FileRefused(
            f"{path} has no column {', '.join(missing)}; it has: {', '.join(columns)}",
            f"{path} 中没有列 {'、'.join(missing)}；现有：{'、'.join(columns)}",
        )
    if not maps:
        raise FileRefused(
            f"No column of {path} is named like a field; say what they hold with --map COLUMN=FIELD",
            f"{path} 中没有与字段同名的列；请用 --map 列名=字段 说明各列内容",
        )
    for number, cells in enumerate(reader, start=1):
        fields: dict[str, list[str]] = {}
        for column, name in maps.items():
            if text := cells.get(column):
                fields.setdefault(name, []).append(text)
        channel = next(iter(fields.pop("channel", ())), "web")
        record_id = (cells.get(id_column) if id_column else None) or str(number)
        yield Row(record_of(record_id, fields, channel if channel in CHANNELS else "web"), cells)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FileRefused(f"{path}: {error.strerror}", f"无法读取 {path}：{error.strerror}") from error
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise FileRefused(f"{path} is neither UTF-8 nor GB18030", f"{path} 既不是 UTF-8 也不是 GB18030 编码")
