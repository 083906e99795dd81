"""The history that a simulation goes by, read from the store: leads as they were decided on, and how it began."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from itertools import islice
from operator import attrgetter
from typing import Any

import orjson
from sqlalchemy import Connection, Select, and_, exists, func, or_, select

from router.fairness import entry_of, lines_of
from router.route import Holder, Total
from router.simulate import Books, Came, Closed, Place, Start
from sales.lead_facts import facts_of_row
from schemas.company import Company
from schemas.facts import day_of
from store import tables
from store.bulk import OneOf, Prepared, listed
from worktime.localtime import moment, wall_clock, zone_of

AT_ONCE = 1_000
"""Rows read and looked up at a time: bounds memory, and keeps the look-ups few."""
ENDING = ("no_need", "wrong_number", "not_a_lead", "won")
"""Outcomes that end the work on a lead, unless a date is said."""


def history(
    connection: Connection, company: Company, since_us: int, until_us: int
) -> Iterator[Came | Closed]:
    """Yield what came between two moments, in the order of time, with what rules may ask of it by this company.

    What was erased is not there any more; probes are left out.
    """
    came = _came(connection, company, since_us, until_us)
    closed = _closed(connection, since_us, until_us)
    return heapq.merge(came, closed, key=attrgetter("at_us"))


def start(connection: Connection, company: Company, since_us: int) -> Start:
    """Return how things stood at a moment: the ledger of its month so far, and how many customers people had open.

    The latter reads what everybody has, and only where something asks for it: a cap, or who has least.
    """
    zone = zone_of(company.zone)
    first = wall_clock(since_us, zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    loads = _open(connection, since_us) if _asks_for_loads(company) else {}
    return Start(received(connection, company.zone, moment(first, zone), since_us), loads)


def _asks_for_loads(company: Company) -> bool:
    tables_of_book = (company.book_csv or "", *company.book_tables.values())
    has_caps = any(person.open_cap is not None for person in company.people.values())
    return has_caps or any("least_loaded" in text for text in tables_of_book)


def received(connection: Connection, zone: str, from_us: int, to_us: int, *, credits: bool = True) -> Books:
    """Return what people received and were entitled to between two moments, as the ledger has it.

    `credits`: less what was credited back.
    """
    ledger, decision = tables.ledger, tables.decision
    wanted = (
        select(ledger, decision.c.lead_id, decision.c.subject_id, decision.c.reason_json)
        .join(decision, decision.c.decision_id == ledger.c.decision_id)
        .where(ledger.c.at_us >= from_us, ledger.c.at_us < to_us)
    )
    if not credits:
        wanted = wanted.where(ledger.c.delta > 0)
    books: Books = {}
    for rows in _chunks(connection, wanted):
        by_month: dict[str, list[Any]] = {}
        for row in rows:
            by_month.setdefault(day_of(zone, row.at_us)[:7], []).append(entry_of(_with_reason(row)))
        for month, entries in by_month.items():
            for line in lines_of(entries):
                totals = books.setdefault((line.team_id, month, line.grade), {})
                last_us = max((one.at_us for one in line.entries if one.delta > 0), default=0)
                had: Total = totals.get(line.person_id, (0, 0, 0))
                total = (had[0] + line.received, had[1] + line.parts, max(had[2], last_us))
                totals[line.person_id] = total
    return books


def _with_reason(row: Any) -> dict[str, Any]:
    return {**row._mapping, "reason": orjson.loads(row.reason_json)}


def _came(connection: Connection, company: Company, since_us: int, until_us: int) -> Iterator[Came]:
    decision = tables.decision
    in_order = (
        select(decision.c.decision_id)
        .where(
            decision.c.stage == "route",
            decision.c.lead_id.is_not(None),
            decision.c.decided_us >= since_us,
            decision.c.decided_us < until_us,
        )
        .order_by(decision.c.decided_us, decision.c.lead_id)
    )
    for keys in _chunks(connection, in_order):
        found = _DECIDED(connection, of_decisions=listed(keys)).all()
        rows = {row.decision_id: row for row in found}
        held = _holdings(connection, {row.subject_id for row in found})
        for (decision_id,) in keys:
            if (row := rows.get(decision_id)) is not None:
                yield _came_of(row, held.get(row.subject_id, ()), company)


def _came_of(row: Any, held: Sequence[Any], company: Company) -> Came:
    """Return a lead with who had its customer before and after it was decided on."""
    at_us = row.decided_us
    before = [one for one in held if one.from_us < at_us]
    later = [one for one in held if one.from_us >= at_us or one.to_us is None or one.to_us > at_us]
    given = later[0] if later else None
    person = next((one for one in later if one.holder_kind == "person"), None)
    queue = given.holder_id if given is not None and given.holder_kind == "queue" else None
    got = person or given
    stays = row.code in ("sticky_owner", "imported")  # a list said so, whatever the rules say
    was = Place(
        Holder(got.holder_kind, got.holder_id) if got is not None else Holder("queue", ""),
        row.rule_id,
        queue,
        max(at_us, person.from_us) if person is not None else None,
        row.due_us,
        stays,
    )
    facts = facts_of_row(row, company, is_new=row.born_lead == row.lead_id)
    had = Holder(before[-1].holder_kind, before[-1].holder_id) if before else None
    is_new, placed = row.due_us is not None, row.code == "imported"
    return Came(at_us, row.lead_id, row.subject_id, row.decision_id, facts, was, had, is_new, placed)


def _holdings(connection: Connection, customers: Iterable[str]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for row in _HELD(connection, of_customers=listed((one,) for one in sorted(customers))):
        found.setdefault(row.customer_id, []).append(row)
    return found


def _closed(connection: Connection, since_us: int, until_us: int) -> Iterator[Closed]:
    outcome, task = tables.outcome, tables.task
    more_to_do = exists().where(
        task.c.customer_id == outcome.c.customer_id,
        task.c.created_us <= outcome.c.recorded_us,
        or_(task.c.ended_us.is_(None), task.c.ended_us > outcome.c.recorded_us),
    )
    wanted = (
        select(outcome.c.customer_id, outcome.c.recorded_us)
        .where(_ends(), outcome.c.recorded_us >= since_us, outcome.c.recorded_us < until_us, ~more_to_do)
        .order_by(outcome.c.recorded_us, outcome.c.outcome_id)
    )
    for rows in _chunks(connection, wanted):
        held = _holdings(connection, {row.customer_id for row in rows})
        for row in rows:
            had = [one for one in held.get(row.customer_id, ()) if one.from_us <= row.recorded_us]
            if had:
                holder = Holder(had[-1].holder_kind, had[-1].holder_id)
                yield Closed(row.recorded_us, row.customer_id, holder)


def _open(connection: Connection, at_us: int) -> Mapping[str, int]:
    """Return how many customers each person had open: whose work had not ended by then, or had begun again."""
    holding, customer, outcome, task = tables.holding, tables.customer, tables.outcome, tables.task
    ended = exists().where(
        outcome.c.customer_id == holding.c.customer_id, _ends(), outcome.c.recorded_us < at_us
    )
    to_do = exists().where(
        task.c.customer_id == holding.c.customer_id,
        task.c.created_us < at_us,
        or_(task.c.ended_us.is_(None), task.c.ended_us >= at_us),
    )
    rows = connection.execute(
        select(holding.c.holder_id, func.count().label("customers"))
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(
            holding.c.role == "owner",
            holding.c.holder_kind == "person",
            holding.c.from_us < at_us,
            or_(holding.c.to_us.is_(None), holding.c.to_us >= at_us),
            customer.c.purpose != "probe",
            or_(~ended, to_do),
        )
        .group_by(holding.c.holder_id)
    )
    return {row.holder_id: row.customers for row in rows}


def _ends() -> Any:
    return and_(tables.outcome.c.code.in_(ENDING), tables.outcome.c.next_us.is_(None))


def _chunks(connection: Connection, wanted: Select[Any]) -> Iterator[list[Any]]:
    """Yield the rows of a query, so many at a time; however many there are, few are in memory."""
    with closing(connection.execute(wanted.execution_options(yield_per=AT_ONCE))) as rows:
        while chunk := list(islice(rows, AT_ONCE)):
            yield chunk


_OF_A_LEAD = (
    "lead_id", "accepted_us", "channel", "source_id", "campaign_id", "product_line", "product", "industry",
    "province", "city", "language", "score", "grade", "fields_json", "more_json",
)  # fmt: skip
_DECIDED = Prepared(
    select(
        *(tables.lead.c[name] for name in _OF_A_LEAD),
        *(tables.decision.c[name] for name in ("decision_id", "subject_id", "decided_us", "rule_id", "code")),
        tables.customer.c.kind.label("customer_kind"),
        tables.customer.c.born_lead,
        tables.task.c.due_us,
    )
    .select_from(
        tables.decision.join(tables.lead, tables.lead.c.lead_id == tables.decision.c.lead_id)
        .join(tables.customer, tables.customer.c.customer_id == tables.decision.c.subject_id)
        .outerjoin(
            tables.task,
            and_(tables.task.c.decision_id == tables.decision.c.decision_id, tables.task.c.ordinal == 0),
        )
    )
    .where(OneOf(["decision.decision_id"], "of_decisions"), tables.lead.c.purpose != "probe")
)
"""Looked up by key, since sorting whole leads would hold all of them in memory."""
_HELD = Prepared(
    select(
        tables.holding.c.customer_id,
        tables.holding.c.from_us,
        tables.holding.c.to_us,
        tables.holding.c.holder_kind,
        tables.holding.c.holder_id,
    )
    .where(OneOf(["holding.customer_id"], "of_customers"), tables.holding.c.role == "owner")
    .order_by(tables.holding.c.customer_id, tables.holding.c.from_us)
)
