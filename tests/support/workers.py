"""Several workers on one PostgreSQL store, each in a thread: what the cluster does, without a broker."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError

from leadflow import pipeline
from schemas.events import Event
from store.company import CompanyCache
from stream.host import StageHost
from stream.log import Head, Logged, LogReader, Place
from stream.timers import fire_due, next_due
from tests.support.rig import MINUTE, MONDAY_10, Rig


class Dealt:
    """The one partition of a topic dealt out to several, event by event: nothing of a customer stays together."""

    def __init__(self, whole: LogReader, parts: int) -> None:
        self._whole = whole
        self._parts = parts

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        start = from_off * self._parts + place.part
        found = self._whole.read(Place(place.topic), start, limit * self._parts)
        mine = [one for one in found if one.off % self._parts == place.part]
        return [replace(one, part=place.part, off=one.off // self._parts) for one in mine]

    def head(self, place: Place) -> Head:
        whole = self._whole.head(Place(place.topic))
        return Head(whole.topic_id, (whole.end - place.part + self._parts - 1) // self._parts)


class Workers:
    """All stages, `count` times, over a rig's store. Timers' clock goes on from `at_us`."""

    def __init__(self, rig: Rig, count: int, *, at_us: int = MONDAY_10, batch_max: int = 50) -> None:
        self.rig = rig
        self.failures: list[BaseException] = []
        self._readers = {topic: Dealt(reader, count) for topic, reader in rig.readers.items()}
        self._began_us = at_us - time.monotonic_ns() // 1_000
        self._idle = [False] * count
        self.hosts: list[list[StageHost[Any, Any]]] = [self._stages(batch_max) for _ in range(count)]

    def _stages(self, batch_max: int) -> list[StageHost[Any, Any]]:
        return [
            StageHost(
                stage, self._readers, self.rig.store, self.rig.files.store_log, _own_time, batch_max=batch_max
            )
            for stage in pipeline.stages(CompanyCache(), self.rig.files.keys.hash_secret)
        ]

    @property
    def met(self) -> tuple[int, int]:
        """How often workers met: (conflicts, deadlocks)."""
        metrics = [host.metrics for stages in self.hosts for host in stages]
        return sum(one.conflicts for one in metrics), sum(one.deadlocks for one in metrics)

    def run(self, beside: Iterable[Callable[[], object]] = ()) -> None:
        """Work until nothing is left to do, with `beside` done meanwhile. Raises what a worker failed with."""
        work = [partial(self._work, part) for part in range(len(self.hosts))]
        in_threads((*work, *beside), self.failures)

    def _work(self, part: int) -> None:
        """Take turns at every stage; stop when all workers have found nothing twice in a row."""
        quiet = 0
        while not all(self._idle) and not self.failures:
            now_us = self._began_us + time.monotonic_ns() // 1_000
            done = fire_due(self.rig.store, self.rig.files.store_log, pipeline.TIMERS, now_us)
            for host in self.hosts[part]:
                done += self._turn(host, part)
            soon = next_due(self.rig.store)
            quiet = 0 if done or (soon is not None and soon < now_us + MINUTE) else quiet + 1
            if done and self._idle[part]:
                self._idle[part] = False
            elif quiet > 3:
                self._idle[part] = True
            if quiet:
                time.sleep(0.01)

    @staticmethod
    def _turn(host: StageHost[Any, Any], part: int) -> int:
        try:
            return sum(host.run_place(Place(topic, part)) for topic in host.topics)
        except DBAPIError:
            return 1  # as the host's loop does: once more


def in_threads(work: Iterable[Callable[[], object]], failures: list[BaseException] | None = None) -> None:
    """Do all of it at once; raise what the first of them failed with."""
    failed: list[BaseException] = [] if failures is None else failures

    def kept(one: Callable[[], object]) -> None:
        try:
            one()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=kept, args=(one,)) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]


def _own_time(event: Event) -> int:
    return event.time_us
