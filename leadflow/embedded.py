"""The embedded host: doors, stages and timers in one process over two SQLite files."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from ingest.cti.door import CallDoor
from ingest.cti.table_door import TableDoor
from ingest.email.door import MailDoor
from ingest.email.imap_door import ImapDoor
from leadflow import pipeline
from leadflow.auto_moves import AutoMoves
from leadflow.backup import make_backup
from leadflow.clock import new_id, wall_clock_of, wall_clock_us
from leadflow.crowding import Crowding
from leadflow.door_watch import DoorWatch, tell_trouble
from leadflow.engine import Sources, drop_keys_to_erase, erase_again, mailed_links, open_breakers_of
from leadflow.handover_job import HandOvers
from leadflow.housekeeping import Housekeeping
from leadflow.imports.work import Imports
from leadflow.kept_folder import KeptFolder
from leadflow.metrics import Metrics
from leadflow.paths import journal_path
from leadflow.second_look import SecondLook
from sales.segments import gaps_for
from schemas.capture import Capture
from sinks.dispatch import Dispatcher
from sinks.gateway import DeliverStage
from sinks.port import outside
from store import tables
from store.acts_erase import erase_keys, erase_keys_by_id, keys_left
from store.breakers import WHOLE_STAGE
from store.company import CompanyCache
from store.database import WAL_LIMIT_BYTES, Database, open_sqlite
from store.journal import Erasure, begin_journal
from store.migrate import is_behind, migrate
from store.relocation import NotHere, refuse_elsewhere
from store.views import capture_place
from stream.breaker import Policy
from stream.crash import crash_point
from stream.door_log import CAPTURES, DoorLog, fetch_keys
from stream.host import Stage, StageHost, TopicReplaced
from stream.log import LogReader, SqlLog, SqlReader
from stream.retention import KEEP_US, Retention
from stream.seal import KeyRing, master_key
from stream.timers import fire_due
from stream.watch import Forgetting, StageStopped, tell_standing

log = structlog.get_logger()

IDLE_S = 0.25
"""How long the stage thread sleeps when there is nothing to do; a capture wakes it at once, so this bounds
only how late a timer fires (limit: 2 s)."""
STANDS_S = 60.0
"""A turn takes milliseconds, a checkpoint of a large WAL a second: after a minute the thread hangs."""
HOUSE_S = 2.0
"""At least so often the chores have their turn, however much the stages have to do."""
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
        with self.store.read() as connection:
            place = capture_place(connection, capture_id)
        if place is None:
            return None
        with self.doors.read() as connection:
            (logged,) = self.door_log.read(connection, CAPTURES, place[1], 1)
        return logged.event.read(Capture) if logged.opened else None

    def forget_keys(self, erasure: Erasure) -> None:
        """Delete the keys of erased captures, in the file and in memory."""
        with self.doors.write() as connection:
            gone = erase_keys(connection, erasure)
        self.keys.forget(gone)

    def keys_left(self, erasure: Erasure) -> int:
        """Return how many keys of erased captures are still in the file."""
        with self.doors.read() as connection:
            return keys_left(connection, erasure)

    def drop_keys(self, key_ids: Sequence[str]) -> None:
        """Delete these keys, in the file and in memory."""
        with self.doors.write() as connection:
            erase_keys_by_id(connection, key_ids)
        self.keys.forget(key_ids)

    def empty_deleted(self) -> None:
        """Take what was deleted out of both write-ahead logs."""
        self.doors.checkpoint(wait=True)
        self.store.checkpoint(wait=True)

    def close(self) -> None:
        """Close both files."""
        self.doors.close()
        self.store.close()


def open_files(
    folder: Path,
    wal_limit: int = WAL_LIMIT_BYTES,
    *,
    backups: Path | None = None,
    journal: Path | None = None,
    moving: bool = False,
) -> Files:
    """Open a data folder, making or migrating what is needed. Raises what names the fix; NotHere for one that was left.

    `backups` is where a backup goes before tables are changed (none is made without it), `journal` the erasure
    journal, if it does not lie beside the folder. `moving`: it is opened to be moved, wherever it is by now.
    """
    folder.mkdir(parents=True, exist_ok=True)
    is_new = not (folder / "store.db").exists()
    doors, store = (open_sqlite(folder / name, wal_limit) for name in ("doors.db", "store.db"))
    if backups is not None and (is_behind(doors, "doors") or is_behind(store, "state")):
        made = make_backup(
            KeptFolder(folder, doors, store, journal or journal_path(folder)),
            into=backups,
            why="migration",
            now_us=wall_clock_us(),
        )
        log.info("backup_made", file=made.path.name, why="migration")
    migrate(doors, "doors")
    migrate(store, "state")
    if not moving:
        try:
            with store.read() as connection:
                refuse_elsewhere(connection)
        except NotHere:
            doors.close()
            store.close()
            raise
    files = _files(folder, doors, store, journal)
    with doors.write() as connection:
        files.door_log.create(connection, pipeline.DOOR_TOPICS, new_id())
    with store.write() as connection:
        files.store_log.create(connection, pipeline.STORE_TOPICS, new_id())
    os.chmod(folder, 0o700)
    if not files.journal.exists():
        if is_new:
            begin_journal(files.journal, new_id())
        else:
            log.warning("erasure_journal_missing", file=files.journal.name)
    erase_again(files)
    return files


def read_files(folder: Path) -> Files:
    """Open a data folder only to look at it, beside a host that may be running."""
    return _files(folder, open_sqlite(folder / "doors.db"), open_sqlite(folder / "store.db"))


def _files(folder: Path, doors: Database, store: Database, journal: Path | None = None) -> Files:
    keys = KeyRing(master_key(folder / "master.key"), fetch_keys(doors))
    return Files(
        doors=doors,
        store=store,
        door_log=SqlLog(tables.door_log, tables.door_head, keys),
        store_log=SqlLog(tables.log, tables.topic_head, keys),
        keys=keys,
        folder=folder,
        journal=journal or journal_path(folder),
    )


def stage_hosts(
    files: Files, stages: Sequence[Stage[Any, Any]], policy: Policy | None = None
) -> list[StageHost[Any, Any]]:
    """Return what runs these stages over a data folder, each event decided at the time it is."""
    readers: dict[str, LogReader] = dict.fromkeys(
        pipeline.DOOR_TOPICS, SqlReader(files.doors, files.door_log)
    )
    readers |= dict.fromkeys(pipeline.STORE_TOPICS, SqlReader(files.store, files.store_log))
    return [
        StageHost(stage, readers, files.store, files.store_log, wall_clock_of, policy=policy)
        for stage in stages
    ]


class Embedded:
    """Everything but HTTP: the doors' log, the stages, the timers and the dispatch, started and stopped here."""

    def __init__(
        self,
        files: Files,
        probe_token: str = "",
        public_url: str | None = None,
        policy: Policy | None = None,
        keep_us: int = KEEP_US,
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
        stages = pipeline.stages(self.companies, files.keys.hash_secret)
        self.hosts = stage_hosts(files, stages, policy)
        self._house = Housekeeping(
            {
                "retention": Retention(files.store, pipeline.readers_of(stages), keep_us).turn,
                "crowding": Crowding(files.store, files.store_log.append).turn,
                "hand_overs": HandOvers(files.store, files.store_log.append).turn,
                "second_look": SecondLook(files.store, files.store_log.append, several=False).turn,
            }
        )
        self._house_s = 0.0
        self._auto_moves = AutoMoves(files.store, files.store_log.append)
        self._deliver = next(stage for stage in stages if isinstance(stage, DeliverStage))
        self.sources = Sources(files.store, self.companies)
        self.calls = CallDoor(self.door, self.sources, wall_clock_us, new_id)
        self.mail = MailDoor(self.door, self.sources, wall_clock_us, new_id)
        tell = partial(tell_trouble, files.store)
        self.mailboxes = ImapDoor(self.door, self.sources, wall_clock_us, new_id, tell=tell)
        self.call_tables = TableDoor(self.door, self.sources, wall_clock_us, new_id, tell=tell)
        self._door_watch = DoorWatch(files.store)
        self.dispatch = Dispatcher(
            files.store,
            self.companies,
            outside(files.folder),
            wall_clock_us,
            public_url=public_url,
            gaps=gaps_for,
            link_for=mailed_links(files, public_url),
            crash_point=crash_point,
        )
        self.imports = Imports(self, is_live=True)
        self._forgetting = Forgetting(files.store, policy or Policy())
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
        self.mailboxes.start()
        self.call_tables.start()
        self.dispatch.start()
        self._auto_moves.start()
        self.imports.start()
        self._door_watch.start()

    def stop(self) -> None:
        """Write what waits at the doors, finish the batch at hand, close the files."""
        self.calls.stop()
        self.imports.stop()
        self.mailboxes.stop()
        self.call_tables.stop()
        self.door.close()
        self._stopping.set()
        self._thread.join()
        self.dispatch.stop()
        self._auto_moves.stop()
        self._door_watch.stop()
        self.files.close()

    def work_off(self) -> int:
        """Let the stages work until nothing is left to do; return how many events they handled."""
        total = 0
        while done := self._turn():
            total += done
        return total

    def _turn(self) -> int:
        now_us = wall_clock_us()
        fire_due(self.files.store, self.files.store_log, pipeline.TIMERS, now_us)
        self._forgetting.turn(now_us)
        stopped: list[str] = []
        done = sum(self._timed(host, stopped) for host in self.hosts)
        self.trouble = "; ".join(stopped) or None
        drop_keys_to_erase(self.files)
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
        return open_breakers_of(self.files)

    def backlogs(self) -> list[tuple[str, int]]:
        """Return how many events wait for each stage."""
        return [(host.stage.name, host.backlog()) for host in self.hosts]

    def _tell(self, error: Exception) -> None:
        """Have a person told, if the store can still take it, that the stages stand until somebody restarts them."""
        code, subject = type(error).__name__, WHOLE_STAGE
        if isinstance(error, TopicReplaced):
            code, subject = "topic_replaced", error.topic
        try:
            tell_standing(self.files.store, WHOLE_STAGE, subject, code, wall_clock_us())
        except DBAPIError as failure:
            log.error("alarms_failed", error=type(failure.orig).__name__)

    def _keep_house(self) -> int:
        self._house_s = time.monotonic() + HOUSE_S
        return self._house.turn(wall_clock_us())

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                done = self._turn() or self._keep_house()
                if (
                    time.monotonic() >= self._house_s
                ):  # stages that are never idle must not put it off for ever
                    self._keep_house()
            except DBAPIError as error:
                self.trouble = f"the store failed: {type(error.orig).__name__}"
                log.error("store_failed", error=type(error.orig).__name__)
                self._stopping.wait(RETRY_S)
                continue
            except Exception as error:
                # Going on could skip events; the doors stay open and /readyz says why nothing moves.
                self.trouble = f"{type(error).__name__}: {error}"
                log.error("stages_stopped", error=type(error).__name__)
                self._tell(error)
                return
            self._turned_s = time.monotonic()
            if not done:
                self.door.wait_for_more(IDLE_S)
            elif self._deliver.has_sinks:
                self.dispatch.wake()
