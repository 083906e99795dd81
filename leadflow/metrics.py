"""What `/metrics` shows, in Prometheus' words: counts and times by channel, source and stage, nobody's data.

What the store knows is read from it when asked, and so survives a restart; only times are counted in the process.
Names follow the Prometheus conventions: `leadflow_<thing>_<unit>`, counters with `_total`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import nan
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import Connection, func, select
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.recent import Recent
from store import tables, views
from store.breakers import DELIVER, WHOLE_STAGE, open_breakers
from store.database import Database

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
CHANNELS_BY_PATH = {"/in/web/": "web", "/in/counter/": "counter", "/in/cti/": "cti"}

_DOOR_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""An answer is an fsync away: 2 ms on a good disk. What lasts 10 s, senders have given up on."""
_BATCH_S = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 1, 5)
"""The host aims at 20 ms of lock a batch."""


class Metrics:
    """The counters of one application. Safe from several threads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._batches = Histogram(
            "leadflow_batch_seconds",
            "Time for one batch of a stage",
            ["stage"],
            registry=self.registry,
            buckets=_BATCH_S,
        )
        self._answers = Histogram(
            "leadflow_door_answer_seconds",
            "Time from the request to the door's answer",
            ["channel"],
            registry=self.registry,
            buckets=_DOOR_S,
        )
        self._refused = Histogram(
            "leadflow_door_refusal_seconds",
            "The same for answers that took nothing (status 400 and above)",
            ["channel"],
            registry=self.registry,
            buckets=_DOOR_S,
        )

    def batch(self, stage: str, seconds: float) -> None:
        """Count one batch of a stage."""
        self._batches.labels(stage).observe(seconds)

    def door(self, channel: str) -> tuple[Histogram, Histogram]:
        """Return what counts a door's answers: those that took something, and the others."""
        return self._answers.labels(channel), self._refused.labels(channel)

    def backup_age(self, age_s: Callable[[], float | None]) -> None:
        """Show how old the newest backup is; not a number as long as there is none."""
        gauge = Gauge("leadflow_backup_age_seconds", "Age of the newest backup", registry=self.registry)
        gauge.set_function(lambda: nan if (age := age_s()) is None else age)

    def text(self) -> bytes:
        """Return everything in the text format of Prometheus."""
        return generate_latest(self.registry)


class TimedDoors:
    """Times the answers of the doors that speak HTTP."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        # Looked up once: at every request it would cost as much as the counting.
        self._doors = {path: metrics.door(channel) for path, channel in CHANNELS_BY_PATH.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its answer when that begins."""
        path: str = scope.get("path", "")
        door = self._doors.get(path[: path.find("/", 4) + 1])
        if scope["type"] != "http" or door is None:
            await self._app(scope, receive, send)
            return
        answers, refusals = door
        started = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                counted_by = answers if message["status"] < 400 else refusals
                counted_by.observe(time.perf_counter() - started)
            await send(message)

        await self._app(scope, receive, counted)


class StoreMetrics(Collector):
    """What the store says of itself; asked at most once a second, and never for over 5 % of the time."""

    def __init__(
        self, store: Database, backlogs: Callable[[], Iterable[tuple[str, int]]], clock: Callable[[], int]
    ) -> None:
        self._store = store
        self._backlogs = backlogs
        self._clock = clock
        self._recent = Recent(lambda: list(self._read()))

    def collect(self) -> Iterable[Metric]:
        """Return the present figures."""
        return self._recent.get().value

    def _read(self) -> Iterator[Metric]:
        with self._store.read() as connection:
            yield from _captures(connection)
            yield from _breakers(connection)
            yield from _present(connection, self._clock())
        backlog = GaugeMetricFamily(
            "leadflow_backlog_events", "Events that wait for a stage", labels=["stage"]
        )
        for stage, waiting in self._backlogs():
            backlog.add_metric([stage], waiting)
        yield backlog


@dataclass(frozen=True, slots=True)
class Work:
    """What a stage of the cluster did in this process: events by the way they came, and what held it up."""

    stage: str
    events: Mapping[str, int]
    troubles: Mapping[str, int]


class WorkMetrics(Collector):
    """What the stages of this process did since it started."""

    def __init__(self, work: Callable[[], Iterable[Work]]) -> None:
        self._work = work

    def collect(self) -> Iterable[Metric]:
        """Return the present figures."""
        events = CounterMetricFamily(
            "leadflow_stage_events",
            "Events of a stage by the way they came: gap, swept and repeat are normally few",
            labels=["stage", "way"],
        )
        troubles = CounterMetricFamily(
            "leadflow_stage_troubles",
            "What held a stage up, and was done once more",
            labels=["stage", "kind"],
        )
        for one in self._work():
            for way, count in one.events.items():
                events.add_metric([one.stage, way], count)
            for kind, count in one.troubles.items():
                troubles.add_metric([one.stage, kind], count)
        yield from (events, troubles)


