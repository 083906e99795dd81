"""Gateway of the life cycle: what is on record of some customers, in a few reads, made facts of `sales.life`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Select, literal_column, select

from sales.campaign_table import Came, Period, Sold
from sales.first_touch import FIRSTS
from sales.life import OF_OUTCOME, Fact, Life, Version, lives, of_orders
from sales.outcomes import INVALID
from store import tables
from store.bulk import keys_in
from store.present import atoms_of, present, present_ids, with_alias

PURPOSES = ("real", "demo")
AT_ONCE = 5_000
"""Customers read at once: the memory of a table does not grow with its period."""


@dataclass(slots=True)
class Record:
    """What is on record of one customer."""

    customer_id: str
    leads: dict[str, Came] = field(default_factory=dict)
    lines: dict[str, str] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    versions: list[Version] = field(default_factory=list)
    sold: list[Sold] = field(default_factory=list)

    def lives(self) -> list[tuple[Life, list[Sold]]]:
        """Return the customer's lives, each with the orders that stand."""
        came = {key: one.at_us for key, one in self.leads.items()}
        found = lives([*self.facts, *of_orders(self.versions, self.lines, came)])
        owner = {(life.line, lead_id): life for life in found for lead_id in life.leads}
        last = {life.line: life for life in found}
        shared: dict[int, list[Sold]] = {id(life): [] for life in found}
        for one in self.sold:
            life = owner.get((one.line, one.lead_id)) or last[one.line]
            shared[id(life)].append(one)
        return [(life, shared[id(life)]) for life in found]


def records_of(connection: Connection, customers: Iterable[str]) -> dict[str, Record]:
    """Return what is on record of these customers, under their present ids."""
    return _records(connection, sorted(set(present_ids(connection, customers).values())))


def records_in(connection: Connection, period: Period) -> Iterator[Record]:
    """Yield what is on record, at whatever time, of the customers of whom an enquiry came in a period."""
    lead, member = tables.lead, tables.membership
    found = connection.execute(
        select(present(member.c.customer_id))
        .select_from(with_alias(lead.join(member, member.c.lead_id == lead.c.lead_id), member.c.customer_id))
        .where(
            lead.c.accepted_us >= period.from_us,
            lead.c.accepted_us < period.to_us,
            lead.c.kind == "enquiry",
            lead.c.purpose.in_(PURPOSES),
            member.c.to_us.is_(None),
        )
        .distinct()
    )
    names = sorted(found.scalars())
    for start in range(0, len(names), AT_ONCE):
        yield from _records(connection, names[start : start + AT_ONCE]).values()


def _records(connection: Connection, names: Sequence[str]) -> dict[str, Record]:
    atoms = atoms_of(connection, names)
    found: dict[str, Record] = {}
    of_lead: dict[str, Record] = {}
    for row in connection.execute(_leads(connection, sorted(atoms))):
        name = atoms[row.customer_id]
        record = found.get(name)
        if record is None:
            record = found[name] = Record(name)
        of_lead[row.lead_id] = record
        line = row.product_line or ""
        record.lines[row.lead_id] = line
        if row.kind == "enquiry" and row.purpose in PURPOSES:
            record.leads[row.lead_id] = Came(
                row.lead_id, name, row.accepted_us, row.campaign_id or "", row.channel, row.source_id, True
            )
            record.facts.append(Fact(row.accepted_us, row.lead_id, line, "lead", "new", cause=row.lead_id))
    wanted = keys_in(connection, ["lead_id"], [(one,) for one in sorted(of_lead)])
    for row in connection.execute(_touches().where(wanted)):
        _add_touch(of_lead[row.lead_id], row)
    for row in connection.execute(select(tables.stage).where(wanted)):
        record = of_lead[row.lead_id]
        line = record.lines[row.lead_id] if row.line is None else row.line
        said = (row.person_id, row.act_id, row.reason, row.until_us)
        record.facts.append(Fact(row.at_us, row.lead_id, line, "act", row.stage, *said))
    for row in connection.execute(select(tables.sale_order).where(wanted)):
        _add_order(of_lead[row.lead_id], row)
    return found


def _add_touch(record: Record, row: Any) -> None:
    code = row.code
    if code in INVALID and row.lead_id in record.leads:
        one = record.leads[row.lead_id]
        record.leads[row.lead_id] = Came(
            one.lead_id, one.customer_id, one.at_us, one.campaign, one.channel, one.source, is_valid=False
        )
    stage = OF_OUTCOME.get(code) if code else "contacted"
    if stage is None or (code is None and row.origin not in FIRSTS):
        return
    line = record.lines[row.lead_id]
    reason = code if code in INVALID else row.reason
    until_us = row.next_us if stage == "later" else None
    at_us = row.ended_us if row.recorded_us is None else row.recorded_us
    said = (row.person_id or row.holder_id, row.outcome_id or row.task_id, reason, until_us)
    record.facts.append(Fact(at_us, row.lead_id, line, "outcome", stage, *said))


def _add_order(record: Record, row: Any) -> None:
    record.versions.append(
        Version(
            row.order_no, row.lead_id, row.line, row.state, row.ordered_us, row.from_us, row.to_us, row.act_id
        )
    )
    if row.to_us is None and row.state == "placed":
        line = row.line or record.lines[row.lead_id]
        record.sold.append(Sold(row.lead_id, line, row.amount_minor, row.currency))


def _leads(connection: Connection, atoms: Sequence[str]) -> Select[Any]:
    lead, member = tables.lead, tables.membership
    columns = (
        member.c.customer_id,
        lead.c.lead_id,
        lead.c.accepted_us,
        lead.c.campaign_id,
        lead.c.channel,
        lead.c.source_id,
        lead.c.kind,
        lead.c.purpose,
        lead.c.product_line,
    )
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in atoms])
    return (
        select(*columns)
        .join(member, member.c.lead_id == lead.c.lead_id)
        .where(wanted, member.c.to_us.is_(None))
    )


def _touches() -> Select[Any]:
    task, outcome = tables.task, tables.outcome
    # The state as it stands, not as a parameter: only so the index of what is done is used.
    return (
        select(
            task.c.task_id,
            task.c.lead_id,
            task.c.origin,
            task.c.holder_id,
            task.c.ended_us,
            outcome.c.outcome_id,
            outcome.c.code,
            outcome.c.reason,
            outcome.c.next_us,
            outcome.c.person_id,
            outcome.c.recorded_us,
        )
        .outerjoin(outcome, outcome.c.task_id == task.c.task_id)
        .where(literal_column("task.state = 'done'"))
    )


def spend_rows(connection: Connection, first: str, last: str) -> Iterator[Any]:
    """Yield what was entered as spent, in full or in part, from one local day (ISO 8601) to another."""
    table = tables.spend
    yield from connection.execute(
        select(
            table.c.campaign_id, table.c.from_day, table.c.to_day, table.c.amount_minor, table.c.currency
        ).where(table.c.to_us.is_(None), table.c.from_day <= last, table.c.to_day >= first)
    )


def list_costs(connection: Connection, from_us: int, to_us: int) -> Iterator[Any]:
    """Yield what lists cost that were brought in from one moment until another; one taken back was paid for all the same."""
    table = tables.import_run
    yield from connection.execute(
        select(table.c.campaign_id, table.c.cost_minor, table.c.currency).where(
            table.c.at_us >= from_us,
            table.c.at_us < to_us,
            table.c.state != "draft",
            table.c.campaign_id.is_not(None),
            table.c.cost_minor.is_not(None),
        )
    )
