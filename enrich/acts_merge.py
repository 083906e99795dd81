"""The act by which a person says that two customers, or two contacts, are one.

A merge rewrites nothing: it adds a join, and what follows from it (`alias`, the holder, open tasks) is derived.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, select

from enrich.groups import (
    Around,
    around,
    kind_of_id,
    locked_atoms,
    locked_contacts,
    parted_pairs,
    regrouped,
    rows_by,
)
from enrich.identity import PERSON, Join
from enrich.merge import UNIQUE_KINDS, Merged, Side, conflicts, kind_of_holder, merge
from schemas.ids import make_id
from schemas.work import Reason
from store import tables
from store.acts import ActRefused, Command, Plan
from store.bulk import keys_in
from store.effects import Close, Delete, Effect, Insert, Update
from store.locks import share_company
from store.moves import Held, Move, decided, give, tell
from store.present import atoms_of, present_ids


def merge_with(
    other_id: str, *, although: bool = False, rank: int = PERSON, contacts: Sequence[tuple[str, str]] = ()
) -> Plan:
    """Return the plan by which the actor says that the command's scope and another one are one.

    Both are customers, or both are contacts, under any of their ids. Merged private customers are one contact, too,
    and so are `contacts` of theirs. `rank` is the joins': a person's word, or the machine's.
    Refused: an unknown id, the same one twice, a customer that was erased, a pair that was parted before, and two
    that have different tax numbers; `although` says that the actor knows of the last two, and wants a reason.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        share_company(connection)
        if although and not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why they are one although something speaks against it.")
        if kind_of_id(command.scope_id) != kind_of_id(other_id):
            raise ActRefused("not_alike", "A customer and a contact cannot be merged.")
        if kind_of_id(other_id) == "contact":
            return _contacts(connection, command, other_id, _How(although, rank), now_us)
        return _customers(connection, command, other_id, _How(although, rank, tuple(contacts)), now_us)

    return plan


@dataclass(frozen=True, slots=True)
class _How:
    """How it is said that two are one: knowing of what speaks against it, by whom, and which contacts are one too."""

    although: bool
    rank: int
    contacts: tuple[tuple[str, str], ...] = ()


def _customers(
    connection: Connection, command: Command, other_id: str, how: _How, now_us: int
) -> list[Effect]:
    atoms = locked_atoms(connection, [command.scope_id, other_id])
    if len(atoms) < 2:
        raise ActRefused("one_already", "These are one customer already; see: leadflow match how")
    sides = _read_sides(connection, atoms)
    if len({one.purpose for one in sides.values()}) > 1:
        raise ActRefused("not_alike", "A self-test or a demo cannot be merged with a real customer.")
    one, two = sorted(atoms)
    now = around(connection, [atom for many in atoms.values() for atom in many])
    effects = _checked(connection, now, (atoms[one], atoms[two]), "customer_id", how.although)
    at_us = max(now_us, *(side.after_us for side in sides.values()))
    joined = Join(how.rank, make_id("join", command.act_id, "customer"), one, two)
    effects += [_join_row(joined, command, at_us)]
    now = _with(now, joined, effects)
    name = now.names[one]
    merged = merge([side.side for side in sides.values()], _active(connection))
    effects += regrouped(connection, now, command.act_id, {*atoms[one], *atoms[two]})
    effects += _settled(connection, command, sides, (name, merged), at_us)
    contacts = how.contacts
    if not contacts and all(side.side.kind == "person" for side in sides.values()):
        mine, theirs = (_only_contact(connection, many) for many in atoms.values())
        contacts = ((mine, theirs),) if mine and theirs else ()
    for pair in contacts:
        effects += _contacts_too(connection, command, pair, how.rank, at_us)
    return effects


def _contacts(
    connection: Connection, command: Command, other_id: str, how: _How, now_us: int
) -> list[Effect]:
    groups_by_name = locked_contacts(connection, [command.scope_id, other_id])
    if len(groups_by_name) < 2:
        raise ActRefused("one_already", "These are one contact already; see: leadflow match how")
    names, groups = list(groups_by_name), list(groups_by_name.values())
    atoms = {atom for many in groups for atom in many}
    now = around(connection, atoms)
    effects = _checked(connection, now, groups, "contact_id", how.although)
    joined = Join(how.rank, make_id("join", command.act_id, *names), *names)
    effects.append(_join_row(joined, command, now_us))
    return [*effects, *regrouped(connection, _with(now, joined, effects), command.act_id, atoms)]


