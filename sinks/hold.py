"""Destinations that refuse everything: their deliveries wait until a person has put the cause right and reset them.

A wrong address or an ended login is not the fault of a lead, and must not make a dead letter of each.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, select

from store import tables
from store.breakers import DELIVER, Opening, destination_key, put_breaker

HOLD_AFTER = 3
"""Refusals in a row that blame the destination: one may be a moment of its update, three leads with one wrong address
are a wrong address."""
_OWN_STATUSES = frozenset({"401", "402", "403", "404", "405", "421", "550", "551", "553", "556"})
"""Statuses that speak of the address or of who we are: HTTP (RFC 9110, 15.5), SMTP (RFC 5321, 4.2.3; RFC 7504). What is
wrong with one message (400, 409, 413, 422; 552, 554) makes a dead letter of that message, as ever."""


def blames_destination(code: str, answer: str | None) -> bool:
    """Tell whether a delivery was given up for a reason that will hold for every other one as well. Pure."""
    return answer in _OWN_STATUSES if code == "refused" else code != "bug"


def held(connection: Connection) -> Collection[str]:
    """Return the keys of the destinations whose deliveries wait for a reset."""
    breaker = tables.breaker
    found = connection.execute(select(breaker.c.source_id).where(breaker.c.stage == DELIVER))
    return set(found.scalars())


def is_to_be_held(connection: Connection, row: Any, code: str, answer: str | None) -> bool:
    """Tell whether a delivery that is given up is one too many to blame on its lead."""
    if not blames_destination(code, answer):
        return False
    before = _ended_before(connection, row)
    return len(before) == HOLD_AFTER - 1 and all(
        one.state == "failed" and blames_destination(one.code, one.answer) for one in before
    )


def hold(connection: Connection, row: Any, code: str, now_us: int) -> None:
    """Have a destination's deliveries wait, and a person told."""
    opening = Opening("open", now_us, HOLD_AFTER, HOLD_AFTER, code)
    put_breaker(connection, DELIVER, destination_key(row["sink_id"], row["dest"]), opening)


def _ended_before(connection: Connection, row: Any) -> Sequence[Any]:
    delivery = tables.delivery
    return connection.execute(
        select(delivery.c.state, delivery.c.code, delivery.c.answer)
        .where(
            delivery.c.sink_id == row["sink_id"],
            delivery.c.dest == row["dest"],
            delivery.c.state.in_(("sent", "failed")),
        )
        .order_by(delivery.c.answered_us.desc(), delivery.c.decided_us.desc(), delivery.c.delivery_id.desc())
        .limit(HOLD_AFTER - 1)
    ).all()
