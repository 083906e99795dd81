"""The outbox: what the store's log holds goes to the brokers in order, by one process at a time.

Stages, acts and timers append to the SQL log inside their own transactions; nothing else is ever published. A
message may go out twice (a kill between the brokers' acknowledgement and our note of it), always with the same
id and sequence, so a stage that has seen the sequence skips it.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import structlog
from sqlalchemy import Connection, Row, RowMapping, and_, bindparam, func, select, text, update
from sqlalchemy.exc import DBAPIError

from store import tables
from store.bulk import Prepared, insert_ignore
from store.database import Database
from stream.crash import crash_point
from stream.kafka.message import Message, to_message
from stream.kafka.producer import BrokersAway
from stream.log import SqlLog

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

_WAITING = Prepared(
    select(
        tables.topic_head.c.topic,
        func.coalesce(tables.progress.c.next_off, 0).label("from_off"),
        tables.topic_head.c.next_off.label("end"),
        tables.progress.c.stage.label("begun"),
    ).join_from(
        tables.topic_head,
        tables.progress,
        and_(
            tables.progress.c.topic == tables.topic_head.c.topic,
            tables.progress.c.stage == bindparam("of_stage"),
        ),
        isouter=True,
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


class _Batch(NamedTuple):
    """The next rows of a topic; `begun`: it was forwarded before."""

    topic: str
    from_off: int
    rows: Sequence[RowMapping]
    begun: bool


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
        with self._store.read() as connection:
            batches = self._next(connection)
        return self._forward(batches)

    def backlog(self) -> int:
        """Return how many events wait to be forwarded."""
        with self._store.read() as connection:
            return sum(one.end - one.from_off for one in self._waiting(connection))

    def _waiting(self, connection: Connection) -> list[Row[Any]]:
        found = _WAITING(connection, of_stage=FORWARD).all()
        return [one for one in found if one.topic in self._topics and one.end > one.from_off]

    def _next(self, connection: Connection) -> list[_Batch]:
        return [
            _Batch(one.topic, one.from_off, rows, one.begun is not None)
            for one in self._waiting(connection)
            if (rows := self._log.rows(connection, one.topic, one.from_off, AT_ONCE))
        ]

    def _forward(self, batches: Sequence[_Batch]) -> int:
        if not batches:
            return 0
        self._sender.send(
            [to_message(one.topic, row, row["sealed"], row["off"]) for one in batches for row in one.rows]
        )
        crash_point("forwarded, unrecorded")
        with self._store.write() as connection:
            new = [_beginning(one) for one in batches if not one.begun]
            if new:
                insert_ignore(connection, tables.progress, new)
            for one in batches:
                to_off = one.rows[-1]["off"] + 1
                moved = _MOVE(
                    connection, of_stage=FORWARD, of_topic=one.topic, from_off=one.from_off, to_off=to_off
                )
                if moved.rowcount != 1:
                    raise NotLeader(f"{one.topic} was forwarded beyond {one.from_off} by another process")
        return sum(len(one.rows) for one in batches)

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
            # Over the connection that holds the lock: who has lost the one has lost the other.
            if not self._forward(self._next(held)):
                self._stopping.wait(IDLE_S)
        held.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": _LEADER})


def _leads(connection: Connection) -> bool:
    connection.execution_options(isolation_level="AUTOCOMMIT")
    taken = connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": _LEADER})
    return bool(taken.scalar_one())


def _beginning(batch: _Batch) -> dict[str, Any]:
    return {
        "stage": FORWARD,
        "topic": batch.topic,
        "part": 0,
        "topic_id": "log",
        "next_off": batch.from_off,
        "sequence": -1,
    }
