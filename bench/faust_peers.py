"""Faust agents that the cluster's stages are measured against: one does nothing, one writes with an ORM.

They read with the very agent of a stage (the same settings, batches and thread), so what differs is the work.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any, cast

from sqlalchemy import text
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

from bench.peers import by_lead
from store import tables
from store.database import open_postgres
from stream.faust_app import AppThread, StageWorker, stage_app

GIVE_UP_S = 600.0


class Peer:
    """Stands where a stage's worker stands, and hands each batch to `work`."""

    def __init__(self, name: str, topic: str, wanted: int, work: Callable[[int, int], None]) -> None:
        self.host = SimpleNamespace(topics=(topic,), stage=SimpleNamespace(name=name))
        self.done = Event()
        self._wanted, self._work = wanted, work
        self._taken = 0
        self._began = 0.0
        self.per_s = 0.0

    def take(self, events: Sequence[Any]) -> None:
        """Count a batch. The clock starts when the first one is there: its way here is a gift to the peer."""
        if self.done.is_set():
            return
        self._began = self._began or time.perf_counter()
        count = min(len(events), self._wanted - self._taken)
        self._work(self._taken, count)
        self._taken += count
        if self._taken == self._wanted:
            self.per_s = self._taken / (time.perf_counter() - self._began)
            self.done.set()

    def assigned(self, _places: object) -> None:
        """It has no progress to look at."""

    def sweep(self) -> None:
        """What the consumer forgets stays forgotten."""

    def stop(self) -> None:
        """Nothing is left half done."""


def doing_nothing(address: str, topic: str, leads: int, name: str, folder: Path) -> float:
    """Return the messages a second of an agent that only takes them."""
    return _run(Peer(name, topic, leads, lambda _first, _count: None), address, folder)


def naive(address: str, done: str, target: str, case: tuple[str, int, str], folder: Path) -> float:
    """Return the leads a second of an agent that writes each lead's rows as mapped objects, one commit each.

    The rows are those of the finished run in the database `done`; they go into the migrated, empty `target`. `case` is
    the topic, how many leads, and a name for the consumer group.
    """
    topic, leads, name = case
    finished = open_postgres(done)
    groups = by_lead(finished)[:leads]
    finished.close()
    store = open_postgres(target)
    mapped = automap_base(metadata=tables.state)
    mapped.prepare()
    names = {table.name: [column.name for column in table.columns] for table in tables.state.sorted_tables}
    with Session(store.engine) as session:

        def write(first: int, count: int) -> None:
            for rows in groups[first : first + count]:
                # Rows name some that are older than the first lead: the company's, which this database has not.
                session.execute(text("SET LOCAL session_replication_role = replica"))
                for table, values in rows.items():
                    one = mapped.classes[table]
                    session.add_all([one(**dict(zip(names[table], row, strict=True))) for row in values])
                session.commit()

        per_s = _run(Peer(name, topic, len(groups), write), address, folder)
    store.close()
    return per_s


def _run(peer: Peer, address: str, folder: Path) -> float:
    broken: list[str] = []
    running = AppThread(
        [stage_app(cast(StageWorker, peer), address, peer.host.stage.name, folder)], broken.append
    )
    running.start()
    try:
        if not peer.done.wait(GIVE_UP_S) or broken:
            raise TimeoutError(f"{peer.host.stage.name} did not come to the end of its topic")
    finally:
        running.stop()
    return peer.per_s
