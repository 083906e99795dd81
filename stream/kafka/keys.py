"""Keys of captures on a topic of their own, kept for days: what came in since a backup can be opened beside it.

The store is where keys are looked up and erased. A backup of it has no key of what came in later; without this copy a
database that was put back could open none of that. The keys are wrapped by the master key, which no broker has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schemas.events import Event, type_of
from schemas.ids import make_id
from schemas.work import CaptureKey, CaptureKeys
from stream.kafka.message import Message, to_message
from stream.kafka.reader import KafkaReader
from stream.log import Place, columns_of

KEYS = "keys"

_AT_ONCE = 100
"""Messages read at once; each holds the keys of one group at a door."""


def keys_message(rows: Sequence[Mapping[str, Any]], now_us: int) -> Message:
    """Return the message that holds these rows of the table of keys."""
    data = CaptureKeys(keys=tuple(CaptureKey.model_validate(dict(row)) for row in rows))
    first = data.keys[0].key_id
    event = Event(
        id=make_id("evt", KEYS, first),
        source="/doors",
        type=type_of(CaptureKeys),
        subject=first,
        key=KEYS,
        time_us=now_us,
        trace_id="0" * 32,
        purpose="real",
        key_id=None,
        data=data.model_dump_json().encode(),
    )
    return to_message(KEYS, columns_of(event), event.data)


def keys_since(reader: KafkaReader, at_us: int) -> Iterator[list[CaptureKey]]:
    """Yield the keys that were sent since a moment (µs, UTC). Raises BrokersAway."""
    place = Place(KEYS)
    next_off, end = reader.since(place, at_us), reader.head(place).end
    while next_off < end:
        found = reader.read(place, next_off, _AT_ONCE)
        if not found:
            return
        yield [key for one in found if one.fault is None for key in one.event.read(CaptureKeys).keys]
        next_off = found[-1].off + 1
