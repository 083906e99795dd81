"""Bulk statements that mean the same on SQLite and PostgreSQL: one round trip for many rows or keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
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
    delete,
    text,
)
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles

Row = Mapping[str, Any]

_ARRAY_TYPE: list[tuple[type, str]] = [
    (BigInteger, "bigint[]"),
    (Integer, "integer[]"),
    (Boolean, "boolean[]"),
    (LargeBinary, "bytea[]"),
    (Text, "text[]"),
]


def insert_ignore(connection: Connection, table: Table, rows: Sequence[Row]) -> int:
    """Insert rows, and return how many; one that meets an existing unique key is left out.

    Missing columns become NULL. On PostgreSQL rows go in by the order of their keys, so that two transactions
    that wait for each other's keys do so in one direction.
    """
    if not rows:
        return 0
    columns = _columns(table)
    if connection.dialect.name == "sqlite":
        values = [tuple([row.get(name) for name in columns]) for row in rows]
        return connection.exec_driver_sql(_sqlite_insert(table), values).rowcount
    key = itemgetter(*(column.name for column in table.primary_key.columns))
    ordered = sorted(rows, key=key)
    arrays = {f"c{i}": _array([row.get(name) for row in ordered]) for i, name in enumerate(columns)}
    return connection.exec_driver_sql(_postgres_insert(table), arrays).rowcount


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


def _array(values: Sequence[object]) -> str:
    """Return the values of a column as an array literal, which the driver takes ten times as long to make of a list.

    By https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO: elements are quoted, and then all that needs
    escaping is the quote and the backslash. Where nothing is escaped JSON says the same, `null` included.
    """
    if not any(isinstance(value, bytes) for value in values):
        written = orjson.dumps(values).decode()
        if "\\" not in written:
            return f"{{{written[1:-1]}}}"
    return "{" + ",".join([_element(value) for value in values]) + "}"


def _element(value: object) -> str:
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if value is None:
        return "NULL"
    if isinstance(value, bytes):
        return '"\\\\x' + value.hex() + '"'
    return str(value)  # a number, or true and false


def _array_type(column_type: object) -> str:
    return next(name for kind, name in _ARRAY_TYPE if isinstance(column_type, kind))


def update_rows(
    connection: Connection, table: Table, changes: Iterable[tuple[Row, Row]], *, only_open: bool = False
) -> int:
    """Set values on rows found by key, and return how many there were: `changes` are (key, values) pairs.

    Each row is touched once; `only_open` touches it only while its interval is open. One statement for all
    changes of the same columns, in the order of their keys.
    """

    def shape(change: tuple[Row, Row]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return tuple(change[0]), tuple(change[1])

    def place(change: tuple[Row, Row]) -> tuple[object, ...]:
        return *shape(change), *change[0].values()

    touched = 0
    for (keys, names), group in groupby(sorted(changes, key=place), key=shape):
        if connection.dialect.name == "sqlite":
            sql = _sqlite_update(table, keys, names, only_open)
            given = [(*values.values(), *key.values()) for key, values in group]
            touched += connection.exec_driver_sql(sql, given).rowcount
            continue
        ordered = list(group)
        arrays = {f"k{i}": _array([key[name] for key, _ in ordered]) for i, name in enumerate(keys)}
        arrays |= {f"v{i}": _array([values[name] for _, values in ordered]) for i, name in enumerate(names)}
        sql = _postgres_update(table, keys, names, only_open)
        touched += connection.exec_driver_sql(sql, arrays).rowcount
    return touched


@lru_cache(maxsize=256)
def _sqlite_update(table: Table, keys: tuple[str, ...], names: tuple[str, ...], only_open: bool) -> str:
    sets = ", ".join(f'"{name}" = ?' for name in names)
    where = " AND ".join(f'"{name}" = ?' for name in keys)
    return f'UPDATE "{table.name}" SET {sets} WHERE {where}' + (" AND to_us IS NULL" if only_open else "")


@lru_cache(maxsize=256)
def _postgres_update(table: Table, keys: tuple[str, ...], names: tuple[str, ...], only_open: bool) -> str:
    given = [(f"k{i}", name) for i, name in enumerate(keys)] + [
        (f"v{i}", name) for i, name in enumerate(names)
    ]
    arrays = ", ".join(f"%({short})s::{_array_type(table.c[name].type)}" for short, name in given)
    sets = ", ".join(f'"{name}" = given.v{i}' for i, name in enumerate(names))
    where = " AND ".join(f'"{table.name}"."{name}" = given.k{i}' for i, name in enumerate(keys))
    still = f' AND "{table.name}".to_us IS NULL' if only_open else ""
    return (
        f'UPDATE "{table.name}" SET {sets} FROM unnest({arrays}) AS given ({", ".join(short for short, _ in given)}) '
        f"WHERE {where}{still}"
    )


def delete_rows(connection: Connection, table: Table, keys: Sequence[Row]) -> None:
    """Delete the rows with these keys, which all name the same (text) columns."""
    columns = list(keys[0])
    wanted = keys_in(connection, columns, [[key[name] for name in columns] for key in keys])
    connection.execute(delete(table).where(wanted))


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
    values = {f"k{i}": _array([key[i] for key in listed]) for i in range(len(columns))}
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


def fetched(connection: Connection, sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Read rows by the driver alone, in the connection's transaction; `sql` is in the database's own words.

    For the few reads of single leads that cost SQLAlchemy three times what they cost the database. What goes wrong
    is raised as SQLAlchemy would raise it.
    """
    if not connection.in_transaction():
        connection.begin()
    driver: Any = connection.connection.driver_connection
    dialect: Any = connection.dialect
    try:
        found: list[tuple[Any, ...]] = driver.execute(sql, values).fetchall()
    except dialect.loaded_dbapi.Error as error:
        is_gone = dialect.is_disconnect(error, driver, None)
        if is_gone:
            connection.invalidate(error)
        raise DBAPIError.instance(
            sql,
            None,
            error,
            dialect.loaded_dbapi.Error,
            hide_parameters=True,
            connection_invalidated=is_gone,
            dialect=dialect,
        ) from error
    return found


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
