"""`leadflow migrate --back`: a cluster becomes an installation of one machine again, with nobody at work meanwhile.

The new folder is made beside its place, from the beginning each time, and nothing of the cluster is changed until it is
whole and compared. What the doors of other machines have in their spools is not seen from here.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from heapq import merge
from pathlib import Path
from typing import Any

from sqlalchemy import Row as SqlRow
from sqlalchemy import delete, select, update

from leadflow import pipeline
from leadflow.backup import MASTER_KEY, SETTINGS
from leadflow.clock import new_id
from leadflow.cluster import Cluster, check_topics, cluster_host, open_cluster
from leadflow.engine import KEY_MARK
from leadflow.lock import LOCK
from leadflow.moving import (
    HOSTS_OWN,
    CannotMove,
    Moved,
    Told,
    differs,
    going_along,
    locked,
    mark_gone,
    nothing_spooled,
    open_quietly,
    partitions_of_parts,
    readdressed,
    stands,
)
from leadflow.paths import journal_path
from leadflow.settings import Settings
from schemas.events import Event
from store import tables
from store.bulk import Row, insert_ignore
from store.company import CompanyCache
from store.copy import CopyDiffers, Digest, Sum, compared, copy_all, copy_table, digest_of
from store.database import Database, open_sqlite
from store.dump import is_empty
from store.files import sync
from store.migrate import migrate
from store.relocation import put, standing
from store.views import UNSETTLED
from stream.content import Content, ContentGone
from stream.door_log import CAPTURES
from stream.host import REPLAY, StageHost, TopicReplaced
from stream.kafka.message import NoEvent, Numbered, foreign, from_message
from stream.kafka.outbox import Outbox
from stream.kafka.producer import Sender
from stream.kafka.reader import KafkaReader, Received
from stream.log import KEPT_NO_LONGER, Place, columns_of
from stream.watch import StageStopped

_AT_ONCE = 200
"""Messages of a partition read ahead: one of each partition has to be at hand to tell which came first."""
_WRITTEN_AT_ONCE = 500
_WRITTEN_BYTES = 16 * 1024 * 1024


def move_back(folder: Path, settings: Settings, *, now_us: int, told: Told) -> Moved:
    """Move the cluster that the settings name into a data folder that is empty or not there.

    Raises CannotMove, NotReady, and what the brokers or the database fail with; the same call then begins again.
    """
    check_topics(settings)
    with ExitStack() as held:
        held.callback(locked(settings.data).close)
        source = held.enter_context(closing(open_quietly(str(settings.database_url))))
        with source.read() as connection:
            if is_empty(connection):
                name = source.engine.url.database
                raise CannotMove(
                    f"There is no installation in the database {name}.", f"数据库 {name} 中没有安装数据。"
                )
        if _is_here(source, folder, now_us):
            return Moved(None)
        _refuse_occupied(folder, settings)
        nothing_spooled(settings.data)
        cluster = held.enter_context(closing(open_cluster(settings)))
        made = folder.with_name(folder.name + ".coming")
        shutil.rmtree(made, ignore_errors=True)
        put_there = going_along(
            (settings.key_file, made / MASTER_KEY), (settings.erasures, journal_path(folder))
        )
        _work_off(cluster, settings)
        made.mkdir(mode=0o700, parents=True)
        move = _Return(source, cluster.reader, cluster.content, made, told)
        origin = cluster.reader.head(Place(CAPTURES)).topic_id
        try:
            digests = move.make(settings.data / "doors.db", origin, now_us)
        except CopyDiffers as found:
            raise differs(found) from None
        except ContentGone as missing:
            raise CannotMove(
                f"A capture cannot be moved: {missing}. Put the store of large bodies back first.",
                f"有一条接收内容无法迁移：{missing}。请先恢复大正文存储。",
            ) from None
        put_there()
        _put_in_place(made, folder)
        mark_gone(source, origin, now_us)  # first: at no instant may both be worked on
        _open(folder, origin, now_us)
        return Moved(digests)


def _is_here(source: Database, folder: Path, now_us: int) -> bool:
    """Tell whether all has gone before; what was left of it, to open the new folder, is done."""
    with source.read() as connection:
        left = standing(connection)
    if left is None or left.state != "gone":
        return False
    there = _standing_in(folder)
    if there is not None and there.origin == left.origin:
        if there.state == "coming":
            _open(folder, left.origin, now_us)
        return True
    raise CannotMove(
        "This cluster was moved back into another folder before.", "此集群此前已迁回另一个文件夹。"
    )


def _refuse_occupied(folder: Path, settings: Settings) -> None:
    if settings.data.resolve() == folder.resolve():
        raise CannotMove(
            f"{folder} is the folder of a part of the cluster (LEADFLOW_DATA); name another one.",
            f"{folder} 是集群某个进程的文件夹（LEADFLOW_DATA），请换一个。",
        )
    if not folder.exists():
        return
    there = _standing_in(folder)
    if there is not None and there.state == "coming":
        return  # a copy that was finished and never opened: it is made anew
    if {one.name for one in folder.iterdir()} - {SETTINGS, LOCK}:
        raise CannotMove(
            f"There is something in {folder}, and nothing is written over. Name another folder.",
            f"{folder} 不是空文件夹，不会覆盖。请换一个文件夹。",
        )


def _standing_in(folder: Path) -> SqlRow[Any] | None:
    """Return where the store in a folder says it is; None if there is none, or it was never moved."""
    if not (folder / "store.db").exists():
        return None
    with closing(open_sqlite(folder / "store.db")) as store, store.read() as connection:
        return standing(connection)


def _work_off(cluster: Cluster, settings: Settings) -> None:
    """Have the outbox and the stages work until nothing waits. No timer fires: what is due is due on the other side."""
    sender = Sender(cluster.address, "leadflow-migrate")
    outbox = Outbox(cluster.store, cluster.store_log, sender, pipeline.STORE_TOPICS)
    stages = pipeline.stages(CompanyCache(), cluster.keys.hash_secret)
    hosts = [cluster_host(cluster, stage, settings.breaker) for stage in stages]
    try:
        while outbox.run_once() + sum(_turn(host, cluster.reader) for host in hosts):
            pass
    except (StageStopped, TopicReplaced) as reason:
        raise stands(reason) from None
    finally:
        sender.close()


def _turn(host: StageHost[Any, Any], reader: KafkaReader) -> int:
    return host.drain() + sum(host.run_place(place) for place in reader.places(host.topics))


@dataclass(frozen=True, slots=True)
class _Return:
    source: Database
    reader: KafkaReader
    content: Content
    made: Path
    told: Told

    def make(self, spool: Path, origin: str, now_us: int) -> dict[str, Digest]:
        """Fill the new folder, and return what both sides hold by table. Raises CopyDiffers."""
        with ExitStack() as held:
            doors = held.enter_context(closing(open_sqlite(self.made / "doors.db")))
            store = held.enter_context(closing(open_sqlite(self.made / "store.db")))
            migrate(doors, "doors")
            migrate(store, "state")
            with store.write() as connection:
                put(connection, "coming", origin, now_us)
            places, captures = self._captures(doors)
            letters, wanted = self._letters()
            changes = readdressed(
                lambda part, off: (0, places[part, off]),
                lambda topic, part, off: (0, letters.get((topic, part, off), KEPT_NO_LONGER)),
                partitions_of_parts(self.source),
            )
            digests = copy_all(
                self.source, store, tables.state, leave_out=HOSTS_OWN, changes=changes, copied=self.told
            )
            with store.write() as connection:  # what the log in the store had been trimmed of
                insert_ignore(connection, tables.log, wanted)
            copy_table(self.source, doors, tables.pii_key, tables.door_key, copied=self.told)
            keys = digest_of(self.source, tables.pii_key), digest_of(doors, tables.door_key)
            if spool.exists():
                _take_checkpoints(spool, doors)
            _begin_at_the_ends(doors, store)
            for database in (doors, store):
                database.checkpoint(wait=True)
        return {**digests, "captures": captures, **compared({"pii_key": keys})}

    def _captures(self, doors: Database) -> tuple[dict[tuple[int, int], int], Digest]:
        """Write every capture into the log of the doors, and return where each is by where it was."""
        table, head = tables.door_log, tables.door_head
        with doors.write() as connection:
            row = {"topic": CAPTURES, "part": 0, "topic_id": new_id(), "next_off": 0, "start_off": 0}
            insert_ignore(connection, head, [row])
        places: dict[tuple[int, int], int] = {}
        total = Sum()
        for messages in _together(self._in_order()):
            rows = []
            for place, off, headers, value in messages:
                new_off = places[place.part, off] = len(places)
                event, _ = _event_of((place, off, headers, self.content.value(headers, value)))
                rows.append(_log_row(CAPTURES, new_off, event))
                total.add(rows[-1][column.name] for column in table.columns)
            with doors.write() as connection:
                insert_ignore(connection, table, rows)
                connection.execute(update(head).values(next_off=len(places)))
            if doors.wal_is_full():
                doors.checkpoint()
            self.told(CAPTURES, len(places))
        return places, compared({"captures": (total.digest, digest_of(doors, table))})["captures"]

    def _in_order(self) -> Iterator[Received]:
        """Yield the captures of all partitions by the time they were accepted, those of a partition as they lie."""

        def timed(place: Place) -> Iterator[tuple[int, Received]]:
            next_off, end = 0, self.reader.head(place).end
            while next_off < end and (found := self.reader.messages(place, next_off, _AT_ONCE)):
                for one in found:
                    yield _event_of(one)[0].time_us, one
                next_off = found[-1][1] + 1

        ways = [timed(place) for place in self.reader.places([CAPTURES])]
        for _, one in merge(*ways, key=lambda pair: pair[0]):
            yield one

    def _letters(self) -> tuple[dict[tuple[str, int, int], int], list[Row]]:
        """Return where in the store's log the events of unsettled dead letters are, and these events as its rows."""
        dead = tables.dead
        wanted = select(dead.c.topic, dead.c.part, dead.c.off).distinct()
        wanted = wanted.where(dead.c.state.in_(UNSETTLED), dead.c.topic.in_(pipeline.STORE_TOPICS))
        with self.source.read() as connection:
            places = [(Place(row.topic, row.part), row.off) for row in connection.execute(wanted)]
        found: dict[tuple[str, int, int], int] = {}
        rows: list[Row] = []
        for place, off in places:
            for one in self.reader.messages(place, off, 1):
                event, numbered = _event_of(one)
                if one[1] == off and numbered is not None:
                    found[place.topic, place.part, off] = numbered.sequence
                    rows.append(_log_row(place.topic, numbered.sequence, event))
        return found, rows


