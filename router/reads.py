"""What the route stage reads for a batch: holders, tasks, queues, ledgers and loads, each in one query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson
from sqlalchemy import Connection, bindparam, func, or_, select, tuple_

from router.book import Found
from router.eligible import NO_NEEDS, Needs, needs_of
from router.ladder import Watch
from router.office import Office
from router.route import JUST_WAITS, Holder, Total, Waits
from router.strategies import offered_until
from schemas.company import territory_for
from schemas.resolved import ResolvedLead
from store import tables
from store.bulk import OneOf, Prepared, keys_in, listed
from store.ledger import NO_GRADE, period_of
from store.present import present, with_alias
from store.whose import asides
from worktime.localtime import day_start, zone_of


@dataclass(frozen=True, slots=True)
class Waiting:
    """A customer in a waiting queue: since when, what its newest lead needs, and how it came there."""

    since_us: int
    needs: Needs = NO_NEEDS
    grade: str = NO_GRADE
    how: Waits = JUST_WAITS
    """As the rule says by which it waits, or who returned it."""
    offered_until_us: int = 0
    """Until then it is whoever takes it first who gets it (`call_now`)."""


@dataclass(frozen=True, slots=True)
class Aside:
    """A customer that is put aside (`nurture`): who had it last, which team got it last, and until when."""

    person_id: str | None
    team_id: str | None
    wakes_us: int | None


@dataclass
class RouteFacts:
    """Holders, open tasks, ledgers and one queue, with what this batch has changed so far."""

    office: Office
    resolved: dict[str, ResolvedLead]
    customers: dict[str, str] = field(default_factory=dict)
    """Lead to its customer's present id: it may have been merged or parted since it was resolved."""
    holders: dict[str, Holder] = field(default_factory=dict)
    routed: dict[str, int] = field(default_factory=dict)
    tasks: dict[str, dict[str, str]] = field(default_factory=dict)
    """Customer to open tasks, each with its origin."""
    totals: dict[tuple[str, str, str], dict[str, Total]] = field(default_factory=dict)
    """By team, period and grade: what each person received and is entitled to."""
    last_us: dict[tuple[str, str], int] = field(default_factory=dict)
    """By team and person: when they were last given something; of those teams where it matters."""
    open: dict[str, int] = field(default_factory=dict)
    """Open customers, by person; of those of whom it matters."""
    today: dict[tuple[int, str], int] = field(default_factory=dict)
    """Leads received, by the beginning of the day and person; of those who have a cap of the day."""
    states: dict[str, str] = field(default_factory=dict)
    rules: dict[str, tuple[Found, Needs] | None] = field(default_factory=dict)
    """By event, for leads that do not stay with whoever has their customer."""
    met: dict[str, Found] = field(default_factory=dict)
    """By event, of a book that says what becomes of owners: the rule of its lead, should it stay with one."""
    beside: dict[str, set[str]] = field(default_factory=dict)
    """By customer, where it matters: who works on it beside the owner."""
    claims: set[tuple[str, str]] = field(default_factory=set)
    """(customer, claimant) of claims of which nobody decided yet, where it matters."""
    done: set[tuple[str, str]] = field(default_factory=set)
    """(event, customer) decided on before: what comes twice leads to nothing the second time."""
    queue: list[str] = field(default_factory=list)
    more: bool = False
    """Others wait in the queue beyond those."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """What is known of the queue's customers."""
    opens: set[tuple[str, int]] = field(default_factory=set)
    aside: dict[str, Aside] = field(default_factory=dict)
    """Of customers that are put aside."""
    woken: dict[str, str] = field(default_factory=dict)
    """By event: the present id of the customer that is to wake by it."""
    watch: Watch = field(default_factory=Watch)
    """Customers whose ladder is looked at."""


def period_at(office: Office, at_us: int) -> str:
    return period_of(at_us, office.company.zone)


def day_at(office: Office, at_us: int) -> int:
    return day_start(at_us, zone_of(office.company.zone))


def read_done(connection: Connection, facts: RouteFacts, event_ids: Sequence[str]) -> None:
    for row in _DONE(connection, of_events=listed((one,) for one in event_ids)):
        facts.done.add((row.event_id, row.subject_id))


def read_customers(connection: Connection, resolved: dict[str, ResolvedLead]) -> dict[str, str]:
    found = {one.lead.lead_id: one.customer_id for one in resolved.values()}
    if found:
        for row in _PRESENT(connection, of_leads=listed((lead_id,) for lead_id in found)):
            found[row.lead_id] = row.customer_id
    return found


def read_holders(connection: Connection, facts: RouteFacts, customers: set[str]) -> None:
    for row in _HOLDERS(connection, of_customers=listed((one,) for one in customers)):
        facts.holders[row.customer_id] = Holder(row.holder_kind, row.holder_id)
        facts.routed[row.customer_id] = row.routed_us
        facts.states[row.customer_id] = row.state


