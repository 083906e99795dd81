"""Sending messages so that a return means: every one of them is on the brokers' disks, in order."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from stream.kafka.message import Message, partition_of

log = structlog.get_logger()

SEND_S = 5.0
"""How long a message may take to be acknowledged. A broker that fails over needs 2 to 4 s; a visitor of a form
waits that long, and past it the door's spool takes over."""


MESSAGE_MAX_BYTES = 48 * 1024 * 1024
"""The largest message: a mail of 25 MiB, its body in base 64 within JSON, sealed, and room to spare."""
_BYTES_PER_S = 4 * 1024 * 1024
"""What a slow line to the brokers carries: large messages get their time on top of SEND_S."""


class BrokersAway(ConnectionError):
    """The brokers did not acknowledge in time: some of the messages may be there, none is known to be."""


class Sender:
    """An idempotent producer for one thread. After a failure a fresh one takes over, so that no hole can follow."""

    def __init__(self, address: str, client_id: str, send_s: float = SEND_S) -> None:
        self._settings = {
            "bootstrap.servers": address,
            "client.id": client_id,
            "enable.idempotence": True,
            # A message given up must not be overtaken by those behind it: the forwarder counts on the order.
            "enable.gapless.guarantee": True,
            "acks": "all",
            "compression.type": "zstd",
            "linger.ms": 2,
            "message.max.bytes": MESSAGE_MAX_BYTES,
            "socket.timeout.ms": max(int(send_s * 1_000), 1_000),
            "socket.keepalive.enable": True,
            "reconnect.backoff.max.ms": 1_000,
            "log_level": 0,
        }
        self._send_s = send_s
        self._opened_for_s = 0.0
        self._producer: Producer | None = None
        self._parts: dict[str, int] = {}

    def send(self, messages: Sequence[Message]) -> None:
        """Send messages and wait until all are acknowledged. Raises BrokersAway."""
        within_s = self._send_s + sum(len(one.value) for one in messages) // _BYTES_PER_S
        producer = self._open(within_s)
        failures: list[KafkaError] = []
        waiting = len(messages)

        def acknowledged(error: KafkaError | None, _message: object) -> None:
            nonlocal waiting
            waiting -= 1
            if error is not None:
                failures.append(error)

        give_up = time.monotonic() + within_s + 1.0
        try:
            for one in messages:
                self._put(producer, one, acknowledged)
            while waiting and time.monotonic() < give_up:
                producer.poll(0.05)
        except (KafkaException, BufferError) as error:
            self.close()
            raise BrokersAway(_name(error)) from None
        if failures or waiting:
            self.close()
            raise BrokersAway(failures[0].name() if failures else "no answer in time")

    def _put(self, producer: Producer, one: Message, acknowledged: object) -> None:
        if one.topic not in self._parts:
            self._parts[one.topic] = self._count(producer, one.topic)
        part = partition_of(one.key, self._parts[one.topic])
        while True:
            try:
                producer.produce(
                    one.topic,
                    one.value,
                    one.key.encode(),
                    part,
                    on_delivery=acknowledged,  # type: ignore[arg-type]
                    headers=list(one.headers),
                )
                return
            except BufferError:  # the library's queue is full: let some go
                producer.poll(0.05)

    def _count(self, producer: Producer, topic: str) -> int:
        found = producer.list_topics(topic, timeout=self._send_s).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return len(found.partitions)

    def _open(self, within_s: float) -> Producer:
        if self._producer is None or self._opened_for_s < within_s:
            # How long a message may take is fixed when a producer is made; nothing of ours waits in the old one.
            self.close()
            self._producer = Producer({**self._settings, "message.timeout.ms": int(within_s * 1_000)})
            self._opened_for_s = within_s
        return self._producer

    def close(self) -> None:
        """Drop what is not sent, and the connection; the next `send` starts afresh."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.poll(0)
            self._producer = None
        self._parts.clear()


def _name(error: BaseException) -> str:
    first = error.args[0] if error.args else None
    return str(first.name()) if isinstance(first, KafkaError) else type(error).__name__
