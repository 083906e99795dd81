"""Rows of a SQL log on a topic: put there once, found again by their sequence, compared byte by byte.

For moving an installation. Each message carries the offset of its row as `ce_sequence` and its log as `ce_logid`, so
that whoever was cut off finds what is there already, and a stage that is past that number would skip it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import RowMapping

from store.copy import Digest, Sum
from stream.kafka.message import Headers, Numbered, to_message
from stream.kafka.outbox import Sending
from stream.kafka.reader import KafkaReader
from stream.log import Place

Address = tuple[int, int]
"""Partition and offset."""

_AT_ONCE = 500


class LogTopic(NamedTuple):
    """A topic, and the identity of the log whose rows are put there."""

    topic: str
    log_id: str


class NotOurs(RuntimeError):
    """A topic holds what is not of the log that is put there."""

    def __init__(self, topic: str) -> None:
        super().__init__(topic)
        self.topic = topic


def put(
    reader: KafkaReader,
    sender: Sending,
    log: LogTopic,
    batches: Callable[[], Iterable[Sequence[RowMapping]]],
    sent: Callable[[str, int], None] = lambda _topic, _count: None,
) -> dict[int, Address]:
    """Have every row on the topic, in order, and return where each is, by its offset in the log.

    `batches` yields the rows in order, as often as it is called. Raises NotOurs for a topic that holds anything else,
    before anything is sent; BrokersAway.
    """
    topic, log_id = log
    there = _Seen(reader, topic)
    there.look()
    if there.places and _sum(topic, log_id, batches(), there.places).digest != there.digest:
        raise NotOurs(topic)
    wanted = Sum()
    done = 0
    for rows in batches():
        messages = [
            to_message(topic, row, row["sealed"], Numbered(log_id, row["off"]))
            for row in rows
            if row["off"] not in there.places
        ]
        if messages:
            sender.send(messages)
        _add(wanted, topic, log_id, rows)
        done += len(rows)
        sent(topic, done)
    there.look()
    if there.digest != wanted.digest:
        raise NotOurs(topic)
    return there.places


class _Seen:
    """What was found on a topic so far; a message that is there twice counts once."""

    def __init__(self, reader: KafkaReader, topic: str) -> None:
        self.places: dict[int, Address] = {}
        self._reader = reader
        self._topic = topic
        self._sum = Sum()
        self._next: dict[Place, int] = {}
        self._last: dict[Place, int] = {}

    @property
    def digest(self) -> Digest:
        return self._sum.digest

    def look(self) -> None:
        """Read on to the end. Raises NotOurs for a message without a sequence, or out of its order."""
        for place in self._reader.places([self._topic]):
            next_off, end = self._next.get(place, 0), self._reader.head(place).end
            while next_off < end and (found := self._reader.messages(place, next_off, _AT_ONCE)):
                for _, off, headers, value in found:
                    self._add(place, off, headers, value)
                next_off = found[-1][1] + 1
            self._next[place] = next_off

    def _add(self, place: Place, off: int, headers: Headers, value: bytes) -> None:
        text = dict(headers).get("ce_sequence", b"")
        if not text.isdigit():
            raise NotOurs(self._topic)
        sequence = int(text)
        if sequence in self.places:
            return
        if sequence < self._last.get(place, -1):
            raise NotOurs(self._topic)
        self._last[place] = sequence
        self.places[sequence] = (place.part, off)
        self._sum.add(_said(sequence, headers, value))


def _sum(topic: str, log_id: str, batches: Iterable[Sequence[RowMapping]], only: dict[int, Address]) -> Sum:
    total = Sum()
    for rows in batches:
        _add(total, topic, log_id, [row for row in rows if row["off"] in only])
    return total


def _add(total: Sum, topic: str, log_id: str, rows: Sequence[RowMapping]) -> None:
    for row in rows:
        message = to_message(topic, row, row["sealed"], Numbered(log_id, row["off"]))
        total.add(_said(row["off"], message.headers, message.value))


def _said(sequence: int, headers: Headers, value: bytes) -> list[object]:
    return [sequence, *(part for header in headers for part in header), value]
