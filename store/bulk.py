"""Bulk statements that mean the same on SQLite and PostgreSQL: one round trip for many rows or keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ClauseElement,
    ColumnElement,
    Connection,
    CursorResult,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    text,
)
from sqlalchemy.ext.compiler import compiles

Row = Mapping[str, Any]

_ARRAY_TYPE: list[tuple[type, str]] = [
    (BigInteger, "bigint[]"),
    (Integer, "integer[]"),
    (Boolean, "boolean[]"),
    (LargeBinary, "bytea[]"),
    (Text, "text[]"),
]


def insert_ignore(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Insert rows; one that meets an existing unique key is left out. Missing columns become NULL.

    Uniqueness lives in the tables, so an effect that is repeated is a row that is already there.
    """
    if not rows:
        return
    columns = _columns(table)
    if connection.dialect.name == "sqlite":
        values = [tuple([row.get(name) for name in columns]) for row in rows]
        connection.exec_driver_sql(_sqlite_insert(table), values)
        return
    arrays = {f"c{i}": [row.get(name) for row in rows] for i, name in enumerate(columns)}
    connection.exec_driver_sql(_postgres_insert(table), arrays)


@lru_cache(maxsize=256)
def _columns(table: Table) -> tuple[str, ...]:
    return tuple(column.name for column in table.columns)


@lru_cache(maxsize=256)
def _sqlite_insert(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    marks = ", ".join("?" for _ in table.columns)
    return f'INSERT INTO "{table.name}" ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING'


@lru_cache(maxsize=256)
def _postgres_insert(table: Table) -> str:
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    arrays = ", ".join(f"%(c{i})s::{_array_type(c.type)}" for i, c in enumerate(table.columns))
    return f'INSERT INTO "{table.name}" ({names}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING'


def _array_type(column_type: object) -> str:
    return next(name for kind, name in _ARRAY_TYPE if isinstance(column_type, kind))


def update_rows(
    connection: Connection, table: Table, changes: Iterable[tuple[Row, Row]], *, only_open: bool = False
) -> None:
    """Set values on rows found by key: `changes` are (key, values) pairs; each row is touched once.

    `only_open` touches a row only while its interval is open.
    """

    def shape(change: tuple[Row, Row]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(change[0]), tuple(change[1])

    for (keys, names), group in groupby(sorted(changes, key=shape), key=shape):
        sqlite = connection.dialect.name == "sqlite"
        mark = "?" if sqlite else "%s"
        sets = ", ".join(f'"{name}" = {mark}' for name in names)
        where = " AND ".join(f'"{name}" = {mark}' for name in keys) + (
            " AND to_us IS NULL" if only_open else ""
        )
        sql = f'UPDATE "{table.name}" SET {sets} WHERE {where}'
        connection.exec_driver_sql(sql, [(*values.values(), *key.values()) for key, values in group])


def keys_in(
    connection: Connection, columns: Sequence[str], keys: Iterable[Sequence[str]]
) -> ColumnElement[bool]:
    """Return the condition that the (text) columns equal one of the keys, as one bound value a column.

    Uses json_each on SQLite and unnest on PostgreSQL: no limit on the number of keys, one plan for any.
    """
    listed = [list(key) for key in keys]
    left = "(" + ", ".join(columns) + ")" if len(columns) > 1 else columns[0]
    if connection.dialect.name == "sqlite":
        parts = ", ".join(f"value ->> {i}" for i in range(len(columns)))
        clause = text(f"{left} IN (SELECT {parts} FROM json_each(:keys_in))")
        return clause.bindparams(keys_in=orjson.dumps(listed).decode())  # type: ignore[return-value]
    names = ", ".join(f"CAST(:k{i} AS text[])" for i in range(len(columns)))
    values = {f"k{i}": [key[i] for key in listed] for i in range(len(columns))}
    return text(f"{left} IN (SELECT * FROM unnest({names}))").bindparams(**values)  # type: ignore[return-value]


class OneOf(ColumnElement[bool]):
    """The condition that (text) columns equal one of the keys given as `name=listed(keys)`: `keys_in` for `Prepared`."""

    inherit_cache = False

    def __init__(self, columns: Sequence[str], name: str) -> None:
        self.left = ", ".join(columns)
        self.parts = ", ".join(f"value ->> {i}" for i in range(len(columns)))
        self.keys = bindparam(name, type_=Text)


def listed(keys: Iterable[Sequence[str]]) -> str:
    """Return the keys for a `OneOf`."""
    return orjson.dumps([list(key) for key in keys]).decode()


@compiles(OneOf)
def _one_of(element: OneOf, compiler: Any, **options: Any) -> str:
    keys = compiler.process(element.keys, **options)
    rows = f"json_each({keys})"
    if compiler.dialect.name == "postgresql":
        rows = f"json_array_elements(CAST({keys} AS json))"
    return f"({element.left}) IN (SELECT {element.parts} FROM {rows})"


class Prepared:
    """A statement for every batch, compiled once a database; its values are given by name.

    To build it anew and to look it up by its structure takes SQLAlchemy longer than SQLite takes to run it.
    Values and rows are the driver's own: for columns of text, numbers and bytes.
    """

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, dict[str, Any], list[str] | None]] = {}

    def __call__(self, connection: Connection, **values: Any) -> CursorResult[Any]:
        """Run it."""
        name = connection.dialect.name
        if name not in self._compiled:
            found: Any = self._statement.compile(dialect=connection.dialect)
            self._compiled[name] = (str(found), dict(found.params), found.positiontup)
        sql, constants, order = self._compiled[name]
        named = {**constants, **values}
        return connection.exec_driver_sql(sql, named if order is None else tuple(named[key] for key in order))