def _contacts_too(
    connection: Connection, command: Command, contacts: Sequence[str], rank: int, at_us: int
) -> list[Effect]:
    names = sorted(set(contacts))
    if len(names) < 2:
        return []
    now = around(connection, atoms_of(connection, names))
    joined = Join(rank, make_id("join", command.act_id, *names), *names)
    mine, others = ({atom for atom, name in now.names.items() if name == one} for one in names)
    if parted_pairs(now, mine, others):
        return []
    with_it = replace(now, joins=(*now.joins, joined))
    return [_join_row(joined, command, at_us), *regrouped(connection, with_it, command.act_id, mine | others)]


def _checked(
    connection: Connection,
    now: Around,
    groups: Sequence[Sequence[str]],
    column: str,
    although: bool,
) -> list[Effect]:
    """Refuse what must not be one; return what a person takes back by merging it although it was parted."""
    one, two = groups
    apart = parted_pairs(now, set(one), set(two))
    if apart and not although:
        raise ActRefused(
            "parted_before",
            "A person said that these are not one. If that was wrong: --although, with a reason.",
        )
    against = conflicts(_unique(connection, one, column), _unique(connection, two, column))
    if against and not although:
        kind, mine, theirs = against[0]
        raise ActRefused(
            "conflicting_identifiers",
            f"They have different {kind}s, {mine} and {theirs}. If one of them is wrong: --although, with a reason.",
        )
    return [Delete("parted", {"a": a, "b": b}) for a, b in apart]


def _unique(connection: Connection, atoms: Iterable[str], column: str) -> dict[str, set[str]]:
    member, identifier = tables.membership, tables.lead_identifier
    wanted = keys_in(connection, [f"membership.{column}"], [(one,) for one in atoms])
    rows = connection.execute(
        select(identifier.c.kind, identifier.c.value)
        .join(member, member.c.lead_id == identifier.c.lead_id)
        .where(
            wanted,
            member.c.to_us.is_(None),
            identifier.c.trust == "trusted",
            identifier.c.kind.in_(sorted(UNIQUE_KINDS)),
        )
        .distinct()
    )
    found: dict[str, set[str]] = {}
    for row in rows:
        found.setdefault(row.kind, set()).add(row.value)
    return found


def _join_row(joined: Join, command: Command, at_us: int) -> Insert:
    row = {"join_id": joined.join_id, "rank": joined.rank, "a": joined.a, "b": joined.b}
    return Insert("joined", {**row, "act_id": command.act_id, "from_us": at_us})


def _with(now: Around, joined: Join, effects: Iterable[Effect]) -> Around:
    taken_back = {(one.key["a"], one.key["b"]) for one in effects if isinstance(one, Delete)}
    return replace(now, joins=(*now.joins, joined), parted=now.parted - taken_back)


@dataclass(frozen=True, slots=True)
class _Present:
    """A customer as it is before the merge."""

    side: Side
    purpose: Any
    open_tasks: tuple[str, ...]
    collaborators: tuple[dict[str, Any], ...]
    after_us: int
    protected_until_us: int | None

    def move(self, command: Command, at_us: int, name: str) -> Move:
        held = Held(
            self.side.customer_id,
            self.purpose,
            kind_of_holder(self.side.holder),
            self.side.holder[1],
            None,
            self.after_us,
            self.open_tasks,
        )
        return Move(held, command, at_us, present_id=name)


