"""Giving a customer from one holder to another by an act: the effects of it, for one customer or thousands.

The customer moves with all its open tasks, and a decision says who did it and why.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Select, select

from schemas.base import Purpose
from schemas.events import Event, event_of
from schemas.ids import body_digest, make_id
from schemas.work import Assignment, HolderKind, Reason
from store import tables
from store.acts import Command
from store.bulk import keys_in
from store.contention import Conflict
from store.effects import Close, Effect, Emit, Insert, Update
from store.locks import lock_customers
from store.nurture import wakes


@dataclass(frozen=True, slots=True)
class Held:
    """A customer, who has it by which decision, and its open tasks; locked for the transaction at hand."""

    customer_id: str
    purpose: Purpose
    holder_kind: HolderKind
    holder_id: str
    decision_id: str | None
    after_us: int
    """Everything decided about it so far was decided before this moment."""
    open_tasks: tuple[str, ...]
    from_us: int = 0
    """Since when the holder has it."""
    protected_until_us: int | None = None
    """Goes with it to the next person (store.protection)."""


@dataclass(frozen=True, slots=True)
class Move:
    """One customer to be given away: by which act, when, and about which lead, if it was one."""

    held: Held
    command: Command
    at_us: int
    lead_id: str | None = None
    trace_id: str | None = None
    present_id: str | None = None
    """What the customer is called from now on, if not as before."""
    told_with: str | None = None
    """The decision of the same act whose message tells of this one, too."""

    @property
    def decision_id(self) -> str:
        """The decision that this move is recorded as."""
        return make_id("dec", self.command.act_id, "act", self.held.customer_id)

    @property
    def trace(self) -> str:
        """The trace of the lead, or one of its own."""
        return self.trace_id or body_digest(f"{self.command.act_id} {self.held.customer_id}".encode())


def held_by(connection: Connection, kind: HolderKind, holder_id: str) -> list[Held]:
    """Return the open customers that somebody owns, oldest first."""
    holding, customer = tables.holding, tables.customer
    of_holder = (holding.c.holder_kind == kind) & (holding.c.holder_id == holder_id)
    return _locked(connection, _owned().where(of_holder, customer.c.state == "open"))


def held_customer(connection: Connection, customer_id: str) -> Held | None:
    """Return one customer with its holder; None if it has none."""
    found = _locked(connection, _owned().where(tables.customer.c.customer_id == customer_id))
    return found[0] if found else None


def held_of(connection: Connection, customers: Iterable[str], *, lock: bool = True) -> dict[str, Held]:
    """Return these customers, by their present ids, with their holders; those that nobody has are not in it.

    `lock` them, or only look at them.
    """
    wanted = keys_in(connection, ["customer.customer_id"], [(one,) for one in sorted(set(customers))])
    query = _owned().where(wanted)
    found = _locked(connection, query) if lock else _held(connection, connection.execute(query).all())
    return {one.customer_id: one for one in found}


def give(move: Move, kind: HolderKind, holder_id: str, reason: Reason) -> list[Effect]:
    """Return the effects that give a customer and its open tasks to a holder, and say why."""
    return [
        Close("holding", (move.held.customer_id, "owner"), move.at_us),
        *begin(move, kind, holder_id, reason),
    ]


def begin(move: Move, kind: HolderKind, holder_id: str, reason: Reason) -> list[Effect]:
    """Return the effects that give a customer whom nobody has (any more) to a holder, and say why.

    `held` then says who was the last to have it. What is put aside until no date wakes at once.
    """
    held, to = move.held, {"holder_kind": kind, "holder_id": holder_id}
    wakes_us = reason.wakes_us or move.at_us
    if kind == "nurture":
        reason = reason.model_copy(update={"wakes_us": wakes_us})
    holding = {
        "customer_id": held.customer_id,
        "role": "owner",
        "from_us": move.at_us,
        "decision_id": move.decision_id,
        "protected_until_us": held.protected_until_us if kind == "person" else None,
        **to,
    }
    return [
        decided(move, reason),
        Insert("holding", holding),
        *(Update("task", {"task_id": task_id}, dict(to)) for task_id in held.open_tasks),
        Update("customer", {"customer_id": held.customer_id}, {"routed_us": move.at_us}),
        tell(move, kind, holder_id, reason),
        *([wakes(held.customer_id, wakes_us)] if kind == "nurture" else []),
    ]


def decided(move: Move, reason: Reason) -> Insert:
    """Return the decision that a move is recorded as."""
    row = {
        "decision_id": move.decision_id,
        "stage": "act",
        "event_id": move.command.act_id,
        "subject_id": move.held.customer_id,
        "lead_id": move.lead_id,
        "trace_id": move.trace,
        "decided_us": move.at_us,
        "code": reason.code,
        "book_version": reason.book_version,
        "rule_id": reason.rule_id,
        "reason_json": reason.model_dump_json(),
    }
    return Insert("decision", row)


def tell(move: Move, kind: HolderKind, holder_id: str, reason: Reason) -> Emit:
    """Return the news of who has a customer, and who had it."""
    return Emit("assignments", _news(move, kind, holder_id, reason))


def _news(move: Move, kind: HolderKind, holder_id: str, reason: Reason) -> Event:
    assignment = Assignment(
        decision_id=move.decision_id,
        lead_id=move.lead_id,
        customer_id=move.present_id or move.held.customer_id,
        holder_kind=kind,
        holder_id=holder_id,
        previous_holder_id=move.held.holder_id,
        reason=reason,
        decided_us=move.at_us,
        told_with=move.told_with,
    )
    return event_of(
        assignment,
        source=f"/acts/{move.command.verb}",
        subject=move.present_id or move.held.customer_id,
        key=move.present_id or move.held.customer_id,
        time_us=move.at_us,
        trace_id=move.trace,
        purpose=move.held.purpose,
        key_id=None,
        cause=f"{move.command.act_id} {move.held.customer_id}",
    )


def _owned() -> Select[Any]:
    holding, customer = tables.holding, tables.customer
    return (
        select(
            customer.c.customer_id,
            customer.c.purpose,
            customer.c.routed_us,
            holding.c.holder_kind,
            holding.c.holder_id,
            holding.c.decision_id,
            holding.c.from_us,
            holding.c.protected_until_us,
        )
        .join(holding, holding.c.customer_id == customer.c.customer_id)
        .where(holding.c.role == "owner", holding.c.to_us.is_(None))
        .order_by(holding.c.from_us, customer.c.customer_id)
    )


def _locked(connection: Connection, query: Select[Any]) -> list[Held]:
    """Lock the customers that a query finds, and return what it finds of them then."""
    rows = connection.execute(query).all()
    locked = {row.customer_id for row in rows}
    if lock_customers(connection, locked):
        rows = connection.execute(query).all()
        if not locked.issuperset(row.customer_id for row in rows):
            raise Conflict("holding")
    return _held(connection, rows)


def _held(connection: Connection, rows: Sequence[Any]) -> list[Held]:
    tasks = _open_tasks(connection, [row.customer_id for row in rows])
    return [
        Held(
            customer_id=row.customer_id,
            purpose=row.purpose,
            holder_kind=row.holder_kind,
            holder_id=row.holder_id,
            decision_id=row.decision_id,
            after_us=max(row.routed_us, row.from_us) + 1,
            open_tasks=tuple(tasks.get(row.customer_id, ())),
            from_us=row.from_us,
            protected_until_us=row.protected_until_us,
        )
        for row in rows
    ]


def _open_tasks(connection: Connection, customers: Iterable[str]) -> dict[str, list[str]]:
    task = tables.task
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in customers])
    tasks: dict[str, list[str]] = {}
    for row in connection.execute(
        select(task.c.customer_id, task.c.task_id)
        .where(wanted, task.c.state == "open")
        .order_by(task.c.task_id)
    ):
        tasks.setdefault(row.customer_id, []).append(row.task_id)
    return tasks
