"""The cluster host: the same doors, stages, timers and sinks as processes of their own, over Kafka and PostgreSQL."""

from __future__ import annotations

import hmac
import os
import shutil
import signal
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, select

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
from leadflow.embedded import IDLE_S, RETRY_S
from leadflow.engine import (
    KEY_MARK,
    Part,
    Sources,
    drop_keys_to_erase,
    erase_again,
    mailed_links,
    open_breakers_of,
)
from leadflow.handover_job import HandOvers
from leadflow.housekeeping import Housekeeping
from leadflow.imports.work import Imports
from leadflow.kept_postgres import KeptPostgres
from leadflow.life import Burying, Life
from leadflow.metrics import Metrics, Work, WorkMetrics
from leadflow.one_reader import OneReader
from leadflow.second_look import SecondLook
from leadflow.settings import Settings
from sales.segments import gaps_for
from schemas.capture import Capture
from schemas.events import Event
from schemas.results import Stage as StageName
from sinks.dispatch import Dispatcher
from sinks.port import outside
from store import tables
from store.acts_erase import erase_keys, erase_keys_by_id, keys_left
from store.bulk import insert_ignore
from store.company import CompanyCache
from store.database import Database, open_postgres, open_sqlite
from store.dump import is_empty
from store.journal import Erasure, begin_journal
from store.migrate import migrate
from store.relocation import NotHere, refuse_elsewhere
from store.views import capture_place
from stream.breaker import Policy
from stream.content import Content, NoFolder
from stream.crash import crash_point
from stream.door_log import CAPTURES, fetch_keys
from stream.faust_app import AppThread, StageApp, StageWorker, stage_app
from stream.host import Stage, StageHost
from stream.kafka.door import KafkaDoor
from stream.kafka.outbox import FORWARD, Outbox
from stream.kafka.producer import Sender
from stream.kafka.reader import KafkaReader, Opener
from stream.kafka.topics import admin_client, missing, topics_of
from stream.log import LogReader, Place, SqlLog
from stream.retention import Retention
from stream.seal import KeyRing, master_key
from stream.timers import fire_due
from stream.watch import Forgetting

log = structlog.get_logger()

STOP_S = 15.0
"""How long a part that is told to stop may take to finish what is at hand: below the 30 s after which Kubernetes kills."""


class NotReady(RuntimeError):
    """The cluster cannot be used as it is; the message says what to do first."""


@dataclass
class Cluster:
    """What every process of the cluster holds: the store, the keys, and a way to the brokers."""

    store: Database
    store_log: SqlLog
    keys: KeyRing
    address: str
    folder: Path
    journal: Path
    reader: KafkaReader
    content: Content

    def capture(self, capture_id: str) -> Capture | None:
        """Return a capture with its raw bytes; None if it is unknown, was erased, or lost its body. Raises BrokersAway."""
        with self.store.read() as connection:
            place = capture_place(connection, capture_id)
        if place is None:
            return None
        found = self.reader.read(Place(CAPTURES, place[0]), place[1], 1)
        if not found or not found[0].is_readable or found[0].event.subject != capture_id:
            return None
        # Another process may have erased it, and the key still be in this one's memory.
        key_id = found[0].event.key_id
        if key_id not in fetch_keys(self.store, tables.pii_key)([key_id]):
            self.keys.forget([key_id] if key_id else [])
            return None
        return found[0].event.read(Capture)

    def forget_keys(self, erasure: Erasure) -> None:
        """Delete the keys of erased captures."""
        with self.store.write() as connection:
            gone = erase_keys(connection, erasure, tables.pii_key)
        self.keys.forget(gone)

    def keys_left(self, erasure: Erasure) -> int:
        """Return how many keys of erased captures are still in the store."""
        with self.store.read() as connection:
            return keys_left(connection, erasure, tables.pii_key)

    def drop_keys(self, key_ids: Sequence[str]) -> None:
        """Delete these keys."""
        with self.store.write() as connection:
            erase_keys_by_id(connection, key_ids, tables.pii_key)
        self.keys.forget(key_ids)

    def empty_deleted(self) -> None:
        """PostgreSQL empties deleted rows itself (autovacuum)."""

    def close(self) -> None:
        """Let go of the store and the brokers."""
        self.reader.close()
        self.store.close()


def open_cluster(settings: Settings, role: str = "") -> Cluster:
    """Connect to the store and the brokers that the settings name, and bring the store up to date.

    The server's administrator sees `role` as this process's name.

    Raises NotReady when a setting is missing or the master key is another one than the store's.
    """
    if settings.kafka is None or settings.database_url is None:
        raise NotReady(
            "The cluster needs LEADFLOW_KAFKA=host:port and LEADFLOW_DATABASE_URL=postgresql+psycopg://…"
        )
    name = f"leadflow {role}".rstrip()
    settings.data.mkdir(parents=True, exist_ok=True)
    store = open_postgres(settings.database_url, settings.database_limits, name)
    try:
        return _brought_up_to_date(settings, settings.kafka, store)
    except BaseException:
        store.close()
        raise


