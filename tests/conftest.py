"""Fixtures for every test: a rig over SQLite, and one real PostgreSQL server a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database, open_postgres
from store.migrate import migrate
from tests.support.postgres import postgres_url
from tests.support.rig import Rig, empty


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A rig, once over each database."""
    if request.param == "postgresql":
        made = Rig(tmp_path, request.getfixturevalue("clean_postgres"))
        yield made
        made.files.doors.close()
        return
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
