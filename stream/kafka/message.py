"""Events as Kafka messages: CloudEvents 1.0.2, Kafka protocol binding, binary content mode. Pure.

The attributes are headers (`ce_…`), the value is the event's data, sealed or not, exactly as it lies in the SQL
log. Extensions: partitionkey, distributed tracing (traceparent), sequence; `purpose`, `keyid` and `logid` are our own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, cast, get_args
from zlib import crc32

from sqlalchemy import RowMapping

from schemas.base import Purpose
from schemas.events import Event, type_of
from schemas.ids import make_id
from schemas.work import DeadLetter

Headers = Sequence[tuple[str, bytes]]

_DEAD_LETTER = type_of(DeadLetter)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class NoEvent(ValueError):
    """A message that is no event of ours; the text says what is missing or wrong, and quotes nothing."""


class Numbered(NamedTuple):
    """Where in the store's log a message was forwarded from."""

    log_id: str
    """Which log: a store that was put back goes on with another one."""
    sequence: int
    """The offset in it."""


@dataclass(frozen=True, slots=True)
class Message:
    """What goes to a broker: where it belongs, under which key, and what it says."""

    topic: str
    key: str
    value: bytes
    headers: Headers


def to_message(
    topic: str, event: Mapping[str, Any] | RowMapping, sealed: bytes, numbered: Numbered | None = None
) -> Message:
    """Return the message of an event, given as the columns of the SQL log and its data as stored.

    A door's own messages are not `numbered`.
    """
    moment = _EPOCH + timedelta(microseconds=event["time_us"])
    sealed_under = event["key_id"]
    attributes = {
        "ce_specversion": "1.0",
        "ce_id": event["event_id"],
        "ce_source": event["source"],
        "ce_type": event["type"],
        "ce_subject": event["subject"],
        "ce_time": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "ce_partitionkey": event["key"],
        "ce_traceparent": f"00-{event['trace_id']}-{event['trace_id'][:16]}-01",
        "ce_purpose": event["purpose"],
        "content-type": "application/json" if sealed_under is None else "application/octet-stream",
    }
    if sealed_under is not None:
        attributes["ce_keyid"] = sealed_under
    if numbered is not None:
        attributes["ce_logid"] = numbered.log_id
        attributes["ce_sequence"] = f"{numbered.sequence:020d}"  # compared as text, so of one length
    if event["type"] == _DEAD_LETTER:
        attributes |= _as_of_connect(DeadLetter.model_validate_json(sealed))
    headers = [(name, value.encode()) for name, value in attributes.items()]
    return Message(topic, event["key"], sealed, headers)


def _as_of_connect(letter: DeadLetter) -> dict[str, str]:
    """Return the headers under which Kafka Connect describes a dead letter (KIP-298), for tools that know these."""
    prefix = "__connect.errors."
    return {
        f"{prefix}topic": letter.topic,
        f"{prefix}partition": str(letter.part),
        f"{prefix}offset": str(letter.off),
        f"{prefix}stage": letter.stage,
        f"{prefix}exception.class.name": letter.code,
        f"{prefix}exception.message": letter.message,
    }


def from_message(headers: Headers, data: bytes) -> tuple[Event, Numbered | None]:
    """Return the event of a message, with its data as it lies there, and its number in the log. Raises NoEvent."""
    found = dict(headers)
    try:
        text = {name: value.decode() for name, value in found.items() if name.startswith("ce_")}
    except UnicodeDecodeError:
        raise NoEvent("a header is no UTF-8") from None
    if missing := sorted(_NEEDED - text.keys()):
        raise NoEvent(f"without header {', '.join(missing)}")
    if text["ce_purpose"] not in get_args(Purpose):
        raise NoEvent("ce_purpose is none of ours")
    trace = text["ce_traceparent"].split("-")
    if len(trace) != 4 or len(trace[1]) != 32:
        raise NoEvent("ce_traceparent is no W3C trace parent")
    try:
        time_us = (datetime.fromisoformat(text["ce_time"]) - _EPOCH) // _MICROSECOND
        numbered = Numbered(text["ce_logid"], int(text["ce_sequence"])) if "ce_sequence" in text else None
    except (ValueError, TypeError, KeyError):
        raise NoEvent("ce_time, or ce_sequence with ce_logid, cannot be read") from None
    event = Event.model_construct(
        id=text["ce_id"],
        source=text["ce_source"],
        type=text["ce_type"],
        subject=text["ce_subject"],
        key=text["ce_partitionkey"],
        time_us=time_us,
        trace_id=trace[1],
        purpose=cast(Purpose, text["ce_purpose"]),
        key_id=text.get("ce_keyid"),
        data=data,
    )
    return event, numbered


def foreign(topic: str, part: int, off: int) -> Event:
    """Return the stand-in for a message that is no event: it names the place and holds nothing of it."""
    return Event(
        id=make_id("evt", topic, str(part), str(off)),
        source=f"/topics/{topic}",
        type="foreign",
        subject=f"{topic}/{part}/{off}",
        key=f"{topic}/{part}/{off}",
        time_us=0,
        trace_id="0" * 32,
        purpose="real",
        key_id=None,
        data=b"",
    )


def partition_of(key: str, parts: int) -> int:
    """Return the partition of a key: ours on every client, not what a client's library happens to use."""
    return crc32(key.encode()) % parts


_NEEDED = frozenset(
    {
        "ce_id",
        "ce_source",
        "ce_type",
        "ce_subject",
        "ce_time",
        "ce_partitionkey",
        "ce_traceparent",
        "ce_purpose",
    }
)
