"""All that happened with one customer, on whatever way, newest first: for people, not for proofs (those are in `views.story`)."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, or_, select

from store import tables
from store.bulk import keys_in
from store.present import present_ids

LONGEST = 300
"""Entries of one kind. Whoever has more is a switchboard, not a customer."""

Entry = dict[str, Any]
"""`kind` (touch, outcome, owner, order), `at_us`, and the row of that kind; of an owner also the decision's `reason`."""


def timeline(connection: Connection, customer_id: str) -> tuple[str, list[Entry]] | None:
    """Return (present id, entries); None if there is no such customer."""
    now = present_ids(connection, [customer_id])[customer_id]
    customer, alias = tables.customer, tables.alias
    if connection.execute(select(customer.c.state).where(customer.c.customer_id == now)).first() is None:
        return None
    known_as = select(alias.c.old_id).where(alias.c.now_id == now)
    entries = [
        *_touches(connection, now, known_as),
        *_outcomes(connection, now, known_as),
        *_owners(connection, now, known_as),
    ]
    leads = [one["lead_id"] for one in entries if one["kind"] == "touch"]
    entries += _orders(connection, leads)
    return now, sorted(entries, key=lambda one: (-one["at_us"], one["kind"]))


def _touches(connection: Connection, now: str, known_as: Any) -> list[Entry]:
    lead, membership = tables.lead, tables.membership
    rows = connection.execute(
        select(
            lead.c.lead_id,
            lead.c.capture_id,
            lead.c.source_id,
            lead.c.channel,
            lead.c.kind.label("lead_kind"),
            lead.c.campaign_id,
            lead.c.accepted_us.label("at_us"),
            lead.c.fields_json,
            lead.c.more_json,
        )
        .join(membership, membership.c.lead_id == lead.c.lead_id)
        .where(
            membership.c.to_us.is_(None),
            or_(membership.c.customer_id == now, membership.c.customer_id.in_(known_as)),
        )
        .order_by(lead.c.accepted_us.desc())
        .limit(LONGEST)
    ).mappings()
    return [_touch(dict(row)) for row in rows]


def _touch(row: Entry) -> Entry:
    by = orjson.loads(row.pop("more_json")).get("corrected_by")
    return {
        **row,
        "kind": "touch",
        "fields": orjson.loads(row["fields_json"]),
        **({"corrected_by": by} if by else {}),
    }


def _outcomes(connection: Connection, now: str, known_as: Any) -> list[Entry]:
    outcome = tables.outcome
    rows = connection.execute(
        select(outcome, outcome.c.recorded_us.label("at_us"))
        .where(or_(outcome.c.customer_id == now, outcome.c.customer_id.in_(known_as)))
        .order_by(outcome.c.recorded_us.desc())
        .limit(LONGEST)
    ).mappings()
    return [{**row, "kind": "outcome"} for row in rows]


def _owners(connection: Connection, now: str, known_as: Any) -> list[Entry]:
    holding, decision = tables.holding, tables.decision
    rows = connection.execute(
        select(holding, holding.c.from_us.label("at_us"), decision.c.reason_json)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .where(
            holding.c.role == "owner",
            or_(holding.c.customer_id == now, holding.c.customer_id.in_(known_as)),
        )
        .order_by(holding.c.from_us.desc())
        .limit(LONGEST)
    ).mappings()
    return [{**row, "kind": "owner", "reason": orjson.loads(row["reason_json"] or "{}")} for row in rows]


def _orders(connection: Connection, leads: list[str]) -> list[Entry]:
    order = tables.sale_order
    rows = connection.execute(
        select(order, order.c.ordered_us.label("at_us")).where(
            order.c.to_us.is_(None), keys_in(connection, ["lead_id"], ([one] for one in leads))
        )
    ).mappings()
    return [{**row, "kind": "order"} for row in rows]
