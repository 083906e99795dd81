"""How leads, the relations of contacts, and identifiers follow the atoms that a parting has made."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from sqlalchemy import Connection

from enrich.groups import rows_by
from enrich.part import Cut
from store import tables
from store.effects import Close, Effect, Insert


def members_follow(connection: Connection, cuts: Sequence[Cut], at_us: int) -> list[Effect]:
    """Return the effects by which leads follow their atoms, and the relations of contacts to customers theirs."""
    moved: dict[str, dict[str, str]] = {}
    for one in cuts:
        for lead_id, (_, new) in one.moved.items():
            column = "contact_id" if new.startswith("con_") else "customer_id"
            moved.setdefault(lead_id, {})[column] = new
    table = tables.membership
    effects: list[Effect] = []
    held = rows_by(connection, table, "lead_id", moved, table.c.to_us.is_(None))
    now: dict[str, dict[str, Any]] = {}
    for row in held:
        new_row = {**row, "from_us": at_us, **moved[row["lead_id"]]}
        now[row["lead_id"]] = new_row
        effects += [Close("membership", (row["lead_id"],), at_us), Insert("membership", new_row)]
    contacts = {row["contact_id"] for row in (*held, *now.values())}
    return effects + _relations(connection, contacts, now, at_us)


def _relations(
    connection: Connection, contacts: AbstractSet[str], now: dict[str, dict[str, Any]], at_us: int
) -> list[Effect]:
    member, relation = tables.membership, tables.contact_customer
    rows = {
        row["lead_id"]: row
        for row in rows_by(connection, member, "contact_id", contacts, member.c.to_us.is_(None))
    } | now
    wanted: dict[str, dict[str, str]] = {}
    for lead_id, row in sorted(rows.items()):
        if row["contact_id"] in contacts:
            wanted.setdefault(row["contact_id"], {})[row["customer_id"]] = lead_id
    held: dict[str, dict[str, bool]] = {}
    for row in rows_by(connection, relation, "contact_id", contacts, relation.c.to_us.is_(None)):
        held.setdefault(row["contact_id"], {})[row["customer_id"]] = row["is_primary"]
    effects: list[Effect] = []
    for contact_id in sorted(contacts):
        customers, before = wanted.get(contact_id, {}), held.get(contact_id, {})
        mainly = _mainly(customers, before)
        for customer_id, is_primary in sorted(before.items()):
            if customer_id not in customers or is_primary != (customer_id == mainly):
                effects.append(Close("contact_customer", (contact_id, customer_id), at_us))
        for customer_id in sorted(customers):
            if before.get(customer_id) != (customer_id == mainly):
                row = {
                    "contact_id": contact_id,
                    "customer_id": customer_id,
                    "from_us": at_us,
                    "is_primary": customer_id == mainly,
                }
                effects.append(Insert("contact_customer", row))
    return effects


def _mainly(customers: dict[str, str], before: dict[str, bool]) -> str | None:
    """Return whom a contact mainly buys for: as before, else the customer of their latest lead."""
    kept = next((one for one, is_primary in before.items() if is_primary and one in customers), None)
    return kept or max(customers, key=lambda one: (customers[one], one), default=None)


def bindings_follow(connection: Connection, cuts: Sequence[Cut], at_us: int) -> list[Effect]:
    """Return the effects by which identifiers follow the lead that brought them to a new atom."""
    moved = {(lead_id, old): new for one in cuts for lead_id, (old, new) in one.moved.items()}
    table = tables.binding
    effects: list[Effect] = []
    for row in rows_by(connection, table, "lead_id", {lead for lead, _ in moved}, table.c.to_us.is_(None)):
        new = moved.get((row["lead_id"], row["target_id"]))
        if new is not None:
            effects.append(Close("binding", (row["kind"], row["value"]), at_us))
            effects.append(Insert("binding", {**row, "from_us": at_us, "target_id": new}))
    return effects
