"""The act by which a person says that a customer (or a contact) is two: undoing a merge, or parting its leads.

What is to be parted is found out first (`plan_parting`), which is also what a preview shows; then it becomes
effects. Nothing is lost: atoms, joins that ended and decisions stay on record.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection

from enrich.follow import bindings_follow, members_follow
from enrich.groups import Around, around, kind_of_id, locked_atoms, locked_contacts, named, regrouped, rows_by
from enrich.identity import Join, pair
from enrich.part import Atom, Cut, components, cut, on_both
from enrich.settle_part import PartedSide, settled, sides_of
from enrich.whole import Whole, read_whole
from schemas.ids import child_id, make_id
from schemas.resolved import CONTACT_KINDS
from store import tables
from store.acts import ActRefused, Command, Plan
from store.effects import Close, Effect, Insert
from store.locks import share_company
from store.present import atoms_of


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be parted: the customer or contact `any_id`, by its latest merge, that of an act, or these leads."""

    any_id: str
    leads: frozenset[str] = frozenset()
    act_id: str | None = None
    keep_contacts: bool = False
    """Leave a contact one who has leads on both sides: one person who buys for two companies."""


@dataclass(frozen=True, slots=True)
class Parting:
    """What a parting does. `sides` are empty for contacts alone: who has a customer does not depend on them."""

    name: str
    sides: tuple[PartedSide, ...]
    customers: Cut | None
    contacts: tuple[Cut, ...]
    undone: tuple[str, ...]
    """Acts whose joins end."""
    shared: tuple[tuple[str, str], ...]
    """Identifiers that leads of both sides gave, and that identify neither any more."""
    sent: tuple[dict[str, Any], ...]
    """Deliveries that went out: they cannot be taken back."""
    at_us: int
    whole: Whole | None = field(default=None, repr=False)
    near: tuple[Around, ...] = field(default=(), repr=False)
    ended: tuple[str, ...] = ()
    """Joins that end."""


