"""The log port: topics of events in order, and its SQL form, used by both SQLite files and PostgreSQL.

An offset is given out once, without holes among what is committed. The head row of a topic is locked as
the last thing before COMMIT, so that a reader who has seen offset n has seen everything before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, NamedTuple, Protocol

from sqlalchemy import BigInteger, Connection, Row, RowMapping, Table, bindparam, func, select, update

from schemas.events import Event
from store.bulk import Prepared, insert_ignore
from store.database import Database
from stream.seal import Erased, KeyRing

KEPT_NO_LONGER = -1
"""The offset, in a dead letter, of an event that nothing held any more when the installation was moved."""


class Place(NamedTuple):
    """One partition of one topic: events are in order there, and progress is kept for it."""

    topic: str
    part: int = 0


@dataclass(frozen=True, slots=True)
class Logged:
    """An event at its place in the log. `event.data` is still sealed when `opened` is False (key erased)."""

    topic: str
    part: int
    off: int
    event: Event
    opened: bool = True
    attempt: int = 1
    """Above 1 when a person had a refused event decided on once more."""
    sequence: int | None = None
    """Its offset in the SQL log that it was forwarded from; one not above the last seen was forwarded twice."""
    log_id: str | None = None
    """The SQL log that it was forwarded from: another one than the store's own is of a time that was undone."""
    fault: str | None = None
    """Why the message at this offset is no event of ours; `event` then only names the place."""
    held: bool = False
    """True when it waited among the dead letters until its source's breaker was reset."""
    gone: bool = False
    """True when what it says is kept no longer: by its topic, when it is to be decided on once more, or beside it."""

    @property
    def place(self) -> Place:
        """The partition it is in."""
        return Place(self.topic, self.part)

    @property
    def is_readable(self) -> bool:
        """Whether `event.data` is what was said: not erased, nobody else's, and still there."""
        return self.opened and self.fault is None and not self.gone


class LogReader(Protocol):
    """Reads partitions in order."""

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        """Return up to `limit` events from `from_off` on, without waiting. Empty at the end.

        Offsets that hold nothing (a broker's own markers, what is kept no longer) are passed over.
        """
        ...

    def head(self, place: Place) -> Head:
        """Return what the topic is and how far this partition goes."""
        ...


class Head(NamedTuple):
    """What a topic is, and from where to where one of its partitions can be read."""

    topic_id: str
    """Other when the topic was recreated or restored."""
    end: int
    """The offset the next event will get."""
    start: int = 0
    """The first offset that is still kept."""


