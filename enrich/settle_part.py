"""What follows from a parting for the work: whose each side is, its tasks, its state, and who is told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from enrich.groups import rows_by
from enrich.merge import CustomerKind, CustomerState, Holder
from enrich.merge import kind_of_holder as _kind
from enrich.part import Cut, kind_of, owner_of, state_of
from enrich.whole import Row, Whole
from schemas.work import Reason
from store import tables
from store.acts import Command
from store.effects import Close, Effect, Insert, Update
from store.moves import Held, Move, begin, decided, give, tell
from store.nurture import wakes

QUEUE_OPENS = "queue_opens"
"""The kind of the timer on which a waiting queue is drained; the router handles it."""


@dataclass(frozen=True, slots=True)
class PartedSide:
    """One side after the parting: its leads and atoms, and what it gets."""

    name: str
    atoms: frozenset[str]
    leads: tuple[str, ...]
    holder: Holder
    decision_id: str | None
    """The recorded decision by which it gets this holder; None where it stays with who had the whole."""
    kind: CustomerKind
    state: CustomerState
    tasks: tuple[Row, ...]
    credit: tuple[Row, ...]
    """Of its own leads' decisions: who was counted one for it, in which team and on which day."""
    collaborators: tuple[tuple[str, str | None], ...]


def sides_of(
    connection: Connection, whole: Whole, cut: Cut, mine: AbstractSet[str], undone: AbstractSet[str]
) -> tuple[PartedSide, ...]:
    """Return the two sides with what each gets; the one that keeps the customer's id is first."""
    person = tables.person
    active = set(connection.execute(select(person.c.person_id).where(person.c.state == "active")).scalars())

    def is_active(holder: Holder) -> bool:
        return holder[0] != "person" or holder[1] in active

    new_born = {row["customer_id"]: (0, row["born_us"], row["customer_id"]) for row in whole.customers}
    ages = {**new_born, **{new: (1, 0, new) for new, _, _ in cut.born}}
    beside = _collaborators(connection, whole, undone)
    first_atoms, second_atoms = sorted((cut.mine, cut.others), key=lambda atoms: whole.name not in atoms)
    found = []
    for atoms in (first_atoms, second_atoms):
        leads = frozenset(mine) if atoms == cut.mine else whole.leads - mine
        holder, decision_id = owner_of(leads, whole.given, is_active, whole.holder)
        keeps = atoms == first_atoms
        tasks = tuple(
            row
            for row in whole.tasks
            if row["lead_id"] in leads or (keeps and row["lead_id"] not in whole.leads)
        )
        own = {row["decision_id"] for row in whole.decisions if row["lead_id"] in leads}
        found.append(
            PartedSide(
                name=min(atoms, key=lambda atom: ages[atom]),
                atoms=atoms,
                leads=tuple(sorted(leads)),
                holder=holder,
                decision_id=decision_id,
                kind=kind_of(whole.says_company(lead_id) for lead_id in leads),
                state=state_of([row["state"] for row in tasks], whole.row["state"]),
                tasks=tasks,
                credit=tuple(row for row in whole.ledger if row["decision_id"] in own),
                collaborators=tuple(
                    (person_id, decided_by)
                    for person_id, decided_by in beside(atoms, keeps=keeps)
                    if person_id in active and ("person", person_id) != holder
                ),
            )
        )
    return tuple(found)


def _collaborators(connection: Connection, whole: Whole, undone: AbstractSet[str]) -> Any:
    """Return who works beside the owner of a side: not whom an undone merge brought, but whom it took away."""
    decision = tables.decision
    merges = rows_by(connection, decision, "event_id", undone)
    brought = {row["decision_id"] for row in merges}
    when = {row["decided_us"] for row in merges}
    rows = [
        row for row in whole.holdings if row["role"] == "collaborator" and row["decision_id"] not in brought
    ]

    def beside(atoms: AbstractSet[str], *, keeps: bool) -> list[tuple[str, str | None]]:
        found: dict[str, str | None] = {}
        for row in rows:
            still = row["to_us"] is None and keeps and row["customer_id"] == whole.name
            before = row["to_us"] in when and row["customer_id"] in atoms
            if still or before:
                found.setdefault(row["holder_id"], row["decision_id"])
        return sorted(found.items(), key=lambda item: item[0])

    return beside


def settled(
    connection: Connection, command: Command, whole: Whole, sides: Sequence[PartedSide], at_us: int
) -> list[Effect]:
    """Return the effects by which each side gets what is its own; whoever had the whole is told."""
    kept, other = sides
    reason = Reason(code="parted")
    effects: list[Effect] = []
    if any(row["role"] == "collaborator" and row["to_us"] is None for row in whole.holdings):
        effects.append(Close("holding", (whole.name, "collaborator"), at_us))
    for side in (kept, other):
        open_tasks = tuple(row["task_id"] for row in side.tasks if row["state"] == "open")
        held = Held(
            side.name,
            whole.row["purpose"],
            _kind(whole.holder),
            whole.holder[1],
            None,
            whole.after_us,
            open_tasks,
        )
        move = Move(held, command, at_us)
        to = _kind(side.holder), side.holder[1]
        if side is other:
            effects += begin(move, *to, reason)
        elif side.holder != whole.holder:
            effects += give(move, *to, reason)
        else:
            effects += [decided(move, reason), tell(move, *to, reason)]
        changes = {"kind": side.kind, "state": side.state, "touched_us": at_us, "routed_us": at_us}
        effects.append(Update("customer", {"customer_id": side.name}, changes))
        effects += _followed(connection, whole, side)
        effects += [
            Insert(
                "holding",
                {
                    "customer_id": side.name,
                    "role": "collaborator",
                    "from_us": at_us + ordinal,
                    "holder_kind": "person",
                    "holder_id": person_id,
                    "decision_id": decision_id,
                },
            )
            for ordinal, (person_id, decision_id) in enumerate(side.collaborators)
        ]
        if side.holder[0] == "queue" and side.holder != whole.holder:
            timer = {"kind": QUEUE_OPENS, "subject_id": side.holder[1], "due_us": at_us}
            effects.append(Insert("timer", timer))
        if side.holder[0] == "nurture":
            effects.append(wakes(side.name, at_us))
    return effects


def _followed(connection: Connection, whole: Whole, side: PartedSide) -> list[Effect]:
    """Return the effects by which tasks, outcomes and deliveries follow the leads they are about."""

    def to(table: str, key: str, rows: Iterable[Row]) -> list[Effect]:
        strange = [row for row in rows if row["customer_id"] not in side.atoms]
        return [Update(table, {key: row[key]}, {"customer_id": side.name}) for row in strange]

    open_elsewhere = [row for row in side.tasks if row["state"] == "open" and row["customer_id"] != side.name]
    tasks = {row["task_id"] for row in side.tasks}
    outcomes = rows_by(connection, tables.outcome, "task_id", tasks)
    deliveries = [row for row in whole.deliveries if row["lead_id"] in set(side.leads)]
    return [
        *to("task", "task_id", side.tasks),
        *(Update("task", {"task_id": row["task_id"]}, {"customer_id": side.name}) for row in open_elsewhere),
        *to("outcome", "outcome_id", outcomes),
        *to("delivery", "delivery_id", deliveries),
    ]
