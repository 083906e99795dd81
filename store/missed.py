"""Missed calls that nobody has returned yet. Reads only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from store import tables
from store.views import PROBE_QUEUE

CALL_BACK = "call_back"


def missed_calls(
    connection: Connection, holders: Collection[str] | None, limit: int, since_us: int = 0
) -> list[dict[str, Any]]:
    """Return open tasks to call somebody back, who waits longest first, each with its lead's fields and moment.

    `holders`: only what these people and units have; None: everybody's. `since_us`: only who called then or later.
    Probes are left out.
    """
    task, lead = tables.task, tables.lead
    called_us = func.coalesce(lead.c.occurred_us, lead.c.accepted_us, task.c.created_us)
    asked = (
        select(
            task.c.task_id,
            task.c.lead_id,
            task.c.customer_id,
            task.c.holder_kind,
            task.c.holder_id,
            task.c.due_us,
            called_us.label("called_us"),
            lead.c.fields_json,
        )
        .select_from(task.outerjoin(lead, lead.c.lead_id == task.c.lead_id))
        .where(task.c.origin == CALL_BACK, task.c.state == "open", task.c.holder_id != PROBE_QUEUE)
        .order_by(task.c.due_us, task.c.task_id)
        .limit(limit)
    )
    if since_us:
        asked = asked.where(called_us >= since_us)
    if holders is not None:
        asked = asked.where(task.c.holder_id.in_(sorted(holders)))
    rows = connection.execute(asked).mappings()
    return [{**row, "fields": orjson.loads(row["fields_json"] or "[]")} for row in rows]
