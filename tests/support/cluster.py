"""A cluster in one process, over real servers: doors, stages and outbox started and stopped by the test."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient
from sqlalchemy import text

from leadflow.cluster import Cluster, cluster_door, cluster_outbox, cluster_stage, open_cluster
from leadflow.settings import Settings
from schemas.capture import Capture
from schemas.company import Company
from store.company import put_company
from stream.faust_app import StageApp, Timing
from stream.kafka.door import KafkaDoor
from stream.kafka.outbox import Outbox
from stream.kafka.topics import ANSWER_S, admin_client, apply, topics_of
from tests.support.rig import small_company

STAGES = ("parse", "resolve", "route", "deliver")
PARTS = 4
QUICK = Timing(session_s=6.0, heartbeat_s=0.5, rebalance_s=6.0)


class Workers:
    """Faust apps in a thread with an event loop of its own, as a `leadflow stages` process has."""

    def __init__(self, cluster: Cluster, member: str, stages: Iterable[str] = STAGES, **more: Any) -> None:
        self.apps: dict[str, StageApp] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        for name in stages:
            self._call(self._start, cluster, name, member, more)

    async def _start(self, cluster: Cluster, name: str, member: str, more: dict[str, Any]) -> None:
        app = cluster_stage(cluster, name, f"{name}-{member}", **{"timing": QUICK, **more})
        self.apps[name] = app
        await app.start()

    async def _stop(self) -> None:
        for app in self.apps.values():
            await app.stop()

    def stop(self) -> None:
        self._call(self._stop)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _call(self, action: Callable[..., Any], *arguments: Any) -> None:
        asyncio.run_coroutine_threadsafe(action(*arguments), self._loop).result(60)


class Site:
    """Fresh topics and an empty store; what was started is stopped at the end."""

    def __init__(
        self,
        folder: Path,
        brokers: str,
        database_url: str,
        company: Company | None = None,
        parts: int = PARTS,
    ) -> None:
        self.settings = Settings(
            data=folder / "one", kafka=brokers, database_url=database_url, partitions=parts
        )
        self.admin: AdminClient = admin_client(brokers)
        renew_topics(self.admin, parts)
        self.cluster = open_cluster(self.settings)
        with self.cluster.store.write() as connection:
            put_company(connection, company or small_company(), 0)
        self._running: list[Workers | KafkaDoor | Outbox] = []

    def door(self) -> KafkaDoor:
        door = cluster_door(self.cluster)
        door.start()
        self._running.append(door)
        return door

    def outbox(self) -> Outbox:
        outbox = cluster_outbox(self.cluster)
        outbox.start()
        self._running.append(outbox)
        return outbox

    def workers(self, member: str = "a", stages: Iterable[str] = STAGES, **more: Any) -> Workers:
        workers = Workers(self.cluster, member, stages, **more)
        self._running.append(workers)
        return workers

    def accept(self, door: KafkaDoor, captures: Iterable[Capture]) -> None:
        """Give captures to a door, and return once it would answer."""
        door.append(list(captures)).result(60)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with self.cluster.store.read() as connection:
            return [tuple(row) for row in connection.execute(text(sql))]

    def count(self, table: str) -> int:
        return int(self.ask(f"SELECT count(*) FROM {table}")[0][0])

    def wait(self, holds: Callable[[], bool], what: str, timeout_s: float = 60) -> None:
        """Wait until something holds. Raises TimeoutError, which tells how far the stages are."""
        give_up = time.monotonic() + timeout_s
        while not holds():
            if time.monotonic() > give_up:
                places = self.ask("SELECT stage, topic, part, next_off FROM progress ORDER BY 1, 2, 3")
                raise TimeoutError(f"{what}: not after {timeout_s} s. Progress: {places}")
            time.sleep(0.05)

    def stop(self, part: Workers | KafkaDoor | Outbox) -> None:
        self._running.remove(part)
        part.close() if isinstance(part, KafkaDoor) else part.stop()

    def close(self) -> None:
        for part in reversed(list(self._running)):
            self.stop(part)
        self.cluster.close()


def renew_topics(admin: AdminClient, parts: int) -> None:
    """Make every topic anew, empty: other identities than before."""
    topics = topics_of(parts)
    drop_topics(admin, [one.name for one in topics])
    apply(admin, topics, 1)


def drop_topics(admin: AdminClient, names: Iterable[str]) -> None:
    """Delete topics, and wait until they are gone."""
    present = [name for name in names if name in admin.list_topics(timeout=ANSWER_S).topics]
    if present:
        for done in admin.delete_topics(present, operation_timeout=ANSWER_S).values():
            done.result(ANSWER_S)
    while any(name in admin.list_topics(timeout=ANSWER_S).topics for name in present):
        time.sleep(0.05)