def _brought_up_to_date(settings: Settings, brokers: str, store: Database) -> Cluster:
    content = _content_of(settings)
    with store.read() as connection:
        is_new = is_empty(connection)
    if is_new and not settings.erasures.exists():
        begin_journal(settings.erasures, new_id())
    key = master_key(settings.key_file)
    kept = KeptPostgres(store, settings.data, settings.key_file, settings.erasures)
    migrate(
        store,
        "state",
        lambda: make_backup(kept, into=settings.backups, why="migration", now_us=wall_clock_us()),
    )
    keys = KeyRing(key, fetch_keys(store, tables.pii_key))
    store_log = SqlLog(tables.log, tables.topic_head, keys)
    with store.write() as connection:
        store_log.create(connection, pipeline.STORE_TOPICS, new_id())
        try:
            refuse_elsewhere(connection)
        except NotHere as elsewhere:
            raise NotReady(str(elsewhere)) from None
        keep_key_mark(connection, key)
    opener = Opener(keys, content)
    reader = KafkaReader(brokers, opener, [one.name for one in topics_of(settings.partitions)])
    cluster = Cluster(
        store,
        store_log,
        keys,
        brokers,
        settings.data,
        settings.erasures,
        reader,
        content,
    )
    erase_again(cluster)
    return cluster


def check_topics(settings: Settings) -> None:
    """Raise NotReady if a topic does not exist, KafkaException if no broker answers."""
    gone = missing(admin_client(str(settings.kafka)), topics_of(settings.partitions))
    if gone:
        raise NotReady(f"Topics are missing: {', '.join(gone)}. Make them with: leadflow topics apply")


def keep_key_mark(connection: Connection, key: bytes) -> None:
    """Note which master key the store's captures are sealed under. Raises NotReady if it is another one."""
    mark = hmac.digest(key, b"leadflow master key", "sha256").hex()
    table = tables.setting
    row = {"key": KEY_MARK, "value_json": f'"{mark}"'}
    insert_ignore(connection, table, [row])
    kept = connection.execute(select(table.c.value_json).where(table.c.key == KEY_MARK)).scalar_one()
    if kept != row["value_json"]:
        raise NotReady(
            "This machine's master key is not the one that the store was sealed under. Copy master.key from the "
            "machine that was set up first, and point LEADFLOW_MASTER_KEY at it."
        )


def cluster_door(cluster: Cluster) -> KafkaDoor:
    """Return the door of this process; its spool is `doors.db` in the data folder.

    Raises NotReady for the folder of an embedded installation, whose captures would all go out from there.
    """
    if (cluster.folder / "store.db").exists():
        raise NotReady(
            f"{cluster.folder} holds an installation of one machine. Move it: set LEADFLOW_DATA to another folder, then "
            f"leadflow migrate {cluster.folder}"
        )
    spool = open_sqlite(cluster.folder / "doors.db")
    migrate(spool, "doors")
    spool_log = SqlLog(tables.door_log, tables.door_head, cluster.keys)
    with spool.write() as connection:
        spool_log.create(connection, pipeline.DOOR_TOPICS, new_id())
    name = f"leadflow-door-{socket.gethostname()}-{os.getpid()}"
    return KafkaDoor(
        spool,
        spool_log,
        cluster.keys,
        clock=wall_clock_us,
        new_id=new_id,
        store=cluster.store,
        sender=lambda: Sender(cluster.address, name),
        content=cluster.content,
        free_bytes=lambda: shutil.disk_usage(cluster.folder).free,
        probe_token=cluster.keys.probe_token,
    )


def cluster_host(
    cluster: Cluster,
    stage: Stage[Any, Any],
    policy: Policy | None = None,
    clock: Callable[[Event], int] = wall_clock_of,
) -> StageHost[Any, Any]:
    """Return what runs a stage over the brokers' topics, each event decided at the time that `clock` says (µs, UTC)."""
    readers: Mapping[str, LogReader] = dict.fromkeys(
        (*pipeline.DOOR_TOPICS, *pipeline.STORE_TOPICS), cluster.reader
    )
    return StageHost(stage, readers, cluster.store, cluster.store_log, clock, policy=policy)


