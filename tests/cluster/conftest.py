"""One real broker and one real PostgreSQL for all cluster tests; each test gets topics and tables of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.database import open_postgres
from store.migrate import migrate
from tests.support.cluster import Site
from tests.support.rig import empty
from tools.servers import kafka, postgres


@pytest.fixture(scope="session")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with kafka(tmp_path_factory.mktemp("kafka") / "broker") as address:
        yield address


@pytest.fixture(scope="session")
def database_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with postgres(tmp_path_factory.mktemp("pg")) as url:
        store = open_postgres(url)
        migrate(store, "state")
        store.close()
        yield url


@pytest.fixture
def site(tmp_path: Path, brokers: str, database_url: str) -> Iterator[Site]:
    store = open_postgres(database_url)
    empty(store)
    store.close()
    made = Site(tmp_path, brokers, database_url)
    yield made
    made.close()
