"""Exports: one JSON object a line, for people who pipe; probes are left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from sqlalchemy import Connection, select

from store import tables
from store.present import present, with_alias

_FIRST = ("full_name", "company", "phone", "email", "city", "region", "product", "message")


def leads(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield leads: channel, kind, source, times, fields as normalised, customer and trace."""
    lead, member = tables.lead, tables.membership
    open_now = (member.c.lead_id == lead.c.lead_id) & member.c.to_us.is_(None)
    rows = connection.execute(
        select(lead, present(member.c.customer_id).label("customer_id"))
        .select_from(with_alias(lead.outerjoin(member, open_now), member.c.customer_id))
        .where(lead.c.purpose != "probe")
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    )
    for row in rows:
        fields = orjson.loads(row.fields_json)
        first: dict[str, str] = {}
        for field in fields:
            first.setdefault(field["name"], field.get("value") or field["received"])
        yield {
            "lead_id": row.lead_id,
            "channel": row.channel,
            "kind": row.kind,
            "source": row.source_id,
            "accepted": moment(row.accepted_us),
            "occurred": moment(row.occurred_us),
            "customer_id": row.customer_id,
            "joined_lead_id": row.joined_lead_id,
            **{name: first.get(name) for name in _FIRST},
            "province": row.province,
            "product_line": row.product_line,
            "industry": row.industry,
            "score": row.score,
            "grade": row.grade,
            "language": row.language,
            "trace_id": row.trace_id,
        }


def customers(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield customers, open and closed, with their holder."""
    customer, holding = tables.customer, tables.holding
    owner = (holding.c.customer_id == customer.c.customer_id) & (holding.c.role == "owner")
    merged: dict[str, list[str]] = {}
    for was in connection.execute(select(tables.alias).order_by(tables.alias.c.old_id)):
        merged.setdefault(was.now_id, []).append(was.old_id)
    rows = connection.execute(
        select(customer, holding.c.holder_kind, holding.c.holder_id, holding.c.from_us)
        .join(holding, owner & holding.c.to_us.is_(None))
        .where(customer.c.purpose != "probe")
        .order_by(customer.c.born_us, customer.c.customer_id)
    )
    for row in rows:
        yield {
            "customer_id": row.customer_id,
            "merged_ids": merged.get(row.customer_id, []),
            "kind": row.kind,
            "state": row.state,
            "since": moment(row.born_us),
            "holder_kind": row.holder_kind,
            "holder": row.holder_id,
            "held_since": moment(row.from_us),
        }


def assignments(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield who was given what and why: by route, with rule and conditions, and by people's acts."""
    decision, customer = tables.decision, tables.customer
    rows = connection.execute(
        select(decision, present(decision.c.subject_id).label("customer_id"))
        .select_from(with_alias(decision, decision.c.subject_id))
        .join(customer, customer.c.customer_id == decision.c.subject_id)
        .where(decision.c.stage.in_(("route", "act")), customer.c.purpose != "probe")
        .order_by(decision.c.decided_us, decision.c.decision_id)
    )
    for row in rows:
        yield {
            "decision_id": row.decision_id,
            "customer_id": row.customer_id,
            "lead_id": row.lead_id,
            "decided": moment(row.decided_us),
            "code": row.code,
            "reason": orjson.loads(row.reason_json),
            "trace_id": row.trace_id,
        }


def tasks(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield tasks, each with what came of it."""
    task, customer, outcome = tables.task, tables.customer, tables.outcome
    rows = connection.execute(
        select(
            task,
            present(task.c.customer_id).label("present_id"),
            outcome.c.code.label("outcome"),
            outcome.c.reason.label("outcome_reason"),
        )
        .select_from(with_alias(task, task.c.customer_id))
        .join(customer, customer.c.customer_id == task.c.customer_id)
        .outerjoin(outcome, outcome.c.task_id == task.c.task_id)
        .where(customer.c.purpose != "probe")
        .order_by(task.c.created_us, task.c.task_id)
    )
    for row in rows:
        yield {
            "task_id": row.task_id,
            "customer_id": row.present_id,
            "lead_id": row.lead_id,
            "origin": row.origin,
            "holder_kind": row.holder_kind,
            "holder": row.holder_id,
            "due": moment(row.due_us),
            "state": row.state,
            "outcome": row.outcome,
            "outcome_reason": row.outcome_reason,
            "created": moment(row.created_us),
            "ended": moment(row.ended_us),
        }


def dead(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield dead letters, without their raw bytes."""
    table = tables.dead
    for row in connection.execute(select(table).order_by(table.c.refused_us, table.c.dead_id)):
        yield {
            "dead_id": row.dead_id,
            "state": row.state,
            "stage": row.stage,
            "code": row.code,
            "field": row.field,
            "message": row.message,
            "hint": row.hint,
            "attempt": row.attempt,
            "refused": moment(row.refused_us),
            "source": row.source_id,
            "capture_id": row.capture_id,
            "trace_id": row.trace_id,
        }


def deliveries(connection: Connection) -> Iterator[dict[str, Any]]:
    """Yield what goes out, went out, or could not: by sink and destination, with the id that repeats carry."""
    table = tables.delivery
    for row in connection.execute(
        select(table, present(table.c.customer_id).label("present_id"))
        .select_from(with_alias(table, table.c.customer_id))
        .where(table.c.purpose != "probe")
        .order_by(table.c.decided_us, table.c.delivery_id)
    ):
        yield {
            "delivery_id": row.delivery_id,
            "sink": row.sink_id,
            "dest": row.dest,
            "state": row.state,
            "code": row.code,
            "answer": row.answer,
            "told_in": row.told_in,
            "failed": row.attempt,
            "next": moment(row.next_us) if row.state == "waiting" else None,
            "answered": moment(row.answered_us),
            "decided": moment(row.decided_us),
            "event_id": row.event_id,
            "decision_id": row.decision_id,
            "customer_id": row.present_id,
            "lead_id": row.lead_id,
            "trace_id": row.trace_id,
        }


EXPORTS: Mapping[str, Callable[[Connection], Iterator[dict[str, Any]]]] = {
    "leads": leads,
    "customers": customers,
    "assignments": assignments,
    "tasks": tasks,
    "deliveries": deliveries,
    "dead": dead,
}


def moment(at_us: int | None) -> str | None:
    """Return a moment as RFC 3339 in UTC, to the microsecond."""
    if at_us is None:
        return None
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)).isoformat()
