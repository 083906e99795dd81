"""Leads and customers as tables that come in again unchanged: the columns are those that lists are read by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Connection, func, or_, select

from enrich.survivorship import Member, golden_record
from leadflow.tables_out import as_csv, as_xlsx
from schemas.lead import FieldName, FieldValue
from schemas.work import Reason
from store import tables
from store.bulk import keys_in
from store.company import company_version, load_company
from store.present import present, present_ids, with_alias
from worktime.localtime import wall_clock, zone_of

FIELDS: tuple[FieldName, ...] = (
    "company", "full_name", "job_title", "phone", "email", "address", "city", "region", "postcode", "country", "website",
    "tax_id", "product", "industry", "subject", "message", "heard_of_us",
)  # fmt: skip
_TWICE = ("phone", "email")
"""Fields of which a second value has a column of its own; any further ones stay here."""
_AT_ONCE = 500

Row = list[str]


def _columns() -> list[str]:
    return [*FIELDS, *(f"{name}2" for name in _TWICE)]


LEADS = ["date", "campaign", *_columns()]
CUSTOMERS = [*_columns(), "owner", "since", "last_contact", "next", "stage"]


def leads(connection: Connection) -> Iterator[Row]:
    """Yield leads, as they were written; customers that came by a list are none, nor is what we put right."""
    zone = _zone(connection)
    lead = tables.lead
    rows = connection.execution_options(yield_per=_AT_ONCE).execute(
        select(lead)
        .where(lead.c.purpose != "probe", lead.c.kind != "correction")
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    )
    for row in rows:
        more = orjson.loads(row.more_json)
        if more.get("imported", {}).get("kind") == "customers":
            continue
        fields = _fields(row.fields_json)
        hint = next((one["value"] for one in more.get("hints", ()) if one["kind"] == "list"), "")
        at_us = row.occurred_us if row.occurred_us is not None else row.accepted_us
        yield [
            _day(at_us, zone),
            row.campaign_id or hint,
            *_cells({one: _received(fields, one) for one in FIELDS}),
        ]


@dataclass
class _Contact:
    """What is known of one contact of a customer."""

    members: list[Member] = field(default_factory=list)
    received: dict[tuple[str, str], str] = field(default_factory=dict)
    """By field and normalised value, as somebody wrote it."""
    since_us: list[int] = field(default_factory=list)
    last_us: list[int] = field(default_factory=list)
    stage: str = ""


def customers(connection: Connection) -> Iterator[Row]:
    """Yield open customers, a row for each of their contacts, with whom they are, since when, and what is ahead."""
    customer, last = tables.customer, ""
    zone = _zone(connection)
    while True:
        found = list(
            connection.execute(
                select(customer.c.customer_id)
                .where(
                    customer.c.customer_id > last, customer.c.state == "open", customer.c.purpose != "probe"
                )
                .order_by(customer.c.customer_id)
                .limit(_AT_ONCE)
            ).scalars()
        )
        if not found:
            return
        last = found[-1]
        owners, ahead, done = _owners(connection, found), _ahead(connection, found), _done(connection, found)
        for (customer_id, _), contact in _contacts(connection, found).items():
            record = golden_record(contact.members)
            values = {
                name: [
                    contact.received.get((name, one), one)
                    for one in (record[name].value, *record[name].others)
                ]
                for name in record
                if name in FIELDS
            }
            since = min(contact.since_us, default=None)
            touched = max([*contact.last_us, *done.get(customer_id, ())], default=None)
            yield [
                *_cells(values),
                owners.get(customer_id, ""),
                _day(since, zone),
                _day(touched, zone),
                _day(ahead.get(customer_id), zone),
                contact.stage,
            ]


def _contacts(connection: Connection, found: list[str]) -> dict[tuple[str, str], _Contact]:
    lead, member, alias = tables.lead, tables.membership, tables.alias
    wanted = [(one,) for one in found]
    merged = select(alias.c.old_id).where(keys_in(connection, ["now_id"], wanted))
    rows = connection.execute(
        select(lead, present(member.c.customer_id).label("customer_id"), member.c.contact_id)
        .select_from(with_alias(member.join(lead, lead.c.lead_id == member.c.lead_id), member.c.customer_id))
        .where(
            member.c.to_us.is_(None),
            or_(keys_in(connection, ["membership.customer_id"], wanted), member.c.customer_id.in_(merged)),
        )
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    ).all()
    names = present_ids(connection, {row.contact_id for row in rows})
    contacts: dict[tuple[str, str], _Contact] = {}
    for row in rows:
        one = contacts.setdefault((row.customer_id, names[row.contact_id]), _Contact())
        fields = _fields(row.fields_json)
        for each in fields:
            one.received.setdefault((each.name, (each.value or each.received).strip()), each.received)
        corrects = row.kind == "correction"
        one.members.append(
            Member(row.lead_id, row.lead_id, row.channel, row.accepted_us, fields, corrects=corrects)
        )
        if corrects:
            continue
        listed = orjson.loads(row.more_json).get("imported", {})
        came_us = row.occurred_us if row.occurred_us is not None else row.accepted_us
        if listed.get("kind") == "customers":
            one.since_us += [listed["since_us"]] if "since_us" in listed else []
            one.last_us += [listed["last_us"]] if "last_us" in listed else []
        else:
            one.since_us.append(came_us)
            one.last_us.append(came_us)
        stages = [each.received for each in fields if each.name == "other" and each.label in _STAGES]
        one.stage = stages[-1] if stages else one.stage
    return contacts


_STAGES = ("stage", "阶段", "状态", "客户状态", "客户阶段", "跟进状态", "跟进阶段")


def _owners(connection: Connection, found: list[str]) -> dict[str, str]:
    """Return which person has each customer, or had it when it was put aside."""
    holding = tables.holding
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_kind, holding.c.holder_id)
        .where(keys_in(connection, ["customer_id"], [(one,) for one in found]), holding.c.role == "owner")
        .order_by(holding.c.from_us)
    )
    owners: dict[str, str] = {}
    for row in rows:
        if row.holder_kind == "person":
            owners[row.customer_id] = row.holder_id
        elif row.holder_kind != "nurture":
            owners.pop(row.customer_id, None)
    return owners


def _ahead(connection: Connection, found: list[str]) -> dict[str, int]:
    """Return the next step of each customer: the first of its open tasks that is planned, else when it wakes."""
    task, holding, decision = tables.task, tables.holding, tables.decision
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in found])
    ahead = {
        row.customer_id: int(row.due_us)
        for row in connection.execute(
            select(task.c.customer_id, func.min(task.c.due_us).label("due_us"))
            .where(wanted, task.c.state == "open", task.c.origin == "plan")
            .group_by(task.c.customer_id)
        )
    }
    aside = connection.execute(
        select(holding.c.customer_id, decision.c.reason_json)
        .join(decision, decision.c.decision_id == holding.c.decision_id)
        .where(
            keys_in(connection, ["holding.customer_id"], [(one,) for one in found]),
            holding.c.holder_kind == "nurture",
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
        )
    )
    for row in aside:
        wakes_us = Reason.model_validate_json(row.reason_json).wakes_us
        if wakes_us is not None:
            ahead.setdefault(row.customer_id, wakes_us)
    return ahead


def _done(connection: Connection, found: list[str]) -> dict[str, list[int]]:
    outcome = tables.outcome
    rows = connection.execute(
        select(outcome.c.customer_id, func.max(outcome.c.recorded_us).label("at_us"))
        .where(keys_in(connection, ["customer_id"], [(one,) for one in found]))
        .group_by(outcome.c.customer_id)
    )
    return {row.customer_id: [int(row.at_us)] for row in rows}


def _fields(text: str) -> tuple[FieldValue, ...]:
    return tuple(FieldValue.model_validate(one) for one in orjson.loads(text))


def _received(fields: Iterable[FieldValue], name: FieldName) -> list[str]:
    return list(dict.fromkeys(one.received for one in fields if one.name == name))


def _cells(values: Mapping[Any, list[str]]) -> Row:
    first = [values[name][0] if values.get(name) else "" for name in FIELDS]
    return [*first, *(values[name][1] if len(values.get(name, ())) > 1 else "" for name in _TWICE)]


def _zone(connection: Connection) -> ZoneInfo:
    return zone_of(load_company(connection, company_version(connection)).zone)


def _day(at_us: int | None, zone: ZoneInfo) -> str:
    """Return a moment by the company's clock, as lists write it; of midnight the day alone."""
    if at_us is None:
        return ""
    text = wall_clock(at_us, zone).isoformat(sep=" ", timespec="seconds")
    return text.removesuffix(" 00:00:00")


TABLES: Mapping[str, tuple[list[str], Callable[[Connection], Iterator[Row]]]] = {
    "leads": (LEADS, leads),
    "customers": (CUSTOMERS, customers),
}


def write_table(connection: Connection, what: str, out: Path) -> int:
    """Write a table into a file, by its ending CSV or XLSX; return how many rows it has."""
    header, rows_of = TABLES[what]
    count = 0

    def counted() -> Iterator[Row]:
        nonlocal count
        for row in rows_of(connection):
            count += 1
            yield row

    if out.suffix == ".xlsx":
        out.write_bytes(as_xlsx(header, counted()))
    else:
        with out.open("wb") as file:
            file.writelines(as_csv(header, counted()))
    return count
