"""The stage host: runs a stage over its topics so that effects, outputs and progress commit together.

The database's offset decides what is done, a repeat, or a gap; nothing a caller or a broker says does.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from pathlib import Path
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import structlog
from sqlalchemy import Connection, Row, bindparam, select, update
from sqlalchemy.exc import DBAPIError

from schemas.events import Event
from schemas.results import Refused
from schemas.results import Stage as StageName
from schemas.work import Replay
from store import breakers, tables
from store.bulk import OneOf, Prepared, insert_ignore, listed
from store.contention import Conflict, until_alone
from store.database import Database
from store.effects import Effect, Writes
from store.put_back import Logs, known_logs, without_reason
from stream.breaker import Policy
from stream.crash import crash_point
from stream.door_log import CAPTURES
from stream.letters import dead_letter, held_letter, letter_id, settled_letter
from stream.log import KEPT_NO_LONGER, Head, Logged, LogReader, Place, SqlLog
from stream.watch import MostSourcesFail, StageStopped, Watch, stop_stage

P = TypeVar("P")
F = TypeVar("F")
log = structlog.get_logger()

LOCK_TARGET_S = 0.020
"""How long a batch may hold SQLite's one write lock. Acts of people wait behind it: 20 ms is not noticed;
much less, and the fsync of each commit outweighs the work."""
BATCH_MIN, BATCH_MAX = 8, 1_000
BATCH_SHARED = 500
"""Events in a batch on PostgreSQL, however long it takes: a batch keeps out only who is at the same customers and teams,
and where the server is far away or slow it is its fixed number of round trips that costs, so small ones cost more.
Past some hundred the fsync no longer counts."""
REPLAY = "replay"
"""The topic on which people have refused events decided on once more; every stage reads it for its own."""


_PLACES = (tables.progress.c.stage == bindparam("of_stage")) & OneOf(
    ["topic", "CAST(part AS TEXT)"], "of_places"
)
_PROGRESS = select(tables.progress).where(_PLACES)
_READ = Prepared(_PROGRESS)
_LOCK = Prepared(_PROGRESS.order_by(tables.progress.c.topic, tables.progress.c.part).with_for_update())
_DONE = Prepared(
    update(tables.progress)
    .where(
        tables.progress.c.stage == bindparam("of_stage"),
        tables.progress.c.topic == bindparam("of_topic"),
        tables.progress.c.part == bindparam("of_part"),
    )
    .values(next_off=bindparam("done_off"), sequence=bindparam("done_sequence"))
)


class TopicReplaced(RuntimeError):
    """The topic is not the one this stage read before: recreated or restored. Going on would skip events."""

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(why)
        self.topic = topic


class StoreBehind(TopicReplaced):
    """A topic holds what the store has never sent: the store was put back, and nobody said so."""


class Gap(RuntimeError):
    """Events handed in do not follow on from what is done: those between must be read first."""

    def __init__(self, place: Place, next_off: int, found: int) -> None:
        super().__init__(f"{place.topic}[{place.part}] jumps from {next_off} to {found}")
        self.place = place
        self.found = found


class Mark(NamedTuple):
    """How far a stage is in a partition, as committed."""

    topic_id: str
    next_off: int
    sequence: int
    """The highest `Logged.sequence` done; -1 before the first."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one event led to: effects, among them events to send on, or a refusal for the dead letters."""

    effects: tuple[Effect, ...] = ()
    refused: Refused | None = None
    held: bool = False
    """Not tried: its source's breaker is open."""


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
    """Runs one stage, for one thread at a time. `clock` stamps the time at which each event is decided."""

    def __init__(
        self,
        stage: Stage[P, F],
        readers: Mapping[str, LogReader],
        store: Database,
        out: SqlLog,
        clock: Callable[[Event], int],
        *,
        batch_max: int = BATCH_MAX,
        policy: Policy | None = None,
    ) -> None:
        self.stage = stage
        first = 100 if store.dialect == "sqlite" else BATCH_SHARED
        self.metrics = HostMetrics(batch_limit=min(first, batch_max))
        self._readers = readers
        self._store = store
        self._out = out
        self._clock = clock
        self._batch_max = batch_max
        self._policy = policy or Policy()
        self._known: dict[Place, Mark] = {}
        """Progress as last committed here: spares a look-up; each transaction reads the true one."""
        self._logs = Logs()
        """As last read: what was forwarded from further on is looked up anew."""

    @property
    def topics(self) -> tuple[str, ...]:
        """What the stage reads: its own topics, and what people have it decide on once more."""
        return (*self.stage.topics, REPLAY)

    def run_once(self) -> int:
        """Handle the next batch of each topic's only partition; return how many events were done.

        Errors of the world (database, disk) are raised, for the caller to try again: nothing was done.
        Raises TopicReplaced when a topic's identity changed or its end lies before what was read, StageStopped
        when most sources fail.
        """
        return self.drain() + sum(self.run_place(Place(topic)) for topic in self.topics)

    def drain(self) -> int:
        """Decide on what was held of a source whose breaker was reset, the next batch in order; return how many.

        New events of the source are held behind these until none is left; then the breaker closes. Raises
        StageStopped, before anything is read in vain.
        """
        with self._store.read() as connection:
            row = breakers.standing(connection, self.stage.name)
            if row is None:
                return 0
            if row.state == "stopped":
                raise StageStopped(self.stage.name, row.refused)
            source_id = row.source_id
            letters = breakers.held(connection, self.stage.name, source_id, self.metrics.batch_limit)
        if not letters:
            with self._store.write() as connection:
                breakers.close_breaker(connection, self.stage.name, source_id)
            return 0
        events = self._read_held(letters)
        if len(events) < len(letters):
            found = {(one.place, one.off) for one in events}
            gone = [row.dead_id for row in letters if (Place(row.topic, row.part), row.off) not in found]
            log.error("held_events_gone", stage=self.stage.name, source=source_id, count=len(gone))
            with self._store.write() as connection:
                breakers.give_up(connection, gone)
        return self._process(events) if events else len(letters)

    def run_place(self, place: Place) -> int:
        """Read and handle the next batch of one partition; return how many events were done. As `run_once`."""
        mark = self._known.get(place) or self._mark_or_begin(place)
        head = self._verified(place, mark)
        self._known[place] = mark
        if mark.next_off == head.end:
            return 0
        alone = place.topic in self._alone
        limit = 1 if alone else self.metrics.batch_limit
        events = self._readers[place.topic].read(place, mark.next_off, limit)
        if not events:
            return 0
        if events[0].off > mark.next_off:
            log.warning("offsets_without_events", topic=place.topic, part=place.part, off=mark.next_off)
        del self._known[place]
        done = self._process(events, read_at=mark.next_off)
        last = [one.sequence for one in events if one.sequence is not None]
        self._known[place] = Mark(mark.topic_id, events[-1].off + 1, max([mark.sequence, *last]))
        return done

    def next_of(self, place: Place) -> int:
        """Return the offset this stage is to read next in a partition, as committed."""
        mark = self._mark(place)
        return 0 if mark is None else mark.next_off

    def verify(self, place: Place) -> None:
        """Make sure that a partition is the one this stage has read so far. Raises TopicReplaced."""
        self._verified(place, self._mark_or_begin(place))

    def verify_topics(self) -> dict[Place, int]:
        """Make sure that every topic this stage has read is the one it was, whoever reads its partitions now.

        Returns the next offset of each partition that was begun. Raises TopicReplaced: a consumer whose topic is
        deleted and made anew is not told.
        """
        table = tables.progress
        with self._store.read() as connection:
            rows = connection.execute(select(table).where(table.c.stage == self.stage.name)).all()
        for row in {row.topic: row for row in rows}.values():
            place = Place(row.topic, row.part)
            self._verified(place, Mark(row.topic_id, row.next_off, -1))
        return {Place(row.topic, row.part): row.next_off for row in rows}

    def backlog(self, places: Iterable[Place] | None = None) -> int:
        """Return how many events wait for this stage in these partitions; else in the only one of each topic."""
        if places is None:
            places = [Place(topic) for topic in self.stage.topics]
        return sum(max(0, self._readers[one.topic].head(one).end - self.next_of(one)) for one in places)

    def handle(self, events: Sequence[Logged]) -> int:
        """Process events of any partitions, each partition's in order; return how many were new.

        Those already done are skipped. Raises Gap when some are missing before one of these, and what
        `run_once` raises; the events up to there may then be done already.
        """
        done = 0
        for alone, run in groupby(events, key=lambda one: one.topic in self._alone):
            these = list(run)
            several = [[one] for one in these] if alone else [these]
            done += sum(self._process(each) for each in several)
        return done

    @property
    def _alone(self) -> tuple[str, ...]:
        return (*self.stage.one_by_one, REPLAY)

    def _mark_or_begin(self, place: Place) -> Mark:
        if (mark := self._mark(place)) is not None:
            return mark
        topic_id = self._readers[place.topic].head(place).topic_id
        row = {
            "stage": self.stage.name,
            "topic": place.topic,
            "part": place.part,
            "topic_id": topic_id,
            "next_off": 0,
            "sequence": -1,
        }
        with self._store.write() as connection:
            insert_ignore(connection, tables.progress, [row])
        return self._mark(place) or Mark(topic_id, 0, -1)

    def _verified(self, place: Place, mark: Mark) -> Head:
        """Return what is kept of a partition, looked at after the mark was: another worker may go on meanwhile, and
        would be beyond an end that was read before. Raises TopicReplaced.
        """
        head = self._readers[place.topic].head(place)
        if head.topic_id == mark.topic_id and head.start <= mark.next_off <= head.end:
            return head
        raise TopicReplaced(
            place.topic,
            f"topic {place.topic!r} (partition {place.part}) read by stage {self.stage.name!r} was recreated, restored "
            f"or cut (identity {mark.topic_id} → {head.topic_id}, kept {head.start} to {head.end}, next "
            f"{mark.next_off}). Nothing was skipped; see 'A topic was replaced' in docs/operations.md.",
        )

    def _process(self, events: list[Logged], read_at: int | None = None) -> int:
        """Commit events as one batch, or find the one that cannot be decided on.

        `read_at`: they are what the partition itself holds from this offset on, so between them is nothing.
        """
        crash_point("read")
        try:
            return until_alone(lambda: self._commit(events, read_at), self._met)
        except DBAPIError as error:
            if _is_of_the_world(error):
                raise
            failure: Exception = error
        except (TopicReplaced, Gap):
            raise
        except MostSourcesFail as verdict:
            if len(events) == 1:  # all before it is done
                stop_stage(self._store, verdict, self._clock(events[0].event))
                raise
            failure = verdict
        except StageStopped:
            raise
        except Exception as error:
            failure = error
        if len(events) > 1:
            half = len(events) // 2
            return self._process(events[:half], read_at) + self._process(events[half:], read_at)
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
        return until_alone(lambda: self._commit(events, read_at, only=refused), self._met)

    def _met(self, error: BaseException) -> None:
        """Count another worker that got in the way; what it changed is read when the batch is decided anew."""
        if isinstance(error, Conflict):
            self.metrics.conflicts += 1
        else:
            self.metrics.deadlocks += 1

    def _commit(self, events: list[Logged], read_at: int | None, only: Refused | None = None) -> int:
        asked = [self._asked_for(logged) for logged in events]
        prepared: Any = None if only else self._prepare(asked)
        started = 0.0
        try:
            with self._store.write() as connection:
                started = time.perf_counter()
                todo, marks = self._not_done(connection, events, read_at)
                if not todo and not marks:
                    return 0
                if len(todo) < len(events):
                    asked = [self._asked_for(logged) for logged in todo]
                    prepared = None if only else self._prepare(asked)
                times = [self._clock(logged.event) for logged in todo]
                watch = Watch(connection, self.stage.name, self._policy, [one.event for one in asked])
                facts = self._gather(connection, prepared, asked, times) if todo and not only else None
                keyless = self._keyless(connection, asked)
                decided = [
                    (one, self._step(watch, one, facts, at_us, self._no_key(one, keyless) or only), at_us)
                    for one, at_us in zip(asked, times, strict=True)
                ]
                self._write(connection, marks, watch, decided)
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
        found = self._readers[replay.topic].read(Place(replay.topic, replay.part), replay.off, 1)
        if (
            not found or found[0].off != replay.off
        ):  # kept no longer; a broker then gives the next one there is
            return replace(logged, gone=True)
        return replace(found[0], attempt=replay.attempt)

    def _prepare(self, events: list[Logged]) -> P:
        return self.stage.prepare([logged for logged in events if logged.is_readable])

    def _gather(self, connection: Connection, prepared: P, events: list[Logged], times: list[int]) -> F:
        readable = [logged for logged in events if logged.is_readable]
        return self.stage.gather(connection, prepared, readable, times)

    def _keyless(self, connection: Connection, events: list[Logged]) -> set[str]:
        """Return the captures among these that cannot be opened, though nobody erased them."""
        shut = {
            one.event.subject
            for one in events
            if one.topic == CAPTURES and not one.opened and one.fault is None
        }
        return without_reason(connection, shut) if shut else shut

    def _no_key(self, logged: Logged, keyless: set[str]) -> Refused | None:
        if logged.topic != CAPTURES or logged.event.subject not in keyless:
            return None
        return Refused(
            stage=self.stage.name,
            code="no_key",
            message="It was not erased, and the key that opens it is missing.",
            hint="Restore the database and the keys again (docs/operations/backup.md), then replay this.",
        )

    def _step(self, watch: Watch, logged: Logged, facts: Any, at_us: int, only: Refused | None) -> Step:
        if watch.holds(logged):
            return Step(held=True)
        step = Step(refused=only) if only else self._decide(logged, facts, at_us)
        # What led to nothing, a sender's retry, is no try of ours; and that our key is missing says nothing of the source.
        if (step.effects or step.refused) and (step.refused is None or step.refused.code != "no_key"):
            watch.saw(logged, step.refused, at_us)
        return step

    def _decide(self, logged: Logged, facts: F, at_us: int) -> Step:
        if logged.fault is not None:
            return Step(
                refused=Refused(
                    stage=self.stage.name,
                    code="no_event",
                    message=f"The message at this place of the topic is no event of Leadflow: {logged.fault}",
                    hint="Find out who else writes to this topic; only Leadflow may. The message stays where it is.",
                )
            )
        if logged.gone:
            return Step(
                refused=Refused(
                    stage=self.stage.name,
                    code="no_raw_bytes",
                    message="What was to be decided on is kept no longer: by its topic, or by the store of large bodies.",
                    hint="If that store can be put back, replay this then. Else ask the sender for it again, and discard this.",
                )
            )
        return self.stage.decide(logged, facts, at_us) if logged.opened else Step()

    def _write(
        self,
        connection: Connection,
        marks: Mapping[Place, Mark],
        watch: Watch,
        decided: list[tuple[Logged, Step, int]],
    ) -> None:
        writes = Writes()
        for logged, step, at_us in decided:
            writes.add(step.effects)
            writes.add(self._letters(watch, logged, step, at_us))
        writes.flush(connection)
        watch.write()
        crash_point("half the effects")
        for place, mark in sorted(marks.items()):
            _DONE(
                connection,
                of_stage=self.stage.name,
                of_topic=place.topic,
                of_part=place.part,
                done_off=mark.next_off,
                done_sequence=mark.sequence,
            )
        for out_topic in sorted(writes.emitted):
            now_us = max(at_us for _, _, at_us in decided)
            self._out.append(connection, out_topic, writes.emitted[out_topic], now_us)

    def _letters(self, watch: Watch, logged: Logged, step: Step, at_us: int) -> list[Effect]:
        """Return what a step does to the dead letters: a new one, or the end of one that was held."""
        if step.refused is not None:
            self.metrics.refused += 1
        if logged.held:
            return [] if step.held else settled_letter(self.stage.name, logged, step.refused, at_us)
        if step.refused is not None:
            return dead_letter(logged, step.refused, at_us)
        if step.held and watch.needs_letter(logged):
            return [held_letter(self.stage.name, logged, at_us)]
        return []

    def _read_held(self, letters: Sequence[Row[Any]]) -> list[Logged]:
        """Read the events of held letters, those of a partition in few steps: from a broker each may take 0.2 s."""
        found: list[Logged] = []
        for place, rows in groupby(letters, key=lambda row: Place(row.topic, row.part)):
            offs = {row.off for row in rows} - {KEPT_NO_LONGER}
            next_off, last = min(offs, default=0), max(offs, default=-1)
            while next_off <= last:
                events = self._readers[place.topic].read(place, next_off, min(last - next_off + 1, BATCH_MAX))
                if not events:
                    break
                found += [replace(one, held=True) for one in events if one.off in offs]
                next_off = events[-1].off + 1
        return found

    def _still_held(self, connection: Connection, events: list[Logged]) -> list[Logged]:
        letters = {letter_id(self.stage.name, one): one for one in events}
        source_id = events[0].event.source_id or ""
        still = breakers.still_held(connection, self.stage.name, source_id, letters)
        return [one for dead_id, one in letters.items() if dead_id in still]

    def _not_done(
        self, connection: Connection, events: list[Logged], read_at: int | None
    ) -> tuple[list[Logged], dict[Place, Mark]]:
        """Lock the progress of these events' partitions; return those to decide on, and how far that leads."""
        if events[0].held:
            return self._still_held(connection, events), {}
        marks = self._marks(connection, {one.place for one in events}, _LOCK)
        todo: list[Logged] = []
        moved: dict[Place, Mark] = {}
        for one in events:
            mark = marks.get(one.place)
            if mark is None:
                # The first of a partition; it may not be the first there is.
                raise Gap(one.place, 0, one.off)
            if one.off < mark.next_off:
                self.metrics.repeats += 1
                continue
            if one.off > mark.next_off and (read_at is None or mark.next_off < read_at):
                raise Gap(one.place, mark.next_off, one.off)
            forwarded_twice = one.sequence is not None and one.sequence <= mark.sequence
            undone = self._is_undone(connection, one)
            sequence = mark.sequence if one.sequence is None or undone else max(one.sequence, mark.sequence)
            marks[one.place] = moved[one.place] = Mark(mark.topic_id, one.off + 1, sequence)
            if forwarded_twice or undone:
                self.metrics.repeats += 1
            else:
                todo.append(one)
        return todo, moved

    def _is_undone(self, connection: Connection, logged: Logged) -> bool:
        """Tell whether an event was forwarded from this store in a time that a restore has undone.

        Raises StoreBehind when there was a restore that nobody told the store of.
        """
        if logged.log_id is None or logged.sequence is None:
            return False
        log_id = (logged.topic, logged.log_id)
        if log_id in self._logs.past:
            return logged.sequence >= self._logs.past[log_id]
        if logged.sequence >= self._logs.now.get(log_id, 0):
            self._logs = known_logs(connection)
        if log_id not in self._logs.now:
            return logged.sequence >= self._logs.past.get(log_id, 0)
        if logged.sequence >= self._logs.now[log_id]:
            raise StoreBehind(
                logged.topic,
                f"topic {logged.topic!r} holds what this store has never sent: the database was put back to an earlier time. "
                "Stop every process, put it back once more, and then: leadflow restore --as-of. See docs/operations/backup.md.",
            )
        return False

    def _mark(self, place: Place) -> Mark | None:
        with self._store.read() as connection:
            return self._marks(connection, {place}, _READ).get(place)

    def _marks(
        self, connection: Connection, places: Iterable[Place], statement: Prepared
    ) -> dict[Place, Mark]:
        wanted = listed((place.topic, str(place.part)) for place in places)
        rows = statement(connection, of_stage=self.stage.name, of_places=wanted)
        return {Place(row.topic, row.part): Mark(row.topic_id, row.next_off, row.sequence) for row in rows}

    def _pace(self, count: int, held_s: float) -> None:
        """Move the batch size towards what fits into LOCK_TARGET_S: halve fast, grow slowly; on SQLite only."""
        self.metrics.held_s += held_s
        if self._store.dialect != "sqlite":
            return
        limit = self.metrics.batch_limit
        if held_s > LOCK_TARGET_S * 1.5:
            limit //= 2
        elif held_s < LOCK_TARGET_S and count >= limit:
            limit += max(8, limit // 8)
        self.metrics.batch_limit = max(min(BATCH_MIN, self._batch_max), min(self._batch_max, limit))


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