def cluster_stage(
    cluster: Cluster,
    name: str,
    member: str,
    *,
    policy: Policy | None = None,
    clock: Callable[[Event], int] = wall_clock_of,
    timed: Callable[[str, float], None] = lambda _stage, _seconds: None,
) -> StageApp:
    """Return the Faust app of one stage, which decides each event at the time that `clock` says (µs, UTC).

    `timed` hears how long each batch took, in seconds. Raises KeyError for a stage that does not exist.
    """
    stage = {str(one.name): one for one in pipeline.stages(CompanyCache(), cluster.keys.hash_secret)}[name]
    worker = StageWorker(
        cluster_host(cluster, stage, policy, clock),
        cluster.reader,
        Opener(cluster.keys, cluster.content),
        store=cluster.store,
        clock=wall_clock_us,
        timed=timed,
    )
    return stage_app(worker, cluster.address, member, cluster.folder / "faust")


def cluster_outbox(cluster: Cluster) -> Outbox:
    """Return the forwarder of the store's log."""
    return Outbox(
        cluster.store, cluster.store_log, Sender(cluster.address, "leadflow-outbox"), pipeline.STORE_TOPICS
    )


class ClusterEngine:
    """One part of the cluster in this process: its doors, stages, sinks, timers or console."""

    def __init__(
        self, cluster: Cluster, settings: Settings, part: Part, stages: Sequence[StageName] = ()
    ) -> None:
        self.files = cluster
        self.companies = CompanyCache()
        self.metrics = Metrics()
        self.sources = Sources(cluster.store, self.companies)
        self.broke_down = self.has_let_go = False
        self._part = part
        self._has_door = part in ("doors", "console")
        self.imports = Imports(self, is_live=True) if part == "console" else None
        self._apps: AppThread | None = None
        self._outbox: Outbox | None = None
        self._clockwork: Clockwork | None = None
        self._dispatch: Dispatcher | None = None
        member = f"{socket.gethostname()}-{settings.data.name}"
        names: tuple[StageName, ...] = ()
        if part == "stages":
            names = tuple(stages) or tuple(one.name for one in pipeline.stages(self.companies))
            apps = [
                cluster_stage(
                    cluster,
                    name,
                    f"{name}-{member}",
                    policy=settings.breaker,
                    timed=self.metrics.batch,
                )
                for name in names
            ]
            self.metrics.registry.register(WorkMetrics(lambda: [_work_of(one.worker) for one in apps]))
            self._apps = AppThread(apps, self._crashed)
        elif part == "timers":
            self._outbox = cluster_outbox(cluster)
            self._clockwork = Clockwork(cluster, settings.log_keep_us, settings.breaker)
        elif part == "sinks":
            self._dispatch = Dispatcher(
                cluster.store,
                self.companies,
                outside(cluster.folder),
                wall_clock_us,
                worker=member,
                public_url=settings.public_url,
                gaps=gaps_for,
                link_for=mailed_links(cluster, settings.public_url),
                crash_point=crash_point,
            )
        self._reader = OneReader(cluster.store, f"{part}-{member}-{os.getpid()}", wall_clock_us)
        self._tell_trouble = partial(tell_trouble, cluster.store)
        self._life = Life(cluster.store, f"{part}-{member}", part, names, self.unwell)

    @cached_property
    def door(self) -> KafkaDoor:
        """The door log, with a spool of its own; made for the parts that take something in."""
        return cluster_door(self.files)

    @cached_property
    def calls(self) -> CallDoor:
        """The door of the call centre."""
        return CallDoor(self.door, self.sources, wall_clock_us, new_id)

    @cached_property
    def mail(self) -> MailDoor:
        """The mail door."""
        return MailDoor(self.door, self.sources, wall_clock_us, new_id)

    @cached_property
    def mailboxes(self) -> ImapDoor:
        """The door of mailboxes; of several processes one reads each."""
        return ImapDoor(self.door, self.sources, wall_clock_us, new_id, self._reader, tell=self._tell_trouble)

    @cached_property
    def call_tables(self) -> TableDoor:
        """The door of call tables; of several processes one reads each."""
        return TableDoor(
            self.door, self.sources, wall_clock_us, new_id, self._reader, tell=self._tell_trouble
        )

    def start(self) -> None:
        """Start this part."""
        if self._has_door:
            self.door.start()
        if self._part == "doors":
            self.calls.start()
            self.mailboxes.start()
            self.call_tables.start()
        for one in (self._apps, self._outbox, self._clockwork, self._dispatch, self.imports):
            if one is not None:
                one.start()
        self._life.start()

    def stop(self) -> None:
        """Finish what is at hand, and let go; what waits for servers that do not answer is left after STOP_S.

        Faust leaves its groups only once the brokers answer, be that in an hour. Left like this is no harm, as
        after a SIGKILL: what was not recorded is done again elsewhere.
        """
        letting_go = threading.Thread(target=self._let_go, name="letting go", daemon=True)
        letting_go.start()
        letting_go.join(STOP_S)
        self.has_let_go = not letting_go.is_alive()
        if not self.has_let_go:
            log.error("stop_given_up", part=self._part, after_s=STOP_S)

    def _let_go(self) -> None:
        self._life.stop(is_missed=self.broke_down)
        for one in (self._apps, self._outbox, self._clockwork, self._dispatch, self.imports):
            if one is not None:
                one.stop()
        if self._part == "doors":
            self.calls.stop()
            self.mailboxes.stop()
            self.call_tables.stop()
            self._reader.leave()
        if self._has_door:
            self.door.close()
        self.files.close()

    def unwell(self) -> str | None:
        """Return why this part does not move, or None."""
        found = [self.door.trouble] if self._has_door else []
        if self._apps is not None:
            found += [one.worker.trouble for one in self._apps.apps]
        if self._outbox is not None:
            found.append(self._outbox.trouble)
        if self._clockwork is not None:
            found.append(self._clockwork.trouble)
        return "; ".join(one for one in found if one is not None) or None

    def breakers(self) -> list[dict[str, Any]]:
        """Return the sources whose events are held, and since when."""
        return open_breakers_of(self.files)

    def backlogs(self) -> list[tuple[str, int]]:
        """Return how many events wait for each stage that this process runs, and for the outbox."""
        found = []
        if self._apps is not None:
            found = [(one.worker.host.stage.name, one.worker.backlog()) for one in self._apps.apps]
        return [*found, ("outbox", self._outbox.backlog())] if self._outbox is not None else list(found)

    def _crashed(self, stage: str) -> None:
        """End the process: whoever runs it starts it again, and the database knows how far it was."""
        log.error("stage_crashed", stage=stage)
        self.broke_down = True
        signal.raise_signal(signal.SIGTERM)


