"""The stage host: runs a stage over its topics so that effects, outputs and progress commit together.

The database's offset decides what is done, a repeat, or a gap; nothing a caller or a broker says does.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, bindparam, select, update
from sqlalchemy.exc import DBAPIError

from schemas.events import Event
from schemas.ids import make_id
from schemas.results import Refused
from schemas.results import Stage as StageName
from schemas.work import Replay
from store import tables
from store.bulk import Prepared, insert_ignore
from store.contention import Conflict, until_alone
from store.database import Database
from store.effects import Effect, Insert, Writes
from stream.crash import crash_point
from stream.log import Logged, LogReader, SqlLog

P = TypeVar("P")
F = TypeVar("F")
log = structlog.get_logger()

LOCK_TARGET_S = 0.020
"""How long a batch may hold the store's write lock. Acts of people wait behind it: 20 ms is not noticed;
much less, and the fsync of each commit outweighs the work."""
BATCH_MIN, BATCH_MAX = 8, 1_000
REPLAY = "replay"
"""The topic on which people have refused events decided on once more; every stage reads it for its own."""


_MINE = (
    (tables.progress.c.stage == bindparam("of_stage"))
    & (tables.progress.c.topic == bindparam("of_topic"))
    & (tables.progress.c.part == 0)
)
_PROGRESS = select(tables.progress.c.topic_id, tables.progress.c.next_off).where(_MINE)
_READ, _LOCK = Prepared(_PROGRESS), Prepared(_PROGRESS.with_for_update())
_DONE = Prepared(update(tables.progress).where(_MINE).values(next_off=bindparam("done_off")))


class TopicReplaced(RuntimeError):
    """The topic is not the one this stage read before: recreated or restored. Going on would skip events."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one event led to: effects, among them events to send on, or a refusal for the dead letters."""

    effects: tuple[Effect, ...] = ()
    refused: Refused | None = None


class Stage(Protocol[P, F]):
    """A step of the pipeline. `prepare` and `decide` are pure, `gather` reads, the host writes.

    `decide` is called once an event, in order, and must leave in `facts` what it decided, so that the next
    event of the batch sees it: any cutting of the stream into batches then gives the same state.
    """

    @property
    def name(self) -> StageName: ...

    @property
    def topics(self) -> tuple[str, ...]: ...

    @property
    def one_by_one(self) -> tuple[str, ...]:
        """Topics whose events each need facts that the one before may have changed beyond recall."""
        ...

    def prepare(self, events: Sequence[Logged]) -> P:
        """Do what needs no database (decode, parse, normalise), while nobody waits for the store's lock.

        What depends on the company goes by the one last seen, and `gather` does it again should it have changed.
        """
        ...

    def gather(
        self, connection: Connection, prepared: P, events: Sequence[Logged], times: Sequence[int]
    ) -> F:
        """Read what deciding on these events at these times needs, in a fixed number of queries."""
        ...

    def decide(self, logged: Logged, facts: F, at_us: int) -> Step:
        """Decide on one event at its stamped time. May raise: the event then becomes a dead letter."""
        ...


@dataclass
class HostMetrics:
    """What the host counted since it started."""

    events: int = 0
    repeats: int = 0
    bugs: int = 0
    refused: int = 0
    conflicts: int = 0
    """Batches decided anew because another worker had decided about the same customer."""
    deadlocks: int = 0
    batch_limit: int = 100
    held_s: float = field(default=0.0)


