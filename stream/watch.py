"""What a stage does about sources that fail: holds their events, counts their failures, stops when most of them fail.

`stream.breaker` judges; `store.breakers` keeps. A `Watch` lives for one transaction and goes with its events, one by
one, so that any cutting of the stream into batches holds the same events.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import structlog
from sqlalchemy import Connection

from schemas.events import Event
from schemas.results import Refused
from schemas.results import Stage as StageName
from store import breakers
from store.alarms import raise_alarm
from store.breakers import WHOLE_STAGE, Bucket
from store.database import Database
from stream.breaker import Count, Policy, Sources, fails, judge, survey
from stream.log import Logged

log = structlog.get_logger()

FORGET_US = 600_000_000
"""How often counts that no breaker's window reaches any more are deleted: some hundred rows each time."""

BUCKET_US = 60_000_000
"""Counts are kept by the minute: a window of an hour is then at most a minute longer than said."""

_HOUR_US = 3_600_000_000


class StageStopped(RuntimeError):
    """Most sources fail at once, so the stage does nothing until a person has reset it. Nothing was skipped."""

    def __init__(self, stage: str, failing: int) -> None:
        super().__init__(
            f"stage {stage!r} stopped: {failing} sources fail at once, so it is the world or Leadflow, not a sender. "
            "See leadflow breaker; after the fix: leadflow breaker reset --all"
        )
        self.stage = stage
        self.failing = failing


class MostSourcesFail(StageStopped):
    """The refusal by which most sources fail; it is not recorded, since its event will be decided again."""

    def __init__(self, stage: str, sources: Sources, code: str) -> None:
        super().__init__(stage, len(sources.failing))
        self.sources = sources
        self.code = code


class Watch:
    """The breakers of one stage within one transaction, and what becomes of its `events`.

    Raises StageStopped when the stage is not to do anything.
    """

    def __init__(
        self, connection: Connection, stage: StageName, policy: Policy, events: Iterable[Event]
    ) -> None:
        self._connection = connection
        self._stage = stage
        self._policy = policy
        self._events = events
        self._state: dict[str, str] = {}
        self._since: dict[str, int] = {}
        for row in breakers.blocked(connection, stage):
            if row.source_id == WHOLE_STAGE:
                raise StageStopped(stage, row.refused)
            self._state[row.source_id], self._since[row.source_id] = row.state, row.since_us
        self._draining = {one for one, state in self._state.items() if state == "draining"}
        self._added: dict[Bucket, tuple[int, int]] = {}
        self._opened: dict[str, tuple[Count, str]] = {}
        self._recorded: set[str] = set()

    def holds(self, logged: Logged) -> bool:
        """Tell whether an event is to wait: its source's breaker is open, or others before it still wait."""
        state = self._state.get(_source_of(logged) or "")
        return state == "open" or (state == "draining" and not logged.held)

    def needs_letter(self, logged: Logged) -> bool:
        """Tell whether an event that is held needs a dead letter: not if it waited already, or is a sender's retry."""
        is_new = logged.event.id not in self._recorded | self._on_record and not logged.held
        self._recorded.add(logged.event.id)
        return is_new

    def saw(self, logged: Logged, refused: Refused | None, at_us: int) -> None:
        """Count what became of an event. Raises MostSourcesFail."""
        if refused is not None:
            self._recorded.add(logged.event.id)
        source_id = _source_of(logged)
        if source_id is None:
            return
        bucket = (source_id, logged.part, at_us - at_us % BUCKET_US)
        tried, bad = self._added.get(bucket, (0, 0))
        self._added[bucket] = (tried + 1, bad + (refused is not None))
        if refused is not None:
            self._judge(source_id, at_us, refused.code)

    def _judge(self, source_id: str, at_us: int, code: str) -> None:
        since_us = at_us - self._policy.window_us
        if not fails(self._policy, self._count(source_id, since_us)):
            return
        sources = {one for one, _, _ in self._added} | self._known.keys()
        counts = {one: self._count(one, since_us) for one in sources}
        opened = [
            one for one, state in self._state.items() if state == "open" and self._since[one] > since_us
        ]
        match judge(self._policy, source_id, counts, opened):
            case "stop":
                raise MostSourcesFail(self._stage, survey(self._policy, counts, opened), code)
            case "hold":
                self._state[source_id], self._since[source_id] = "open", at_us
                self._opened[source_id] = counts[source_id], code

    def _count(self, source_id: str, since_us: int) -> Count:
        rows = [row for row in self._known.get(source_id, ()) if row[0] > since_us]
        rows += [
            (from_us, *added)
            for (one, _, from_us), added in self._added.items()
            if one == source_id and from_us > since_us
        ]
        return Count(sum(tried for _, tried, _ in rows), sum(refused for _, _, refused in rows))

    @cached_property
    def _known(self) -> dict[str, list[tuple[int, int, int]]]:
        """What was counted before this transaction, by source: read only once something is refused."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for row in breakers.counts(self._connection, self._stage):
            found.setdefault(row.source_id, []).append((row.from_us, int(row.tried), int(row.refused)))
        return found

    @cached_property
    def _on_record(self) -> set[str]:
        """Those of the events that are dead letters already: read only once something is held."""
        ids = {event.id for event in self._events}
        return breakers.known_letters(self._connection, self._stage, ids)

    def write(self) -> None:
        """Write the counts, and the breakers that opened."""
        breakers.add_counts(self._connection, self._stage, self._added)
        for source_id in sorted(self._opened):
            count, code = self._opened[source_id]
            at_us = self._since[source_id]
            opened = breakers.Opening("open", at_us, count.tried, count.refused, code)
            breakers.put_breaker(
                self._connection, self._stage, source_id, opened, again=source_id in self._draining
            )
            log.error("breaker_opened", stage=self._stage, source=source_id, code=code)


class Forgetting:
    """Deletes the counts that no window reaches any more, every FORGET_US."""

    def __init__(self, store: Database, policy: Policy) -> None:
        self._store = store
        self._policy = policy
        self._last_us = 0

    def turn(self, now_us: int) -> None:
        """Delete them if it is time again."""
        if now_us - self._last_us <= FORGET_US:
            return
        with self._store.write() as connection:
            breakers.forget_counts(connection, now_us - self._policy.window_us - BUCKET_US)
        self._last_us = now_us


def stop_stage(store: Database, verdict: MostSourcesFail, at_us: int) -> None:
    """Put on record that a stage stopped, and have a person told."""
    heard, failing = len(verdict.sources.heard), len(verdict.sources.failing)
    with store.write() as connection:
        stopped = breakers.Opening("stopped", at_us, heard, failing, verdict.code)
        breakers.put_breaker(connection, verdict.stage, WHOLE_STAGE, stopped)
    log.error("stage_stopped", stage=verdict.stage, failing=failing, code=verdict.code)


def tell_standing(store: Database, stage: str, subject: str, code: str, at_us: int) -> None:
    """Have a person told that a stage stands and will not go on by itself; once an hour, however many find it so."""
    with store.write() as connection:
        raise_alarm(connection, "stage_stands", stage, subject, at_us, code=code, within_us=_HOUR_US)


def _source_of(logged: Logged) -> str | None:
    """Return the source an event counts for. A probe and what a person replays count for none, and are never held."""
    is_exempt = logged.event.purpose == "probe" or logged.attempt > 1
    return None if is_exempt else logged.event.source_id
