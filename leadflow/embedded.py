"""The embedded host: doors, stages and timers in one process over two SQLite files."""

from __future__ import annotations

import hmac
import os
import threading
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from ingest.cti.door import CallDoor
from ingest.email.door import MailDoor
from leadflow import pipeline
from leadflow.clock import new_id, wall_clock_us
from leadflow.exports import moment
from leadflow.metrics import Metrics
from schemas.capture import Capture
from schemas.events import Event
from schemas.ids import make_id
from sinks.dispatch import Dispatcher
from sinks.gateway import DeliverStage
from sinks.port import outside
from store import tables
from store.access import grant
from store.acts import ActRefused, Command, perform
from store.acts_erase import erase, erase_keys, read_journal
from store.breakers import open_breakers
from store.company import CompanyCache
from store.database import WAL_LIMIT_BYTES, Database, open_sqlite
from store.migrate import migrate
from stream.breaker import Policy
from stream.crash import crash_point
from stream.door_log import CAPTURES, DoorLog, fetch_keys
from stream.host import StageHost
from stream.log import LogReader, SqlLog, SqlReader
from stream.seal import KeyRing, master_key
from stream.timers import fire_due
from stream.watch import StageStopped, forget

log = structlog.get_logger()

IDLE_S = 0.25
"""How long the stage thread sleeps when there is nothing to do; a capture wakes it at once, so this bounds
only how late a timer fires (limit: 2 s)."""
SOURCES_S = 0.25
"""How long the doors go by the sources they know: asking the store at every request took a third of the loop's
time, and nobody notices a quarter of a second after a change."""
MAILED_LINK_US = 7 * 24 * 3_600 * 1_000_000
"""How long the link in a mail opens: over a holiday, and not for ever in a mailbox."""
STANDS_S = 60.0
"""A turn takes milliseconds, a checkpoint of a large WAL a second: after a minute the thread hangs."""
FORGET_US = 600_000_000
"""How often counts that no breaker's window reaches any more are deleted: some hundred rows each time."""
RETRY_S = 1.0
"""Pause after the store failed. Shorter hammers a database that is restarting; longer delays leads."""


@dataclass
class Files:
    """The two databases of a data folder, their logs and the key ring."""

    doors: Database
    store: Database
    door_log: SqlLog
    store_log: SqlLog
    keys: KeyRing
    folder: Path
    journal: Path
    """Erasures, beside the data folder and not in it: a backup of the folder must not hold its own journal."""

    def capture(self, capture_id: str) -> Capture | None:
        """Return a capture with its raw bytes; None if it is unknown or was erased."""
        table, dead = tables.capture, tables.dead
        of_letter = select(dead.c.off).where(dead.c.capture_id == capture_id, dead.c.topic == CAPTURES)
        with self.store.read() as connection:
            off = connection.execute(
                select(table.c.off).where(table.c.capture_id == capture_id)
            ).scalar_one_or_none()
            if off is None:  # parse broke on it, or has not tried it
                off = connection.execute(of_letter.limit(1)).scalar_one_or_none()
        if off is None:
            return None
        with self.doors.read() as connection:
            (logged,) = self.door_log.read(connection, CAPTURES, off, 1)
        return logged.event.read(Capture) if logged.opened else None

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
    files = _files(folder, doors, store)
    with doors.write() as connection:
        files.door_log.create(connection, pipeline.DOOR_TOPICS, new_id())
    with store.write() as connection:
        files.store_log.create(connection, pipeline.STORE_TOPICS, new_id())
    os.chmod(folder, 0o700)
    _erase_again(files)
    return files


def read_files(folder: Path) -> Files:
    """Open a data folder only to look at it, beside a host that may be running."""
    return _files(folder, open_sqlite(folder / "doors.db"), open_sqlite(folder / "store.db"))


def _files(folder: Path, doors: Database, store: Database) -> Files:
    keys = KeyRing(master_key(folder / "master.key"), fetch_keys(doors))
    return Files(
        doors=doors,
        store=store,
        door_log=SqlLog(tables.door_log, tables.door_head, keys),
        store_log=SqlLog(tables.log, tables.topic_head, keys),
        keys=keys,
        folder=folder,
        journal=folder.with_name(folder.name + ".erasures"),
    )


def _erase_again(files: Files) -> None:
    """Carry out every erasure that this folder does not know of: it may be a restored backup."""
    for erasure in read_journal(files.journal):
        with files.store.read() as connection:
            act = tables.act
            done = (erasure.act_id, make_id("act", f"again:{erasure.act_id}"))
            known = connection.execute(select(act.c.act_id).where(act.c.act_id.in_(done))).first()
        if known is not None:
            continue
        log.warning("erased_again", act_id=erasure.act_id)
        with files.doors.write() as connection:
            erase_keys(connection, erasure)
        command = Command("erase", "restore", f"again:{erasure.act_id}", erasure.customers[0])
        plan = erase(erasure, files.keys.hash_secret)
        perform(files.store, command, plan, wall_clock_us(), files.store_log.append)
        files.doors.checkpoint()
        files.store.checkpoint()


