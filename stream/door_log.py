"""The doors' log: makes captures durable, many under one fsync, and only then lets a door answer.

One thread writes `doors.db`. Whatever arrives while a commit is under way shares the next one, so the
group grows by itself under load and a lone capture never waits for company.
"""

from __future__ import annotations

import asyncio
import hmac
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import orjson
import structlog
from sqlalchemy import Table, select
from sqlalchemy.exc import OperationalError

from schemas.capture import Capture
from schemas.events import Event, type_of
from schemas.ids import body_digest, make_id
from store import tables
from store.bulk import insert_ignore, keys_in
from store.database import Database
from stream.crash import crash_point
from stream.log import SqlLog
from stream.seal import KeyRing

log = structlog.get_logger()

CAPTURES = "captures"
PROBE_HEADER = "x-leadflow-probe"
"""Marks what `leadflow doctor` sends; its value is known to this process and its owner alone."""

_GROUP_MAX_BYTES = 16 * 1024 * 1024
"""A group stops growing here: one large mail must not make a hundred small forms wait for its write."""


class Overloaded(RuntimeError):
    """Nothing can be written now: more waits than the bound allows, or the disk takes nothing. Try again later."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a file has been read, saved in the same transaction as the captures read from it."""

    source_id: str
    path: str
    state: dict[str, object]


@dataclass(slots=True)
class Waiting:
    """What one caller wants to be durable, and how it is told."""

    captures: Sequence[Capture]
    checkpoints: Sequence[Checkpoint]
    size: int
    done: Future[None] | asyncio.Future[None]


class DoorLog:
    """Accepts captures from coroutines (`durable`) and from any thread (`append`)."""

    def __init__(
        self,
        database: Database,
        log: SqlLog,
        keys: KeyRing,
        *,
        clock: Callable[[], int],
        new_id: Callable[[], str],
        probe_token: str = "",
        max_waiting_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        self._database = database
        self._log = log
        self._keys = keys
        self._clock = clock
        self._new_id = new_id
        self._max_waiting = max_waiting_bytes
        self._probe_token = probe_token
        self._waiting: list[Waiting] = []
        self._waiting_bytes = 0
        self._wake = threading.Condition()
        self._closing = False
        self._appended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="door-log", daemon=True)

    def start(self) -> None:
        """Start the writing thread."""
        self._thread.start()

    async def durable(self, captures: Sequence[Capture]) -> None:
        """Return once the captures are on the disk.

        Raises Overloaded when too many bytes wait or the disk takes nothing, and the database's error if the commit
        fails for a fault of ours; nothing of its group is then on disk.
        """
        done = asyncio.get_running_loop().create_future()
        self._queue(captures, (), done)
        await done

    def append(self, captures: Sequence[Capture], checkpoints: Sequence[Checkpoint] = ()) -> Future[None]:
        """Queue captures (and how far their files were read) for the next commit; for threads.

        The future is done once they are on the disk. Errors are those of `durable`.
        """
        done: Future[None] = Future()
        self._queue(captures, checkpoints, done)
        return done

    def _queue(
        self,
        captures: Sequence[Capture],
        checkpoints: Sequence[Checkpoint],
        done: Future[None] | asyncio.Future[None],
    ) -> None:
        crash_point("received")
        item = Waiting(captures, checkpoints, sum(len(one.body) for one in captures), done)
        with self._wake:
            if self._closing:
                raise Overloaded("the door log is closing")
            if self._waiting_bytes + item.size > self._max_waiting:
                raise Overloaded(f"{self._waiting_bytes} bytes wait to be written")
            self._waiting.append(item)
            self._waiting_bytes += item.size
            self._wake.notify()

    @property
    def probe_token(self) -> str:
        """What marks this installation's own probes."""
        return self._probe_token

    def is_probe(self, mark: str | None) -> bool:
        """Tell whether a message carries this installation's own probe mark (PROBE_HEADER)."""
        return bool(mark and self._probe_token) and hmac.compare_digest(
            str(mark).encode(), self._probe_token.encode()
        )

    def wait_for_more(self, timeout_s: float) -> None:
        """Sleep until something has been appended since the last call, at most `timeout_s` seconds."""
        self._appended.wait(timeout_s)
        self._appended.clear()

    def checkpoints_of(self, source_id: str) -> dict[str, dict[str, Any]]:
        """Return how far each followed file of a source was read, by path."""
        table = tables.tail_checkpoint
        with self._database.read() as connection:
            rows = connection.execute(
                select(table.c.path, table.c.state_json).where(table.c.source_id == source_id)
            ).all()
        return {row.path: orjson.loads(row.state_json) for row in rows}

    def close(self) -> None:
        """Write what waits, then stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    self._wake.wait()
                if not self._waiting:
                    return
                group = self._take_group()
            self._commit(group)
            if self._database.wal_is_full():
                crash_point("WAL checkpoint")
                self._checkpoint()

    def _take_group(self) -> list[Waiting]:
        size = taken = 0
        for item in self._waiting:
            size += item.size
            taken += 1
            if size >= _GROUP_MAX_BYTES:
                break
        group, self._waiting = self._waiting[:taken], self._waiting[taken:]
        self._waiting_bytes -= size
        return group

    def _checkpoint(self) -> None:
        """Empty the WAL; on a full disk it stays until there is room. What is in it is durable as it is."""
        try:
            self._database.checkpoint()
        except OperationalError as error:
            log.error("door_checkpoint_failed", error=type(error.orig).__name__)

    def _commit(self, group: list[Waiting]) -> None:
        try:
            self._write(group)
        except OperationalError as error:
            log.error("door_cannot_write", error=type(error.orig).__name__)
            _tell(group, Overloaded(f"the disk takes nothing: {type(error.orig).__name__}"))
            return
        except Exception as error:
            # Each sender hears that its capture was not taken; the thread goes on with the next group.
            _tell(group, error)
            return
        crash_point("fsynced, unanswered")
        self._appended.set()
        _tell(group, None)

    def _write(self, group: list[Waiting]) -> None:
        keys, events = self._sealed_under_new_keys(group)
        checkpoints = [checkpoint for item in group for checkpoint in item.checkpoints]
        now = self._clock()
        with self._database.write() as connection:
            insert_ignore(connection, tables.door_key, keys)
            for checkpoint in checkpoints:
                table = tables.tail_checkpoint
                key = (table.c.source_id == checkpoint.source_id) & (table.c.path == checkpoint.path)
                connection.execute(table.delete().where(key))
                row = {
                    "source_id": checkpoint.source_id,
                    "path": checkpoint.path,
                    "state_json": orjson.dumps(checkpoint.state).decode(),
                    "saved_us": now,
                }
                insert_ignore(connection, table, [row])
            if events:
                self._log.append(connection, CAPTURES, events, now)
            crash_point("before fsync")

    def _sealed_under_new_keys(self, group: Sequence[Waiting]) -> tuple[list[dict[str, Any]], list[Event]]:
        """Return the key rows and the events of a group's captures, each under a key of its own."""
        keys, events = [], []
        for item in group:
            for capture in item.captures:
                key_id = self._new_id()
                wrapped = self._keys.make(key_id)
                keys.append({"key_id": key_id, "capture_id": capture.capture_id, "wrapped": wrapped})
                events.append(capture_event(capture, key_id))
        return keys, events