def read_beside(connection: Connection, facts: RouteFacts, customers: set[str]) -> None:
    """Read who works on these customers beside their owners, and which claims on them are open."""
    keys = listed((one,) for one in customers)
    for row in _BESIDE(connection, of_customers=keys):
        facts.beside.setdefault(row.customer_id, set()).add(row.holder_id)
    facts.claims |= {(row.customer_id, row.claimant_id) for row in _CLAIMS(connection, of_customers=keys)}


def read_tasks(connection: Connection, facts: RouteFacts, customers: set[str]) -> None:
    for row in _TASKS(connection, of_customers=listed((one,) for one in customers)):
        facts.tasks.setdefault(row.customer_id, {})[row.task_id] = row.origin


def read_aside(connection: Connection, facts: RouteFacts) -> None:
    """Read of those of the customers that are put aside whom they come back to."""
    customers = [key for key, holder in facts.holders.items() if holder.kind == "nurture"]
    if not customers:
        return
    decision = tables.decision
    teams: dict[str, str] = {}
    of_customers = keys_in(connection, ["subject_id"], [(one,) for one in customers])
    for row in connection.execute(
        select(decision.c.subject_id, decision.c.reason_json)
        .where(of_customers, decision.c.stage.in_(("route", "act")))
        .order_by(decision.c.decided_us, decision.c.decision_id)
    ):
        if team_id := orjson.loads(row.reason_json).get("team_id"):
            teams[row.subject_id] = team_id
    for key, one in asides(connection, customers).items():
        facts.aside[key] = Aside(one.person_id, teams.get(key), one.wakes_us)


def read_queue(connection: Connection, place: tuple[str, tuple[int, str] | None], limit: int) -> list[str]:
    """Return customers waiting for a team, oldest first, behind a place in its queue: so many at most."""
    team_id, after = place
    holding = tables.holding
    behind = [] if after is None else [tuple_(holding.c.from_us, holding.c.customer_id) > after]
    return list(
        connection.execute(
            select(holding.c.customer_id)
            .where(
                holding.c.holder_kind == "queue",
                holding.c.holder_id == team_id,
                holding.c.role == "owner",
                holding.c.to_us.is_(None),
                *behind,
            )
            .order_by(holding.c.from_us, holding.c.customer_id)
            .limit(limit)
        ).scalars()
    )


def read_waiting(connection: Connection, facts: RouteFacts) -> None:
    """Read how the queue's customers came there: by which rule's strategy, or returned by whom; and what they need."""
    holding, decision, act = tables.holding, tables.decision, tables.act
    wanted = keys_in(connection, ["holding.customer_id"], [(one,) for one in facts.queue])
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.from_us, decision.c.code, decision.c.reason_json, act.c.actor)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .outerjoin(act, act.c.act_id == decision.c.event_id)
        .where(wanted, holding.c.role == "owner", holding.c.to_us.is_(None))
    ).all()
    needs = _read_needs(connection, facts)
    for row in rows:
        said = orjson.loads(row.reason_json) if row.code in ("waiting", "call_now") else {}
        offered = row.code == "call_now"
        facts.waiting[row.customer_id] = Waiting(
            row.from_us,
            *needs.get(row.customer_id, (NO_NEEDS, NO_GRADE)),
            how=Waits(
                said.get("strategy"),
                said.get("protect_days"),
                row.actor if row.code == "returned" else None,
            ),
            offered_until_us=offered_until(said.get("strategy"), row.from_us) if offered else 0,
        )


def _read_needs(connection: Connection, facts: RouteFacts) -> dict[str, tuple[Needs, str]]:
    """Return what the newest lead of each of the queue's customers needs, and its grade; a correction needs nothing."""
    lead, member, alias = tables.lead, tables.membership, tables.alias
    keys = [(one,) for one in facts.queue]
    merged = select(alias.c.old_id).where(keys_in(connection, ["now_id"], keys))
    rows = connection.execute(
        select(lead, func.coalesce(alias.c.now_id, member.c.customer_id).label("customer_id"))
        .join(member, member.c.lead_id == lead.c.lead_id)
        .outerjoin(alias, alias.c.old_id == member.c.customer_id)
        .where(
            member.c.to_us.is_(None),
            lead.c.kind != "correction",
            or_(
                keys_in(connection, ["membership.customer_id"], keys),
                member.c.customer_id.in_(merged),
            ),
        )
        .order_by(lead.c.accepted_us, lead.c.lead_id)
    )
    found = {}
    for row in rows:
        territory = territory_for(facts.office.company, row.province, row.city)
        about = {
            "language": row.language or "",
            "product_line": row.product_line or "",
            "territory": territory.territory_id if territory else "",
            **{name: row._mapping[name] or "" for name in ("product", "industry", "province", "city")},
            "campaign": row.campaign_id or "",
        }
        found[row.customer_id] = (needs_of(about), row.grade or NO_GRADE)
    return found


def capped(office: Office, teams: set[str]) -> set[str]:
    """Return who of these teams has a cap, as what to lock: they may be of several teams."""
    people = office.company.people
    members = (one.person_id for team in teams for one in office.members.get(team, ()))
    return {f"person {one}" for one in members if one in people and people[one].is_capped}


