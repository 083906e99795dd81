"""In a cluster, one process at a time reads a mailbox or a table of calls (see ingest.followed.Reader)."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from store import door_readers
from store.database import Database

log = structlog.get_logger()

ASK_AGAIN_S = door_readers.LEASE_S / 3
"""How often the right is prolonged, or asked for."""


class OneReader:
    """This process among several."""

    def __init__(self, store: Database, worker: str, clock: Callable[[], int]) -> None:
        self._store = store
        self._worker = worker
        self._clock = clock
        self._known: dict[str, tuple[float, bool]] = {}

    def may_read(self, source_id: str) -> bool:
        """Tell whether this process may; asks the store only every few seconds."""
        asked_s, may = self._known.get(source_id, (0.0, False))
        now_s = time.monotonic()
        if source_id not in self._known or now_s - asked_s > ASK_AGAIN_S:
            with self._store.write() as connection:
                may = door_readers.claim(connection, source_id, self._worker, self._clock())
            self._known[source_id] = (now_s, may)
        return may

    def progress(self, source_id: str, path: str) -> dict[str, Any] | None:
        """Return how far some process had read."""
        with self._store.read() as connection:
            return door_readers.progress(connection, source_id, path)

    def keep(self, source_id: str, path: str, state: dict[str, object]) -> None:
        """Keep how far was read; while the store is away, this process still knows."""
        try:
            with self._store.write() as connection:
                door_readers.keep(connection, source_id, self._worker, path, state)
        except SQLAlchemyError as error:
            log.warning("door_progress_not_kept", source=source_id, error=type(error).__name__)

    def leave(self) -> None:
        """Let another process go on at once."""
        try:
            with self._store.write() as connection:
                door_readers.release(connection, self._worker)
        except SQLAlchemyError as error:
            log.warning("door_progress_not_kept", error=type(error).__name__)
