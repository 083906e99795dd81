"""What the open pools hold, and what of a person's past counts when they claim. Reads only; no row of it says who a customer is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from schemas.company import Company, Member
from schemas.facts import day_of
from schemas.pools import Claimer, Entry, Pool
from schemas.work import Reason
from store import tables
from store.bulk import keys_in
from store.present import atoms_of

CLAIM, RELEASE = "claim", "release"
"""The verbs of the acts."""
_TWO_DAYS_US = 2 * 86_400_000_000
"""No local day is longer."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many customers lie in a pool, and since when the oldest does."""

    customers: int
    oldest_us: int | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A customer that somebody claimed and still has."""

    customer_id: str
    pool_id: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Lying:
    """A customer in a pool and what may be shown of it before somebody has it: no name, number, address or word of theirs."""

    customer_id: str
    pool_id: str
    since_us: int
    code: str | None
    """Why it is there: the code of the decision."""
    kind: str
    product_line: str | None = None
    product: str | None = None
    industry: str | None = None
    province: str | None = None
    city: str | None = None
    grade: str | None = None
    channel: str | None = None
    asked_us: int | None = None
    """When it last asked for something."""


def counts(connection: Connection) -> dict[str, Count]:
    """Return how full each pool is; those that are empty are not in it."""
    holding = tables.holding
    rows = connection.execute(
        select(
            holding.c.holder_id, func.count().label("customers"), func.min(holding.c.from_us).label("oldest")
        )
        .where(holding.c.holder_kind == "pool", holding.c.role == "owner", holding.c.to_us.is_(None))
        .group_by(holding.c.holder_id)
    )
    return {row.holder_id: Count(row.customers, row.oldest) for row in rows}


def lying(connection: Connection, pool_id: str, limit: int | None = None) -> list[Lying]:
    """Return the customers in a pool, who is there longest first."""
    holding, decision, customer = tables.holding, tables.decision, tables.customer
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.from_us, decision.c.code, customer.c.kind)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .where(
            holding.c.holder_kind == "pool",
            holding.c.holder_id == pool_id,
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
        )
        .order_by(holding.c.from_us, holding.c.customer_id)
        .limit(limit)
    ).all()
    asked = newest_enquiries(connection, [row.customer_id for row in rows])
    return [
        Lying(row.customer_id, pool_id, row.from_us, row.code, row.kind, **asked.get(row.customer_id, {}))
        for row in rows
    ]


def newest_enquiries(connection: Connection, customers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return by customer what its newest enquiry is about, in the words of the company's lists."""
    lead, member = tables.lead, tables.membership
    atoms = atoms_of(connection, customers)
    rows = connection.execute(
        select(
            member.c.customer_id,
            lead.c.product_line,
            lead.c.product,
            lead.c.industry,
            lead.c.province,
            lead.c.city,
            lead.c.grade,
            lead.c.channel,
            lead.c.accepted_us.label("asked_us"),
        )
        .join(lead, lead.c.lead_id == member.c.lead_id)
        .where(
            keys_in(connection, ["membership.customer_id"], [(one,) for one in atoms]),
            member.c.to_us.is_(None),
            lead.c.kind == "enquiry",
        )
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    ).mappings()
    return {
        atoms[row["customer_id"]]: {name: row[name] for name in row if name != "customer_id"} for row in rows
    }


def entries(connection: Connection, since: dict[str, int], person_id: str) -> dict[str, Entry]:
    """Return by customer (each with since when it lies in a pool) what counts if a person would claim it."""
    holding = tables.holding
    atoms = atoms_of(connection, since)
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_id, holding.c.to_us)
        .where(
            keys_in(connection, ["customer_id"], [(one,) for one in atoms]),
            holding.c.role == "owner",
            holding.c.holder_kind == "person",
            holding.c.to_us.is_not(None),
        )
        .order_by(holding.c.to_us)
    ).all()
    had: dict[str, int] = {}
    last: dict[str, str] = {}
    for row in rows:
        name = atoms[row.customer_id]
        last[name] = row.holder_id
        if row.holder_id == person_id:
            had[name] = row.to_us
    return {
        name: Entry(since_us, had.get(name), last.get(name) == person_id) for name, since_us in since.items()
    }