class StageHost(Generic[P, F]):
    """Runs one stage in one thread. `clock` stamps the time at which each event is decided."""

    def __init__(
        self,
        stage: Stage[P, F],
        readers: dict[str, LogReader],
        store: Database,
        out: SqlLog,
        clock: Callable[[Event], int],
        *,
        batch_max: int = BATCH_MAX,
    ) -> None:
        self.stage = stage
        self.metrics = HostMetrics(batch_limit=min(100, batch_max))
        self._readers = readers
        self._store = store
        self._out = out
        self._clock = clock
        self._batch_max = batch_max
        self._known: dict[str, tuple[str | None, int]] = {}
        """Progress by topic as last committed: spares a look-up; each transaction reads the true one."""

    def run_once(self) -> int:
        """Handle the next batch of each topic; return how many events were done.

        Errors of the world (database, disk) are raised, for the caller to try again: nothing was done.
        Raises TopicReplaced when a topic's identity changed or its end lies before what was read.
        """
        return sum(self._run_topic(topic) for topic in (*self.stage.topics, REPLAY))

    def backlog(self) -> int:
        """Return how many events wait for this stage."""
        waiting = 0
        for topic in self.stage.topics:
            _, end = self._readers[topic].head(topic)
            with self._store.read() as connection:
                waiting += end - self._next(connection, topic)[1]
        return waiting

    def handle(self, topic: str, events: Sequence[Logged]) -> int:
        """Process events given from outside; ones already done are skipped, a gap is an error."""
        crash_point("read")
        return self._process(topic, list(events))

    def _run_topic(self, topic: str) -> int:
        reader = self._readers[topic]
        topic_id, end = reader.head(topic)
        if topic not in self._known:
            with self._store.read() as connection:
                self._known[topic] = self._next(connection, topic)
        known_id, next_off = self._known[topic]
        if known_id is None:
            with self._store.write() as connection:
                insert_ignore(connection, tables.progress, [self._progress_row(topic, topic_id)])
            self._known[topic] = (topic_id, next_off)
        elif known_id != topic_id or end < next_off:
            raise TopicReplaced(
                f"topic {topic!r} read by stage {self.stage.name!r} was recreated or restored "
                f"(identity {known_id} → {topic_id}, end {end}, next {next_off}). Restore both files from the "
                "same backup (docs/operations.md)."
            )
        if next_off == end:
            return 0
        alone = topic == REPLAY or topic in self.stage.one_by_one
        limit = 1 if alone else self.metrics.batch_limit
        events = reader.read(topic, next_off, limit)
        del self._known[topic]
        done = self.handle(topic, events) if events else 0
        self._known[topic] = (topic_id, next_off + len(events))
        return done

    def _process(self, topic: str, events: list[Logged]) -> int:
        try:
            return until_alone(lambda: self._commit(topic, events), self._met)
        except DBAPIError as error:
            if _is_of_the_world(error) or len(events) == 0:
                raise
            failure: Exception = error
        except (TopicReplaced, _Gap):
            raise
        except Exception as error:
            failure = error
        if len(events) > 1:
            half = len(events) // 2
            return self._process(topic, events[:half]) + self._process(topic, events[half:])
        self.metrics.bugs += 1
        log.error(
            "stage_bug", stage=self.stage.name, event_id=events[0].event.id, error=where_it_broke(failure)
        )
        refused = Refused(
            stage=self.stage.name,
            code="bug",
            message=f"{where_it_broke(failure)} while deciding on this event",
            hint="A fault of Leadflow, not of the lead: keep it, report it, and replay it after the update.",
        )
        return until_alone(lambda: self._commit(topic, events, only=refused), self._met)

    def _met(self, error: BaseException) -> None:
        """Count another worker that got in the way; what it changed is read when the batch is decided anew."""
        if isinstance(error, Conflict):
            self.metrics.conflicts += 1
        else:
            self.metrics.deadlocks += 1

    def _commit(self, topic: str, events: list[Logged], only: Refused | None = None) -> int:
        asked = [self._asked_for(logged) for logged in events]
        prepared: Any = None if only else self._prepare(asked)
        started = 0.0
        try:
            with self._store.write() as connection:
                started = time.perf_counter()
                todo = self._not_done(connection, topic, events)
                if not todo:
                    return 0
                if len(todo) < len(events):
                    asked = asked[-len(todo) :]
                    prepared = self._prepare(asked)
                times = [self._clock(logged.event) for logged in todo]
                steps = [Step(refused=only)] if only else self._decide(connection, prepared, asked, times)
                self._write(connection, topic, todo[-1].off, list(zip(asked, steps, times, strict=True)))
                crash_point("before commit")
        finally:
            if started:
                self._pace(len(events), time.perf_counter() - started)
        crash_point("committed")
        self.metrics.events += len(todo)
        if self._store.wal_is_full():
            crash_point("WAL checkpoint")
            self._store.checkpoint()
        return len(todo)

    def _asked_for(self, logged: Logged) -> Logged:
        """Return the event to decide on: for a replay of this stage, the one it names."""
        if logged.topic != REPLAY:
            return logged
        replay = logged.event.read(Replay)
        if replay.stage != self.stage.name:
            return replace(logged, opened=False)
        (original,) = self._readers[replay.topic].read(replay.topic, replay.off, 1)
        return replace(original, attempt=replay.attempt)

    def _prepare(self, events: list[Logged]) -> P:
        return self.stage.prepare([logged for logged in events if logged.opened])

    def _decide(
        self, connection: Connection, prepared: P, events: list[Logged], times: list[int]
    ) -> list[Step]:
        readable = [logged for logged in events if logged.opened]
        facts = self.stage.gather(connection, prepared, readable, times)
        return [
            self.stage.decide(logged, facts, at_us) if logged.opened else Step()
            for logged, at_us in zip(events, times, strict=True)
        ]

    def _write(
        self, connection: Connection, topic: str, last_off: int, decided: list[tuple[Logged, Step, int]]
    ) -> None:
        writes = Writes()
        for logged, step, at_us in decided:
            writes.add(step.effects)
            if step.refused is not None:
                self.metrics.refused += 1
                writes.add([dead_letter(logged, step.refused, at_us)])
        writes.flush(connection)
        crash_point("half the effects")
        _DONE(connection, of_stage=self.stage.name, of_topic=topic, done_off=last_off + 1)
        now_us = max(at_us for _, _, at_us in decided)
        for out_topic in sorted(writes.emitted):
            self._out.append(connection, out_topic, writes.emitted[out_topic], now_us)

    def _not_done(self, connection: Connection, topic: str, events: list[Logged]) -> list[Logged]:
        _, next_off = self._next(connection, topic, lock=True)
        todo = [logged for logged in events if logged.off >= next_off]
        self.metrics.repeats += len(events) - len(todo)
        if todo and todo[0].off != next_off:
            raise _Gap(f"{topic} jumps from {next_off} to {todo[0].off}")
        return todo

    def _next(self, connection: Connection, topic: str, lock: bool = False) -> tuple[str | None, int]:
        read = _LOCK if lock else _READ
        row = read(connection, of_stage=self.stage.name, of_topic=topic).one_or_none()
        return (row.topic_id, row.next_off) if row is not None else (None, 0)

    def _progress_row(self, topic: str, topic_id: str) -> dict[str, Any]:
        return {"stage": self.stage.name, "topic": topic, "part": 0, "topic_id": topic_id, "next_off": 0}

    def _pace(self, count: int, held_s: float) -> None:
        """Move the batch size towards what fits into LOCK_TARGET_S: halve fast, grow slowly."""
        self.metrics.held_s += held_s
        limit = self.metrics.batch_limit
        if held_s > LOCK_TARGET_S * 1.5:
            limit //= 2
        elif held_s < LOCK_TARGET_S and count >= limit:
            limit += max(8, limit // 8)
        self.metrics.batch_limit = max(min(BATCH_MIN, self._batch_max), min(self._batch_max, limit))


class _Gap(RuntimeError):
    """The events handed in do not follow on from what is done."""


def dead_letter(logged: Logged, refused: Refused, at_us: int) -> Insert:
    """Return the dead letter of an event: where it is in the log, and what is wrong with it."""
    event = logged.event
    return Insert(
        "dead",
        {
            "dead_id": make_id("dead", refused.stage, event.id, logged.attempt),
            "stage": refused.stage,
            "event_id": event.id,
            "capture_id": event.subject if event.subject.startswith("cap_") else None,
            "trace_id": event.trace_id,
            "attempt": logged.attempt,
            "code": refused.code,
            "field": refused.field,
            "message": refused.message,
            "hint": refused.hint,
            "state": "open",
            "refused_us": at_us,
            "topic": logged.topic,
            "part": logged.part,
            "off": logged.off,
        },
    )


def where_it_broke(error: BaseException) -> str:
    """Return the type of an error and the line that raised it. Never its text: that may quote a lead."""
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place


_SQLITE_WORLD = frozenset({5, 6, 7, 8, 10, 11, 13, 14, 26})
"""Primary result codes BUSY LOCKED NOMEM READONLY IOERR CORRUPT FULL CANTOPEN NOTADB (sqlite.org/rescode)."""
_POSTGRES_WORLD = ("08", "25", "40", "53", "55", "57", "58")
"""SQLSTATE classes: connection, transaction state, rollback, resources, locks, operator, system."""


def _is_of_the_world(error: DBAPIError) -> bool:
    """Tell a database in trouble (gone, locked, full), worth another try, from a statement that is wrong."""
    if error.connection_invalidated:
        return True
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is not None:
        return code & 0xFF in _SQLITE_WORLD
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return str(state).startswith(_POSTGRES_WORLD)
    return type(error.orig).__name__ in {"OperationalError", "InterfaceError"}
