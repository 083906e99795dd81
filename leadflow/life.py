"""A cluster's processes look after each other: each says that it lives, and who falls silent is missed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

import structlog
from sqlalchemy.exc import SQLAlchemyError

from leadflow import pipeline
from leadflow.engine import Part
from schemas.results import Stage
from store.company import CompanyCache
from store.database import Database
from store.processes import BEAT_S, LIFE_S, beat, bury, leave, missing

log = structlog.get_logger()

NEEDED: tuple[Part, ...] = ("doors", "timers")
"""Parts without which a cluster does not do its work, beside the stages; whoever looks runs the sinks."""


class Life:
    """Says every BEAT_S that this process lives, and what `unwell` says of it."""

    def __init__(
        self,
        store: Database,
        name: str,
        part: Part,
        stages: Sequence[Stage],
        unwell: Callable[[], str | None],
    ) -> None:
        self._store = store
        self._name = name
        self._part = part
        self._stages = tuple(stages)
        self._unwell = unwell
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="life", daemon=True)

    def start(self) -> None:
        """Begin, at once."""
        self._thread.start()

    def stop(self, *, is_missed: bool) -> None:
        """Say no more. Unless `is_missed`, as when something broke down, say that this is an orderly end."""
        self._stopping.set()
        if not self._thread.is_alive():
            return
        self._thread.join()
        if is_missed:
            return
        try:
            with self._store.write() as connection:
                leave(connection, self._name)
        except SQLAlchemyError as error:
            log.warning("life_not_told", error=type(error).__name__)

    def _run(self) -> None:
        while True:
            try:
                with self._store.write() as connection:
                    beat(connection, self._name, self._part, self._stages, self._unwell())
            except (
                SQLAlchemyError
            ) as error:  # the store is away: it is as if this process were, until it is back
                log.warning("life_not_told", error=type(error).__name__)
            if self._stopping.wait(BEAT_S):
                return


class _Patience:
    """After a start of everything at once, nobody is missed before they had the time to speak."""

    def __init__(self) -> None:
        self._from_s = time.monotonic() + LIFE_S

    @property
    def has_ended(self) -> bool:
        return time.monotonic() > self._from_s


class Burying:
    """Has a person told of processes that fell silent, every BEAT_S; any number of processes may."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._patience = _Patience()
        self._next_s = 0.0

    def turn(self) -> None:
        """Look if it is time again."""
        if not self._patience.has_ended or time.monotonic() < self._next_s:
            return
        with self._store.write() as connection:
            gone = bury(connection)
        for process_id in gone:
            log.error("process_gone", process=process_id)
        self._next_s = time.monotonic() + BEAT_S


def who_is_missing(store: Database) -> Callable[[], str | None]:
    """Return what says which part or stage of the cluster no process runs, or what troubles one that does; else None."""
    patience = _Patience()
    stages = [str(one.name) for one in pipeline.stages(CompanyCache())]

    def look() -> str | None:
        if not patience.has_ended:
            return None
        with store.read() as connection:
            return missing(connection, NEEDED, stages)

    return look
