"""Stages on Faust: an agent takes events and hands them on; what is done is decided by the database alone.

Faust acknowledges what an agent was given whether or not anything was done with it, skips a message whose agent
raised, and may deliver out of order after a rebalance. So nothing here believes it: the stage host compares
offsets under a row lock, gaps are read from the partition itself, and a sweep finds a tail that Faust lost.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import structlog
import uvloop
from faust.types import EventT, StreamT
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from store.database import Database
from stream.host import BATCH_SHARED, Gap, StageHost, TopicReplaced
from stream.kafka.producer import BrokersAway
from stream.kafka.reader import KafkaReader, Opener
from stream.log import Place
from stream.watch import StageStopped, tell_standing

log = structlog.get_logger()

WITHIN_S = 0.02
"""How long an agent waits for a batch to fill; three stages in a row add at most three of these to a lead's way."""
SWEEP_S = 1.0
LOST_AFTER_S = 3.0
"""A tail that has not moved for so long, while the agent was given nothing at all, was lost by the consumer."""
LOST_WHILE_BUSY_S = 30.0
"""The same while other partitions move: the consumer takes turns, and one may wait behind a backlog of others."""
LOST_TO_ALL_S = 15.0
"""The same for a partition that is another worker's, or nobody's: a dead worker's session and the rebalance after it
take some 10 s, so nobody reads it any more. Two who sweep it do no harm: the database lets each event be done once."""
SESSION_S, HEARTBEAT_S, REBALANCE_S = 6.0, 1.0, 10.0
"""How fast a group notices a dead worker: its partitions move after 6 s. Faust's own take 62."""
RETRY_FIRST_S, RETRY_MOST_S = 0.1, 5.0
"""Pause after an error of the world: soon after a cut connection, seldom while a server restarts."""


@dataclass
class Shares:
    """Events by the way they came: gaps and sweeps are normally zero, and a rising share calls for a person."""

    taken: int = 0
    gap: int = 0
    swept: int = 0
    retries: int = 0
    rebalances: int = 0


@dataclass
class _Tail:
    next_off: int
    since: float


class StageWorker:
    """Drives one stage's host from one Faust app. Every method that works is called by one thread at a time."""

    def __init__(
        self,
        host: StageHost[Any, Any],
        reader: KafkaReader,
        opener: Opener,
        *,
        store: Database,
        clock: Callable[[], int],
        timed: Callable[[str, float], None] = lambda _stage, _seconds: None,
    ) -> None:
        self.host = host
        self._store = store
        self._clock = clock
        self._timed = timed
        self.trouble: str | None = None
        self.shares = Shares()
        self._reader = reader
        self._opener = opener
        self._turn = threading.Lock()
        self._stopping = threading.Event()
        self.places: set[Place] = set()
        self._unverified: set[Place] = set()
        self._tails: dict[Place, _Tail] = {}
        self._worked_at = time.monotonic()

    def stop(self) -> None:
        """Let the batch at hand end, and start no other."""
        self._stopping.set()

    def backlog(self) -> int:
        """Return how many events wait in the partitions that this worker has. Raises BrokersAway."""
        return self.host.backlog(sorted(self.places))

    def take(self, events: Sequence[EventT[Any]]) -> None:
        """Handle a batch, however long that takes: returns when it is done, or when the worker is to stop."""
        messages = [
            (
                Place(one.message.topic, one.message.partition),
                one.message.offset,
                list(one.message.headers.items())
                if isinstance(one.message.headers, dict)
                else list(one.message.headers or ()),
                one.message.value or b"",
            )
            for one in events
        ]

        def attempt() -> None:
            before, started = self.host.metrics.repeats, time.perf_counter()
            self.shares.taken += self._handled(messages)
            self._timed(self.host.stage.name, time.perf_counter() - started)
            if self.host.metrics.repeats > before:
                # Done already, or another topic under the same name? Only the brokers can tell.
                self._verify({place for place, *_ in messages})

        self._until_done(attempt)
        self._worked_at = time.monotonic()

    def assigned(self, places: set[Place]) -> None:
        """Take note of the partitions this worker has from now on; they are looked at before they are read.

        Returns at once: a rebalance must not wait for a database.
        """
        self.places, self._unverified = places, set(places)
        self._tails.clear()
        self.shares.rebalances += 1

    def sweep(self) -> None:
        """Look for events that lie in the log and were never handed to us, and handle them."""

        def attempt() -> None:
            while not self._stopping.is_set() and self.host.drain():
                pass  # what was held of a source whose breaker was reset
            reached = self.host.verify_topics()
            for place in self._reader.places(self.host.topics):
                end, next_off = self._reader.head(place).end, reached.get(place, 0)
                tail = self._tails.get(place)
                now = time.monotonic()
                if tail is None or tail.next_off != next_off or end <= next_off:
                    self._tails[place] = _Tail(next_off, now)
                elif self._is_lost(place, now - tail.since, now - self._worked_at):
                    log.error("tail_swept", topic=place.topic, part=place.part, count=end - next_off)
                    while not self._stopping.is_set() and (done := self.host.run_place(place)):
                        self.shares.swept += done

        self._until_done(attempt, once=True)

    def _is_lost(self, place: Place, unmoved_s: float, idle_s: float) -> bool:
        if place not in self.places:
            return unmoved_s > LOST_TO_ALL_S
        return unmoved_s > LOST_WHILE_BUSY_S or min(unmoved_s, idle_s) > LOST_AFTER_S

    def _verify(self, places: set[Place]) -> None:
        if places:
            self._reader.doubt()
        for place in sorted(places):
            self.host.verify(place)
        self._unverified -= places

    def _handled(self, messages: Sequence[Any]) -> int:
        logged = self._opener.open_all(messages)
        done = 0
        while True:
            try:
                return done + self.host.handle(logged)
            except Gap as gap:
                log.warning("gap_read", topic=gap.place.topic, part=gap.place.part)
                while self.host.next_of(gap.place) < gap.found:
                    self.shares.gap += self.host.run_place(gap.place)

    def _until_done(self, attempt: Callable[[], None], *, once: bool = False) -> None:
        """Try until it works: no exception may leave an agent. `once`: the next sweep is soon enough."""
        pause = RETRY_FIRST_S
        while not self._stopping.is_set():
            try:
                with self._turn:
                    self._verify(self._unverified)
                    attempt()
                self.trouble = None
                return
            except (DBAPIError, BrokersAway) as error:
                what = type(error.orig).__name__ if isinstance(error, DBAPIError) else str(error)
                self._say(f"stage {self.host.stage.name} waits: {what}", error)
            except TopicReplaced as error:
                if self.trouble != str(error):
                    self._tell(error)
                self._say(str(error), error)
            except StageStopped as error:
                self._say(str(error), error)
            except Exception as error:
                self._say(f"stage {self.host.stage.name} waits: {type(error).__name__}", error)
            if once:
                return
            self.shares.retries += 1
            self._stopping.wait(pause)
            pause = min(pause * 2, RETRY_MOST_S)

    def _tell(self, error: TopicReplaced) -> None:
        try:
            tell_standing(self._store, self.host.stage.name, error.topic, "topic_replaced", self._clock())
        except SQLAlchemyError as failure:  # no exception may leave an agent; /readyz says it all the same
            log.error("alarms_failed", error=type(failure).__name__)

    def _say(self, what: str, error: BaseException) -> None:
        if self.trouble != what:
            log.error("stage_waits", stage=self.host.stage.name, error=type(error).__name__)
        self.trouble = what


