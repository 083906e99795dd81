"""Reading partitions straight from the brokers, without a consumer group: gaps, lost tails, one capture."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from schemas.events import Event
from stream.content import Content, ContentGone
from stream.host import TopicReplaced
from stream.kafka.message import Headers, NoEvent, Numbered, foreign, from_message
from stream.kafka.producer import BrokersAway
from stream.kafka.topics import admin_client, topic_ids
from stream.log import Head, Logged, Place
from stream.seal import Erased, KeyRing

READ_S = 10.0
"""How long one read may take before the brokers count as away."""
_READ_BYTES = 64 * 1024 * 1024
"""One read ends here: mails of 25 MiB by the hundred would fill the memory."""
IDENTITY_S = 1.0
"""How long a topic's identity is believed: a recreated topic is noticed within a second, and at every repeat."""

_NOT_THERE = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
"""How the client says that an offset lies outside what is kept."""


Received = tuple[Place, int, Headers, bytes]
"""A message as it was read: partition, offset, headers, value."""


class Opener:
    """Turns messages into events: opens what is sealed, and names what is no event."""

    def __init__(self, keys: KeyRing, content: Content) -> None:
        self._keys = keys
        self._content = content

    def open_all(self, messages: Sequence[Received]) -> list[Logged]:
        """Return the events of messages given as (place, offset, headers, value); keys are fetched all at once.

        Raises ContentAway.
        """
        read = [self._event(place, off, headers, value) for place, off, headers, value in messages]
        self._keys.load(
            event.key_id for event, _, fault in read if fault is None and event.key_id is not None
        )
        return [self._logged(message, *one) for message, one in zip(messages, read, strict=True)]

    def _event(
        self, place: Place, off: int, headers: Headers, value: bytes
    ) -> tuple[Event, Numbered | None, str | None]:
        try:
            return (*from_message(headers, value), None)
        except NoEvent as error:
            return foreign(place.topic, place.part, off), None, str(error)

    def _logged(
        self, message: Received, event: Event, numbered: Numbered | None, fault: str | None
    ) -> Logged:
        place, off, headers, value = message
        opened, gone = True, False
        if fault is None:
            try:
                self._keys.need(event.key_id)  # the body of the erased is not asked for
                data = self._keys.open(event.key_id, event.id, self._content.value(headers, value))
            except Erased:
                data, opened = b"", False
            except ContentGone:
                data, gone = b"", True
            except ValueError as error:
                fault, data = str(error), b""
            event = event.model_copy(update={"data": data})
        log_id, sequence = numbered or (None, None)
        return Logged(
            place.topic,
            place.part,
            off,
            event,
            opened,
            sequence=sequence,
            log_id=log_id,
            fault=fault,
            gone=gone,
        )


class KafkaReader:
    """The `LogReader` of the cluster. Safe to use from several threads, one at a time."""

    def __init__(self, address: str, opener: Opener, topics: Sequence[str]) -> None:
        self._address = address
        self._opener = opener
        self._topics = tuple(topics)
        self._admin = admin_client(address)
        self._consumer: Consumer | None = None
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}
        self._ids_until = 0.0

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        """Return up to `limit` events from `from_off` on, or from the first that is kept. Raises BrokersAway."""
        return self._opener.open_all(self.messages(place, from_off, limit))

    def messages(self, place: Place, from_off: int, limit: int) -> list[Received]:
        """Return the same as `read`, as it lies there: sealed."""
        found: list[Any] = []
        size = 0
        give_up = time.monotonic() + READ_S
        with self._lock:
            consumer = self._open()
            try:
                consumer.assign([TopicPartition(place.topic, place.part, from_off)])
                at_end = False
                while len(found) < limit and size < _READ_BYTES and not at_end:
                    if time.monotonic() > give_up:
                        raise BrokersAway(f"{place.topic}[{place.part}] could not be read in {READ_S:.0f} s")
                    for message in consumer.consume(min(limit - len(found), 500), 0.2):
                        error = message.error()
                        if error is None:
                            found.append(message)
                            size += len(message)
                        elif error.code() == KafkaError._PARTITION_EOF:
                            at_end = True
                        elif error.code() in _NOT_THERE:
                            start, _ = consumer.get_watermark_offsets(TopicPartition(*place), timeout=READ_S)
                            at_end = from_off >= start
                            from_off = start
                            consumer.assign([TopicPartition(place.topic, place.part, start)])
                        else:
                            raise KafkaException(error)
                consumer.unassign()
            except KafkaException as error:
                self._close()
                raise BrokersAway(str(error.args[0])) from None
        return [(place, one.offset(), one.headers() or [], one.value() or b"") for one in found]

    def head(self, place: Place) -> Head:
        """Return the topic's identity and what is kept of a partition.

        Raises BrokersAway, and TopicReplaced when the topic has no such partition any more.
        """
        with self._lock:
            consumer = self._open()
            try:
                if time.monotonic() > self._ids_until:
                    self._ids = topic_ids(self._admin, self._topics)
                    self._ids_until = time.monotonic() + IDENTITY_S
                start, end = consumer.get_watermark_offsets(TopicPartition(*place), timeout=READ_S)
            except KafkaException as error:
                self._close()
                if error.args[0].code() == KafkaError._UNKNOWN_PARTITION:
                    raise TopicReplaced(
                        place.topic,
                        f"topic {place.topic!r} has no partition {place.part}, which the group was given when it had "
                        "more: it was recreated with fewer. See 'A topic was replaced' in docs/operations.md.",
                    ) from None
                raise BrokersAway(str(error.args[0])) from None
        return Head(self._ids[place.topic], end, start)

    def since(self, place: Place, at_us: int) -> int:
        """Return the offset of the first message sent at that moment (µs, UTC) or later. Raises BrokersAway."""
        with self._lock:
            consumer = self._open()
            try:
                asked = TopicPartition(place.topic, place.part, at_us // 1_000)
                (found,) = consumer.offsets_for_times([asked], timeout=READ_S)
                if found.offset >= 0:
                    return int(found.offset)
                _, end = consumer.get_watermark_offsets(TopicPartition(*place), timeout=READ_S)
            except KafkaException as error:
                self._close()
                raise BrokersAway(str(error.args[0])) from None
        return int(end)

    def places(self, topics: Sequence[str]) -> list[Place]:
        """Return every partition of these topics. Raises BrokersAway."""
        try:
            present = self._admin.list_topics(timeout=READ_S).topics
        except KafkaException as error:
            raise BrokersAway(str(error.args[0])) from None
        return [Place(topic, part) for topic in topics for part in sorted(present[topic].partitions)]

    def doubt(self) -> None:
        """Ask anew for the topics' identities: offsets came back that were done already."""
        self._ids_until = 0.0

    def close(self) -> None:
        """Let go of the brokers."""
        with self._lock:
            self._close()

    def _open(self) -> Consumer:
        if self._consumer is None:
            self._consumer = Consumer(
                {
                    "bootstrap.servers": self._address,
                    "client.id": "leadflow-reader",
                    "group.id": "leadflow-no-group",  # wanted by the library; nothing is ever committed
                    "enable.auto.commit": False,
                    "enable.partition.eof": True,
                    "auto.offset.reset": "error",
                    "queued.max.messages.kbytes": 16_384,
                    # A fetch at a partition's end waits for more, by default 500 ms, and the next read behind it.
                    "fetch.wait.max.ms": 10,
                    "log_level": 0,
                }
            )
        return self._consumer

    def _close(self) -> None:
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None
