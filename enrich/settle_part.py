"""What follows from a parting for the work: whose each side is, its tasks, its state; and what went out already."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, select

from enrich.groups import rows_by
from enrich.merge import CustomerKind, CustomerState, Holder
from enrich.merge import kind_of_holder as _kind
from enrich.part import Cut, Given, kind_of, owner_of, state_of
from schemas.resolved import CONTACT_KINDS
from schemas.work import Reason
from store import tables
from store.acts import ActRefused, Command
from store.effects import Close, Effect, Insert, Update
from store.moves import Held, Move, begin, decided, give, tell
from store.present import Span, known_as, read_together, within

FOLLOWED = ("merged", "parted")
"""Decisions that followed from what was joined or parted: they gave nobody's leads to anybody."""
QUEUE_OPENS = "queue_opens"
"""The kind of the timer on which a waiting queue is drained; the router handles it."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Whole:
    """A customer as it is before the parting: everything that is recorded about its atoms."""

    name: str
    customers: tuple[Row, ...]
    members: tuple[Row, ...]
    leads_by_id: Mapping[str, Row]
    given_identifiers: Mapping[str, frozenset[tuple[str, str]]]
    holdings: tuple[Row, ...]
    decisions: tuple[Row, ...]
    ledger: tuple[Row, ...]
    tasks: tuple[Row, ...]
    deliveries: tuple[Row, ...]
    given: tuple[Given, ...]
    after_us: int

    @property
    def leads(self) -> frozenset[str]:
        return frozenset(row["lead_id"] for row in self.members)

    @property
    def accepted(self) -> dict[str, int]:
        return {lead_id: row["accepted_us"] for lead_id, row in self.leads_by_id.items()}

    @property
    def row(self) -> Row:
        """The customer's own row."""
        return next(row for row in self.customers if row["customer_id"] == self.name)

    @property
    def holder(self) -> Holder:
        """Who has it."""
        (owner,) = [
            row
            for row in self.holdings
            if (row["customer_id"], row["role"], row["to_us"]) == (self.name, "owner", None)
        ]
        return owner["holder_kind"], owner["holder_id"]

    @property
    def sent(self) -> tuple[Row, ...]:
        """What went out: it cannot be taken back."""
        return tuple(row for row in self.deliveries if row["state"] == "sent")

    def leads_of(self, atom: str) -> set[str]:
        """Return the leads that an atom has."""
        return {row["lead_id"] for row in self.members if row["customer_id"] == atom}

    def identifiers(self, leads: AbstractSet[str]) -> set[tuple[str, str]]:
        """Return the trusted identifiers that these leads gave."""
        return {one for lead_id in leads for one in self.given_identifiers.get(lead_id, ())}

    def says_company(self, lead_id: str) -> bool:
        """Tell whether a lead names a company."""
        if any(kind not in CONTACT_KINDS for kind, _ in self.given_identifiers.get(lead_id, ())):
            return True
        fields = orjson.loads(self.leads_by_id[lead_id]["fields_json"]) if lead_id in self.leads_by_id else []
        return any(one["name"] == "company" for one in fields)

    def born(self, new: str, of: str, lead_id: str, at_us: int) -> Row:
        """Return the row of an atom split off from another."""
        old = next(row for row in self.customers if row["customer_id"] == of)
        stamps = {"born_us": at_us, "touched_us": at_us, "routed_us": at_us}
        return {**old, "customer_id": new, "born_lead": lead_id, "state": "merged", **stamps}


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


