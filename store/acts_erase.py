"""Erasing a customer: what is plain is deleted, what is sealed loses its key, ids and decisions stay.

Order, so that it can be cut off anywhere and taken up again: journal (outside the backup) → keys of the doors
→ rows of the store. A restored backup is erased anew from the journal before anything else happens.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from sqlalchemy import Connection, Table, delete, func, or_, select, update

from schemas.capture import occurrences_of
from store import tables
from store.acts import ActRefused, Command, Plan
from store.bulk import keys_in
from store.effects import Effect, Insert
from store.imports import files_holding
from store.journal import Erasure
from store.locks import lock_customers
from store.marks import own_marks
from store.similar import forget

OF_LEADS = (
    tables.lead,
    tables.lead_identifier,
    tables.find_key,
    tables.lead_opt_out,
    tables.evidence,
    tables.mail_thread,
    tables.unlisted,
)
"""Tables whose rows of an erased lead go with it."""


class Outgrown(RuntimeError):
    """Something came to the customer after it was found out what erasing it takes; nothing was erased: find out again."""


def marked(connection: Connection, erasure: Erasure, secret: bytes, at_us: int) -> Erasure:
    """Return an erasure with its moment, and with what the person is known by when something older comes again."""
    marks = own_marks(connection, secret, erasure.leads)
    return erasure.model_copy(update={"at_us": at_us, "marks": marks})


def find_erasure(connection: Connection, act_id: str, customer_id: str) -> Erasure:
    """Return what erasing a customer (under any of its ids) takes. Raises ActRefused for an unknown id."""
    alias, member, origin = tables.alias, tables.membership, tables.lead_capture
    name = (
        connection.execute(select(alias.c.now_id).where(alias.c.old_id == customer_id)).scalar()
        or customer_id
    )
    known = select(tables.customer.c.customer_id).where(tables.customer.c.customer_id == name)
    if connection.execute(known).one_or_none() is None:
        raise ActRefused("unknown_customer", f"There is no customer {customer_id}.")
    customers = {name, *connection.execute(select(alias.c.old_id).where(alias.c.now_id == name)).scalars()}
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in customers])
    members = connection.execute(
        select(member.c.lead_id, member.c.contact_id).where(wanted, member.c.to_us.is_(None))
    ).all()
    leads = {row.lead_id for row in members}
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in leads])
    captures = set(connection.execute(select(origin.c.capture_id).where(of_leads)).scalars())
    captures = _with_repairs(connection, captures) | files_holding(connection, captures)
    elsewhere = select(member.c.contact_id).where(
        keys_in(connection, ["contact_id"], [(row.contact_id,) for row in members]),
        member.c.to_us.is_(None),
        member.c.customer_id.not_in(sorted(customers)),
    )
    contacts = {row.contact_id for row in members} - set(connection.execute(elsewhere).scalars())
    return Erasure(
        act_id=act_id,
        customers=tuple(sorted(customers)),
        contacts=tuple(sorted(contacts)),
        leads=tuple(sorted(leads)),
        captures=tuple(sorted(captures)),
        occurrences=tuple(sorted(_occurrences(connection, captures))),
    )


def _occurrences(connection: Connection, captures: set[str]) -> set[str]:
    table = tables.capture
    of_captures = keys_in(connection, ["capture_id"], [(one,) for one in captures])
    rows = connection.execute(
        select(
            table.c.channel, table.c.source_id, table.c.idem_hash, table.c.key_given, table.c.digest
        ).where(of_captures)
    )
    return {one for row in rows for one in occurrences_of(*row)}


def _with_repairs(connection: Connection, captures: set[str]) -> set[str]:
    """Return the captures with those they repair and those that repair them: the refused bytes are theirs too."""
    table, found = tables.capture, set[str]()
    while captures - found:
        wanted = [(one,) for one in captures - found]
        found |= captures
        rows = connection.execute(
            select(table.c.capture_id, table.c.parent_id).where(
                or_(
                    keys_in(connection, ["capture_id"], wanted),
                    table.c.parent_id.in_([one for (one,) in wanted]),
                )
            )
        )
        for row in rows:
            captures = captures | {row.capture_id} | ({row.parent_id} if row.parent_id else set())
    return found


def erase_keys(connection: Connection, erasure: Erasure, key: Table = tables.door_key) -> list[str]:
    """Delete the keys of the captures where they lie (`key`); return the ids of the keys that are gone."""
    wanted = keys_in(connection, ["capture_id"], [(one,) for one in erasure.captures])
    gone = list(connection.execute(select(key.c.key_id).where(wanted)).scalars())
    connection.execute(delete(key).where(wanted))
    return gone


def keys_left(connection: Connection, erasure: Erasure, key: Table = tables.door_key) -> int:
    """Return how many keys of the captures are there still, where they lie."""
    wanted = keys_in(connection, ["capture_id"], [(one,) for one in erasure.captures])
    return int(connection.execute(select(func.count()).select_from(key).where(wanted)).scalar_one())


def erase_keys_by_id(connection: Connection, key_ids: Sequence[str], key: Table = tables.door_key) -> None:
    """Delete these keys where they lie. Harmless when repeated."""
    connection.execute(delete(key).where(keys_in(connection, ["key_id"], [(one,) for one in key_ids])))


def erase_rows(connection: Connection, erasure: Erasure, now_us: int) -> None:
    """Delete what is readable in the store; end the customer's tasks and holdings. Harmless when repeated."""
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in erasure.leads])
    of_captures = keys_in(connection, ["capture_id"], [(one,) for one in erasure.captures])
    of_customers = keys_in(connection, ["customer_id"], [(one,) for one in erasure.customers])
    targets = [(one,) for one in (*erasure.customers, *erasure.contacts)]
    _forget_buyers(connection, erasure)
    _forget_statuses(connection, erasure)
    forget(connection, erasure.leads)
    for table in OF_LEADS:
        connection.execute(delete(table).where(of_leads))
    connection.execute(delete(tables.part).where(of_captures))
    connection.execute(delete(tables.binding).where(keys_in(connection, ["target_id"], targets)))
    connection.execute(delete(tables.binding).where(of_leads))
    for column in ("a", "b"):
        connection.execute(delete(tables.review).where(keys_in(connection, [column], targets)))
    connection.execute(update(tables.capture).where(of_captures).values(detail_json=None))
    connection.execute(update(tables.outcome).where(of_customers).values(note=None))
    ended = {"state": "cancelled", "ended_us": now_us}
    connection.execute(update(tables.task).where(of_customers, tables.task.c.state == "open").values(ended))
    unsent = tables.delivery.c.state.in_(("waiting", "failed"))
    refused = select(tables.delivery.c.delivery_id).where(of_customers, tables.delivery.c.state == "failed")
    letters = tables.dead.c.event_id.in_(refused) & (tables.dead.c.state == "open")
    connection.execute(update(tables.dead).where(letters).values(state="discarded"))
    dropped = {"state": "dropped", "code": "erased"}
    connection.execute(update(tables.delivery).where(of_customers, unsent).values(dropped))
    still = tables.holding.c.to_us.is_(None)
    connection.execute(update(tables.holding).where(of_customers, still).values(to_us=now_us))
    connection.execute(update(tables.customer).where(of_customers).values(state="closed"))


