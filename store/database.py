"""Opening a database: the one writer of a SQLite file, its readers, or a PostgreSQL pool.

Nothing is imported or opened at import time. SQLite files are WAL with `synchronous=FULL`: a COMMIT that
returned is on the disk.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool, StaticPool

WAL_LIMIT_BYTES = 8 * 1024 * 1024
"""Checkpoint when the WAL has grown to this: smaller costs an fsync of the file more often, larger makes
the checkpoint itself (and the restart after a kill) longer. 8 MiB are some 20 ms of writing here."""

_BUSY_MS = 10_000
"""How long a statement waits for a lock of another process, such as a command that writes while none runs."""

_SAFE = ((3, 51, 3), (3, 50, 7), (3, 44, 6))


class UnsafeSqlite(RuntimeError):
    """This SQLite can lose committed writes (WAL-reset race, 3.7.0 to 3.51.2)."""

    def __init__(self, version: str) -> None:
        super().__init__(
            f"SQLite {version} can lose committed writes when connections write and checkpoint together.\n"
            "Fix: pip install 'pysqlite3>=0.6.1' (brings its own SQLite), or use a Python built on "
            "SQLite 3.51.3 or newer."
        )


def is_safe_sqlite(version: tuple[int, int, int]) -> bool:
    """Tell whether a SQLite version has the fix of the WAL-reset race (3.51.3, 3.50.7, 3.44.6)."""
    if version >= _SAFE[0]:
        return True
    return any(version[:2] == fixed[:2] and version >= fixed for fixed in _SAFE[1:])


def sqlite_module() -> ModuleType:
    """Return a DB-API module with a safe SQLite: the interpreter's own, else pysqlite3.

    Raises UnsafeSqlite, which names the fix.
    """
    if is_safe_sqlite(_version(sqlite3)):
        return sqlite3
    try:
        from pysqlite3 import dbapi2
    except ImportError:
        raise UnsafeSqlite(sqlite3.sqlite_version) from None
    if not is_safe_sqlite(_version(dbapi2)):
        raise UnsafeSqlite(dbapi2.sqlite_version)
    module: ModuleType = dbapi2
    return module


def _version(module: Any) -> tuple[int, int, int]:
    major, minor, patch = module.sqlite_version_info
    return int(major), int(minor), int(patch)


class Database:
    """One database, with one way to write and one way to read.

    `write()` is a transaction that commits at the end of the block. On SQLite one writer at a time is let
    in, and waits its turn; on PostgreSQL each gets a connection of the pool.
    """

    def __init__(
        self, writer: Engine, reader: Engine, wal: Path | None = None, wal_limit: int = WAL_LIMIT_BYTES
    ) -> None:
        self._writer = writer
        self._reader = reader
        self._wal = wal
        self._wal_limit = wal_limit
        self._wal_due = wal_limit
        self._turn = threading.Lock() if wal is not None else None

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._writer.dialect.name

    @property
    def engine(self) -> Engine:
        """The writing engine, for migrations."""
        return self._writer

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection inside a transaction; commit at the end, roll back on an exception."""
        with self._turn or nullcontext(), _connected(self._writer) as connection, connection.begin():
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection with a stable view of what is committed; it cannot write."""
        with _connected(self._reader) as connection:
            yield connection

    def wal_is_full(self) -> bool:
        """Tell whether a checkpoint is due. Always False on PostgreSQL, which does its own."""
        if self._wal is None:
            return False
        try:
            return self._wal.stat().st_size > self._wal_due
        except FileNotFoundError:
            return False

    def checkpoint(self, *, wait: bool = False) -> bool:
        """Move the WAL into the file and empty it; tell whether it is empty now.

        A reader who is not done yet (a backup, an export into a pager) keeps the WAL from being emptied. Writers
        do not wait for that: they go on, and the next checkpoint is due after another `wal_limit` bytes. With
        `wait` the reader is waited for, 10 s at most: for what must be gone from the disk. Raises OperationalError
        when the disk is full; the WAL then stays as it is, and nothing is lost.
        """
        if self._wal is None or self._turn is None:
            return True
        with self._turn:
            raw = self._writer.raw_connection()
            try:
                say: Any = raw.driver_connection
                say.execute(f"PRAGMA busy_timeout={_BUSY_MS if wait else 0}")
                try:
                    busy, _, _ = say.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                finally:
                    say.execute(f"PRAGMA busy_timeout={_BUSY_MS}")
            except sqlite_module().OperationalError as error:
                raise OperationalError("wal_checkpoint", None, error) from error
            finally:
                raw.close()
            still = self._wal.stat().st_size if busy else 0
            self._wal_due = still + self._wal_limit
        return not busy

    def copy_to(self, path: Path) -> None:
        """Copy what is committed at this moment into a new SQLite file, while writers go on.

        By SQLite's online backup in one step: one snapshot, page by page. Raises NotImplementedError elsewhere.
        """
        if self._wal is None:
            raise NotImplementedError("only a SQLite file is copied like this")
        target = sqlite_module().connect(path)
        raw = self._reader.raw_connection()
        try:
            raw.driver_connection.backup(target)  # type: ignore[union-attr]
            target.execute("PRAGMA journal_mode=DELETE")  # one file, to be moved as one
        finally:
            raw.close()
            target.close()

    def close(self) -> None:
        """Close every connection."""
        self._reader.dispose()
        self._writer.dispose()


def _connected(engine: Engine) -> Connection:
    """Return a connection. That the pool has none left is trouble of the database's, as if it had refused one."""
    try:
        return engine.connect()
    except PoolTimeout as error:
        raise OperationalError("connect", None, error, connection_invalidated=True) from error


