"""Every message of a cluster's topics a second time, as a producer sends that died before it knew of the first."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from stream.kafka.producer import MESSAGE_MAX_BYTES
from stream.kafka.topics import ANSWER_S

_MARK = "echo"
"""The header by which a copy is known, so that it is not copied itself. The stages do not look at it."""


class Echo:
    """Copies each message to the end of its own partition, from the first on, until stopped."""

    def __init__(self, address: str, admin: AdminClient, topics: Sequence[str]) -> None:
        self.copies = 0
        self.trouble: str | None = None
        self._consumer = Consumer(
            {"bootstrap.servers": address, "group.id": "echo", "enable.auto.commit": False}
        )
        found = admin.list_topics(timeout=ANSWER_S).topics
        places = [TopicPartition(topic, part, 0) for topic in topics for part in found[topic].partitions]
        self._consumer.assign(places)
        self._producer = Producer(
            {"bootstrap.servers": address, "acks": "all", "message.max.bytes": MESSAGE_MAX_BYTES}
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="echo", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()
        self._consumer.close()

    def _run(self) -> None:
        try:
            while not self._stopping.is_set():
                self._copy()
        except (KafkaException, BufferError) as error:
            self.trouble = str(error)

    def _copy(self) -> None:
        copied = 0
        for one in self._consumer.consume(1_000, 0.2):
            if (error := one.error()) is not None:
                raise KafkaException(error)
            headers: list[Any] = list(one.headers() or [])
            if any(name == _MARK for name, _ in headers):
                continue
            self._producer.produce(
                str(one.topic()),
                one.value(),
                one.key(),
                int(one.partition() or 0),
                headers=[*headers, (_MARK, b"1")],
            )
            copied += 1
        if copied and self._producer.flush(ANSWER_S):
            raise BufferError("the copies were not acknowledged")
        self.copies += copied
