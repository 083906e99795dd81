"""The dated step of a customer that is put aside: its timer, and where it stands in the store."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from schemas.work import Reason
from store import tables
from store.bulk import keys_in
from store.effects import Insert

NURTURE_WAKES = "nurture_wakes"
"""The kind of the timer on which a customer that is put aside wakes; the router handles it."""


def wakes(customer_id: str, at_us: int) -> Insert:
    """Return the effect by which a customer wakes at a moment, whatever it is called by then."""
    return Insert("timer", {"kind": NURTURE_WAKES, "subject_id": customer_id, "due_us": at_us})


def last_dates(connection: Connection, customers: Iterable[str]) -> dict[str, int]:
    """Return until when each of these customers was put aside the last time."""
    decision = tables.decision
    wanted = keys_in(connection, ["subject_id"], [(one,) for one in sorted(set(customers))])
    rows = connection.execute(
        select(decision.c.subject_id, decision.c.reason_json)
        .where(wanted, decision.c.code == "nurtured")
        .order_by(decision.c.decided_us)
    )
    dates = {row.subject_id: Reason.model_validate_json(row.reason_json).wakes_us for row in rows}
    return {key: date for key, date in dates.items() if date is not None}


def put_aside_by(connection: Connection, customers: Iterable[str]) -> dict[str, str]:
    """Return the person, unit or pool that had each of these customers last, before it was put aside; none had what a list put there."""
    holding = tables.holding
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in sorted(set(customers))])
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_id)
        .where(wanted, holding.c.role == "owner", holding.c.holder_kind != "nurture")
        .order_by(holding.c.from_us)
    )
    return {row.customer_id: row.holder_id for row in rows}
