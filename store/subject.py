"""Everything that is held about one person or company: what they may ask for (PIPL art. 45, GDPR art. 15)."""

from __future__ import annotations

from typing import Any

import orjson
from sqlalchemy import Connection, select

from store import tables
from store.acts_erase import find_erasure
from store.bulk import keys_in
from store.present import present_ids

_JSON = ("fields", "more", "reason", "detail", "evidence", "leads", "given")


def subject(connection: Connection, customer_id: str) -> dict[str, Any]:
    """Return what is held about a customer under any of its ids, table by table. Raises ActRefused for an unknown one.

    Raw bytes stay sealed in the log: of captures there is where they came from and when, and how they were read.
    Of colleagues and of other customers there is nothing but ids.
    """
    found = find_erasure(connection, "", customer_id)
    named = (
        ("leads", tables.lead, "lead_id", found.leads),
        ("captures", tables.capture, "capture_id", found.captures),
        ("identifiers", tables.lead_identifier, "lead_id", found.leads),
        ("found_by", tables.find_key, "lead_id", found.leads),
        ("evidence", tables.evidence, "lead_id", found.leads),
        ("unlisted", tables.unlisted, "lead_id", found.leads),
        ("opted_out", tables.lead_opt_out, "lead_id", found.leads),
        ("compared", tables.match_record, "lead_id", found.leads),
        ("memberships", tables.membership, "lead_id", found.leads),
        ("bindings", tables.binding, "target_id", (*found.customers, *found.contacts)),
        ("contacts", tables.contact_customer, "contact_id", found.contacts),
        ("holdings", tables.holding, "customer_id", found.customers),
        ("decisions", tables.decision, "subject_id", found.customers),
        ("tasks", tables.task, "customer_id", found.customers),
        ("outcomes", tables.outcome, "customer_id", found.customers),
        ("stages", tables.stage, "lead_id", found.leads),
        ("orders", tables.sale_order, "lead_id", found.leads),
        ("deliveries", tables.delivery, "customer_id", found.customers),
    )
    told: dict[str, Any] = {
        "customer_id": present_ids(connection, [customer_id])[customer_id],
        "ids": list(found.customers),
    }
    told |= {what: _rows(connection, table, column, keys) for what, table, column, keys in named}
    atoms = (*found.customers, *found.contacts)
    for what, table in (("joined", tables.joined), ("parted", tables.parted), ("reviews", tables.review)):
        rows = [*_rows(connection, table, "a", atoms), *_rows(connection, table, "b", atoms)]
        told[what] = [row for number, row in enumerate(rows) if row not in rows[:number]]
    told["dead"] = _rows(connection, tables.dead, "capture_id", found.captures)
    told["acts"] = _acts(connection, told)
    return told


def _acts(connection: Connection, told: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what people did: to the customer, its tasks and reviews, and what its decisions and joins came from."""
    act = tables.act
    scopes = {*told["ids"], *(row["contact_id"] for row in told["contacts"])}
    scopes |= {row["task_id"] for row in told["tasks"]} | {row["review_id"] for row in told["reviews"]}
    ids = {row["event_id"] for row in told["decisions"]}
    ids |= {row["act_id"] for what in ("joined", "parted", "reviews") for row in told[what] if row["act_id"]}
    rows = [*_rows(connection, act, "scope_id", scopes), *_rows(connection, act, "act_id", ids)]
    by_id = {row["act_id"]: row for row in rows}
    return sorted(by_id.values(), key=lambda row: (row["recorded_us"], row["act_id"]))


def _rows(connection: Connection, table: Any, column: str, keys: Any) -> list[dict[str, Any]]:
    wanted = keys_in(connection, [column], [(one,) for one in sorted(set(keys))])
    ordered = select(table).where(wanted).order_by(*table.primary_key.columns)
    rows = connection.execute(ordered).mappings()
    return [_readable({str(key): value for key, value in row.items()}) for row in rows]


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    for key in _JSON:
        if f"{key}_json" in row:
            row[key] = orjson.loads(row.pop(f"{key}_json") or "null")
    return row
