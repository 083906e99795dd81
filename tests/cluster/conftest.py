"""One real broker and one real PostgreSQL for all cluster tests; each test gets topics and tables of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import Database
from tests.support.cluster import Site, started
from tools.servers import PostgresServer, kafka, throw_away


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka(tmp_path_factory.mktemp("kafka") / "broker", "LEADFLOW_TEST_KAFKA") as address:
        yield address


@pytest.fixture
def database_url(clean_postgres: Database, postgres_url: str) -> str:
    return postgres_url


@pytest.fixture
def site(tmp_path: Path, brokers: str, database_url: str) -> Iterator[Site]:
    made = Site(tmp_path, brokers, database_url)
    yield made
    made.close()


@pytest.fixture
def server() -> Iterator[tuple[PostgresServer, str]]:
    """A PostgreSQL of the test's own, to be killed or silenced, with our tables; and its URL."""
    made = PostgresServer(throw_away())
    yield made, started(made)
    made.stop()
