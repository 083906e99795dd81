"""Dead letters as rows: of what was refused, of what is held, and what becomes of a held one when it is decided."""

from __future__ import annotations

from typing import Any

from schemas.events import event_of
from schemas.ids import make_id
from schemas.results import Refused
from schemas.results import Stage as StageName
from schemas.work import DeadLetter
from store.effects import Effect, Emit, Insert, Update
from stream.log import Logged

DEAD = "dead"
"""The topic that tells others of dead letters; nothing of Leadflow reads it."""


def dead_letter(logged: Logged, refused: Refused, at_us: int) -> list[Effect]:
    """Return the dead letter of an event: where it is in the log, and what is wrong with it; and the news of it."""
    return [Insert("dead", _row(logged, refused, at_us)), _news(logged, refused, at_us)]


def held_letter(stage: StageName, logged: Logged, at_us: int) -> Insert:
    """Return the dead letter of an event that was not tried, because its source's breaker is open."""
    held = Refused(
        stage=stage,
        code="held",
        message="Not tried: nearly everything this source sent of late could not be read.",
        hint="Put the cause right (see its other dead letters), then: leadflow breaker reset SOURCE",
    )
    return Insert("dead", {**_row(logged, held, at_us), "state": "held"})


def settled_letter(stage: StageName, logged: Logged, refused: Refused | None, at_us: int) -> list[Effect]:
    """Return what ends the waiting of a held event: it is replayed, or open like any other that was refused."""
    key = {"dead_id": letter_id(stage, logged)}
    if refused is None:
        return [Update("dead", key, {"state": "replayed" if logged.opened else "discarded"})]
    opened = {**_said(refused), "state": "open", "refused_us": at_us}
    return [Update("dead", key, opened), _news(logged, refused, at_us)]


def letter_id(stage: StageName, logged: Logged) -> str:
    """Return the id of the dead letter that an event's attempt at a stage leads to."""
    return make_id("dead", stage, logged.event.id, logged.attempt)


def _news(logged: Logged, refused: Refused, at_us: int) -> Emit:
    row, event = _row(logged, refused, at_us), logged.event
    letter = DeadLetter(**{name: row[name] for name in DeadLetter.model_fields})
    return Emit(
        DEAD,
        event_of(
            letter,
            source=f"/stages/{refused.stage}/dead",
            subject=letter.dead_id,
            key=event.key,
            time_us=at_us,
            trace_id=event.trace_id,
            purpose=event.purpose,
            key_id=None,
            cause=event.id,
            ordinal=logged.attempt,
        ),
    )


def _row(logged: Logged, refused: Refused, at_us: int) -> dict[str, Any]:
    event = logged.event
    return {
        "dead_id": letter_id(refused.stage, logged),
        "stage": refused.stage,
        "event_id": event.id,
        "capture_id": event.subject if event.subject.startswith("cap_") else None,
        "source_id": event.source_id,
        "trace_id": event.trace_id,
        "attempt": logged.attempt,
        **_said(refused),
        "state": "open",
        "refused_us": at_us,
        "topic": logged.topic,
        "part": logged.part,
        "off": logged.off,
    }


def _said(refused: Refused) -> dict[str, Any]:
    return {
        "code": refused.code,
        "field": refused.field,
        "message": refused.message,
        "hint": refused.hint,
    }
