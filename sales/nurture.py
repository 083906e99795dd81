"""Nurture: a customer who is no opportunity at present is put aside until a date, and wakes then or when it comes again.

Nobody has it meanwhile, so it takes no place under anybody's cap; the store keeps a timer for it, so that it is never
without a dated step. There is no age at which it drops out: the last step of a cadence comes again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, func, select

from schemas.company import Company
from schemas.work import Reason
from store import tables
from store.acts import ActRefused, Command
from store.effects import Effect
from store.locks import share_company
from store.moves import Move, give, held_customer
from store.waiting import freed

_DAY_US = 86_400 * 1_000_000


def step_days(cadence: Sequence[int], before: int) -> int:
    """Return after how many days a customer wakes that was put aside so often before on this cadence."""
    return cadence[min(before, len(cadence) - 1)]


def put_aside(
    connection: Connection,
    command: Command,
    company: Company,
    what: tuple[dict[str, Any], str | None, int | None],
    now_us: int,
) -> list[Effect]:
    """Return the effects that put the customer of an ended task aside.

    `what`: the task's row, the code of the cadence, and the date, if one was said. Refused: a customer that nobody
    has, a date that has passed, a cadence that the company does not have.
    """
    task, cadence, at_us = what
    share_company(connection)
    held = held_customer(connection, task["customer_id"])
    if held is None:
        raise ActRefused("without_owner", "This customer has no holder; run `leadflow orphans`.")
    chosen = next((one for one in company.choices_of("nurture") if one.code == cadence), None)
    if chosen is None:
        raise ActRefused("outcome_reason_missing", "Say on which cadence (list nurture of choices.csv).")
    if at_us is None:
        days = step_days(chosen.wake_days, _put_aside_before(connection, held.customer_id, chosen.code))
        at_us = now_us + days * _DAY_US
    if at_us <= now_us:
        raise ActRefused("date_missing", "The date on which to take it up again has passed.")
    lead = tables.lead
    trace_id = connection.execute(
        select(lead.c.trace_id).where(lead.c.lead_id == task["lead_id"])
    ).scalar_one_or_none()
    moment = max(now_us, held.after_us)
    move = Move(replace(held, open_tasks=()), command, moment, task["lead_id"], trace_id)
    reason = Reason(code="nurtured", wakes_us=at_us)
    return [
        *give(move, "nurture", chosen.code, reason),
        *freed(connection, [held.holder_id], command, now_us),
    ]


def _put_aside_before(connection: Connection, customer_id: str, cadence: str) -> int:
    outcome = tables.outcome
    count = select(func.count()).where(
        outcome.c.customer_id == customer_id, outcome.c.code == "nurture", outcome.c.reason == cadence
    )
    return int(connection.execute(count).scalar_one())


def put_aside_now(connection: Connection) -> list[dict[str, Any]]:
    """Return who is put aside now, whoever wakes first at the top: customer, cadence, since when, until when."""
    holding, decision, customer = tables.holding, tables.decision, tables.customer
    rows = connection.execute(
        select(
            holding.c.customer_id,
            holding.c.holder_id.label("cadence"),
            holding.c.from_us,
            decision.c.reason_json,
        )
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .where(
            holding.c.holder_kind == "nurture",
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
            customer.c.state == "open",
        )
    )
    found = [
        {
            "customer_id": row.customer_id,
            "cadence": row.cadence,
            "from_us": row.from_us,
            "wakes_us": Reason.model_validate_json(row.reason_json).wakes_us if row.reason_json else None,
        }
        for row in rows
    ]
    return sorted(found, key=lambda one: (one["wakes_us"] or 0, one["customer_id"]))
