"""Copying every row from one database into another, and telling by count and digest that both hold the same.

Tables go in the order of their foreign keys, rows in batches of one transaction each. A row that is there already is left
alone, so a copy that was cut off is simply begun again. Nobody may write meanwhile; the digests would tell. What has to be
said in other words on the other side (where in a log an event is) is changed on the way, and compared as changed.
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

Row = dict[str, Any]
Changes = Mapping[str, Callable[[Row], Row]]
"""By the name of a table: what becomes of a row of it on the way."""

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
    changes: Changes | None = None,
    copied: Callable[[str, int], None] = lambda _name, _rows: None,
) -> dict[str, Digest]:
    """Copy every table of the metadata into a database that has them, and return what both now hold.

    `copied` hears of each batch: the table, and how many of its rows went so far. Raises CopyDiffers.
    """
    names, changed = set(leave_out), changes or {}
    wanted = [table for table in metadata.sorted_tables if table.name not in names]
    for table in wanted:
        copy_table(source, target, table, table, change=changed.get(table.name), copied=copied)
    return compared(
        {
            table.name: (digest_of(source, table, changed.get(table.name)), digest_of(target, table))
            for table in wanted
        }
    )


def compared(pairs: Mapping[str, tuple[Digest, Digest]]) -> dict[str, Digest]:
    """Return what both sides hold. Raises CopyDiffers if any of it is not the same."""
    if differing := {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}:
        raise CopyDiffers(differing)
    return {name: pair[0] for name, pair in pairs.items()}


def copy_table(
    source: Database,
    target: Database,
    table: Table,
    into: Table,
    *,
    change: Callable[[Row], Row] | None = None,
    copied: Callable[[str, int], None] = lambda _name, _rows: None,
) -> None:
    """Copy the rows of one table into another of the same columns."""
    done = 0
    with source.read() as connection, _rows_of(connection, table) as found:
        for batch in found.mappings().partitions():
            rows = [dict(row) if change is None else change(dict(row)) for row in batch]
            with target.write() as writing:
                insert_ignore(writing, into, rows)
            if target.wal_is_full():
                target.checkpoint()
            done += len(rows)
            copied(into.name, done)


def digest_of(database: Database, table: Table, change: Callable[[Row], Row] | None = None) -> Digest:
    """Return what a table holds, or would hold with its rows changed. Their order does not matter."""
    total = Sum()
    with database.read() as connection, _rows_of(connection, table) as found:
        for row in found:
            total.add(tuple(row) if change is None else change(dict(row._mapping)).values())
    return total.digest


class Sum:
    """The digest of rows that are seen one after the other, in any order."""

    def __init__(self) -> None:
        self._rows = self._total = 0

    def add(self, row: Iterable[Any]) -> None:
        """Count a row in."""
        self._rows += 1
        self._total += int.from_bytes(sha256(_bytes_of(row)).digest(), "big")

    @property
    def digest(self) -> Digest:
        """What was seen so far."""
        return Digest(self._rows, f"{self._total % 2**256:064x}")


def _rows_of(connection: Connection, table: Table) -> CursorResult[Any]:
    ordered = select(table).order_by(*table.primary_key.columns)
    return connection.execution_options(yield_per=_BATCH).execute(ordered)


def _bytes_of(row: Iterable[Any]) -> bytes:
    return orjson.dumps([value.hex() if isinstance(value, bytes | memoryview) else value for value in row])
