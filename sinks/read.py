"""What dispatch asks of the store: which deliveries are due, and what each of them says at this moment."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, case, func, select, text, update

from schemas.company import Company
from schemas.lead import FieldName
from schemas.outward import Assigned, AssignedLead, AssignedTask, AssignedTo
from schemas.work import HolderKind
from sinks.net import utc
from sinks.port import Recipient
from store import tables
from store.acts_job import holders_of
from store.bulk import keys_in
from store.present import atoms_of, present_ids

Row = Mapping[str, Any]

_DUE = text(
    """
    WITH RECURSIVE lanes (lane) AS (
        SELECT min(lane) FROM delivery WHERE state = 'waiting'
        UNION ALL
        SELECT (SELECT min(next.lane) FROM delivery AS next WHERE next.state = 'waiting' AND next.lane > lanes.lane)
        FROM lanes WHERE lanes.lane IS NOT NULL
    )
    SELECT delivery.*
    FROM lanes JOIN delivery ON delivery.delivery_id = (
        SELECT head.delivery_id FROM delivery AS head
        WHERE head.state = 'waiting' AND head.lane = lanes.lane
        ORDER BY head.decided_us, head.delivery_id LIMIT 1
    )
    WHERE delivery.next_us <= :now_us
    ORDER BY delivery.next_us, delivery.delivery_id
    """
)
"""The first delivery of each lane, if it is due. Steps from lane to lane through the index, so that a
destination with a hundred thousand waiting costs as little as one with a single one."""


def due(connection: Connection, now_us: int) -> list[Row]:
    """Return the deliveries that may be sent now: of each lane its first one, once its time has come."""
    return [dict(row) for row in connection.execute(_DUE, {"now_us": now_us}).mappings()]


@dataclass(frozen=True, slots=True)
class Picked:
    """What goes out in one message: the first of a lane, and what is told with it."""

    rows: tuple[Row, ...]
    is_new: bool = False
    """Whether this is the first try of a message that was put together just now: nobody can have it yet."""


def gathered(
    connection: Connection, head: Row, now_us: int, most: int, begun: Callable[[Sequence[Row]], str]
) -> Picked:
    """Return what is told in one message with the first of a lane, and keep on record which message that is.

    What was begun before comes again as it was, under the same id: the destination may have it. Otherwise it is what is
    due in the lane, `most` at once, under the id that `begun` gives it. Failed tries count for the message.
    """
    delivery = tables.delivery
    waiting = (delivery.c.lane == head["lane"]) & (delivery.c.state == "waiting")
    line = select(delivery).where(waiting).order_by(delivery.c.decided_us, delivery.c.delivery_id)
    first = connection.execute(line.where(delivery.c.told_in.is_not(None)).limit(1)).mappings().first()
    if first is not None:
        wanted = line.where(delivery.c.told_in == first["told_in"])
    else:
        wanted = line.where(delivery.c.next_us <= now_us).limit(most)
    rows = [dict(row) for row in connection.execute(wanted).mappings()] or [dict(head)]
    told_in = first["told_in"] if first is not None else begun(rows)
    if first is None:
        keys = keys_in(connection, ["delivery_id"], [(row["delivery_id"],) for row in rows])
        connection.execute(update(delivery).where(keys, waiting).values(told_in=told_in))
    failed = max(row["attempt"] for row in rows)
    return Picked(tuple({**row, "told_in": told_in, "attempt": failed} for row in rows), is_new=first is None)


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of the leads and customers behind some deliveries, as of one moment."""

    leads: Mapping[str, Row]
    decisions: Mapping[str, Row]
    customers: Mapping[str, Row]
    tasks: Mapping[str, list[Row]]
    gaps: Mapping[str, tuple[FieldName, ...]]
    """By customer: what is still to be asked."""
    owners: Mapping[str, str]
    """By customer as a delivery names it: who has it now."""
    together: Mapping[str, int]
    """By decision, of those that gave a set at once: how many customers the same act gave to the same holder."""
    still: Mapping[str, int]
    """And how many of these the holder has by now."""


Gaps = Callable[[Connection, Company, Collection[str]], Mapping[str, tuple[FieldName, ...]]]
"""Says what these customers are still to be asked (`sales.segments.gaps_for`)."""


def gather(connection: Connection, company: Company, rows: Sequence[Row], gaps: Gaps) -> Facts:
    """Read what telling about these deliveries needs, in a fixed number of queries."""
    customers = {row["customer_id"] for row in rows}
    together = _together(connection, rows)
    return Facts(
        leads=_by(connection, tables.lead, "lead_id", {row["lead_id"] for row in rows if row["lead_id"]}),
        decisions=_by(connection, tables.decision, "decision_id", {row["decision_id"] for row in rows}),
        customers=_by(connection, tables.customer, "customer_id", customers),
        tasks=_tasks(connection, customers),
        gaps=gaps(connection, company, customers),
        owners=_owners(connection, customers),
        together={decision_id: count for decision_id, (count, _) in together.items()},
        still={decision_id: still for decision_id, (_, still) in together.items()},
    )


def _owners(connection: Connection, customers: Collection[str]) -> dict[str, str]:
    now = present_ids(connection, customers)
    held = holders_of(connection, set(now.values()))
    return {one: held[now[one]] for one in customers if now[one] in held}


