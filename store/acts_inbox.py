"""Plans of the acts on an inbox: take a waiting customer, return one to the team's queue.

Both move the customer with all its open tasks and leave a decision that says why, so a customer has a holder
at every instant and the story shows who did what. Done through `store.acts.perform`, as every act is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, or_, select

from schemas.work import Reason
from store import tables
from store.acts import ActRefused, Command, Plan, open_task
from store.effects import Effect, Insert
from store.ledger import grade_of, period_of, taken
from store.locks import share_company
from store.moves import Move, give, held_customer
from store.protection import DAY_US

QUEUE_OPENS = "queue_opens"
"""The kind of the timer on which a waiting queue is drained; the router handles it."""

RETURN_REST_US = 10 * 60 * 1_000_000
"""How long a returned customer lies in the queue before it is drained by turn. Shorter, and it may be back
with whoever returned it before a colleague has seen it; longer, and a customer waits for nothing."""


def take() -> Plan:
    """Return the plan by which the actor takes the customer of a waiting task (the command's scope).

    Refused: not an active person, not of the queue's team (its manager may; the default queue is open to
    all), a task that has ended, a customer that somebody has already. Counts in the team's ledger as received, and
    as entitled to: nobody else was there for it.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        case = _Case(connection, command, now_us)
        if case.held.holder_kind == "pool":
            raise ActRefused("not_waiting", "This customer is in an open pool; claim it there.")
        if case.held.holder_kind != "queue":
            raise ActRefused("taken_already", "Somebody has this customer already; reload the inbox.")
        _check_may_take(connection, command.actor, case.held.holder_id, case.at_us)
        days = _protect_days(connection, case.held.decision_id)
        reason = Reason(code="claimed", team_id=case.held.holder_id, protect_days=days)
        until_us = None if days is None else case.at_us + days * DAY_US
        move = replace(case.move, held=replace(case.held, protected_until_us=until_us))
        return [*give(move, "person", command.actor, reason), *_counted(case, command.actor)]

    return plan


def give_back() -> Plan:
    """Return the plan by which the actor returns the customer of a task (the command's scope) to its team.

    The team is the one that the customer came from, else the actor's own, else the default queue. The
    queue is drained RETURN_REST_US later. What the actor received stays counted: returning must not be a
    way to choose. Refused: no reason given, a task that has ended, a customer that the actor does not have.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        if not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why it is returned; the team needs to know.")
        case = _Case(connection, command, now_us)
        if (case.held.holder_kind, case.held.holder_id) != ("person", command.actor):
            raise ActRefused("not_yours", "Only the owner can return a customer; reload the inbox.")
        team_id = _team_of(connection, case, command.actor)
        drain = {"kind": QUEUE_OPENS, "subject_id": team_id, "due_us": case.at_us + RETURN_REST_US}
        reason = Reason(code="returned", team_id=team_id)
        return [*give(case.move, "queue", team_id, reason), Insert("timer", drain)]

    return plan


class _Case:
    """The open task an act is about, and the customer behind it, locked for this transaction."""

    def __init__(self, connection: Connection, command: Command, now_us: int) -> None:
        self.connection = connection
        share_company(connection)  # who works here, and in which team, stays so until this is done
        row = open_task(connection, command.scope_id)
        held = held_customer(connection, row["customer_id"])
        if held is None:
            raise ActRefused("without_owner", "This customer has no holder; run `leadflow orphans`.")
        self.held = held
        # Later than all that was decided on this customer, whatever the wall clock says.
        self.at_us = max(now_us, held.after_us)
        lead_id: str | None = row["lead_id"]
        self.move = Move(held, command, self.at_us, lead_id, _trace_of(connection, lead_id))
        self.zone = _setting(connection, "zone") or "Asia/Shanghai"


def _protect_days(connection: Connection, decision_id: str | None) -> int | None:
    """Return for how many days the rule protects by which a customer waits."""
    decision = tables.decision
    said = connection.execute(
        select(decision.c.reason_json).where(
            decision.c.decision_id == decision_id, decision.c.code == "waiting"
        )
    ).scalar_one_or_none()
    return orjson.loads(said).get("protect_days") if said else None


def _counted(case: _Case, person_id: str) -> list[Effect]:
    grade = grade_of(case.connection, case.move.lead_id)
    where = (case.held.holder_id, period_of(case.at_us, case.zone), grade)
    return taken(case.move.decision_id, person_id, where, case.at_us)


def _check_may_take(connection: Connection, person_id: str, queue_id: str, at_us: int) -> None:
    person, unit, member = tables.person, tables.unit, tables.member
    state = connection.execute(
        select(person.c.state).where(person.c.person_id == person_id)
    ).scalar_one_or_none()
    if state != "active":
        raise ActRefused("unknown_actor", "Only a person who works here can take a customer.")
    queue = connection.execute(select(unit.c.manager_id).where(unit.c.unit_id == queue_id)).one_or_none()
    if queue is None:
        raise ActRefused("not_waiting", "This customer does not wait in a team's queue.")
    if queue_id == (_setting(connection, "default_queue") or "default") or queue.manager_id == person_id:
        return
    in_team = connection.execute(
        select(member.c.person_id).where(
            member.c.unit_id == queue_id,
            member.c.person_id == person_id,
            member.c.from_us <= at_us,
            or_(member.c.to_us.is_(None), member.c.to_us > at_us),
        )
    ).first()
    if in_team is None:
        raise ActRefused("other_team", "This customer waits for another team; ask its manager.")


def _team_of(connection: Connection, case: _Case, person_id: str) -> str:
    decision, member = tables.decision, tables.member
    reason_json = connection.execute(
        select(decision.c.reason_json).where(decision.c.decision_id == case.held.decision_id)
    ).scalar_one_or_none()
    if reason_json and (team_id := orjson.loads(reason_json).get("team_id")):
        return str(team_id)
    own = connection.execute(
        select(member.c.unit_id)
        .where(
            member.c.person_id == person_id,
            member.c.from_us <= case.at_us,
            or_(member.c.to_us.is_(None), member.c.to_us > case.at_us),
        )
        .order_by(member.c.from_us, member.c.unit_id)
    ).scalars()
    return own.first() or _setting(connection, "default_queue") or "default"


def _trace_of(connection: Connection, lead_id: str | None) -> str | None:
    lead = tables.lead
    return connection.execute(select(lead.c.trace_id).where(lead.c.lead_id == lead_id)).scalar_one_or_none()


def _setting(connection: Connection, key: str) -> Any:
    table = tables.setting
    value = connection.execute(select(table.c.value_json).where(table.c.key == key)).scalar_one_or_none()
    return orjson.loads(value) if value is not None else None
