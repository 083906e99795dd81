"""Acts on dead letters: decide again (replay), put right with other bytes (repair), give up (discard)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from schemas.events import event_of
from schemas.work import Replay
from store import tables
from store.acts import ActRefused, Command, Plan
from store.effects import Effect, Emit, Update


def replay() -> Plan:
    """Return the plan that has the refusing stage decide once more on the event of a dead letter.

    What a destination refused is sent once more, under the same id.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        dead = _locked(connection, command.scope_id)
        if dead["event_id"].startswith("dlv_"):
            return _send_again(connection, dead, now_us)
        again = Replay(
            stage=dead["stage"],
            topic=dead["topic"],
            part=dead["part"],
            off=dead["off"],
            attempt=dead["attempt"] + 1,
        )
        event = event_of(
            again,
            source="/acts/replay",
            subject=dead["dead_id"],
            key=dead["dead_id"],
            time_us=now_us,
            trace_id=dead["trace_id"],
            purpose="real",
            key_id=None,
            cause=command.act_id,
        )
        return [Update("dead", {"dead_id": dead["dead_id"]}, {"state": "replayed"}), Emit("replay", event)]

    return plan


def repaired() -> Plan:
    """Return the plan that closes a dead letter whose repaired bytes are durable as a new capture."""
    return _end("repaired")


def discard() -> Plan:
    """Return the plan that closes a dead letter, refused or held, for good; the raw bytes stay."""
    return _end("discarded", even_held=True)


def open_dead_letter(connection: Connection, dead_id: str, *, even_held: bool = False) -> dict[str, Any]:
    """Return a dead letter that is still open, `even_held`: or held. Raises ActRefused."""
    table = tables.dead
    row = connection.execute(select(table).where(table.c.dead_id == dead_id)).mappings().one_or_none()
    if row is None:
        raise ActRefused(
            "unknown_dead_letter", f"There is no dead letter {dead_id}; see `leadflow dead list`."
        )
    if row["state"] == "held" and not even_held:
        raise ActRefused(
            "dead_letter_held", f"Dead letter {dead_id} waits for: leadflow breaker reset SOURCE"
        )
    if row["state"] not in ("open", "held"):
        raise ActRefused("dead_letter_ended", f"Dead letter {dead_id} is {row['state']} already.")
    return dict(row)


def _locked(connection: Connection, dead_id: str, *, even_held: bool = False) -> dict[str, Any]:
    table = tables.dead
    connection.execute(select(table.c.dead_id).where(table.c.dead_id == dead_id).with_for_update())
    return open_dead_letter(connection, dead_id, even_held=even_held)


def _send_again(connection: Connection, dead: dict[str, Any], now_us: int) -> Sequence[Effect]:
    delivery_id, table = dead["event_id"], tables.delivery
    state = connection.execute(select(table.c.state).where(table.c.delivery_id == delivery_id)).scalar_one()
    if state != "failed":
        raise ActRefused(
            "delivery_ended", f"Delivery {delivery_id} is {state}; there is nothing to send again."
        )
    waiting = {
        "state": "waiting",
        "attempt": 0,
        "replays": dead["attempt"],
        "since_us": now_us,
        "next_us": now_us,
    }
    return [
        Update("dead", {"dead_id": dead["dead_id"]}, {"state": "replayed"}),
        Update("delivery", {"delivery_id": delivery_id}, waiting),
    ]


def _end(state: str, *, even_held: bool = False) -> Plan:
    def plan(connection: Connection, command: Command, _now_us: int) -> Sequence[Effect]:
        dead = _locked(connection, command.scope_id, even_held=even_held)
        return [Update("dead", {"dead_id": dead["dead_id"]}, {"state": state})]

    return plan