@dataclass
class StageApp:
    """A stage's worker and the Faust app that feeds it."""

    worker: StageWorker
    app: faust.App

    async def start(self) -> None:
        """Join the group and take events."""
        await self.app.start()

    async def stop(self) -> None:
        """End the batch at hand, leave the group."""
        self.worker.stop()
        await self.app.stop()


def group_of(stage: str) -> str:
    """Return the consumer group of a stage's workers."""
    return f"leadflow-{stage}"


def stage_app(worker: StageWorker, address: str, member: str, datadir: Path) -> StageApp:
    """Return the Faust app of a stage. `member` names this process in the group, also after a restart of it."""
    topics = worker.host.topics
    app = faust.App(
        group_of(worker.host.stage.name),
        broker=f"kafka://{address}",
        broker_session_timeout=SESSION_S,
        broker_heartbeat_interval=HEARTBEAT_S,
        broker_rebalance_timeout=REBALANCE_S,
        broker_max_poll_interval=3_600.0,  # a database that is away for minutes must not cost the membership
        consumer_auto_offset_reset="earliest",
        consumer_metadata_max_age_ms=10_000,  # a topic made after the start is read within seconds, not minutes
        consumer_group_instance_id=member,
        key_serializer="raw",
        value_serializer="raw",
        store="memory://",
        datadir=datadir,  # Faust makes it, and keeps nothing in it: there are no tables
        stream_wait_empty=False,
        topic_allow_declare=False,
        topic_disable_leader=True,
        web_enabled=False,
        worker_redirect_stdouts=False,
    )

    @app.agent(app.topic(*topics, key_serializer="raw", value_serializer="raw"), name=f"leadflow.{member}")
    async def take(stream: StreamT[Any]) -> None:
        async for events in stream.take_events(BATCH_SHARED, within=WITHIN_S):  # type: ignore[attr-defined]
            await asyncio.to_thread(worker.take, events)

    @app.on_partitions_assigned.connect  # type: ignore[arg-type]
    async def assigned(_app: Any, assigned: Iterable[Any], **_rest: Any) -> None:
        worker.assigned({Place(one.topic, one.partition) for one in assigned if one.topic in topics})

    @app.timer(SWEEP_S)  # type: ignore[untyped-decorator]
    async def sweep(_app: Any) -> None:
        await asyncio.to_thread(worker.sweep)

    return StageApp(worker, app)


class AppThread:
    """Runs the Faust apps of a process in a thread with an event loop of its own."""

    def __init__(self, apps: Sequence[StageApp], on_crash: Callable[[str], None]) -> None:
        self.apps = tuple(apps)
        self._on_crash = on_crash
        # As the process's policy, since Faust's consumer makes a thread and a loop for itself.
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="faust", daemon=True)
        self._watch: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Join the groups; return once every app has started. Raises what keeps one from it."""
        self._thread.start()
        self._do(self._start())

    def stop(self) -> None:
        """Finish the batches at hand, leave the groups, end the thread."""
        for one in self.apps:
            one.worker.stop()
        self._do(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _start(self) -> None:
        for one in self.apps:
            await one.start()
        self._watch = asyncio.create_task(self._watch_over())

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        for one in self.apps:
            await one.stop()

    async def _watch_over(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            for one in self.apps:
                if one.app.crashed or one.app.should_stop:
                    self._on_crash(one.worker.host.stage.name)
                    return

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()