def open_sqlite(path: Path, wal_limit: int = WAL_LIMIT_BYTES) -> Database:
    """Open (or create) a SQLite file. Raises UnsafeSqlite."""
    module = sqlite_module()
    url = f"sqlite:///{path}"
    writer = create_engine(
        url, module=module, poolclass=StaticPool, connect_args={"check_same_thread": False}
    )
    reader = create_engine(
        url,
        module=module,
        poolclass=QueuePool,
        pool_size=4,
        max_overflow=4,
        connect_args={"check_same_thread": False},
    )

    def prepare(raw: Any, _record: object) -> None:
        raw.isolation_level = None  # we say BEGIN ourselves; the driver's own rules differ by statement
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
            f"busy_timeout={_BUSY_MS}",
            "wal_autocheckpoint=0",
            "temp_store=MEMORY",
            "cache_size=-65536",
        ):
            raw.execute(f"PRAGMA {pragma}")

    def prepare_reader(raw: Any, record: object) -> None:
        prepare(raw, record)
        raw.execute("PRAGMA query_only=ON")

    event.listen(writer, "connect", prepare)
    event.listen(reader, "connect", prepare_reader)
    event.listen(writer, "begin", lambda connection: _say(connection, "BEGIN IMMEDIATE"))
    event.listen(reader, "begin", lambda connection: _say(connection, "BEGIN"))
    return Database(writer, reader, wal=path.with_name(path.name + "-wal"), wal_limit=wal_limit)


def _say(connection: Connection, statement: str) -> None:
    connection.connection.driver_connection.execute(statement)  # type: ignore[union-attr]


@dataclass(frozen=True, slots=True)
class PostgresLimits:
    """What one process may take of a PostgreSQL, and how long anything may last there."""

    pool: int = 8
    """Connections."""
    statement_s: float = 60.0
    """One statement: the longest there is, an export's, takes seconds for a million rows."""
    lock_s: float = 10.0
    """Waiting for a lock: a batch holds its own for a fraction of a second, a hand-over of thousands for some."""
    idle_s: float = 20.0
    """A transaction in which nothing happens. Work between two statements takes milliseconds, so this one's process
    has been stopped, or its network cut; its locks keep others waiting."""


def open_postgres(url: str, limits: PostgresLimits | None = None, name: str = "leadflow") -> Database:
    """Open a PostgreSQL database by its URL (`postgresql+psycopg://…`), 14 or newer.

    `name` is what the server's administrator sees in pg_stat_activity.
    """
    limits = limits or PostgresLimits()
    engine = create_engine(
        url,
        pool_size=limits.pool,
        max_overflow=0,
        pool_timeout=limits.lock_s,
        pool_pre_ping=True,
        connect_args={
            "application_name": name,
            "connect_timeout": 10,
            "options": _postgres_options(limits),
            # A server that is gone without a word is noticed after 10 + 3 × 5 s, also while we wait for its answer.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 25_000,
        },
    )
    # As on SQLite, whoever only reads sees one moment; each statement of a writer sees what is committed by then.
    reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    return Database(engine, reader)


def _postgres_options(limits: PostgresLimits) -> str:
    """Return the session's settings: limits, and how soon the server notices that this process is gone."""
    settings = {
        "statement_timeout": int(limits.statement_s * 1_000),
        "lock_timeout": int(limits.lock_s * 1_000),
        "idle_in_transaction_session_timeout": int(limits.idle_s * 1_000),
        "client_connection_check_interval": 5_000,
        "tcp_keepalives_idle": 10,
        "tcp_keepalives_interval": 5,
        "tcp_keepalives_count": 3,
        "tcp_user_timeout": 25_000,
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())