def tell(row: Row, facts: Facts, company: Company, public_url: str | None) -> Assigned | None:
    """Return what a delivery tells; None if the customer was erased meanwhile. Pure."""
    lead = facts.leads.get(row["lead_id"])
    if lead is None and row["lead_id"] is not None:
        return None
    reason = orjson.loads(facts.decisions[row["decision_id"]]["reason_json"])
    holder = _holder(row, company)
    return Assigned(
        event_id=row["event_id"],
        decision_id=row["decision_id"],
        decided=utc(row["decided_us"]),
        why=reason["code"],
        team=reason.get("team_id"),
        purpose=row["purpose"],
        trace_id=row["trace_id"],
        customer_id=row["customer_id"],
        holder=holder,
        lead=_lead(lead) if lead else None,
        task=_task(facts.tasks.get(row["customer_id"], []), row["lead_id"]),
        ask_for=facts.gaps.get(row["customer_id"], ()),
        collaborators=tuple(_named("person", one, company) for one in reason.get("collaborators", ())),
        claimed_by=_named("queue", claimant, company) if (claimant := reason.get("claimant")) else None,
        protected_days=reason.get("protect_days"),
        link=f"{public_url.rstrip('/')}/inbox/{holder.id}" if public_url else None,
        together=facts.together.get(row["decision_id"], 1),
    )


def recipient(row: Row, company: Company) -> Recipient | None:
    """Return the person a delivery is for; None if they have left, or have no address any more."""
    person = company.people.get(row["dest"])
    if person is None or person.state != "active" or not person.email:
        return None
    name = (person.name_en or person.name) if person.language == "en" else person.name
    return Recipient(name, person.email, person.language)


def _holder(row: Row, company: Company) -> AssignedTo:
    return _named(row["holder_kind"], row["holder_id"], company)


def _named(kind: HolderKind, holder_id: str, company: Company) -> AssignedTo:
    if person := company.people.get(holder_id):
        name_en = person.name_en or person.name
        return AssignedTo(kind=kind, id=holder_id, name=person.name, name_en=name_en, email=person.email)
    named = company.units.get(holder_id) or company.pools.get(holder_id)
    names = (named.name_zh, named.name_en) if named else (holder_id, holder_id)
    return AssignedTo(kind=kind, id=holder_id, name=names[0], name_en=names[1])


def _lead(row: Row) -> AssignedLead:
    fields: dict[str, str] = {}
    for one in orjson.loads(row["fields_json"]):
        fields.setdefault(one["name"], one.get("value") or one["received"])
    return AssignedLead(
        lead_id=row["lead_id"],
        kind=row["kind"],
        channel=row["channel"],
        source=row["source_id"],
        campaign=row["campaign_id"],
        product_line=row["product_line"],
        language=row["language"],
        accepted=utc(row["accepted_us"]),
        fields=fields,
    )


def _task(tasks: Sequence[Row], lead_id: str | None) -> AssignedTask | None:
    """Return the lead's first task, else the first one still open with the customer: that is to be done next."""
    own = [one for one in tasks if one["lead_id"] == lead_id]
    first = next(iter(own or [one for one in tasks if one["state"] == "open"]), None)
    if first is None:
        return None
    return AssignedTask(
        task_id=first["task_id"],
        origin=first["origin"],
        due=utc(first["due_us"]),
        priority=first["priority"],
        playbook=first["playbook"],
    )


def _tasks(connection: Connection, customers: set[str]) -> dict[str, list[Row]]:
    task = tables.task
    atoms = atoms_of(connection, customers)
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in atoms])
    found: dict[str, list[Row]] = {}
    for row in connection.execute(
        select(task).where(wanted).order_by(task.c.created_us, task.c.task_id)
    ).mappings():
        found.setdefault(atoms[row["customer_id"]], []).append(dict(row))
    return found


def _together(connection: Connection, rows: Sequence[Row]) -> dict[str, tuple[int, int]]:
    """Count by decision what its act gave to the same holder, and what of it they still have; only of acts that give many."""
    mine, others, holding = tables.decision, tables.decision.alias("others"), tables.holding
    own = tables.holding.alias("own")
    wanted = keys_in(connection, ["decision.decision_id"], [(row["decision_id"],) for row in rows])
    counted = connection.execute(
        select(mine.c.decision_id, func.count(), func.sum(case((holding.c.to_us.is_(None), 1), else_=0)))
        .join(own, (own.c.customer_id == mine.c.subject_id) & (own.c.decision_id == mine.c.decision_id))
        .join(others, (others.c.stage == mine.c.stage) & (others.c.event_id == mine.c.event_id))
        .join(
            holding,
            (holding.c.customer_id == others.c.subject_id)
            & (holding.c.decision_id == others.c.decision_id)
            & (holding.c.holder_id == own.c.holder_id),
        )
        .where(wanted, mine.c.code.in_(("moved", "moved_back", "handed_over")))
        .group_by(mine.c.decision_id)
    )
    return {decision_id: (int(count), int(still)) for decision_id, count, still in counted}


def _by(connection: Connection, table: Any, column: str, keys: Iterable[str]) -> dict[str, Row]:
    wanted = keys_in(connection, [column], [(key,) for key in keys])
    return {row[column]: dict(row) for row in connection.execute(select(table).where(wanted)).mappings()}
