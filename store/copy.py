"""Copying every row from one database into another, and telling by count and digest that both hold the same.

Tables go in the order of their foreign keys, rows in batches of one transaction each. A row that is there already is left
alone, so a copy that was cut off is simply begun again. Nobody may write meanwhile; the digests would tell.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, CursorResult, MetaData, Table, select

from store.bulk import insert_ignore
from store.database import Database

_BATCH = 1_000
"""Rows in one transaction: SQLite and PostgreSQL both spend little on the commit by then, and 1,000 large mails still
fit into memory."""


@dataclass(frozen=True, slots=True)
class Digest:
    """What a table holds: how many rows, and a number that any other row, value or missing row would change."""

    rows: int
    sha256: str


class CopyDiffers(RuntimeError):
    """After the copy, these tables do not hold the same on both sides."""

    def __init__(self, tables: Mapping[str, tuple[Digest, Digest]]) -> None:
        self.tables = tables
        told = ", ".join(f"{name} ({one.rows} and {two.rows} rows)" for name, (one, two) in tables.items())
        super().__init__(f"not the same on both sides: {told}")


def copy_all(
    source: Database,
    target: Database,
    metadata: MetaData,
    *,
    leave_out: Iterable[str] = (),
    copied: Callable[[str, int], None] = lambda _name, _rows: None,
) -> dict[str, Digest]:
    """Copy every table of the metadata into a database that has them, and return what both now hold.

    `copied` hears of each batch: the table, and how many of its rows went so far. Raises CopyDiffers.
    """
    names = set(leave_out)
    wanted = [table for table in metadata.sorted_tables if table.name not in names]
    for table in wanted:
        _copy(source, target, table, copied)
    pairs = {table.name: (digest_of(source, table), digest_of(target, table)) for table in wanted}
    if differing := {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}:
        raise CopyDiffers(differing)
    return {name: pair[0] for name, pair in pairs.items()}


def digest_of(database: Database, table: Table) -> Digest:
    """Return what a table holds. The order of rows, which differs between databases, does not matter."""
    count = total = 0
    with database.read() as connection, _rows_of(connection, table) as found:
        for row in found:
            count += 1
            total += int.from_bytes(sha256(_bytes_of(row)).digest(), "big")
    return Digest(count, f"{total % 2**256:064x}")


def _copy(source: Database, target: Database, table: Table, copied: Callable[[str, int], None]) -> None:
    done = 0
    with source.read() as connection, _rows_of(connection, table) as found:
        for batch in found.mappings().partitions():
            rows: list[Mapping[str, Any]] = [dict(row) for row in batch]
            with target.write() as writing:
                insert_ignore(writing, table, rows)
            done += len(rows)
            copied(table.name, done)


def _rows_of(connection: Connection, table: Table) -> CursorResult[Any]:
    ordered = select(table).order_by(*table.primary_key.columns)
    return connection.execution_options(yield_per=_BATCH).execute(ordered)


def _bytes_of(row: Iterable[Any]) -> bytes:
    return orjson.dumps([value.hex() if isinstance(value, bytes | memoryview) else value for value in row])