class SqlLog:
    """Topics as rows of one table. Which tables and which key ring are given, so that it serves both files."""

    def __init__(self, table: Table, head: Table, keys: KeyRing) -> None:
        self._table = table
        self._head = head
        self._keys = keys
        of_topic = (head.c.topic == bindparam("of_topic")) & (head.c.part == 0)
        self._take = Prepared(
            update(head)
            .where(of_topic)
            .values(next_off=head.c.next_off + bindparam("count", type_=BigInteger))
            .returning(head.c.next_off)
        )
        self._ends = Prepared(select(head.c.topic_id, head.c.next_off, head.c.start_off).where(of_topic))
        self._select = Prepared(
            select(table)
            .where(table.c.topic == bindparam("of_topic"), table.c.part == 0)
            .where(table.c.off >= bindparam("from_off"), table.c.off < bindparam("to_off"))
            .order_by(table.c.off)
        )

    def create(self, connection: Connection, topics: Sequence[str], topic_id: str) -> None:
        """Make the topics that do not exist yet, with this identity."""
        insert_ignore(
            connection,
            self._head,
            [
                {"topic": topic, "part": 0, "topic_id": topic_id, "next_off": 0, "start_off": 0}
                for topic in topics
            ],
        )

    def append(self, connection: Connection, topic: str, events: Sequence[Event], now_us: int) -> int:
        """Append events inside the caller's transaction, and return the first one's offset.

        To be called last before the commit. Raises LookupError for a topic that was never created.
        """
        taken = self._take(connection, of_topic=topic, count=len(events)).scalar_one_or_none()
        if taken is None:
            raise LookupError(f"topic {topic!r} does not exist; it is made by the migration of this file")
        first = int(taken) - len(events)
        seal = self._keys.seal
        insert_ignore(
            connection,
            self._table,
            [
                {
                    "topic": topic,
                    "part": 0,
                    "off": first + i,
                    **columns_of(event),
                    "sealed": seal(event.key_id, event.id, event.data),
                    "appended_us": now_us,
                }
                for i, event in enumerate(events)
            ],
        )
        return first

    def read(self, connection: Connection, topic: str, from_off: int, limit: int) -> list[Logged]:
        """Return up to `limit` events from `from_off` on; events whose key was erased come unopened."""
        rows = self._select(connection, of_topic=topic, from_off=from_off, to_off=from_off + limit).all()
        self._keys.load(row.key_id for row in rows if row.key_id is not None)
        return [self._opened(row) for row in rows]

    def rows(self, connection: Connection, topic: str, from_off: int, limit: int) -> Sequence[RowMapping]:
        """Return up to `limit` rows from `from_off` on as they lie there, sealed."""
        found = self._select(connection, of_topic=topic, from_off=from_off, to_off=from_off + limit)
        return found.mappings().all()

    def fitting(self, connection: Connection, topic: str, from_off: int, at_most: int, max_bytes: int) -> int:
        """Return how many rows from `from_off` on go together: one at least, else no more than `max_bytes`."""
        table = self._table
        sizes = (
            select(func.length(table.c.sealed))
            .where(table.c.topic == topic, table.c.part == 0, table.c.off >= from_off)
            .order_by(table.c.off)
            .limit(at_most)
        )
        sums = accumulate(connection.execute(sizes).scalars())
        return max(1, sum(1 for total in sums if total <= max_bytes))

    def head(self, connection: Connection, topic: str) -> Head:
        """Return the topic's identity, its next offset and its first one. Raises LookupError if it is unknown."""
        row = self._ends(connection, of_topic=topic).one_or_none()
        if row is None:
            raise LookupError(f"topic {topic!r} does not exist")
        return Head(str(row.topic_id), int(row.next_off), int(row.start_off))

    def _opened(self, row: Row[Any]) -> Logged:
        values = row._mapping
        opened = True
        try:
            data = self._keys.open(values["key_id"], values["event_id"], values["sealed"])
        except Erased:
            data, opened = b"", False
        return Logged(values["topic"], values["part"], values["off"], _event(values, data), opened)


def columns_of(event: Event) -> dict[str, Any]:
    """Return an event as the columns of the log, without its data."""
    return {
        "event_id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "key": event.key,
        "time_us": event.time_us,
        "trace_id": event.trace_id,
        "purpose": event.purpose,
        "key_id": event.key_id,
    }


def _event(values: RowMapping, data: bytes) -> Event:
    return Event(
        id=values["event_id"],
        source=values["source"],
        type=values["type"],
        subject=values["subject"],
        key=values["key"],
        time_us=values["time_us"],
        trace_id=values["trace_id"],
        purpose=values["purpose"],
        key_id=values["key_id"],
        data=data,
    )


class SqlReader:
    """Reads the topics of one database through its readers: the `LogReader` of the embedded host."""

    def __init__(self, database: Database, log: SqlLog) -> None:
        self._database = database
        self._log = log

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        """Return up to `limit` events from `from_off` on."""
        with self._database.read() as connection:
            return self._log.read(connection, place.topic, from_off, limit)

    def head(self, place: Place) -> Head:
        """Return the topic's identity and its next offset."""
        with self._database.read() as connection:
            return self._log.head(connection, place.topic)
