"""The envelope every event travels in: CloudEvents 1.0 attributes beside the data.

The attributes are readable by anyone on the stream and carry no personal data; `data` is sealed wherever
an event is stored. Source of the attribute names: CloudEvents specification 1.0.2, and its extensions
`partitionkey` and distributed tracing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

from schemas.base import Frozen, Micros, Purpose
from schemas.capture import Capture
from schemas.ids import child_id
from schemas.lead import Lead
from schemas.outcomes import Outcome
from schemas.resolved import ResolvedLead
from schemas.work import Act, Assignment, CaptureKeys, DeadLetter, Replay, Reroute, Settle, Task

M = TypeVar("M", bound=Frozen)
ModelOf = type[M]

EVENT_MODELS: dict[str, type[Frozen]] = {
    "leadflow.capture.v1": Capture,
    "leadflow.lead.v1": Lead,
    "leadflow.resolved_lead.v1": ResolvedLead,
    "leadflow.assignment.v1": Assignment,
    "leadflow.task.v1": Task,
    "leadflow.outcome.v1": Outcome,
    "leadflow.act.v1": Act,
    "leadflow.reroute.v1": Reroute,
    "leadflow.replay.v1": Replay,
    "leadflow.settle.v1": Settle,
    "leadflow.dead_letter.v1": DeadLetter,
    "leadflow.capture_keys.v1": CaptureKeys,
}
"""Every event type there is, with its version in the name, and the model of its data."""

_OF_A_SOURCE = ("/stages/parse", "/stages/resolve")
"""What makes the events that go back to one thing received; behind them stands the source's id."""

_TYPE_OF = {model: name for name, model in EVENT_MODELS.items()}


def type_of(model: type[Frozen]) -> str:
    """Return the event type whose data this model is. Raises KeyError if there is none."""
    return _TYPE_OF[model]


class Event(Frozen):
    """One event: CloudEvents attributes, and the data as the JSON bytes of its model."""

    id: str
    source: str
    type: str
    subject: str
    key: str
    time_us: Micros
    trace_id: str
    purpose: Purpose
    key_id: str | None
    """The per-capture key that `data` is sealed under wherever it is stored; None if it holds ids only."""
    data: bytes

    @property
    def source_id(self) -> str | None:
        """The source that the event goes back to, by its `source`, such as `/doors/web/site`; None if to none."""
        room, _, source_id = self.source.rpartition("/")
        return source_id if room.startswith("/doors/") or room in _OF_A_SOURCE else None

    def read(self, model: ModelOf[M]) -> M:
        """Return the data as `model`. Raises ValueError when the event is of another type."""
        if EVENT_MODELS.get(self.type) is not model:
            raise ValueError(f"event {self.id} is a {self.type}, not a {model.__name__}")
        return model.model_validate_json(self.data)


def event_of(
    data: Frozen,
    *,
    source: str,
    subject: str,
    key: str,
    time_us: int,
    trace_id: str,
    purpose: Purpose,
    key_id: str | None,
    cause: str,
    ordinal: int = 0,
    source_id: str | None = None,
) -> Event:
    """Wrap `data` as the `ordinal`-th event that `cause` (an event id) gave rise to at `source`.

    `source_id`: the source (`Event.source_id`) that it goes back to, if to one.
    """
    return Event(
        id=child_id("evt", subject, source, cause, ordinal),
        source=source if source_id is None else f"{source}/{source_id}",
        type=type_of(type(data)),
        subject=subject,
        key=key,
        time_us=time_us,
        trace_id=trace_id,
        purpose=purpose,
        key_id=key_id,
        data=data.model_dump_json().encode(),
    )


def to_cloudevent(event: Event, data: object) -> dict[str, object]:
    """Return the event in CloudEvents structured JSON mode, `data` already readable."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.time_us)
    return {
        "specversion": "1.0",
        "id": event.id,
        "source": event.source,
        "type": event.type,
        "subject": event.subject,
        "time": moment.isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "partitionkey": event.key,
        "traceparent": f"00-{event.trace_id}-{event.trace_id[:16]}-01",
        "purpose": event.purpose,
        "data": data,
    }
