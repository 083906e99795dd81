"""The outbox: what the store's log holds goes to the brokers in order, by one process at a time.

Stages, acts and timers append to the SQL log inside their own transactions; nothing else is ever published. A
message may go out twice (a kill between the brokers' acknowledgement and our note of it), always with the same
id and sequence, so a stage that has seen the sequence skips it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import structlog
from sqlalchemy import Connection, bindparam, select, text, update
from sqlalchemy.exc import DBAPIError

from store import tables
from store.bulk import Prepared, insert_ignore
from store.database import Database
from stream.crash import crash_point
from stream.kafka.message import Message, Numbered, to_message
from stream.kafka.producer import BrokersAway
from stream.log import Head, SqlLog

log = structlog.get_logger()

FORWARD = "forward"
"""The name under which the outbox keeps its progress, beside those of the stages."""
AT_ONCE = 500
"""Messages between two notes of how far it is: a kill sends at most these twice."""
IDLE_S = 0.02
"""Between two looks when there was nothing: adds at most this to each of a lead's three hops."""
RETRY_S = 1.0
"""After the store or the brokers failed; also how soon a standby takes over from a leader that died."""
_LEADER = 0x6C656164
"""Key of the advisory lock that makes one process the forwarder (`lead` in ASCII)."""

_CURSORS = Prepared(
    select(tables.progress.c.topic, tables.progress.c.next_off).where(
        tables.progress.c.stage == bindparam("of_stage")
    )
)
_MOVE = Prepared(
    update(tables.progress)
    .where(
        tables.progress.c.stage == bindparam("of_stage"),
        tables.progress.c.topic == bindparam("of_topic"),
        tables.progress.c.next_off == bindparam("from_off"),
    )
    .values(next_off=bindparam("to_off"))
)


class Sending(Protocol):
    """What takes messages (`stream.kafka.producer.Sender`)."""

    def send(self, messages: Sequence[Message]) -> None:
        """Return once all are acknowledged. Raises BrokersAway."""
        ...

    def close(self) -> None:
        """Forget what is not sent."""
        ...


class NotLeader(RuntimeError):
    """Another process forwards now."""


class Outbox:
    """Forwards the store's log, in a thread of its own, whenever this process is the leader."""

    def __init__(self, store: Database, store_log: SqlLog, sender: Sending, topics: Sequence[str]) -> None:
        self._store = store
        self._log = store_log
        self._sender = sender
        self._topics = tuple(topics)
        self.trouble: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="outbox", daemon=True)

    def start(self) -> None:
        """Start forwarding."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand and let another process lead."""
        self._stopping.set()
        self._thread.join()
        self._sender.close()

    def run_once(self) -> int:
        """Forward the next batch of every topic; return how many went out. Raises BrokersAway, NotLeader."""
        heads, cursors = self._heads_and_cursors()
        sent = 0
        for topic in self._topics:
            if topic not in cursors:
                self._begin(topic)
            from_off = cursors.get(topic, 0)
            if heads[topic].end > from_off:
                sent += self._forward(topic, from_off, heads[topic].topic_id)
        return sent

    def backlog(self) -> int:
        """Return how many events wait to be forwarded."""
        heads, cursors = self._heads_and_cursors()
        return sum(heads[topic].end - cursors.get(topic, 0) for topic in self._topics)

    def _heads_and_cursors(self) -> tuple[dict[str, Head], dict[str, int]]:
        with self._store.read() as connection:
            cursors = {row.topic: int(row.next_off) for row in _CURSORS(connection, of_stage=FORWARD)}
            return self._log.heads(connection), cursors

    def _forward(self, topic: str, from_off: int, log_id: str) -> int:
        with self._store.read() as connection:
            rows = self._log.rows(connection, topic, from_off, AT_ONCE)
        if not rows:
            return 0
        self._sender.send(
            [to_message(topic, row, row["sealed"], Numbered(log_id, row["off"])) for row in rows]
        )
        crash_point("forwarded, unrecorded")
        to_off = rows[-1]["off"] + 1
        with self._store.write() as connection:
            moved = _MOVE(connection, of_stage=FORWARD, of_topic=topic, from_off=from_off, to_off=to_off)
            if moved.rowcount != 1:
                raise NotLeader(f"{topic} was forwarded beyond {from_off} by another process")
        return len(rows)

    def _begin(self, topic: str) -> None:
        row = {
            "stage": FORWARD,
            "topic": topic,
            "part": 0,
            "topic_id": "log",
            "next_off": 0,
            "sequence": -1,
        }
        with self._store.write() as connection:
            insert_ignore(connection, tables.progress, [row])

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._store.engine.connect() as connection:
                    if _leads(connection):
                        self._lead(connection)
                self.trouble = None
            except Exception as error:
                # Order is kept by going no further than what is known to be out; the next try starts there.
                why = str(error) if isinstance(error, BrokersAway | NotLeader) else type(error).__name__
                self.trouble = (
                    f"the outbox waits: {'the store failed' if isinstance(error, DBAPIError) else why}"
                )
                log.error("outbox_waits", error=type(error).__name__)
            self._stopping.wait(RETRY_S)

    def _lead(self, held: Connection) -> None:
        """Forward until told to stop, or until the connection that holds the lock is gone."""
        log.info("outbox_leads")
        while not self._stopping.is_set():
            held.execute(text("SELECT 1"))
            if not self.run_once():
                self._stopping.wait(IDLE_S)
        held.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LEADER})


def _leads(connection: Connection) -> bool:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEADER})
    return bool(taken.scalar_one())
