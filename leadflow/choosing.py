"""Which customers are meant, and who gets which: filters and targets as a person writes them, made rows of an act."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, select

from router.office import office_of
from router.share_out import Sharing, Target, TargetError, needs_rules, read_target
from sales.lead_facts import facts_of_row
from sales.segments import CustomerFacts, customers_of, members
from schemas.company import Company
from schemas.decision_table import TableError
from schemas.segments import CUSTOMER_FACTS, Segment, read_segments
from store import tables
from store.acts_move import Give
from store.bulk import keys_in
from store.present import atoms_of

_AT_ONCE = 5_000
"""Customers whose leads are read at once: a hand-over of a hundred thousand must not hold all of them in memory."""


class ChoiceError(ValueError):
    """A filter, a target or a file cannot be read; the message says what to write instead."""


@dataclass(frozen=True, slots=True)
class Part:
    """What a filter takes, and who gets it. No segment and no customers: everything."""

    target: Target
    segment: Segment | None = None
    customers: frozenset[str] | None = None


def read_filter(text: str, company: Company) -> Segment | None:
    """Read `province=江苏, 浙江; grade=A; segment=hot` as conditions that all hold; None for an empty one or `*`.

    A condition is a fact and a test as in segments.csv. Raises ChoiceError.
    """
    cells: dict[str, str] = {}
    named: str | None = None
    for part in (one for one in text.split(";") if one.strip() not in ("", "*")):
        fact, is_said, test = part.partition("=")
        fact = fact.strip()
        if not is_said or not (fact in CUSTOMER_FACTS or fact == "segment"):
            known = ", ".join(("segment", *CUSTOMER_FACTS))
            raise ChoiceError(f"{part.strip()!r} is no filter; write FACT=TEST with one of: {known}")
        if fact == "segment":
            named = test.strip()
        else:
            cells[fact] = test.strip()
    rows = {one.row.name: one for one in read_segments(company.segments_csv or _HEADER)}
    if named is not None and named not in rows:
        raise ChoiceError(f"There is no segment {named!r}; known: {', '.join(rows) or 'none'}")
    if not cells:
        return rows[named] if named is not None else None
    if named is not None:
        cells |= {column: cell for column, cell, _ in rows[named].row.tests if column not in cells}
    written = io.StringIO()
    table = csv.writer(written)
    table.writerow(["segment", "name_zh", "name_en", *cells])
    table.writerow(["filter", "filter", "filter", *cells.values()])
    try:
        return read_segments(written.getvalue())[0]
    except TableError as error:
        raise ChoiceError(f"{text!r}: {error}") from None


_HEADER = "segment,name_zh,name_en\n"


def read_part(text: str, company: Company) -> Part:
    """Read `FILTER => TARGET`. Raises ChoiceError."""
    said, arrow, target = text.rpartition("=>")  # a test such as `days_silent=>= 60` holds one, too
    if not arrow:
        raise ChoiceError(f"{text!r} has no target; write FILTER => TARGET, such as 'grade=A => wu-ting'")
    return Part(_target(target, company), read_filter(said, company))


def read_plan(data: str, company: Company) -> list[Part]:
    """Read a plan as CSV with the columns `customer` (or `filter`) and `to`. Raises ChoiceError."""
    rows = csv.DictReader(io.StringIO(data.lstrip("\ufeff")))
    columns = set(rows.fieldnames or ())
    if "to" not in columns or not columns & {"customer", "filter"}:
        raise ChoiceError("line 1: the columns must be `customer` and `to`, or `filter` and `to`")
    by_target: dict[str, set[str]] = {}
    parts: list[Part] = []
    for row in rows:
        to = (row.get("to") or "").strip()
        if not to:
            continue  # a dry run leaves it empty where a row was refused
        if customer := (row.get("customer") or "").strip():
            by_target.setdefault(to, set()).add(customer)
        else:
            try:
                parts.append(Part(_target(to, company), read_filter(row.get("filter") or "", company)))
            except ChoiceError as error:
                raise ChoiceError(f"line {rows.line_num}: {error}") from None
    named = [Part(_target(to, company), None, frozenset(some)) for to, some in by_target.items()]
    return [*named, *parts]


def _target(text: str, company: Company) -> Target:
    try:
        return read_target(text, company)
    except TargetError as error:
        raise ChoiceError(str(error)) from None


def chosen_of(
    connection: Connection, company: Company, segment: Segment, among: Collection[str] | None, now_us: int
) -> list[str]:
    """Return the customers that a filter takes, of `among` or of all, in the order of their ids."""
    return sorted(one.customer_id for one in members(_facts(connection, company, among, now_us), segment))


def _facts(
    connection: Connection, company: Company, among: Collection[str] | None, now_us: int
) -> Iterator[CustomerFacts]:
    if among is None:
        yield from customers_of(connection, company, now_us)
        return
    wanted = sorted(among)
    for start in range(0, len(wanted), _AT_ONCE):
        yield from customers_of(connection, company, now_us, wanted[start : start + _AT_ONCE])


def share_out(
    connection: Connection,
    company: Company,
    customers: Collection[str],
    parts: Sequence[Part],
    now_us: int,
    *,
    without: str | None = None,
) -> tuple[list[Give], list[str]]:
    """Return who gets which customer, by the first part that takes it, and those that none takes. Changes nothing.

    `without`: whose customers these are; the rule book gives them none back.
    """
    left = sorted(set(customers))
    sharing = Sharing(office_of(company), now_us, without)
    gives: list[Give] = []
    for part in parts:
        if part.segment is not None:
            taken: Collection[str] = set(chosen_of(connection, company, part.segment, left, now_us))
        elif part.customers is not None:
            taken = part.customers & set(left)
        else:
            taken = set(left)
        mine = [one for one in left if one in taken]
        left = [one for one in left if one not in taken]
        for start in range(0, len(mine), _AT_ONCE):
            some = mine[start : start + _AT_ONCE]
            facts = rule_facts(connection, company, some) if needs_rules([part.target]) else {}
            for customer_id in some:
                to = sharing.choose(part.target, customer_id, facts.get(customer_id))
                gives.append(Give(customer_id, to.kind, to.holder_id, to.team_id, to.rule_id, to.conditions))
    return gives, left


def rule_facts(
    connection: Connection, company: Company, customers: Iterable[str]
) -> dict[str, dict[str, str]]:
    """Return by customer what the rule book may ask, as the newest enquiry on record says it (schemas.facts)."""
    lead, member, customer = tables.lead, tables.membership, tables.customer
    atoms = atoms_of(connection, customers)
    wanted = keys_in(connection, ["membership.customer_id"], [(one,) for one in atoms])
    rows = connection.execute(
        select(lead, member.c.customer_id, customer.c.kind.label("customer_kind"))
        .join(member, (member.c.lead_id == lead.c.lead_id) & member.c.to_us.is_(None))
        .join(customer, customer.c.customer_id == member.c.customer_id)
        .where(wanted, lead.c.kind == "enquiry")
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    )
    return {atoms[row.customer_id]: facts_of_row(row, company, is_new=False) for row in rows}