def part(wish: Wish) -> Plan:
    """Return the plan by which the actor parts what is meant (the command's scope is its id).

    Each side gets the holder, the tasks, the time limits and the credit of its own leads' recorded decisions;
    nobody else's customer is touched, and the machine never joins the two again. Refused: an unknown id or lead,
    leads of somebody else, all leads at once, and nothing that was merged.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        share_company(connection)
        if kind_of_id(wish.any_id) == "contact":
            locked_contacts(connection, [wish.any_id])
        else:
            locked_atoms(connection, [wish.any_id])
        parting = plan_parting(connection, wish, now_us)
        return _effects(connection, command, parting)

    return plan


def plan_parting(connection: Connection, wish: Wish, now_us: int) -> Parting:
    """Find out what parting would do, without doing it. Raises ActRefused."""
    name = named(connection, wish.any_id)
    if kind_of_id(wish.any_id) == "contact":
        return _part_contact(connection, wish, name, now_us)
    atoms = sorted(atoms_of(connection, [name]))
    whole = read_whole(connection, name, atoms)
    near = around(connection, atoms)
    found = [
        Atom(row["customer_id"], row["born_lead"], frozenset(whole.leads_of(row["customer_id"])))
        for row in whole.customers
    ]
    side, undone = _side(wish, found, near, whole.accepted)
    customers = cut(
        found, side, (near.born_us, near.joins, near.parted), lambda lead_id: child_id("cus", lead_id)
    )
    contacts, near_contacts = _contacts_of(connection, wish, whole, side, undone)
    both = on_both(whole.identifiers(side), whole.identifiers(whole.leads - side))
    splits_contacts = bool(contacts)
    shared = sorted(one for one in both if one[0] not in CONTACT_KINDS or splits_contacts)
    sides = sides_of(connection, whole, customers, side, undone)
    ended = [
        join.join_id
        for many in (near, *near_contacts)
        for join in many.joins
        if any(_crosses(join, one) for one in (customers, *contacts))
    ]
    return Parting(
        name=name,
        sides=sides,
        customers=customers,
        contacts=tuple(contacts),
        undone=tuple(sorted(undone)),
        shared=tuple(shared),
        sent=whole.sent,
        at_us=max(now_us, whole.after_us),
        whole=whole,
        near=(near, *near_contacts),
        ended=tuple(sorted(set(ended))),
    )


def _side(
    wish: Wish, found: Sequence[Atom], near: Around, accepted: dict[str, int]
) -> tuple[frozenset[str], set[str]]:
    """Return the leads of one side, and the acts that are undone by it."""
    everyone = frozenset(lead for one in found for lead in one.leads)
    if wish.leads:
        strange = sorted(wish.leads - everyone)
        if strange:
            raise ActRefused("foreign_lead", f"{strange[0]} is no lead of {wish.any_id}.")
        if wish.leads == everyone:
            raise ActRefused("nothing_left", "These are all leads it has; leave out those that stay.")
        return wish.leads, set()
    within = {one.atom for one in found}
    joins = [join for join in near.joins if join.a in within and join.b in within]
    act_id, taken_back = _joins_to_undo(wish, joins, near)
    parts = components(within, joins, taken_back)
    if len(parts) < 2:
        raise ActRefused(
            "nothing_merged", "Another merge holds these together as well; name the leads: --leads"
        )
    side = frozenset(lead for one in found if one.atom in parts[1] for lead in one.leads)
    return side, {act_id} if act_id else set()


def _joins_to_undo(wish: Wish, joins: Sequence[Join], near: Around) -> tuple[str | None, set[str]]:
    if wish.act_id is not None:
        mine = {join.join_id for join in joins if near.acts[join.join_id] == wish.act_id}
        if not mine:
            raise ActRefused("nothing_merged", f"{wish.act_id} merged nothing into {wish.any_id}.")
        return wish.act_id, mine
    if not joins:
        raise ActRefused(
            "nothing_merged", "Nothing was merged into it. To part it, name the leads that go: --leads"
        )
    latest = max(joins, key=lambda join: (near.since_us[join.join_id], join.join_id))
    act_id = near.acts[latest.join_id]
    if act_id is None:
        return None, {latest.join_id}
    return act_id, {join.join_id for join in joins if near.acts[join.join_id] == act_id}


def _contacts_of(
    connection: Connection, wish: Wish, whole: Whole, side: AbstractSet[str], undone: AbstractSet[str]
) -> tuple[list[Cut], list[Around]]:
    """Return how the contacts are parted that have leads on both sides.

    Where leads are parted, somebody with leads on both sides is two people, unless the wish says otherwise. Where
    a merge is undone, only contacts that it merged are parted: one who buys for both was one before.
    """
    atoms = {row["contact_id"] for row in whole.members}
    near = around(connection, atoms)
    names = near.names
    cuts: list[Cut] = []
    arounds: list[Around] = []
    for name in sorted({names[atom] for atom in atoms}):
        group = {atom for atom, one in names.items() if one == name}
        found = _contact_atoms(connection, group)
        if wish.leads and not wish.keep_contacts:
            leads = {lead for one in found for lead in one.leads}
            mine = frozenset(leads & side)
        elif undone:
            joins = [join for join in near.joins if join.a in group and join.b in group]
            taken_back = {join.join_id for join in joins if near.acts[join.join_id] in undone}
            parts = components(group, joins, taken_back)
            mine = frozenset(
                lead for one in found if len(parts) > 1 and one.atom in parts[1] for lead in one.leads
            )
            leads = {lead for one in found for lead in one.leads}
        else:
            continue
        if not mine or mine == leads:
            continue
        cuts.append(_contact_cut(found, mine, near))
        arounds.append(around(connection, group))
    return cuts, arounds


def _part_contact(connection: Connection, wish: Wish, name: str, now_us: int) -> Parting:
    near = around(connection, atoms_of(connection, [name]))
    group = {atom for atom, one in near.names.items() if one == name}
    found = _contact_atoms(connection, group)
    leads = {lead: 0 for one in found for lead in one.leads}
    side, undone = _side(wish, found, near, leads)
    divided = _contact_cut(found, side, near)
    identifiers = rows_by(
        connection, tables.lead_identifier, "lead_id", leads, tables.lead_identifier.c.trust == "trusted"
    )
    given = {
        lead: {
            (row["kind"], row["value"])
            for row in identifiers
            if row["lead_id"] == lead and row["kind"] in CONTACT_KINDS
        }
        for lead in leads
    }
    mine = {one for lead in side for one in given[lead]}
    others = {one for lead in leads.keys() - side for one in given[lead]}
    stamps = [
        row["from_us"]
        for row in rows_by(connection, tables.membership, "contact_id", group)
        + rows_by(connection, tables.contact_customer, "contact_id", group)
    ]
    return Parting(
        name=name,
        sides=(),
        customers=None,
        contacts=(divided,),
        undone=tuple(sorted(undone)),
        shared=tuple(sorted(on_both(mine, others))),
        sent=(),
        at_us=max(now_us, *(stamp + 1 for stamp in stamps)),
        near=(near,),
        ended=tuple(sorted(join.join_id for join in near.joins if _crosses(join, divided))),
    )


def _contact_atoms(connection: Connection, group: Iterable[str]) -> list[Atom]:
    contacts = rows_by(connection, tables.contact, "contact_id", group)
    members = rows_by(connection, tables.membership, "contact_id", group, tables.membership.c.to_us.is_(None))
    leads: dict[str, set[str]] = {}
    for row in members:
        leads.setdefault(row["contact_id"], set()).add(row["lead_id"])
    return [
        Atom(row["contact_id"], row["born_lead"], frozenset(leads.get(row["contact_id"], ())))
        for row in contacts
    ]


def _contact_cut(found: Sequence[Atom], side: AbstractSet[str], near: Around) -> Cut:
    return cut(found, side, (near.born_us, near.joins, near.parted), lambda lead_id: child_id("con", lead_id))


def _crosses(join: Join, one: Cut) -> bool:
    return (join.a in one.mine and join.b in one.others) or (join.b in one.mine and join.a in one.others)


def _effects(connection: Connection, command: Command, parting: Parting) -> list[Effect]:
    at_us = parting.at_us
    effects: list[Effect] = [Close("joined", (join_id,), at_us) for join_id in parting.ended]
    cuts = [*([parting.customers] if parting.customers else []), *parting.contacts]
    for one, near in zip(cuts, parting.near, strict=True):
        effects += _identity_effects(connection, command, (one, near), parting)
    effects += members_follow(connection, cuts, at_us)
    effects += bindings_follow(connection, cuts, at_us)
    effects += [
        Insert("identifier_status", {"kind": kind, "value": value, "status": "shared"})
        for kind, value in parting.shared
    ]
    if parting.whole is not None:
        effects += settled(connection, command, parting.whole, parting.sides, at_us)
    return effects


def _identity_effects(
    connection: Connection, command: Command, said: tuple[Cut, Around], parting: Parting
) -> list[Effect]:
    """Return the atoms that are born, the partings, the joins that hold a side together, and what follows."""
    one, near = said
    at_us = parting.at_us
    effects: list[Effect] = []
    whole = parting.whole
    for new, of, lead_id in one.born:
        if new.startswith("con_"):
            effects.append(Insert("contact", {"contact_id": new, "born_lead": lead_id, "born_us": at_us}))
        elif whole is not None:
            effects.append(Insert("customer", whole.born(new, of, lead_id, at_us)))
    effects += [Insert("parted", {"a": a, "b": b, "act_id": command.act_id}) for a, b in sorted(one.parted)]
    bridges = [Join(0, make_id("join", command.act_id, *two), *pair(*two)) for two in one.bridges]
    effects += [
        Insert(
            "joined",
            {
                "join_id": join.join_id,
                "rank": join.rank,
                "a": join.a,
                "b": join.b,
                "act_id": command.act_id,
                "from_us": at_us,
            },
        )
        for join in bridges
    ]
    now = replace(
        near,
        born_us={**near.born_us, **{new: at_us for new, _, _ in one.born}},
        joins=(*(join for join in near.joins if join.join_id not in parting.ended), *bridges),
        parted=near.parted | one.parted,
    )
    return effects + regrouped(connection, now, command.act_id, one.mine | one.others)