def _work_of(worker: StageWorker) -> Work:
    shares, host = worker.shares, worker.host.metrics
    return Work(
        worker.host.stage.name,
        events={
            "taken": shares.taken,
            "gap": shares.gap,
            "swept": shares.swept,
            "repeat": host.repeats,
        },
        troubles={
            "retry": shares.retries,
            "rebalance": shares.rebalances,
            "conflict": host.conflicts,
            "deadlock": host.deadlocks,
        },
    )


class Clockwork:
    """Fires the store's timers and trims what is kept only for a time; any number of processes may."""

    def __init__(self, cluster: Cluster, keep_us: int, policy: Policy) -> None:
        self.trouble: str | None = None
        self._cluster = cluster
        # The brokers keep their own copies; of the log in the store only the outbox reads.
        forwarded = dict.fromkeys(pipeline.STORE_TOPICS, (FORWARD,))
        burying = Burying(cluster.store)
        self._house = Housekeeping(
            {
                "retention": Retention(cluster.store, forwarded, keep_us).turn,
                "forgetting": Forgetting(cluster.store, policy).turn,
                "burying": lambda _now_us: burying.turn(),
                "crowding": Crowding(cluster.store, cluster.store_log.append).turn,
                # One step: a long one must not hold up what is due meanwhile.
                "hand_overs": HandOvers(cluster.store, cluster.store_log.append).turn,
                "second_look": SecondLook(cluster.store, cluster.store_log.append, several=True).turn,
                "keys": lambda _now_us: drop_keys_to_erase(cluster),
            }
        )
        self._auto_moves = AutoMoves(cluster.store, cluster.store_log.append)
        self._door_watch = DoorWatch(cluster.store)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timers", daemon=True)

    def start(self) -> None:
        """Start firing."""
        self._thread.start()
        self._auto_moves.start()
        self._door_watch.start()

    def stop(self) -> None:
        """End the turn at hand."""
        self._stopping.set()
        self._thread.join()
        self._auto_moves.stop()
        self._door_watch.stop()

    def _run(self) -> None:
        while not self._stopping.wait(IDLE_S if self.trouble is None else RETRY_S):
            try:
                while fire_due(
                    self._cluster.store, self._cluster.store_log, pipeline.TIMERS, wall_clock_us()
                ):
                    pass
                self._house.turn(wall_clock_us())
                self.trouble = None
            except Exception as error:
                self.trouble = f"timers wait: {type(error).__name__}"
                log.error("timers_wait", error=type(error).__name__)


def _content_of(settings: Settings) -> Content:
    try:
        return Content(settings.content)
    except NoFolder as error:
        raise NotReady(f"LEADFLOW_CONTENT: {error}") from None
