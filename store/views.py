"""Questions about the present state: the inbox, the sum that must add up, orphans, the story of a lead."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, and_, func, or_, select

from store import tables

ORPHAN_AFTER_US = 60 * 1_000_000
"""In intake for longer than this, a customer counts as without owner: route normally takes milliseconds."""


def orphans(connection: Connection, now_us: int) -> list[dict[str, Any]]:
    """Return open customers without any holder, or in intake for over 60 s."""
    customer, holding = tables.customer, tables.holding
    open_owner = and_(
        holding.c.customer_id == customer.c.customer_id, holding.c.role == "owner", holding.c.to_us.is_(None)
    )
    stuck = and_(holding.c.holder_id == "intake", holding.c.from_us < now_us - ORPHAN_AFTER_US)
    rows = connection.execute(
        select(customer.c.customer_id, customer.c.born_us, holding.c.holder_id)
        .select_from(customer.outerjoin(holding, open_owner))
        .where(customer.c.state == "open", or_(holding.c.holder_id.is_(None), stuck))
        .order_by(customer.c.born_us)
    )
    return [dict(row._mapping) for row in rows]


def inbox(connection: Connection, holder_id: str, limit: int = 100) -> list[dict[str, Any]]:
    """Return the open tasks of a person or queue, most urgent first, each with its lead and the reason."""
    task, lead, decision = tables.task, tables.lead, tables.decision
    rows = connection.execute(
        select(task, lead.c.channel, lead.c.fields_json, lead.c.trace_id, decision.c.reason_json)
        .select_from(
            task.outerjoin(lead, lead.c.lead_id == task.c.lead_id).outerjoin(
                decision, decision.c.decision_id == task.c.decision_id
            )
        )
        .where(task.c.holder_id == holder_id, task.c.state == "open")
        .order_by(task.c.due_us, task.c.task_id)
        .limit(limit)
    )
    return [_readable(dict(row._mapping)) for row in rows]


def tally(connection: Connection) -> dict[str, int]:
    """Return the sum that must add up: captures = leads + not leads + refused + parts, probes left out."""
    capture = tables.capture
    rows = connection.execute(
        select(capture.c.result, func.count()).where(capture.c.purpose != "probe").group_by(capture.c.result)
    )
    counts = {str(result): int(count) for result, count in rows}
    return {"received": sum(counts.values()), **counts}


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    row["fields"] = orjson.loads(row.pop("fields_json") or "[]")
    row["reason"] = orjson.loads(row.pop("reason_json") or "{}")
    return row
