"""What was decided lately, and what waits for a team: for whoever asks why it was not theirs, and what the rules left open."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import Connection, select

from schemas.work import Reason
from store import tables

LOOKED_AT = 500
"""The newest leads among which somebody's own are looked for: a day of a firm of two hundred."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A lead that was given to somebody, and what may be said of it to a colleague: what it asked for, and where."""

    lead_id: str
    at_us: int
    channel: str
    product_line: str | None
    province: str | None
    reason: Reason


def decided_lately(connection: Connection, teams: Collection[str] | None, limit: int) -> list[Decided]:
    """Return the newest leads that a rule gave to one of these teams (None: to any), the newest first."""
    lead, decision = tables.lead, tables.decision
    newest = (
        select(lead.c.lead_id, lead.c.accepted_us, lead.c.channel, lead.c.product_line, lead.c.province)
        .where(lead.c.kind == "enquiry", lead.c.purpose != "probe")
        .order_by(lead.c.accepted_us.desc(), lead.c.lead_id)
        .limit(LOOKED_AT)
        .subquery()
    )
    rows = connection.execute(
        select(newest, decision.c.reason_json)
        .join(decision, decision.c.lead_id == newest.c.lead_id)
        .where(decision.c.stage == "route")
        .order_by(newest.c.accepted_us.desc(), newest.c.lead_id, decision.c.decided_us)
    )
    found: dict[str, Decided] = {}
    for row in rows:
        reason = Reason.model_validate_json(row.reason_json)
        if row.lead_id in found or (teams is not None and reason.team_id not in teams):
            continue
        found[row.lead_id] = Decided(
            row.lead_id, row.accepted_us, row.channel, row.product_line, row.province, reason
        )
        if len(found) == limit:
            break
    return list(found.values())


@dataclass(frozen=True, slots=True)
class LeftOpen:
    """An open customer that waits in a queue: since when, by which decision and rule (None: no rule decided)."""

    customer_id: str
    lead_id: str
    queue_id: str
    since_us: int
    code: str | None
    rule_id: str | None
    channel: str | None
    product_line: str | None
    province: str | None


def left_open(connection: Connection, queues: Collection[str], limit: int) -> list[LeftOpen]:
    """Return so many of these queues' open customers, who waits longest first."""
    holding, customer, decision, lead = tables.holding, tables.customer, tables.decision, tables.lead
    rows = connection.execute(
        select(
            customer.c.customer_id,
            customer.c.born_lead,
            holding.c.holder_id,
            holding.c.from_us,
            decision.c.code,
            decision.c.rule_id,
            lead.c.channel,
            lead.c.product_line,
            lead.c.province,
        )
        .select_from(holding)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .outerjoin(lead, lead.c.lead_id == customer.c.born_lead)
        .where(
            holding.c.holder_kind == "queue",
            holding.c.holder_id.in_(sorted(queues)),
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
            customer.c.state == "open",
            customer.c.purpose != "probe",
        )
        .order_by(holding.c.from_us, customer.c.customer_id)
        .limit(limit)
    )
    return [LeftOpen(*row) for row in rows]