def claims_of(connection: Connection, person_id: str) -> list[Claimed]:
    """Return the customers, open and closed ones, that a person claimed out of a pool and still has."""
    holding, decision, customer = tables.holding, tables.decision, tables.customer
    rows = connection.execute(
        select(holding.c.customer_id, decision.c.reason_json, customer.c.state)
        .join(decision, holding.c.decision_id == decision.c.decision_id)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(
            holding.c.holder_kind == "person",
            holding.c.holder_id == person_id,
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
            decision.c.code == "claimed",
        )
    )
    found = ((row, orjson.loads(row.reason_json).get("pool_id")) for row in rows)
    return [Claimed(row.customer_id, pool_id, row.state == "open") for row, pool_id in found if pool_id]


def claimer(connection: Connection, company: Company, pool: Pool, person_id: str, now_us: int) -> Claimer:
    """Return what counts of a person who would claim from a pool now."""
    decision, act = tables.decision, tables.act
    held = claims_of(connection, person_id)
    made = connection.execute(
        select(decision.c.reason_json, act.c.recorded_us)
        .join(decision, (decision.c.event_id == act.c.act_id) & (decision.c.stage == "act"))
        .where(act.c.actor == person_id, act.c.recorded_us > now_us - _TWO_DAYS_US, act.c.verb == CLAIM)
    )
    today = day_of(company.zone, now_us)
    return Claimer(
        may_claim(company, pool, person_id, now_us),
        sum(one.is_open and one.pool_id == pool.pool_id for one in held),
        sum(
            orjson.loads(reason_json).get("pool_id") == pool.pool_id and day_of(company.zone, at_us) == today
            for reason_json, at_us in made
        ),
    )


def claimed_from(connection: Connection, decision_id: str | None) -> str | None:
    """Return the pool out of which somebody claimed a customer by a decision; None if it was no claim."""
    decision = tables.decision
    row = connection.execute(
        select(decision.c.reason_json).where(
            decision.c.decision_id == decision_id, decision.c.code == "claimed"
        )
    ).one_or_none()
    return Reason.model_validate_json(row.reason_json).pool_id if row is not None else None


def may_claim(company: Company, pool: Pool, person_id: str, now_us: int) -> bool:
    """Tell whether a pool is for a person: it is for all, or they work in, or manage, one of its units or one below."""
    person = company.people.get(person_id)
    if person is None or person.state != "active":
        return False
    return not pool.units or bool(_units_in(company, pool, person_id, now_us))


def team_of(company: Company, pool: Pool, person_id: str, now_us: int) -> str:
    """Return the team in whose ledger a claim counts: one of the claimer's that the pool is for, else any of theirs."""
    own = [one.unit_id for one in _places(company, person_id, now_us)]
    within = [one for one in _units_in(company, pool, person_id, now_us) if one in own]
    return next(iter([*within, *own, *pool.units]), company.default_queue)


def _places(company: Company, person_id: str, now_us: int) -> Iterator[Member]:
    for one in company.members:
        ended = one.to_us is not None and one.to_us <= now_us
        if one.person_id == person_id and one.from_us <= now_us and not ended:
            yield one


def _units_in(company: Company, pool: Pool, person_id: str, now_us: int) -> list[str]:
    own = {one.unit_id for one in _places(company, person_id, now_us)}
    managed = {unit.unit_id for unit in company.units.values() if unit.manager_id == person_id}
    return [one for one in sorted(own | managed) if not pool.units or _is_within(company, one, pool.units)]


def _is_within(company: Company, unit_id: str | None, units: tuple[str, ...]) -> bool:
    seen = set[str]()
    while unit_id is not None and unit_id not in seen:
        if unit_id in units:
            return True
        seen.add(unit_id)
        unit = company.units.get(unit_id)
        unit_id = unit.parent_id if unit else None
    return False
