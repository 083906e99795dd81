"""The blind check: is this customer taken? Answers with department, since when and whom to ask, and nothing else.

Whoever has a customer in front of them may ask before a second department calls it. Each question is an act with its
actor, which the owner sees; what was asked for is kept nowhere.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Connection, func, literal_column, select, text

from enrich.identifiers import is_placeholder_phone
from enrich.match.companies import Company as CompanyName
from enrich.match.companies import company_of
from enrich.match.compare_company import BRAND, company_pair
from enrich.match.pack import unpack
from enrich.match.record import record_of
from enrich.near import compared_by
from enrich.phone import parse_phone
from schemas.company import Company, Unit
from schemas.work import ASKED
from store import tables
from store.acts import ActRefused, Command, Plan
from store.bulk import OneOf, Prepared, keys_in, listed
from store.effects import Effect
from store.ended import KNOWN, Ended, endings
from store.locks import lock_act
from store.present import atoms_of, present_ids
from store.similar import leads_under, records_of
from store.whose import WHOSE, Aside, asides

NOBODY = "nobody"
"""The scope of a question whose answer was no."""
AN_HOUR = 30
"""Customers asked about in an hour: more than anybody has in front of them, and too few to go through a list."""
FRONT_DESK_AN_HOUR = 120
"""Of whoever takes the calls of a whole house: two a minute."""
MOST = 5
"""Customers told of: a name that fits more is not a name to ask about."""
_HOUR_US = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Taken:
    """Who has a customer, as far as a colleague is told."""

    customer_id: str
    unit_id: str
    """Their department, else their team; or whose waiting queue it is in."""
    since_us: int
    ask: str | None
    """The person to ask: the nearest manager above, else who answers for what nobody has; of what is put aside, who had it."""
    yours: bool
    holder_id: str
    """Who has it: told to the front desk, which calls them, and to whoever sees this holder's work."""
    ended: Ended | None = None
    """How the work ended, of a customer that is closed: whoever has it gets what comes of it again. Others are told that
    it is closed, and no more."""
    aside: Aside | None = None
    """Of one that is put aside, until when; `holder_id` then had it last."""


def look_up(connection: Connection, company: Company, asked: str, actor: str) -> list[Taken]:
    """Return who has the customers behind a whole telephone number, or else a company's name, the longest held first.

    None if nobody has. Raises ActRefused for a number that is not whole, and for a name that many have or that fits
    more than `MOST` customers.
    """
    if not any(map(str.isalpha, asked)):
        return who_has(connection, company, _with_phone(connection, asked), actor)
    if company.matching == "off":
        raise ActRefused(
            "names_not_kept", "Companies are not found by name while `matching` is off; ask by telephone."
        )
    found = who_has(connection, company, _named(connection, asked), actor)
    if len(found) > MOST:
        raise ActRefused(
            "name_fits_many", "This name fits many customers; write it in full, or ask by telephone."
        )
    return found


def _with_phone(connection: Connection, received: str) -> list[str]:
    """Return whom a whole telephone number belongs to, under their present ids. Raises ActRefused for less than one."""
    phone = parse_phone(received)
    if phone is None or phone.line not in ("mobile", "landline") or is_placeholder_phone(phone.e164):
        raise ActRefused(
            "not_a_number", "Write a whole telephone number of a person or company, with the area code."
        )
    identifier, member = tables.lead_identifier, tables.membership
    kind = "mobile" if phone.line == "mobile" else "landline"
    rows = connection.execute(
        select(member.c.customer_id)
        .join(identifier, identifier.c.lead_id == member.c.lead_id)
        .where(
            identifier.c.kind == kind,
            identifier.c.value == phone.e164,
            identifier.c.trust != "none",
            member.c.to_us.is_(None),
        )
        .distinct()
    )
    return sorted(set(present_ids(connection, rows.scalars()).values()))


def _named(connection: Connection, received: str) -> list[str]:
    """Return the customers that are a company, under their present ids: the same name, or without region and legal form.

    Raises ActRefused for a name that many have.
    """
    name = company_of(received)
    if name is None:
        raise ActRefused(
            "not_a_name", "Write the company's name as it is registered; this one says too little."
        )
    keys = compared_by(record_of("asked", {"company": [received]})).keys
    leads = {lead_id for under in leads_under(connection, keys).values() for lead_id, _ in under}
    return sorted(
        {
            row.customer_id
            for row in records_of(connection, leads)
            if _is_one_of(name, unpack(row.packed).companies)
        }
    )


def _is_one_of(name: CompanyName, others: Sequence[CompanyName]) -> bool:
    return any(company_pair(name, other) <= BRAND for other in others)


_OWNERS = Prepared(
    select(
        tables.holding.c.customer_id,
        tables.customer.c.state,
        tables.holding.c.holder_kind,
        literal_column(WHOSE).label("holder_id"),
        tables.holding.c.from_us,
    )
    .join(tables.customer, tables.customer.c.customer_id == tables.holding.c.customer_id)
    .where(
        OneOf(["holding.customer_id"], "of_customers"),
        tables.holding.c.role == "owner",
        tables.holding.c.to_us.is_(None),
        tables.customer.c.purpose != "probe",
        text(KNOWN),
    )
    .order_by(tables.holding.c.from_us, tables.holding.c.customer_id)
)


