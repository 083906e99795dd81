"""`leadflow migrate`: an installation of one machine becomes a cluster, with nobody at work meanwhile.

First the stages work off what waits, so that all of them are at the end of everything. Then the captures go to their
topic, sealed as they are; then the tables to PostgreSQL, with the captures' new places in them; then both sides are
compared. Whoever is cut off begins again, and goes on from what is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition
from sqlalchemy import RowMapping, delete, select, text

from leadflow import pipeline
from leadflow.backup import MASTER_KEY
from leadflow.cluster import check_topics, keep_key_mark
from leadflow.embedded import Files, open_files, stage_hosts
from leadflow.moving import (
    HOSTS_OWN,
    CannotMove,
    Moved,
    Told,
    differs,
    going_along,
    locked,
    mark_gone,
    not_empty,
    nothing_spooled,
    open_quietly,
    partitions_of_parts,
    readdressed,
    stands,
)
from leadflow.paths import backups_of
from leadflow.settings import Settings
from store import tables
from store.bulk import insert_ignore
from store.company import CompanyCache
from store.copy import CopyDiffers, Digest, compared, copy_all, copy_table, digest_of
from store.database import Database, open_sqlite
from store.dump import count
from store.migrate import migrate
from store.relocation import put, standing
from store.views import UNSETTLED
from stream.content import Content
from stream.door_log import CAPTURES
from stream.faust_app import group_of
from stream.host import StageHost, TopicReplaced
from stream.kafka.door import FORWARD_AT_ONCE, FORWARD_BYTES
from stream.kafka.outbox import FORWARD
from stream.kafka.producer import Sender
from stream.kafka.reader import KafkaReader, Opener
from stream.kafka.relay import Address, LogTopic, NotOurs
from stream.kafka.relay import put as put_on_topic
from stream.kafka.topics import ANSWER_S, admin_client, topics_of
from stream.log import KEPT_NO_LONGER
from stream.seal import master_key
from stream.watch import StageStopped


def move_to_cluster(
    folder: Path, settings: Settings, *, now_us: int, told: Told, journal: Path | None = None
) -> Moved:
    """Move the installation in a data folder to the cluster that the settings name, whose topics are made and empty.

    `journal` is its erasure journal, if it does not lie beside the folder. Raises CannotMove, NotReady, and what the
    brokers or the database fail with; the same call then goes on.
    """
    _refuse_unfit(folder, settings)
    check_topics(settings)
    with ExitStack() as held:
        for one in (folder, settings.data):
            held.callback(locked(one).close)
        nothing_spooled(settings.data)
        backups = backups_of(folder)
        files = held.enter_context(closing(open_files(folder, backups=backups, journal=journal, moving=True)))
        target = held.enter_context(closing(open_quietly(str(settings.database_url))))
        with files.doors.read() as connection:
            origin = files.door_log.head(connection, CAPTURES).topic_id
        put_there = going_along((folder / MASTER_KEY, settings.key_file), (files.journal, settings.erasures))
        if not _begin(files, target, origin, now_us):
            return Moved(None)
        hosts = stage_hosts(files, pipeline.stages(CompanyCache(), files.keys.hash_secret), settings.breaker)
        _work_off(hosts)
        put_there()
        topics = [one.name for one in topics_of(settings.partitions)]
        reader = held.enter_context(
            closing(KafkaReader(str(settings.kafka), Opener(files.keys, Content(None)), topics))
        )
        move = _Move(files, target, reader, settings, told)
        try:
            digests = move.copied(move.sent())
            _take_checkpoints(files, settings.data / "doors.db")
        except NotOurs as foreign:
            raise not_empty(f"the topic {foreign.topic}", f"主题 {foreign.topic} ") from None
        except CopyDiffers as found:
            raise differs(found) from None
        move.finish(hosts, origin, now_us)
        return Moved(digests)


def _refuse_unfit(folder: Path, settings: Settings) -> None:
    if settings.data.resolve() == folder.resolve():
        raise CannotMove(
            f"The cluster needs a folder of its own beside {folder}: set LEADFLOW_DATA to where the doors that read the "
            "call files will keep their spool.",
            f"集群需要 {folder} 之外的文件夹：请将 LEADFLOW_DATA 设为读取话单的接入进程所用的文件夹。",
        )
    if not (folder / "store.db").exists():
        raise CannotMove(f"There is no Leadflow data in {folder}.", f"{folder} 中没有 Leadflow 数据。")


def _begin(files: Files, target: Database, origin: str, now_us: int) -> bool:
    """Make sure that the target is empty, or was begun from this very source; return whether anything is left to do."""
    with files.store.read() as connection:
        left = standing(connection)
    if left is not None and left.state == "coming":
        raise CannotMove(
            "This folder is a copy that is not finished. Finish it first: leadflow migrate --back",
            "此文件夹是尚未完成的副本。请先完成：leadflow migrate --back",
        )
    with target.read() as connection:
        counts = count(connection).counts
        there = standing(connection) if counts.get("relocation") else None
    if there is not None and there.origin == origin:
        return bool(there.state == "coming")
    if left is not None and left.state == "gone":
        raise CannotMove(
            "This installation was moved to another database before. If that one is lost: leadflow restore the last backup.",
            "此安装已迁至另一个数据库。如该数据库已丢失，请用 leadflow restore 恢复最近的备份。",
        )
    if any(rows for name, rows in counts.items() if name != "alembic_version"):
        raise not_empty(f"the database {target.engine.url.database}", f"数据库 {target.engine.url.database} ")
    migrate(target, "state")
    with target.write() as connection:
        put(connection, "coming", origin, now_us)
    return True


def _work_off(hosts: Sequence[StageHost[Any, Any]]) -> None:
    """Have the stages work until nothing waits. No timer fires: what is due is due on the other side."""
    try:
        while sum(host.run_once() for host in hosts):
            pass
    except (StageStopped, TopicReplaced) as reason:
        raise stands(reason) from None


@dataclass(frozen=True, slots=True)
class _Places:
    captures: dict[int, Address]
    letters: dict[str, dict[int, Address]]

    def of_capture(self, _part: int, off: int) -> Address:
        return self.captures[off]

    def of_letter(self, topic: str, _part: int, off: int) -> Address:
        return self.letters[topic].get(off, (0, KEPT_NO_LONGER))


@dataclass(frozen=True, slots=True)
class _Move:
    files: Files
    target: Database
    reader: KafkaReader
    settings: Settings
    told: Told

    def sent(self) -> _Places:
        """Put the captures on their topic, and what unsettled dead letters need on theirs; return where all of it is."""
        files, reader = self.files, self.reader
        with files.doors.read() as connection:
            own = LogTopic(CAPTURES, files.door_log.head(connection, CAPTURES).topic_id)
        with files.store.read() as connection:
            logs = [
                LogTopic(topic, files.store_log.head(connection, topic).topic_id)
                for topic in pipeline.STORE_TOPICS
            ]
        sender = Sender(str(self.settings.kafka), "leadflow-migrate")
        try:
            captures = put_on_topic(reader, sender, own, partial(_captures, files), self.told)
            letters = {
                log.topic: put_on_topic(reader, sender, log, partial(_wanted_by_letters, files, log.topic))
                for log in logs
            }
        finally:
            sender.close()
        return _Places(captures, letters)

    def copied(self, places: _Places) -> dict[str, Digest]:
        """Copy the tables and the keys, and return what both sides hold. Raises CopyDiffers."""
        files, target = self.files, self.target
        changes = readdressed(places.of_capture, places.of_letter, partitions_of_parts(files.store))
        digests = copy_all(
            files.store, target, tables.state, leave_out=HOSTS_OWN, changes=changes, copied=self.told
        )
        copy_table(files.doors, target, tables.door_key, tables.pii_key, copied=self.told)
        keys = digest_of(files.doors, tables.door_key), digest_of(target, tables.pii_key)
        return {**digests, **compared({"pii_key": keys})}

    def finish(self, hosts: Sequence[StageHost[Any, Any]], origin: str, now_us: int) -> None:
        """Have every stage begin at the end of everything, close the old store, and open the new one."""
        with self.files.doors.read() as connection:
            sequences = {CAPTURES: self.files.door_log.head(connection, CAPTURES).end}
        with self.files.store.read() as connection:
            for topic in pipeline.STORE_TOPICS:
                sequences[topic] = self.files.store_log.head(connection, topic).end
        admin = admin_client(str(self.settings.kafka))
        rows = []
        for host in hosts:
            begun = [(place, self.reader.head(place)) for place in self.reader.places(host.topics)]
            rows += [
                {
                    "stage": host.stage.name,
                    "topic": place.topic,
                    "part": place.part,
                    "topic_id": head.topic_id,
                    "next_off": head.end,
                    # Whatever is forwarded from the log later has a higher one; nothing before is done again.
                    "sequence": sequences[place.topic] - 1,
                }
                for place, head in begun
            ]
            # Only to spare the consumers a way through all that was moved: what they are given of it is skipped.
            offsets = [TopicPartition(place.topic, place.part, head.end) for place, head in begun]
            asked = [ConsumerGroupTopicPartitions(group_of(host.stage.name), offsets)]
            for done in admin.alter_consumer_group_offsets(asked).values():
                done.result(ANSWER_S)
        rows += [
            {
                "stage": FORWARD,
                "topic": topic,
                "part": 0,
                "topic_id": "log",
                "next_off": sequences[topic],
                "sequence": -1,
            }
            for topic in pipeline.STORE_TOPICS
        ]
        mark_gone(self.files.store, origin, now_us)  # first: at no instant may both be worked on
        with self.target.write() as connection:
            connection.execute(delete(tables.progress))
            insert_ignore(connection, tables.progress, rows)
            keep_key_mark(connection, master_key(self.settings.key_file))
            put(connection, "here", origin, now_us)
        with self.target.write() as connection:
            # Else the first queries go by what the server knows of empty tables.
            connection.execute(text("ANALYZE"))


def _captures(files: Files) -> Iterator[Sequence[RowMapping]]:
    off = 0
    while True:
        with files.doors.read() as connection:
            end = files.door_log.head(connection, CAPTURES).end
            together = files.door_log.fitting(connection, CAPTURES, off, FORWARD_AT_ONCE, FORWARD_BYTES)
            rows = files.door_log.rows(connection, CAPTURES, off, together)
        if rows:
            yield rows
        off += together
        if off >= end:
            return


def _wanted_by_letters(files: Files, topic: str) -> Iterator[Sequence[RowMapping]]:
    dead = tables.dead
    wanted = select(dead.c.off).where(dead.c.topic == topic, dead.c.state.in_(UNSETTLED)).distinct()
    with files.store.read() as connection:
        for off in connection.execute(wanted.order_by(dead.c.off)).scalars().all():
            if rows := files.store_log.rows(connection, topic, off, 1):
                yield rows


def _take_checkpoints(files: Files, path: Path) -> None:
    """Have the door that will read the call files go on where this one stopped."""
    table = tables.tail_checkpoint
    with closing(open_sqlite(path)) as spool:
        migrate(spool, "doors")
        copy_table(files.doors, spool, table, table)
        compared({table.name: (digest_of(files.doors, table), digest_of(spool, table))})
