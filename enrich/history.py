"""How a customer (or contact) became what it is: leads with their evidence, joins, partings and reviews, in order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from enrich.groups import rows_by
from store import tables
from store.present import atoms_of

_ORDER = ("lead", "joined", "parted", "join ended")


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened: when, what kind, and what it was."""

    at_us: int
    kind: str
    text: str


def history(connection: Connection, name: str) -> list[Event]:
    """Return what happened to all that is or was one with a present id, oldest first."""
    atoms = set(atoms_of(connection, [name]))
    joins = _either(connection, tables.joined, atoms)
    parted = _either(connection, tables.parted, atoms)
    acts = {
        row["act_id"]: row
        for row in rows_by(
            connection, tables.act, "act_id", {row["act_id"] for row in (*joins, *parted) if row["act_id"]}
        )
    }
    events = [*_leads(connection, atoms), *_joins(joins, acts), *_partings(parted, acts)]
    return sorted(events, key=lambda one: (one.at_us, _ORDER.index(one.kind), one.text))


def _leads(connection: Connection, atoms: set[str]) -> Iterator[Event]:
    member, evidence = tables.membership, tables.evidence
    column = "contact_id" if any(one.startswith("con_") for one in atoms) else "customer_id"
    members = rows_by(connection, member, column, atoms, member.c.to_us.is_(None))
    leads = {row["lead_id"]: row for row in members}
    why: dict[str, list[str]] = {}
    for row in rows_by(connection, evidence, "lead_id", leads):
        note = "=" if row["used"] else row["note"] or ""
        why.setdefault(row["lead_id"], []).append(f"{row['kind']}={row['value']} {note}".strip())
    for row in rows_by(connection, tables.lead, "lead_id", leads):
        lead_id = row["lead_id"]
        said = "; ".join(why.get(lead_id, ()))
        yield Event(
            row["accepted_us"], "lead", f"{lead_id} → {leads[lead_id][column]}\t{row['channel']}\t{said}"
        )


def _joins(joins: list[dict[str, Any]], acts: dict[str, dict[str, Any]]) -> Iterator[Event]:
    for row in joins:
        by = _by(acts.get(row["act_id"]))
        yield Event(row["from_us"], "joined", f"{row['a']} = {row['b']}\t{by}")
        if row["to_us"] is not None:
            yield Event(row["to_us"], "join ended", f"{row['a']} = {row['b']}")


def _partings(parted: list[dict[str, Any]], acts: dict[str, dict[str, Any]]) -> Iterator[Event]:
    for row in parted:
        act = acts.get(row["act_id"])
        yield Event(act["recorded_us"] if act else 0, "parted", f"{row['a']} ≠ {row['b']}\t{_by(act)}")


def _by(act: dict[str, Any] | None) -> str:
    if act is None:
        return "-"
    return f"{act['actor']} {act['act_id']}" + (f" {act['reason']}" if act["reason"] else "")


def _either(connection: Connection, table: Any, atoms: set[str]) -> list[dict[str, Any]]:
    rows = [*rows_by(connection, table, "a", atoms), *rows_by(connection, table, "b", atoms)]
    return [row for number, row in enumerate(rows) if row not in rows[:number]]
