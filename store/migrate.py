"""Bringing a database to the schema of this version, by Alembic; one history a file kind."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from alembic import command
from alembic.config import Config
from sqlalchemy import MetaData

from store import tables
from store.database import Database

History = Literal["state", "doors"]

_HERE = Path(__file__).parent / "migrations"


def migrate(database: Database, history: History) -> None:
    """Apply the migrations that are missing, all in one transaction."""
    with database.write() as connection:
        command.upgrade(alembic_config(history, connection), "head")


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
