"""The topics of an installation, and the explicit step that makes them: nothing creates a topic by writing to it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from confluent_kafka import TopicCollection
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    ResourceType,
)

from stream.kafka.producer import MESSAGE_MAX_BYTES

ANSWER_S = 15.0
"""How long an administrator's request may take; a broker that was just started needs some seconds."""

_HEARD_S = 0.05
_DAY_MS = 24 * 3_600 * 1_000


@dataclass(frozen=True, slots=True)
class Topic:
    """How a topic is to be: partitions, how long its events are kept (None: for ever), and why."""

    name: str
    partitions: int
    keep_days: int | None
    what: str

    @property
    def config(self) -> dict[str, str]:
        """The broker's settings for it."""
        keep_ms = -1 if self.keep_days is None else self.keep_days * _DAY_MS
        found = {
            "cleanup.policy": "delete",
            "max.message.bytes": str(MESSAGE_MAX_BYTES),
            "retention.ms": str(keep_ms),
            "retention.bytes": "-1",
        }
        # Whole segments are deleted, when their newest message is old enough: a quiet topic must not keep them for longer.
        return found if self.keep_days is None else {**found, "segment.ms": str(_DAY_MS)}


def topics_of(partitions: int) -> tuple[Topic, ...]:
    """Return every topic of an installation. What must outlive a stage's longest pause is kept for 14 days."""
    return (
        Topic("captures", partitions, None, "raw bytes as received, sealed; deleted with their keys"),
        Topic("keys", 1, 14, "keys of captures, wrapped: for a database that is put back without them"),
        Topic("leads", partitions, 14, "leads as parsed, sealed"),
        Topic("resolved", partitions, 14, "leads with contact and customer, sealed"),
        Topic("assignments", partitions, 90, "who holds which customer, ids only: for other systems to read"),
        Topic("tasks", partitions, 14, "tasks as made, ids only"),
        Topic("reroute", partitions, 14, "what the rules must decide again"),
        Topic("settle", partitions, 14, "calls whose last leg is in"),
        Topic("dead", 1, 90, "what stages refused and why, ids only: for other systems to read"),
        Topic("replay", 1, 14, "refused events to be decided on once more"),
    )


@dataclass(frozen=True, slots=True)
class Change:
    """One step towards the plan, as a sentence; `is_safe` is False where a person has to decide."""

    topic: str
    what: str
    is_safe: bool = True


def admin_client(address: str) -> AdminClient:
    """Return a client for the administration of the brokers at an address."""
    return AdminClient({"bootstrap.servers": address, "client.id": "leadflow-topics", "log_level": 0})


def plan(admin: AdminClient, topics: Sequence[Topic]) -> list[Change]:
    """Compare what is with what should be. Raises KafkaException when no broker answers."""
    present = admin.list_topics(timeout=ANSWER_S).topics
    changes = []
    for topic in topics:
        if topic.name not in present:
            changes.append(Change(topic.name, f"make it with {topic.partitions} partitions"))
            continue
        parts = len(present[topic.name].partitions)
        if parts < topic.partitions:
            # Keys move to other partitions: what was sent and what is sent next are then read side by side.
            what = f"raise from {parts} to {topic.partitions} partitions, while nothing waits in it"
            changes.append(Change(topic.name, what, is_safe=False))
        elif parts > topic.partitions:
            changes.append(
                Change(topic.name, f"has {parts} partitions; they never become fewer", is_safe=False)
            )
        differs = _differs(admin, topic)
        changes += [Change(topic.name, f"set {name} to {value}") for name, value in differs.items()]
    return changes


def apply(
    admin: AdminClient, topics: Sequence[Topic], replication: int, *, add_partitions: bool = False
) -> None:
    """Carry out what is safe of a plan, and raise the number of partitions if asked. Raises KafkaException."""
    present = admin.list_topics(timeout=ANSWER_S).topics
    new = [
        NewTopic(one.name, one.partitions, replication, config={**one.config, **_in_sync(replication)})
        for one in topics
        if one.name not in present
    ]
    if new:
        for made in admin.create_topics(new, operation_timeout=ANSWER_S).values():
            made.result(ANSWER_S)
        give_up = time.monotonic() + ANSWER_S
        while missing(admin, topics) and time.monotonic() < give_up:
            time.sleep(_HEARD_S)  # made, and not yet heard of by the broker that is asked
    grown = [
        NewPartitions(one.name, one.partitions)
        for one in topics
        if one.name in present and len(present[one.name].partitions) < one.partitions
    ]
    if grown and add_partitions:
        for done in admin.create_partitions(grown).values():
            done.result(ANSWER_S)
    for one in topics:
        if one.name in present and (differs := _differs(admin, one)):
            entries = [
                ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
                for name, value in differs.items()
            ]
            resource = ConfigResource(ResourceType.TOPIC, one.name, incremental_configs=entries)
            for done in admin.incremental_alter_configs([resource]).values():
                done.result(ANSWER_S)


def missing(admin: AdminClient, topics: Sequence[Topic]) -> list[str]:
    """Return the topics that do not exist. Raises KafkaException when no broker answers."""
    present = admin.list_topics(timeout=ANSWER_S).topics
    return [one.name for one in topics if one.name not in present]


def topic_ids(admin: AdminClient, names: Sequence[str]) -> dict[str, str]:
    """Return the broker's own id of each topic: another one after a topic was recreated. Raises KafkaException."""
    found = admin.describe_topics(TopicCollection(list(names)), request_timeout=ANSWER_S)
    return {name: str(described.result(ANSWER_S).topic_id) for name, described in found.items()}


def _in_sync(replication: int) -> dict[str, str]:
    """With three copies, two must have a message before the door answers: one broker may be down."""
    return {"min.insync.replicas": "2"} if replication >= 3 else {}


def _differs(admin: AdminClient, topic: Topic) -> Mapping[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    (described,) = admin.describe_configs([resource]).values()
    present = described.result(ANSWER_S)
    return {
        name: value
        for name, value in topic.config.items()
        if name not in present or present[name].value != value
    }