def read_whole(connection: Connection, name: str, atoms: Sequence[str]) -> Whole:
    """Read everything that is recorded about a customer. Raises ActRefused for one that was erased."""
    customers = rows_by(connection, tables.customer, "customer_id", atoms)
    member = tables.membership
    history = rows_by(connection, member, "customer_id", atoms)
    members = [row for row in history if row["to_us"] is None]
    leads = {row["lead_id"] for row in members}
    known = rows_by(connection, tables.lead, "lead_id", leads)
    identifier = tables.lead_identifier
    given: dict[str, set[tuple[str, str]]] = {}
    for row in rows_by(connection, identifier, "lead_id", leads, identifier.c.trust == "trusted"):
        given.setdefault(row["lead_id"], set()).add((row["kind"], row["value"]))
    periods = _periods(connection, rows_by(connection, member, "lead_id", leads))
    subjects = {subject for one in periods.values() for subject in one} | set(atoms)
    decisions = rows_by(connection, tables.decision, "subject_id", subjects)
    holdings = rows_by(connection, tables.holding, "customer_id", subjects)
    if not [
        one for one in holdings if (one["customer_id"], one["role"], one["to_us"]) == (name, "owner", None)
    ]:
        raise ActRefused("without_owner", f"Nobody has {name}: it was erased, or see `leadflow orphans`.")
    relation = tables.contact_customer
    contacts = {row["contact_id"] for row in members}
    stamps = [
        *(row["touched_us"] for row in customers),
        *(row["routed_us"] for row in customers),
        *(row["from_us"] for row in (*history, *holdings)),
        *(row["from_us"] for row in rows_by(connection, relation, "contact_id", contacts)),
    ]
    return Whole(
        name=name,
        customers=tuple(customers),
        members=tuple(members),
        leads_by_id={row["lead_id"]: row for row in known},
        given_identifiers={lead_id: frozenset(many) for lead_id, many in given.items()},
        holdings=tuple(row for row in holdings if row["customer_id"] in set(atoms)),
        decisions=tuple(decisions),
        ledger=tuple(
            rows_by(connection, tables.ledger, "decision_id", {row["decision_id"] for row in decisions})
        ),
        tasks=tuple(rows_by(connection, tables.task, "customer_id", atoms)),
        deliveries=tuple(rows_by(connection, tables.delivery, "customer_id", atoms)),
        given=tuple(_given(decisions, holdings, periods)),
        after_us=max(stamps) + 1,
    )


def _periods(connection: Connection, history: Sequence[Row]) -> dict[str, Mapping[str, Sequence[Span]]]:
    """Return for each lead as which customers it was known, and when."""
    own: dict[str, dict[str, list[Span]]] = {}
    for row in history:
        own.setdefault(row["lead_id"], {}).setdefault(row["customer_id"], []).append(
            (row["from_us"], row["to_us"])
        )
    together = read_together(connection, {row["customer_id"] for row in history})
    return {lead_id: known_as(start, together) for lead_id, start in own.items()}


def _given(
    decisions: Sequence[Row], holdings: Sequence[Row], periods: Mapping[str, Mapping[str, Sequence[Span]]]
) -> Iterator[Given]:
    """Yield what the recorded decisions gave to each lead; one about a whole customer, to all it had then."""
    owners = [row for row in holdings if row["role"] == "owner"]
    by_decision = {row["decision_id"]: row for row in owners if row["decision_id"]}
    for row in decisions:
        if row["code"] in FOLLOWED:
            continue
        held = by_decision.get(row["decision_id"]) or _held_at(owners, row["subject_id"], row["decided_us"])
        if held is None:
            continue
        leads = [row["lead_id"]] if row["lead_id"] else _known_then(periods, row)
        for lead_id in leads:
            holder = (held["holder_kind"], held["holder_id"])
            yield Given(
                lead_id, row["decided_us"], row["decision_id"], holder, gave=row["code"] != "sticky_owner"
            )


def _known_then(periods: Mapping[str, Mapping[str, Sequence[Span]]], decision: Row) -> list[str]:
    return [
        lead_id
        for lead_id, names in periods.items()
        if within(decision["decided_us"], names.get(decision["subject_id"], ()))
    ]


def _held_at(owners: Sequence[Row], customer_id: str, at_us: int) -> Row | None:
    return next(
        (
            row
            for row in owners
            if row["customer_id"] == customer_id
            and row["from_us"] <= at_us
            and (row["to_us"] is None or at_us < row["to_us"])
        ),
        None,
    )


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