def _forget_statuses(connection: Connection, erasure: Erasure) -> None:
    """Delete what is known of identifiers that nobody else gave: their values are the person's."""
    identifier, status = tables.lead_identifier, tables.identifier_status
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in erasure.leads])
    leads = set(erasure.leads)
    given = connection.execute(select(identifier.c.kind, identifier.c.value).where(of_leads).distinct()).all()
    wanted = keys_in(connection, ["kind", "value"], [tuple(row) for row in given])
    others = {
        (row.kind, row.value)
        for row in connection.execute(
            select(identifier.c.kind, identifier.c.value, identifier.c.lead_id).where(wanted)
        )
        if row.lead_id not in leads
    }
    own = [(row.kind, row.value) for row in given if (row.kind, row.value) not in others]
    connection.execute(delete(status).where(keys_in(connection, ["kind", "value"], own)))


def _forget_buyers(connection: Connection, erasure: Erasure) -> None:
    """Delete what orders of nobody yet name, where it names the person; number, product and amount stay."""
    identifier, order = tables.lead_identifier, tables.sale_order
    of_leads = keys_in(connection, ["lead_id"], [(one,) for one in erasure.leads])
    own = {
        (row.kind, row.value)
        for row in connection.execute(select(identifier.c.kind, identifier.c.value).where(of_leads))
    }
    ids = {*erasure.customers, *erasure.leads}
    rows = connection.execute(
        select(order.c.order_id, order.c.given_json).where(order.c.given_json.is_not(None))
    ).all()
    for row in rows:
        given = orjson.loads(row.given_json)
        named = {tuple(one) for one in given["identifiers"]}
        if named & own or ids & {given.get("customer_id"), given.get("lead_id")}:
            forgotten = {"given_json": None, "why_open": "erased"}
            connection.execute(update(order).where(order.c.order_id == row.order_id).values(forgotten))


def erase_customer(erasure: Erasure) -> Plan:
    """Return the plan that erases a customer as it is now. Raises Outgrown if that is more than was found."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_customers(connection, erasure.customers)
        now = find_erasure(connection, command.act_id, erasure.customers[0])
        for name in ("customers", "contacts", "leads", "captures"):
            if not set(getattr(now, name)) <= set(getattr(erasure, name)):
                raise Outgrown
        return erase(erasure)(connection, command, now_us)

    return plan


def erase(erasure: Erasure) -> Plan:
    """Return the plan that erases these rows, and leaves marks of whose they were and of what came in."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        erase_rows(connection, erasure, now_us)
        marks = {
            *erasure.marks,
            *(("capture", one) for one in erasure.captures),
            *(("occurrence", one) for one in erasure.occurrences),
        }
        at_us = erasure.at_us or now_us
        return [
            Insert("erased", {"kind": kind, "keyed_hash": mark, "act_id": command.act_id, "at_us": at_us})
            for kind, mark in sorted(marks)
        ]

    return plan