def _read_sides(connection: Connection, atoms: dict[str, list[str]]) -> dict[str, _Present]:
    customers = {
        row["customer_id"]: row for row in rows_by(connection, tables.customer, "customer_id", atoms)
    }
    holdings = rows_by(connection, tables.holding, "customer_id", atoms, tables.holding.c.to_us.is_(None))
    tasks = rows_by(connection, tables.task, "customer_id", atoms, tables.task.c.state == "open")
    sides: dict[str, _Present] = {}
    for name in sorted(atoms):
        mine = [row for row in holdings if row["customer_id"] == name]
        owner = next((row for row in mine if row["role"] == "owner"), None)
        row = customers[name]
        if owner is None:
            raise ActRefused("without_owner", f"Nobody has {name}: it was erased, or see `leadflow orphans`.")
        beside = tuple(one for one in mine if one["role"] == "collaborator")
        side = Side(
            name,
            row["kind"],
            row["state"],
            (owner["holder_kind"], owner["holder_id"]),
            owner["from_us"],
            tuple(one["holder_id"] for one in beside),
        )
        stamps = [row["touched_us"], row["routed_us"], *(one["from_us"] for one in mine)]
        open_tasks = tuple(one["task_id"] for one in tasks if one["customer_id"] == name)
        sides[name] = _Present(
            side, row["purpose"], open_tasks, beside, max(stamps) + 1, owner["protected_until_us"]
        )
    return sides


def _active(connection: Connection) -> set[str]:
    person = tables.person
    return set(connection.execute(select(person.c.person_id).where(person.c.state == "active")).scalars())


def _settled(
    connection: Connection,
    command: Command,
    sides: dict[str, _Present],
    outcome: tuple[str, Merged],
    at_us: int,
) -> list[Effect]:
    """Return what follows for the holder, the tasks and the state; who had one of them before is told."""
    name, merged = outcome
    reason = Reason(code="merged")
    holder = kind_of_holder(merged.holder), merged.holder[1]
    effects: list[Effect] = []
    told = False
    for one, side in sorted(sides.items(), key=lambda item: item[0] != name):
        move = side.move(command, at_us, name)
        lost = side.side.holder != merged.holder
        if one == name and lost:
            protected = (each for each in sides.values() if each.side.holder == merged.holder)
            until_us = max((each.protected_until_us or 0 for each in protected), default=0) or None
            held = replace(move.held, protected_until_us=until_us)
            effects += give(replace(move, held=held), *holder, reason)
            told = True
        else:
            effects.append(decided(move, reason))
            if one != name:
                effects.append(Close("holding", (one, "owner"), at_us))
                effects.append(Update("customer", {"customer_id": one}, {"state": "merged"}))
                to = {"customer_id": name, "holder_kind": holder[0], "holder_id": holder[1]}
                effects += [Update("task", {"task_id": task_id}, to) for task_id in side.open_tasks]
                if lost or not told:
                    effects.append(tell(move, *holder, reason))
                    told = True
    decision_id = sides[name].move(command, at_us, name).decision_id
    effects += _beside(sides, name, merged, (decision_id, at_us))
    changes = {"kind": merged.kind, "state": merged.state, "touched_us": at_us, "routed_us": at_us}
    effects.append(Update("customer", {"customer_id": name}, changes))
    waiting = rows_by(
        connection,
        tables.delivery,
        "customer_id",
        sides.keys() - {name},
        tables.delivery.c.state == "waiting",
    )
    effects += [
        Update("delivery", {"delivery_id": row["delivery_id"]}, {"customer_id": name}) for row in waiting
    ]
    return effects


def _beside(sides: dict[str, _Present], name: str, merged: Merged, decision: tuple[str, int]) -> list[Effect]:
    """Return the effects that make these the collaborators. Who was one of the customer left keeps their decision."""
    decision_id, at_us = decision
    effects: list[Effect] = [
        Close("holding", (one, "collaborator"), at_us)
        for one, side in sorted(sides.items())
        if side.collaborators
    ]
    before = {row["holder_id"]: row["decision_id"] for row in sides[name].collaborators}
    for ordinal, person_id in enumerate(merged.collaborators):
        row = {
            "customer_id": name,
            "role": "collaborator",
            "from_us": at_us + ordinal,  # the key of a holding has its moment, and no person
            "holder_kind": "person",
            "holder_id": person_id,
            "decision_id": before.get(person_id, decision_id),
        }
        effects.append(Insert("holding", row))
    return effects


def _only_contact(connection: Connection, atoms: Sequence[str]) -> str | None:
    """Return the one contact of a customer under its present id; None if there are several."""
    member = tables.membership
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in atoms])
    contacts = set(
        connection.execute(
            select(member.c.contact_id).where(wanted, member.c.to_us.is_(None)).distinct().limit(50)
        ).scalars()
    )
    names = set(present_ids(connection, contacts).values())
    return names.pop() if len(names) == 1 else None