_CAPTURES = "leadflow_captures_accepted", "Captures that the first stage has taken up"
_RESULTS = {
    "lead": ("leadflow_leads", "Captures that became leads or joined one"),
    "ignored": ("leadflow_captures_ignored", "Captures kept with a reason, no lead"),
}
_REFUSED = "leadflow_captures_refused", "Times that a capture could not be read: each left a dead letter"

_Count = tuple[str, str, int]


def _captures(connection: Connection) -> Iterator[Metric]:
    capture, dead = tables.capture, tables.dead
    door = (capture.c.channel, capture.c.source_id)
    real = capture.c.purpose != "probe"
    rows = connection.execute(
        select(*door, capture.c.result, func.count()).where(real).group_by(*door, capture.c.result)
    ).all()
    yield _by_door(*_CAPTURES, [(channel, source, count) for channel, source, _, count in rows])
    for result, texts in _RESULTS.items():
        yield _by_door(*texts, [(one[0], one[1], one[3]) for one in rows if one[2] == result])
    # Counted by dead letters, which stay: what is repaired and replayed does not take a refusal back.
    letters = (
        select(*door, func.count())
        .join(dead, dead.c.capture_id == capture.c.capture_id)
        .where(real, dead.c.stage == "parse", dead.c.code != "held")
        .group_by(*door)
    )
    yield _by_door(*_REFUSED, [tuple(row) for row in connection.execute(letters)])


def _by_door(name: str, meaning: str, counts: Iterable[_Count]) -> Metric:
    sums: dict[tuple[str, str], int] = {}
    for channel, source, count in counts:
        sums[channel, source] = sums.get((channel, source), 0) + count
    family = CounterMetricFamily(name, meaning, labels=["channel", "source"])
    for door, total in sorted(sums.items()):
        family.add_metric(door, total)
    return family


def _breakers(connection: Connection) -> Iterator[Metric]:
    opened = GaugeMetricFamily(
        "leadflow_breaker_open", "1 while a source's events are held, or still replayed", labels=["source"]
    )
    held = GaugeMetricFamily("leadflow_dead_letters_held", "Events that wait for a reset", labels=["source"])
    stopped = GaugeMetricFamily(
        "leadflow_stage_stopped", "1 while a stage stands because most sources failed", labels=["stage"]
    )
    sinks = GaugeMetricFamily(
        "leadflow_deliveries_held", "What waits for destinations that are held", labels=["sink"]
    )
    unsent: dict[str, int] = {}
    found = open_breakers(connection)
    waiting = dict.fromkeys(connection.execute(select(tables.source.c.source_id)).scalars(), 0)
    for row in found:
        if row["source_id"] == WHOLE_STAGE:
            stopped.add_metric([row["stage"]], 1)
        elif row["stage"] == DELIVER:
            sink_id = row["source_id"].removeprefix("sinks.").partition("/")[0]
            unsent[sink_id] = unsent.get(sink_id, 0) + row["held"]
        else:
            waiting[row["source_id"]] = waiting.get(row["source_id"], 0) + row["held"]
    is_open = {row["source_id"] for row in found if row["stage"] != DELIVER}
    for source_id, count in sorted(waiting.items()):
        opened.add_metric([source_id], source_id in is_open)
        held.add_metric([source_id], count)
    for sink_id, count in sorted(unsent.items()):
        sinks.add_metric([sink_id], count)
    yield from (opened, held, stopped, sinks)


def _present(connection: Connection, now_us: int) -> Iterator[Metric]:
    dead, holding = tables.dead, tables.holding
    letters = GaugeMetricFamily(
        "leadflow_dead_letters_open", "What needs repair, by the stage that refused it", labels=["stage"]
    )
    counts = select(dead.c.stage, func.count()).where(dead.c.state == "open").group_by(dead.c.stage)
    for stage, count in connection.execute(counts):
        letters.add_metric([stage], count)
    yield letters
    oldest: Any = connection.execute(
        select(func.min(holding.c.from_us)).where(
            holding.c.holder_kind == "queue",
            holding.c.holder_id != views.PROBE_QUEUE,
            holding.c.to_us.is_(None),
        )
    ).scalar_one()
    waits_s = 0.0 if oldest is None else max(0.0, (now_us - oldest) / 1e6)
    yield GaugeMetricFamily(
        "leadflow_oldest_waiting_seconds", "How long the oldest customer waits in a queue", value=waits_s
    )
    yield GaugeMetricFamily(
        "leadflow_customers_without_owner",
        "Open customers without a holder (orphans); anything but 0 is a fault",
        value=len(views.orphans(connection, now_us)),
    )