def _tell(group: Sequence[Waiting], error: Exception | None) -> None:
    """Say how the commit of a group ended: one call into each event loop, since every call wakes it."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for item in group:
        if isinstance(item.done, asyncio.Future):
            by_loop.setdefault(item.done.get_loop(), []).append(item.done)
        else:
            _settle([item.done], error)
    for loop, waiting in by_loop.items():
        with suppress(RuntimeError):  # a loop that was closed meanwhile: nobody waits there any more
            loop.call_soon_threadsafe(_settle, waiting, error)


def _settle(waiting: Sequence[Future[None] | asyncio.Future[None]], error: Exception | None) -> None:
    for done in waiting:
        if done.done():  # given up by whoever waited
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def capture_event(capture: Capture, key_id: str) -> Event:
    """Wrap a capture for the log. Its event id is that of the capture: a retry is the same event twice.

    What a person repaired does not come from its source any more: it neither counts for it nor waits with it.
    """
    door = f"/doors/{capture.channel}"
    return Event(
        id=make_id("evt", capture.capture_id),
        source=door if capture.parent_id else f"{door}/{capture.source_id}",
        type=type_of(Capture),
        subject=capture.capture_id,
        key=order_key(capture),
        time_us=capture.accepted_us,
        trace_id=capture.trace_id,
        purpose=capture.purpose,
        key_id=key_id,
        data=capture.model_dump_json().encode(),
    )


def order_key(capture: Capture) -> str:
    """Return the key that leads to one partition what is judged together.

    Retries and corrections by the sender's key, else by the body; calls, whose legs come as rows of their own, by
    their source.
    """
    own = capture.idem_key if capture.key_given else capture.digest
    same = "" if capture.channel == "cti" else own
    return body_digest(f"{capture.source_id}\x00{same}".encode("utf-8", "surrogatepass"))


def fetch_keys(database: Database, table: Table = tables.door_key) -> Callable[[object], dict[str, bytes]]:
    """Return the key ring's `fetch`: wrapped keys by key id from where they lie."""

    def fetch(key_ids: object) -> dict[str, bytes]:
        wanted = [(key_id,) for key_id in key_ids]  # type: ignore[attr-defined]
        with database.read() as connection:
            rows = connection.execute(
                select(table.c.key_id, table.c.wrapped).where(keys_in(connection, ["key_id"], wanted))
            ).all()
        return {row.key_id: row.wrapped for row in rows}

    return fetch
