"""Bringing a database to the schema of this version, by Alembic; one history a file kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from store import tables
from store.database import Database
from store.locks import lock_schema

History = Literal["state", "doors"]
HISTORIES: tuple[History, ...] = get_args(History)

_LIMITS = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
_HERE = Path(__file__).parent / "migrations"


def migrate(database: Database, history: History, before: Callable[[], object] | None = None) -> None:
    """Apply the migrations that are missing, all in one transaction; whoever does it at the same time waits.

    `before` is called first if tables of an earlier version are to be changed: to back them up.
    """
    with database.write() as connection:
        if connection.dialect.name == "postgresql":
            for limit in _LIMITS:  # a large table takes as long as it takes
                connection.execute(text(f"SET LOCAL {limit} = 0"))
        lock_schema(connection)
        if before is not None and _is_behind(connection, history):
            before()
        command.upgrade(alembic_config(history, connection), "head")


def is_behind(database: Database, history: History) -> bool:
    """Tell whether a database holds the tables of an earlier version. An empty one does not."""
    with database.read() as connection:
        return _is_behind(connection, history)


def _is_behind(connection: Connection, history: History) -> bool:
    revision = MigrationContext.configure(connection).get_current_revision()
    return revision is not None and revision != _scripts(history).get_current_head()


def knows(history: History, revision: str) -> bool:
    """Tell whether this version can bring tables of this revision to its own."""
    return revision in {script.revision for script in _scripts(history).walk_revisions()}


def _scripts(history: History) -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config(history))


def alembic_config(history: History, connection: object = None) -> Config:
    """Return Alembic's configuration for a history, to run on this connection."""
    config = Config()
    config.set_main_option("script_location", str(_HERE / history))
    config.attributes["connection"] = connection
    config.attributes["metadata"] = metadata_of(history)
    return config


def metadata_of(history: History) -> MetaData:
    """Return the tables that a history leads to."""
    return tables.state if history == "state" else tables.doors