def _event_of(message: Received) -> tuple[Event, Numbered | None]:
    """Return the event of a message, sealed as it is, and its number in the log; of what is none of ours the stand-in."""
    place, off, headers, value = message
    try:
        return from_message(headers, value)
    except NoEvent:
        return foreign(place.topic, place.part, off), None


def _log_row(topic: str, off: int, event: Event) -> dict[str, Any]:
    place = {"topic": topic, "part": 0, "off": off}
    return {**place, **columns_of(event), "sealed": event.data, "appended_us": event.time_us}


def _together(messages: Iterator[Received]) -> Iterator[list[Received]]:
    """Yield what is written in one transaction."""
    batch: list[Received] = []
    size = 0
    for one in messages:
        batch.append(one)
        size += len(one[3])
        if len(batch) >= _WRITTEN_AT_ONCE or size >= _WRITTEN_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _take_checkpoints(spool: Path, doors: Database) -> None:
    """Go on with the call files where the door of this machine stopped."""
    table = tables.tail_checkpoint
    with closing(open_sqlite(spool)) as source:
        copy_table(source, doors, table, table)
        compared({table.name: (digest_of(source, table), digest_of(doors, table))})


def _begin_at_the_ends(doors: Database, store: Database) -> None:
    """Have every stage begin at the end of everything."""
    heads: dict[str, Any] = {}
    for database, table in ((doors, tables.door_head), (store, tables.topic_head)):
        with database.read() as connection:
            heads |= {row.topic: row for row in connection.execute(select(table))}
    rows = [
        {
            "stage": stage.name,
            "topic": topic,
            "part": 0,
            "topic_id": heads[topic].topic_id,
            "next_off": heads[topic].next_off,
            "sequence": -1,
        }
        for stage in pipeline.stages(CompanyCache())
        for topic in (*stage.topics, REPLAY)
    ]
    setting = tables.setting
    with store.write() as connection:
        insert_ignore(connection, tables.progress, rows)
        # Where there is one machine, there is one key: nothing to tell it from.
        connection.execute(delete(setting).where(setting.c.key == KEY_MARK))


def _put_in_place(made: Path, folder: Path) -> None:
    if (folder / SETTINGS).exists():
        shutil.copyfile(folder / SETTINGS, made / SETTINGS)
    shutil.rmtree(folder, ignore_errors=True)
    os.rename(made, folder)
    sync(folder.parent)


def _open(folder: Path, origin: str, now_us: int) -> None:
    """Let a host work in the new folder."""
    store = open_sqlite(folder / "store.db")
    with store.write() as connection:
        put(connection, "here", origin, now_us)
    store.checkpoint(wait=True)
    store.close()