def who_has(connection: Connection, company: Company, customers: Collection[str], actor: str) -> list[Taken]:
    """Return those of these customers that one knows (store.ended) and whose they are, the longest held first."""
    if not customers:
        return []
    rows = _OWNERS(connection, of_customers=listed((one,) for one in customers))
    return owned(connection, company, [Owned._make(row) for row in rows], actor)


class Owned(NamedTuple):
    """A customer, and whose it is since when."""

    customer_id: str
    state: str
    holder_kind: str
    holder_id: str
    from_us: int


def owned(connection: Connection, company: Company, rows: Sequence[Owned], actor: str) -> list[Taken]:
    """Return what there is to tell of customers, in this order."""
    ended = endings(connection, [one.customer_id for one in rows if one.state == "closed"])
    aside = asides(connection, [one.customer_id for one in rows if one.holder_kind == "nurture"])
    found = []
    for customer_id, _, kind, holder_id, from_us in rows:
        units = _units_above(company, holder_id)
        unit_id = department_of(company, holder_id) or company.default_queue
        # What is put aside no manager has before them: who had it last knows it.
        knows = holder_id if kind == "nurture" and _works_here(company, holder_id) else None
        ask = knows or _manager(company, units, holder_id) or company.responsible_id
        more = (ended.get(customer_id), aside.get(customer_id))
        found.append(Taken(customer_id, unit_id, from_us, ask, holder_id == actor, holder_id, *more))
    return found


def department_of(company: Company, holder_id: str) -> str | None:
    """Return the department of a person or unit, else their team; None of somebody who is in none."""
    units = _units_above(company, holder_id)
    department = next((one for one in units if one.kind == "department"), units[0] if units else None)
    return department.unit_id if department else None


def _units_above(company: Company, holder_id: str) -> list[Unit]:
    """Return the holder's unit and those above it, the nearest first; of somebody who left, where they were last."""
    unit_id = holder_id if holder_id in company.units else _place(company, holder_id)
    found: list[Unit] = []
    while unit_id is not None and (unit := company.units.get(unit_id)) is not None and unit not in found:
        found.append(unit)
        unit_id = unit.parent_id
    return found


def _place(company: Company, person_id: str) -> str | None:
    places = [one for one in company.members if one.person_id == person_id]
    now = next((one for one in places if one.to_us is None), None)
    last = now or max(places, key=lambda one: one.to_us or 0, default=None)
    return last.unit_id if last else None


def _manager(company: Company, units: Sequence[Unit], holder_id: str) -> str | None:
    managers = (one.manager_id for one in units if one.manager_id not in (None, holder_id))
    return next((one for one in managers if one is not None and _works_here(company, one)), None)


def _works_here(company: Company, person_id: str) -> bool:
    person = company.people.get(person_id)
    return person is not None and person.state == "active"


def scopes_of(found: Sequence[Taken]) -> list[str]:
    """Return the scopes of the acts that are to be done before an answer is given: each customer, or nobody."""
    return [one.customer_id for one in found] or [NOBODY]


def an_hour(roles: Collection[str]) -> int:
    """Return about how many customers somebody of these roles may ask in an hour."""
    return FRONT_DESK_AN_HOUR if "front_desk" in roles else AN_HOUR


def asking(most: int = AN_HOUR) -> Plan:
    """Return the plan that keeps who asked about a customer (the command's scope). Refused beyond so many an hour.

    Who asks about the same customer again learns nothing new: it is kept, and does not count.
    """

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        lock_act(connection, f"{ASKED} {command.actor}")  # two questions at once count as two
        act = tables.act
        asked = connection.execute(
            select(act.c.scope_id, func.count())
            .where(act.c.actor == command.actor, act.c.verb == ASKED, act.c.recorded_us > now_us - _HOUR_US)
            .group_by(act.c.scope_id)
        ).all()
        counts = {row[0]: row[1] if row[0] == NOBODY else 1 for row in asked}
        is_again = command.scope_id != NOBODY and command.scope_id in counts
        if not is_again and sum(counts.values()) >= most:
            raise ActRefused(
                "asked_too_often", f"You asked about {most} customers within an hour; ask your manager."
            )
        return []

    return plan


def questions_about(
    connection: Connection, customers: Collection[str]
) -> dict[str, tuple[tuple[str, int], ...]]:
    """Return who asked about these customers and when (µs), the latest first; each asker once."""
    act = tables.act
    atoms = atoms_of(connection, customers)
    wanted = keys_in(connection, ["scope_id"], [(one,) for one in atoms])
    last = func.max(act.c.recorded_us).label("last_us")
    rows = connection.execute(
        select(act.c.scope_id, act.c.actor, last)
        .where(wanted, act.c.verb == ASKED)
        .group_by(act.c.scope_id, act.c.actor)
        .order_by(last.desc(), act.c.actor)
    )
    found: dict[str, dict[str, int]] = {}
    for row in rows:
        found.setdefault(atoms[row.scope_id], {}).setdefault(row.actor, row.last_us)
    return {customer_id: tuple(who.items()) for customer_id, who in found.items()}
