"""Showing a telephone number that is masked for somebody: an act, with its reason, that holds for a while."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from store import tables
from store.acts import ActRefused, Command, Plan
from store.effects import Effect

REVEAL = "reveal"
REVEALED_US = 15 * 60 * 1_000_000
"""Long enough for a call, too short to read through everybody's."""


def reveal() -> Plan:
    """Return the plan of the act by which somebody sees the numbers of one story; all it leaves is itself.

    Refused without a reason.
    """

    def plan(_connection: Connection, command: Command, _now_us: int) -> Sequence[Effect]:
        if not command.reason:
            raise ActRefused("why_missing", "Say why you need the number; it is kept with your name.")
        return ()

    return plan


def is_revealed(connection: Connection, person_id: str, any_id: str, now_us: int) -> bool:
    """Tell whether a person had the numbers of a story shown to them a short while ago."""
    act = tables.act
    asked = select(act.c.act_id).where(
        act.c.actor == person_id,
        act.c.verb == REVEAL,
        act.c.scope_id == any_id,
        act.c.recorded_us > now_us - REVEALED_US,
    )
    return connection.execute(asked.limit(1)).first() is not None
