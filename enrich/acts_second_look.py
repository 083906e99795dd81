"""The machine's second look: what it offers for review, and what of that it joins by itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import Connection, select

from enrich.acts_merge import merge_with
from enrich.groups import customers_of, kind_of_id, locked_atoms, locked_contacts, rows_by
from enrich.identity import MACHINE
from enrich.lately import Arrived, Offer
from enrich.match.pack import unpack
from enrich.near import compared_by
from enrich.review import ALIKE, offer_alike
from enrich.second_look import look_again, same_contacts
from enrich.similar import Judge, Near
from store import tables
from store.acts import ActRefused, Command, Plan
from store.effects import Effect, Update
from store.similar import records_of

AT_ONCE = 50
"""Pairs looked at in one turn: some tenths of a second, after which what else is to be done gets its turn."""
LEADS_READ = 64
"""Leads of a customer that are looked at, the latest: 64 say as much as 1,000."""
ARRIVED_READ = 5_000


def arrived_since(connection: Connection, since_us: int) -> list[tuple[str, int]]:
    """Return the leads decided since a moment, the oldest first, and when each was."""
    lead = tables.lead
    rows = connection.execute(
        select(lead.c.lead_id, lead.c.resolved_us)
        .where(lead.c.resolved_us >= since_us)
        .order_by(lead.c.resolved_us, lead.c.lead_id)
        .limit(ARRIVED_READ)
    )
    return [(row.lead_id, row.resolved_us) for row in rows]


def read_arrived(connection: Connection, leads: Sequence[tuple[str, int]]) -> list[Arrived]:
    """Return what is compared of these leads, and whose they are; without those in whom nobody can be recognised."""
    at = dict(leads)
    found = []
    for row in records_of(connection, at):
        compared = compared_by(unpack(row.packed))
        found.append(Arrived(at[row.lead_id], compared, row.contact_id, row.customer_id))
    return sorted(found, key=lambda one: (one.at_us, one.compared.record.record_id))


def offer(offers: Iterable[Offer], judge: Judge) -> Plan:
    """Return the plan that puts pairs up for review."""

    def plan(_connection: Connection, _command: Command, now_us: int) -> Sequence[Effect]:
        return [offer_alike(one.one, one.doubt, judge, now_us) for one in offers]

    return plan


def sure_pairs(connection: Connection, judge: Judge) -> list[tuple[str, str]]:
    """Return (review id, one of the pair) of pairs of whom the machine is sure at first sight, the oldest first."""
    review, from_bits = tables.review, min(judge.contact.same, judge.customer.same)
    rows = connection.execute(
        select(review.c.review_id, review.c.a)
        .where(
            review.c.state == "open",
            review.c.why == ALIKE,
            review.c.looked_us.is_(None),
            review.c.millibits >= round(from_bits * 1000),
        )
        .order_by(review.c.made_us, review.c.review_id)
        .limit(AT_ONCE)
    )
    return [(row.review_id, row.a) for row in rows]


def join_if_one(review_id: str, judge: Judge) -> Plan:
    """Return the plan by which the machine joins a pair offered for review, if it still is sure.

    The command's scope is one of the pair. Refused: what was answered meanwhile, what on the whole is not alike enough,
    and whatever a merge is refused for, as a pair that a person had parted.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        row = next(iter(rows_by(connection, tables.review, "review_id", [review_id])), None)
        if row is None:
            raise ActRefused("unknown_review", f"There is no review {review_id}: one of the two was erased.")
        if row["state"] != "open":
            raise ActRefused("answered_already", f"It was answered: {row['state']}.")
        pair = (row["a"], row["b"])
        are_customers = kind_of_id(row["a"]) == "customer"
        groups = (locked_atoms if are_customers else locked_contacts)(connection, pair)
        if len(groups) < 2:
            raise ActRefused("one_already", "These are one already.")
        one, other = (_leads_of(connection, name, atoms) for name, atoms in groups.items())
        answer = look_again(one, other, judge)
        if answer is None:
            raise ActRefused("not_alike", "All that is known of both says too little.")
        said = {"state": "same", "answered_us": now_us, "act_id": command.act_id}
        done = Update("review", {"review_id": review_id}, said)
        if are_customers and answer.customers:
            merged = merge_with(pair[1], rank=MACHINE, contacts=answer.contacts)
            return [*merged(connection, command, now_us), done]
        return [*_contacts_merged(connection, command, answer.contacts, now_us), done]

    return plan


def join_contacts(judge: Judge) -> Plan:
    """Return the plan by which the machine joins contacts of one customer that are one person.

    The command's scope is the customer, or one of its contacts.
    Of three that are one it joins two at a time: to be repeated until it is refused as `not_alike`.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        scope = [command.scope_id]
        if kind_of_id(command.scope_id) == "contact":
            ((_, atoms),) = locked_contacts(connection, scope).items()
            scope = sorted(customers_of(connection, atoms))
        pairs: list[tuple[str, str]] = []
        for name, atoms in locked_atoms(connection, scope).items():
            leads = _leads_of(connection, name, atoms)
            pairs += same_contacts(leads, judge)
        if not pairs:
            raise ActRefused("not_alike", "None of its contacts is another one.")
        return _contacts_merged(connection, command, pairs, now_us)

    return plan


def _contacts_merged(
    connection: Connection, command: Command, pairs: Iterable[tuple[str, str]], now_us: int
) -> list[Effect]:
    """Return the effects that join contacts, but for those that a person parted."""
    effects: list[Effect] = []
    for contact, another in pairs:
        with suppress(ActRefused):
            merged = merge_with(another, rank=MACHINE)
            effects += merged(connection, replace(command, scope_id=contact), now_us)
    if not effects:
        raise ActRefused("parted_before", "A person said that these are not one.")
    return effects


def leave(review_id: str) -> Plan:
    """Return the plan by which the machine leaves a pair to a person."""

    def plan(_connection: Connection, _command: Command, now_us: int) -> Sequence[Effect]:
        return [Update("review", {"review_id": review_id}, {"looked_us": now_us})]

    return plan


def _leads_of(connection: Connection, name: str, atoms: Sequence[str]) -> list[Near]:
    member, lead = tables.membership, tables.lead
    column = member.c[f"{kind_of_id(name)}_id"]
    latest = (
        select(member.c.lead_id)
        .join(lead, lead.c.lead_id == member.c.lead_id)
        .where(column.in_(atoms), member.c.to_us.is_(None))
        .order_by(lead.c.accepted_us.desc(), member.c.lead_id)
        .limit(LEADS_READ)
    )
    order = {lead_id: at for at, lead_id in enumerate(connection.execute(latest).scalars())}
    rows = sorted(records_of(connection, order), key=lambda row: order[row.lead_id])
    return [Near(unpack(row.packed), row.contact_id, row.customer_id) for row in rows]