def read_ledgers(
    connection: Connection, facts: RouteFacts, ways: set[tuple[str, str | None]], moments: set[int]
) -> None:
    office = facts.office
    periods = {period_at(office, at_us) for at_us in moments}
    recent = {team for team, strategy in ways if strategy == "least_recent"}
    before = {period_at(office, at_us - _MONTH_US) for at_us in moments} if recent else set()
    wanted = listed((team, period) for team in office.members for period in periods | before)
    for row in _TOTALS(connection, of_periods=wanted):
        if row.period in periods:
            total = (row.received, row.entitled, row.last_us)
            facts.totals.setdefault((row.team_id, row.period, row.grade), {})[row.person_id] = total
        if row.team_id in recent:
            last = (row.team_id, row.person_id)
            facts.last_us[last] = max(row.last_us, facts.last_us.get(last, 0))
    for team in recent:
        for member in office.members.get(team, ()):
            facts.last_us.setdefault((team, member.person_id), 0)


def read_loads(
    connection: Connection,
    facts: RouteFacts,
    teams: set[str],
    ways: set[tuple[str, str | None]],
    moments: set[int],
) -> None:
    """Read how much those have already for whom it matters: who has a cap, and teams that share out by load."""
    office, people = facts.office, facts.office.company.people
    by_load = {team for team, strategy in ways if strategy == "least_loaded"}
    for team in teams:
        for member in office.members.get(team, ()):
            person = people.get(member.person_id)
            if person is None:
                continue
            if person.open_cap is not None or team in by_load:
                facts.open[person.person_id] = 0
            if person.day_cap is not None:
                facts.today.update({(day_at(office, at_us), person.person_id): 0 for at_us in moments})
    if facts.open:
        for row in _OPEN(connection, of_people=listed((one,) for one in sorted(facts.open))):
            facts.open[row.holder_id] = row.customers
    if facts.today:
        persons = sorted({who for _, who in facts.today})
        since_us = min(when for when, _ in facts.today)
        for row in _RECEIVED(connection, of_people=listed((one,) for one in persons), since_us=since_us):
            today = (day_at(office, row.at_us), row.person_id)
            if today in facts.today:
                facts.today[today] += row.delta


_HOLDERS = Prepared(
    select(
        tables.customer.c.customer_id,
        tables.customer.c.routed_us,
        tables.customer.c.state,
        tables.holding.c.holder_kind,
        tables.holding.c.holder_id,
    )
    .join(tables.holding, tables.holding.c.customer_id == tables.customer.c.customer_id)
    .where(
        OneOf(["customer.customer_id"], "of_customers"),
        tables.holding.c.role == "owner",
        tables.holding.c.to_us.is_(None),
    )
)
_BESIDE = Prepared(
    select(tables.holding.c.customer_id, tables.holding.c.holder_id).where(
        OneOf(["customer_id"], "of_customers"),
        tables.holding.c.role == "collaborator",
        tables.holding.c.to_us.is_(None),
    )
)
_CLAIMS = Prepared(
    select(tables.claim.c.customer_id, tables.claim.c.claimant_id).where(
        OneOf(["customer_id"], "of_customers"), tables.claim.c.state == "open"
    )
)
_PRESENT = Prepared(
    select(tables.membership.c.lead_id, present(tables.membership.c.customer_id).label("customer_id"))
    .select_from(with_alias(tables.membership, tables.membership.c.customer_id))
    .where(OneOf(["membership.lead_id"], "of_leads"), tables.membership.c.to_us.is_(None))
)
_TASKS = Prepared(
    select(tables.task.c.task_id, tables.task.c.customer_id, tables.task.c.origin)
    .where(OneOf(["customer_id"], "of_customers"), tables.task.c.state == "open")
    .order_by(tables.task.c.task_id)
)
_TOTALS = Prepared(select(tables.ledger_total).where(OneOf(["team_id", "period"], "of_periods")))
_OPEN = Prepared(
    select(tables.holding.c.holder_id, func.count().label("customers"))
    .join(tables.customer, tables.customer.c.customer_id == tables.holding.c.customer_id)
    .where(
        OneOf(["holding.holder_id"], "of_people"),
        tables.holding.c.holder_kind == "person",
        tables.holding.c.role == "owner",
        tables.holding.c.to_us.is_(None),
        tables.customer.c.state == "open",
    )
    .group_by(tables.holding.c.holder_id)
)
_RECEIVED = Prepared(
    select(tables.ledger.c.person_id, tables.ledger.c.at_us, tables.ledger.c.delta).where(
        OneOf(["person_id"], "of_people"), tables.ledger.c.at_us >= bindparam("since_us")
    )
)
_MONTH_US = 28 * 86_400_000_000
"""So long before any moment it is the same local month or the one before."""


_DONE = Prepared(
    select(tables.decision.c.event_id, tables.decision.c.subject_id).where(
        OneOf(["event_id"], "of_events"), tables.decision.c.stage == "route"
    )
)
