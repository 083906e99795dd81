"""Fixtures for every test: a rig over SQLite, and one real PostgreSQL server a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database, open_postgres
from store.migrate import migrate
from tests.support.postgres import postgres_url
from tests.support.rig import Rig, empty


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with postgres_url(tmp_path_factory.mktemp("postgres")) as url:
        database = open_postgres(url)
        migrate(database, "state")
        yield database
        database.close()


@pytest.fixture
def clean_postgres(postgres: Database) -> Database:
    empty(postgres)
    return postgres
