"""Fixtures for every test: a rig over SQLite, and one real PostgreSQL server a run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from store.database import Database, open_postgres
from store.migrate import migrate
from tests.support.rig import Rig, empty
from tools.servers import postgres as postgres_server

settings.register_profile("leadflow", deadline=None)  # how long a loaded machine takes is no property
settings.load_profile("leadflow")


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
def postgres_url() -> Iterator[str]:
    with postgres_server(variable="LEADFLOW_TEST_DATABASE_URL") as url:
        yield url


@pytest.fixture(scope="session")
def postgres(postgres_url: str) -> Iterator[Database]:
    database = open_postgres(postgres_url)
    migrate(database, "state")
    yield database
    database.close()


@pytest.fixture
def clean_postgres(postgres: Database) -> Database:
    empty(postgres)
    return postgres
