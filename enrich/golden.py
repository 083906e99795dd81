"""Reads the members of a customer and derives its golden record and what it agreed to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, select

from enrich.groups import rows_by
from enrich.survivorship import RULES, Agreed, Kept, Member, consents, golden_record, put_right
from schemas.lead import FieldName, FieldValue
from store import tables
from store.bulk import keys_in
from store.present import atoms_of, present_ids


def members_of(connection: Connection, name: str) -> list[Member]:
    """Return the leads of a customer or contact under its present id, oldest first."""
    return members_of_each(connection, [name])[name]


def members_of_each(connection: Connection, names: Collection[str]) -> dict[str, list[Member]]:
    """Return the leads of each of these, all customers or all contacts under their present ids, oldest first."""
    found: dict[str, list[Member]] = {name: [] for name in names}
    if not found:
        return found
    column = "contact_id" if next(iter(found)).startswith("con_") else "customer_id"
    table = tables.membership
    atoms = atoms_of(connection, found)
    of = {
        row["lead_id"]: row[column]
        for row in rows_by(connection, table, column, atoms, table.c.to_us.is_(None))
    }
    rows = rows_by(connection, tables.lead, "lead_id", of)
    refused: dict[str, dict[str, int]] = {}
    for row in rows_by(connection, tables.lead_opt_out, "lead_id", of):
        refused.setdefault(row["lead_id"], {})[row["purpose"]] = row["at_us"]
    for one in sorted(_members(rows, of, refused), key=lambda one: (one.accepted_us, one.lead_id)):
        found[atoms[of[one.lead_id]]].append(one)
    return found


CALLED_BY: tuple[FieldName, ...] = ("full_name", "company", "phone", "email")
"""What people call somebody by, and reach them by."""


def called_of(
    connection: Connection, names: Collection[str], by: Sequence[FieldName] = CALLED_BY
) -> dict[str, list[dict[str, Any]]]:
    """Return what each of these (as for `members_of_each`) is called and reached `by`: a field each, as in a lead."""
    return {name: _called(members, by) for name, members in members_of_each(connection, names).items()}


def _called(members: Sequence[Member], by: Sequence[FieldName]) -> list[dict[str, Any]]:
    record = golden_record(
        [replace(one, fields=tuple(field for field in one.fields if field.name in by)) for one in members],
        RULES,
    )
    said = {
        (one.lead_id, field.name, (field.value or field.received).strip()): field
        for one in members
        for field in one.fields
    }
    kept = [(name, record[name]) for name in by if name in record]
    return [said[one.from_lead, name, one.value].model_dump() for name, one in kept]


@dataclass(frozen=True, slots=True)
class Stands:
    """What a contact is called and reached by now, a field each, and by field the values that were put right (`put_right`)."""

    called: list[dict[str, Any]]
    wrong: Mapping[str, set[str]]


def stands_of(connection: Connection, contacts: Collection[str]) -> dict[str, Stands]:
    """Return what of these contacts, under their present ids, stands now."""
    found = members_of_each(connection, contacts)
    return {name: _stands(members) for name, members in found.items()}


def _stands(members: Sequence[Member]) -> Stands:
    wrong: dict[str, set[str]] = {
        name: values for name, values in put_right(members).items() if name in CALLED_BY
    }
    return Stands(_called(members, CALLED_BY), wrong)


def corrected(connection: Connection, contacts: Collection[str]) -> set[str]:
    """Return about which of these contacts, under their present ids, something was put right."""
    member, lead = tables.membership, tables.lead
    atoms = atoms_of(connection, contacts)
    rows = connection.execute(
        select(member.c.contact_id)
        .join(lead, lead.c.lead_id == member.c.lead_id)
        .where(
            keys_in(connection, ["membership.contact_id"], [(one,) for one in sorted(atoms)]),
            member.c.to_us.is_(None),
            lead.c.kind == "correction",
        )
    )
    return {atoms[one] for one in rows.scalars()}


def golden_of(
    connection: Connection, name: str, rules: Mapping[str, Sequence[str]] = RULES
) -> tuple[dict[str, Kept], tuple[Agreed, ...]]:
    """Return the golden record of a customer or contact under its present id, and what it agreed to."""
    members = members_of(connection, name)
    return golden_record(members, rules), consents(members)


def opted_out(connection: Connection, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return which of these customers, under their present ids, withhold a purpose after somebody opted out, and which."""
    member, refused = tables.membership, tables.lead_opt_out
    atoms = keys_in(connection, ["customer_id"], [(one,) for one in atoms_of(connection, names)])
    rows = connection.execute(
        select(member.c.customer_id)
        .join(refused, refused.c.lead_id == member.c.lead_id)
        .where(atoms, member.c.to_us.is_(None))
        .distinct()
    ).scalars()
    found = set(present_ids(connection, list(rows)).values())
    return {
        one: tuple(each.purpose for each in golden_of(connection, one)[1] if not each.given) for one in found
    }


def _members(
    rows: Iterable[dict[str, object]], of: Mapping[str, str], refused: Mapping[str, Mapping[str, int]]
) -> list[Member]:
    found = []
    for row in rows:
        lead_id = str(row["lead_id"])
        fields = tuple(FieldValue.model_validate(one) for one in orjson.loads(str(row["fields_json"])))
        consent = orjson.loads(str(row["more_json"])).get("consent")
        accepted_us = int(str(row["accepted_us"]))
        found.append(
            Member(
                lead_id,
                of[lead_id],
                str(row["channel"]),
                accepted_us,
                fields,
                consent,
                refused.get(lead_id, {}),
                row["kind"] == "correction",
            )
        )
    return found