class Embedded:
    """Everything but HTTP: the doors' log, the stages, the timers and the dispatch, started and stopped here."""

    def __init__(
        self,
        files: Files,
        probe_token: str = "",
        public_url: str | None = None,
        policy: Policy | None = None,
    ) -> None:
        self.files = files
        self.companies = CompanyCache()
        self.metrics = Metrics()
        self.door = DoorLog(
            files.doors,
            files.door_log,
            files.keys,
            clock=wall_clock_us,
            new_id=new_id,
            probe_token=probe_token,
        )
        doors = SqlReader(files.doors, files.door_log)
        store = SqlReader(files.store, files.store_log)
        readers: dict[str, LogReader] = dict.fromkeys(pipeline.DOOR_TOPICS, doors)
        readers |= dict.fromkeys(pipeline.STORE_TOPICS, store)
        stages = pipeline.stages(self.companies)
        self.hosts: list[StageHost[Any, Any]] = [
            StageHost(stage, readers, files.store, files.store_log, _wall_clock_of, policy=policy)
            for stage in stages
        ]
        self._deliver = next(stage for stage in stages if isinstance(stage, DeliverStage))
        self.calls = CallDoor(self.door, self.sources, wall_clock_us, new_id)
        self.mail = MailDoor(self.door, self.sources, wall_clock_us, new_id)
        self.dispatch = Dispatcher(
            files.store,
            self.companies,
            outside(files.folder),
            wall_clock_us,
            public_url=public_url,
            link_for=self._link_for,
            crash_point=lambda: crash_point("sent, unrecorded"),
        )
        self._policy = policy or Policy()
        self._forgot_us = 0
        self._public_url = public_url
        self._sources: dict[str, dict[str, Any]] = {}
        self._sources_until = 0.0
        self.trouble: str | None = None
        self._turned_s = time.monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stages", daemon=True)

    def start(self) -> None:
        """Start the doors' writer and the stages."""
        self.door.start()
        self._turned_s = time.monotonic()
        self._thread.start()
        self.calls.start()
        self.dispatch.start()

    def stop(self) -> None:
        """Write what waits at the doors, finish the batch at hand, close the files."""
        self.calls.stop()
        self.door.close()
        self._stopping.set()
        self._thread.join()
        self.dispatch.stop()
        self.files.close()

    def sources(self) -> dict[str, dict[str, Any]]:
        """Return the sources that are switched on, as of a quarter of a second ago at most."""
        now = time.monotonic()
        if now >= self._sources_until:
            with self.files.store.read() as connection:
                self._sources = self.companies.get(connection).sources
            self._sources_until = now + SOURCES_S
        return self._sources

    def _link_for(self, delivery_id: str, person_id: str) -> str | None:
        """Return the one-time link that a mail to a person carries; None without a public address."""
        if self._public_url is None:
            return None
        digest = hmac.digest(self.files.keys.link_secret, delivery_id.encode(), "sha256")
        code = urlsafe_b64encode(digest).rstrip(b"=").decode()
        command = Command("grant", "leadflow", f"mail:{delivery_id}", person_id)
        plan = grant("link", code, MAILED_LINK_US)
        try:
            perform(self.files.store, command, plan, wall_clock_us(), self.files.store_log.append)
        except ActRefused:
            return None  # they have left; the mail goes to nobody
        return f"{self._public_url}/enter/{code}"

    def work_off(self) -> int:
        """Let the stages work until nothing is left to do; return how many events they handled."""
        total = 0
        while done := self._turn():
            total += done
        return total

    def _turn(self) -> int:
        now_us = wall_clock_us()
        fire_due(self.files.store, self.files.store_log, pipeline.TIMERS, now_us)
        if now_us - self._forgot_us > FORGET_US:
            forget(self.files.store, self._policy, now_us)
            self._forgot_us = now_us
        stopped: list[str] = []
        done = sum(self._timed(host, stopped) for host in self.hosts)
        self.trouble = "; ".join(stopped) or None
        return done

    def _timed(self, host: StageHost[Any, Any], stopped: list[str]) -> int:
        started = time.perf_counter()
        try:
            done = host.run_once()
        except StageStopped as reason:  # the other stages go on, and this one as soon as somebody resets it
            stopped.append(str(reason))
            return 0
        if done:
            self.metrics.batch(host.stage.name, time.perf_counter() - started)
        return done

    def unwell(self) -> str | None:
        """Return why the stages stand, or None: they work, or have nothing to do."""
        if self.trouble is None and time.monotonic() - self._turned_s > STANDS_S:
            return "the stages have not done a turn for over a minute: see the log, restart"
        return self.trouble

    def breakers(self) -> list[dict[str, Any]]:
        """Return the sources whose events are held, and since when."""
        with self.files.store.read() as connection:
            found = open_breakers(connection)
        return [
            {
                "source": row["source_id"],
                "stage": row["stage"],
                "state": row["state"],
                "since": moment(row["since_us"]),
                "held": row["held"],
            }
            for row in found
        ]

    def backlogs(self) -> list[tuple[str, int]]:
        """Return how many events wait for each stage."""
        return [(host.stage.name, host.backlog()) for host in self.hosts]

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                done = self._turn()
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
            self._turned_s = time.monotonic()
            if not done:
                self.door.wait_for_more(IDLE_S)
            elif self._deliver.has_sinks:
                self.dispatch.wake()


def _wall_clock_of(_event: Event) -> int:
    return wall_clock_us()
