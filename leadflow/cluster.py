"""The cluster host: the same doors, stages, timers and sinks as processes of their own, over Kafka and PostgreSQL."""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select

from leadflow import pipeline
from leadflow.clock import new_id, wall_clock_us
from leadflow.settings import Settings
from schemas.capture import Capture
from schemas.events import Event
from store import tables
from store.acts_erase import Erasure, erase_keys
from store.bulk import insert_ignore
from store.company import CompanyCache
from store.database import Database, open_postgres, open_sqlite
from store.migrate import migrate
from stream.door_log import CAPTURES, fetch_keys
from stream.faust_app import StageApp, StageWorker, Timing, stage_app
from stream.host import StageHost
from stream.kafka.door import KafkaDoor
from stream.kafka.outbox import Outbox
from stream.kafka.producer import Sender
from stream.kafka.reader import KafkaReader, Opener
from stream.kafka.topics import admin_client, missing, topics_of
from stream.log import LogReader, Place, SqlLog
from stream.seal import KeyRing, master_key


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

    def capture(self, capture_id: str) -> Capture | None:
        """Return a capture with its raw bytes; None if it is unknown or was erased. Raises BrokersAway."""
        table = tables.capture
        with self.store.read() as connection:
            row = connection.execute(
                select(table.c.part, table.c.off).where(table.c.capture_id == capture_id)
            ).one_or_none()
        if row is None:
            return None
        found = self.reader.read(Place(CAPTURES, row.part), row.off, 1)
        return found[0].event.read(Capture) if found and found[0].opened else None

    def forget_keys(self, erasure: Erasure) -> None:
        """Delete the keys of erased captures."""
        with self.store.write() as connection:
            gone = erase_keys(connection, erasure, tables.pii_key)
        self.keys.forget(gone)

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
    store = open_postgres(settings.database_url, settings.database_limits, name)
    migrate(store, "state")
    settings.data.mkdir(parents=True, exist_ok=True)
    key = master_key(settings.master_key or settings.data / "master.key")
    keys = KeyRing(key, fetch_keys(store, tables.pii_key))
    store_log = SqlLog(tables.log, tables.topic_head, keys)
    with store.write() as connection:
        store_log.create(connection, pipeline.STORE_TOPICS, new_id())
    _check_master_key(store, key)
    opener = Opener(keys)
    reader = KafkaReader(settings.kafka, opener, [one.name for one in topics_of(settings.partitions)])
    return Cluster(
        store,
        store_log,
        keys,
        settings.kafka,
        settings.data,
        settings.data.with_name(settings.data.name + ".erasures"),
        reader,
    )


def check_topics(settings: Settings) -> None:
    """Raise NotReady if a topic does not exist, KafkaException if no broker answers."""
    gone = missing(admin_client(str(settings.kafka)), topics_of(settings.partitions))
    if gone:
        raise NotReady(f"Topics are missing: {', '.join(gone)}. Make them with: leadflow topics apply")


def _check_master_key(store: Database, key: bytes) -> None:
    """Compare this machine's master key with the one that the store's captures are sealed under."""
    mark = hmac.digest(key, b"leadflow master key", "sha256").hex()
    table = tables.setting
    row = {"key": "master_key_mark", "value_json": f'"{mark}"'}
    with store.write() as connection:
        insert_ignore(connection, table, [row])
        kept = connection.execute(
            select(table.c.value_json).where(table.c.key == "master_key_mark")
        ).scalar_one()
    if kept != row["value_json"]:
        raise NotReady(
            "This machine's master key is not the one that the store was sealed under. Copy master.key from the "
            "machine that was set up first, and point LEADFLOW_MASTER_KEY at it."
        )


def cluster_door(cluster: Cluster, probe_token: str = "") -> KafkaDoor:
    """Return the door of this process; its spool is `doors.db` in the data folder."""
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
        probe_token=probe_token,
    )


def cluster_stage(
    cluster: Cluster,
    name: str,
    member: str,
    timing: Timing | None = None,
    clock: Callable[[Event], int] | None = None,
) -> StageApp:
    """Return the Faust app of one stage. Raises KeyError for a stage that does not exist."""
    stage = {one.name: one for one in pipeline.stages(CompanyCache())}[name]  # type: ignore[index]
    readers: Mapping[str, LogReader] = dict.fromkeys(
        (*pipeline.DOOR_TOPICS, *pipeline.STORE_TOPICS), cluster.reader
    )
    host: StageHost[Any, Any] = StageHost(
        stage, readers, cluster.store, cluster.store_log, clock or _wall_clock_of, batch_max=1_000
    )
    return stage_app(StageWorker(host, cluster.reader, Opener(cluster.keys)), cluster.address, member, timing)


def cluster_outbox(cluster: Cluster) -> Outbox:
    """Return the forwarder of the store's log."""
    return Outbox(
        cluster.store, cluster.store_log, Sender(cluster.address, "leadflow-outbox"), pipeline.STORE_TOPICS
    )


def _wall_clock_of(_event: Event) -> int:
    return wall_clock_us()
