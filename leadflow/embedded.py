"""The embedded host: doors, stages and timers in one process over two SQLite files."""

from __future__ import annotations

import os
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from ingest.cti.door import CallDoor
from ingest.email.door import MailDoor
from leadflow import pipeline
from schemas.events import Event
from store import tables
from store.company import CompanyCache
from store.database import WAL_LIMIT_BYTES, Database, open_sqlite
from store.migrate import migrate
from stream.door_log import DoorLog, fetch_keys
from stream.host import StageHost
from stream.log import LogReader, SqlLog, SqlReader
from stream.seal import KeyRing, master_key
from stream.timers import fire_due

log = structlog.get_logger()

IDLE_S = 0.25
"""How long the stage thread sleeps when there is nothing to do; a capture wakes it at once, so this bounds
only how late a timer fires (limit: 2 s)."""
RETRY_S = 1.0
"""Pause after the store failed. Shorter hammers a database that is restarting; longer delays leads."""


def wall_clock_us() -> int:
    """Return the time now, in microseconds UTC."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """Return a random id of 32 hex characters, also fit as a W3C trace id."""
    return uuid.uuid4().hex


@dataclass
class Files:
    """The two databases of a data folder, their logs and the key ring."""

    doors: Database
    store: Database
    door_log: SqlLog
    store_log: SqlLog
    keys: KeyRing

    def close(self) -> None:
        """Close both files."""
        self.doors.close()
        self.store.close()


def open_files(folder: Path, wal_limit: int = WAL_LIMIT_BYTES) -> Files:
    """Open a data folder, making or migrating what is needed. Raises what names the fix."""
    folder.mkdir(parents=True, exist_ok=True)
    doors, store = (open_sqlite(folder / name, wal_limit) for name in ("doors.db", "store.db"))
    migrate(doors, "doors")
    migrate(store, "state")
    keys = KeyRing(master_key(folder / "master.key"), fetch_keys(doors))
    door_log = SqlLog(tables.door_log, tables.door_head, keys)
    store_log = SqlLog(tables.log, tables.topic_head, keys)
    with doors.write() as connection:
        door_log.create(connection, pipeline.DOOR_TOPICS, new_id())
    with store.write() as connection:
        store_log.create(connection, pipeline.STORE_TOPICS, new_id())
    os.chmod(folder, 0o700)
    return Files(doors, store, door_log, store_log, keys)


class Embedded:
    """Everything but HTTP: the doors' log, the stages and the timers, each started and stopped here."""

    def __init__(self, files: Files) -> None:
        self.files = files
        self.companies = CompanyCache()
        self.door = DoorLog(files.doors, files.door_log, files.keys, clock=wall_clock_us, new_id=new_id)
        doors = SqlReader(files.doors, files.door_log)
        store = SqlReader(files.store, files.store_log)
        readers: dict[str, LogReader] = dict.fromkeys(pipeline.DOOR_TOPICS, doors)
        readers |= dict.fromkeys(pipeline.STORE_TOPICS, store)
        self.hosts: list[StageHost[Any]] = [
            StageHost(stage, readers, files.store, files.store_log, _wall_clock_of)
            for stage in pipeline.stages(self.companies)
        ]
        self.calls = CallDoor(self.door, self.sources, wall_clock_us, new_id)
        self.mail = MailDoor(self.door, self.sources, wall_clock_us, new_id)
        self.trouble: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stages", daemon=True)

    def start(self) -> None:
        """Start the doors' writer and the stages."""
        self.door.start()
        self._thread.start()
        self.calls.start()

    def stop(self) -> None:
        """Write what waits at the doors, finish the batch at hand, close the files."""
        self.calls.stop()
        self.door.close()
        self._stopping.set()
        self._thread.join()
        self.files.close()

    def sources(self) -> dict[str, dict[str, Any]]:
        """Return the sources that are switched on, as of now."""
        with self.files.store.read() as connection:
            return self.companies.get(connection).sources

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                fire_due(self.files.store, self.files.store_log, pipeline.TIMERS, wall_clock_us())
                done = sum(host.run_once() for host in self.hosts)
                self.trouble = None
            except DBAPIError as error:
                self.trouble = f"the store failed: {type(error.orig).__name__}"
                log.error("store_failed", error=type(error.orig).__name__)
                self._stopping.wait(RETRY_S)
                continue
            except Exception as error:
                # Going on could skip events; the doors stay open and /readyz says why nothing moves.
                self.trouble = f"{type(error).__name__}: {error}"
                log.error("stages_stopped", error=type(error).__name__)
                return
            if not done:
                self.door.wait_for_more(IDLE_S)


def _wall_clock_of(_event: Event) -> int:
    return wall_clock_us()
