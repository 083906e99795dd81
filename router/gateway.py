"""The route stage: reads holders and ledgers for a batch, and writes decisions, holdings and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import orjson
from sqlalchemy import Connection, bindparam, func, or_, select, tuple_

from router.book import Found
from router.eligible import NO_LOADS, NO_NEEDS, Loads, Needs, needs_of
from router.office import Office, OfficeCache
from router.route import (
    NOTHING_YET,
    Case,
    Holder,
    Routing,
    Total,
    drain,
    has_talked,
    named_person,
    route,
    rule_for,
    stays,
    task_origin,
)
from router.strategies import strategy_named
from schemas.company import territory_for
from schemas.events import Event, event_of
from schemas.ids import body_digest, child_id
from schemas.resolved import ResolvedLead
from schemas.results import Stage as StageName
from schemas.shares import parts_of
from schemas.work import Assignment, Reroute, Task, TaskOrigin
from store import tables
from store.bulk import OneOf, Prepared, keys_in, listed
from store.company import CompanyCache
from store.contention import Conflict
from store.effects import Close, Count, Effect, Emit, Insert, Update
from store.ledger import NO_GRADE, entered, period_of
from store.locks import lock_customers, lock_teams, share_company
from store.present import present, with_alias
from stream.host import Step
from stream.log import Logged
from worktime.localtime import day_start, zone_of

DRAIN_AT_ONCE = 100
"""Customers taken out of a waiting queue by one event; a longer queue asks for another round, so that a
Monday morning's backlog does not hold the store for seconds."""

QUEUE_OPENS = "queue_opens"
"""The timer of a waiting queue: its subject is the team."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A customer in a waiting queue: since when, what its newest lead needs, and how it came there."""

    since_us: int
    needs: Needs = NO_NEEDS
    grade: str = NO_GRADE
    strategy: str | None = None
    """As the rule says by which it waits; None: by turn."""
    returned_by: str | None = None


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
    done: set[tuple[str, str]] = field(default_factory=set)
    """(event, customer) decided on before: what comes twice leads to nothing the second time."""
    queue: list[str] = field(default_factory=list)
    more: bool = False
    """Others wait in the queue beyond those."""
    waiting: dict[str, Waiting] = field(default_factory=dict)
    """What is known of the queue's customers."""
    opens: set[tuple[str, int]] = field(default_factory=set)


class RouteStage:
    """Resolved leads in; decisions, holdings and tasks out."""

    name: StageName = "route"
    topics = ("resolved", "reroute")
    one_by_one = ("reroute",)

    def __init__(self, companies: CompanyCache) -> None:
        self._companies = companies
        self._offices = OfficeCache()

    def prepare(self, events: Sequence[Logged]) -> dict[str, ResolvedLead]:
        """Decode the resolved leads, by the event that brought them."""
        return {one.event.id: one.event.read(ResolvedLead) for one in events if one.topic == "resolved"}

    def gather(
        self,
        connection: Connection,
        prepared: dict[str, ResolvedLead],
        events: Sequence[Logged],
        times: Sequence[int],
    ) -> RouteFacts:
        """Lock the batch's customers and the teams that somebody of will be picked from, and read what of them counts.

        The company is kept as it is meanwhile: nobody gets something who is being marked as left.
        """
        share_company(connection)
        facts = RouteFacts(self._offices.get(self._companies.get(connection)), prepared)
        facts.customers = _read_customers(connection, prepared)
        customers = set(facts.customers.values())
        drained = [
            (reroute.team_id, reroute.after)
            for one in events
            if one.topic == "reroute" and (reroute := one.event.read(Reroute)).team_id
        ]
        for place in drained:
            facts.queue = _read_queue(connection, *place)
            customers |= set(facts.queue)
        locked = lock_customers(connection, customers)
        if locked:
            facts.customers = _read_customers(connection, prepared)
            if not customers.issuperset(facts.customers.values()):
                raise Conflict("alias")
        for place in drained:
            waiting = _read_queue(connection, *place) if locked else facts.queue
            facts.queue = [one for one in waiting if one in customers][:DRAIN_AT_ONCE]
            facts.more = len(waiting) > len(facts.queue)
            _read_waiting(connection, facts)
        _read_done(connection, facts, [one.event.id for one in events])
        _read_holders(connection, facts, customers)
        _read_tasks(connection, facts, customers)
        ways = {(rule.team, rule.strategy) for rule, _ in _rules(facts, events)}
        ways |= {(team_id, one.strategy) for team_id, _ in drained for one in facts.waiting.values()}
        teams = {*(team for team, _ in ways), *(team_id for team_id, _ in drained)}
        lock_teams(connection, {*teams, *_capped(facts.office, teams)})
        moments = {*times, *facts.routed.values(), *(one.event.time_us + 1 for one in events)}
        _read_ledgers(connection, facts, ways, moments)
        _read_loads(connection, facts, teams, ways, moments)
        return facts

    def decide(self, logged: Logged, facts: RouteFacts, at_us: int) -> Step:
        """Decide on one resolved lead, or take the next customers out of a queue."""
        if logged.topic == "reroute":
            return _drained(logged.event, facts, at_us)
        return _routed(logged.event, facts, at_us)


def _routed(event: Event, facts: RouteFacts, at_us: int) -> Step:
    resolved = facts.resolved[event.id]
    lead = resolved.lead
    customer_id = facts.customers[lead.lead_id]
    if (event.id, customer_id) in facts.done:
        return Step()
    facts.done.add((event.id, customer_id))
    case = _Case(event, customer_id, lead.lead_id, _stamp(event, facts, customer_id, at_us))
    grade = resolved.score.grade
    routing = stays(resolved, facts.holders[customer_id], facts.office, case.at_us)
    found, needs = None, NO_NEEDS
    if routing is None:
        found, needs = facts.rules[event.id] or (None, NO_NEEDS)
        routing = route(found, facts.office, _decision(case, facts, found and found[0].team, grade, needs))
    origin = task_origin(lead)
    tasks = facts.tasks.setdefault(customer_id, {})
    is_new = origin is not None and not (origin == "call_back" and "call_back" in tasks.values())
    effects = _settled(case, facts, routing, reopens=is_new)
    if has_talked(lead):
        effects += _called_back(tasks, case.at_us)
    if is_new and origin is not None:
        task = _task(case, routing, origin, facts.office)
        tasks[task.task_id] = origin
        effects.append(Update("customer", {"customer_id": customer_id}, {"state": "open"}))
        effects.append(Insert("task", {**task.model_dump(), "created_us": case.at_us}))
        effects.append(Emit("tasks", case.event(task, "task")))
    if routing.reason.code == "waiting" and found is not None:
        effects += _opening(facts, (found[0].team, found[0].strategy), case.at_us, needs)
    return Step(tuple(effects))


def _drained(event: Event, facts: RouteFacts, at_us: int) -> Step:
    """Give what waits to whoever can take it, oldest first; what nobody there can take does not hold up the rest."""
    team_id = event.read(Reroute).team_id
    if team_id is None:
        return Step()
    effects: list[Effect] = []
    last: str | None = None
    for ordinal, customer_id in enumerate(facts.queue):
        last = customer_id
        if (event.id, customer_id) in facts.done:
            continue
        waits = facts.waiting[customer_id]
        case = _Case(event, customer_id, None, _stamp(event, facts, customer_id, at_us), ordinal)
        decision = _decision(case, facts, team_id, waits.grade, waits.needs)
        routing = drain(team_id, facts.office, decision, waits.strategy, waits.returned_by)
        if routing is not None:
            effects += _settled(case, facts, routing)
            continue
        effects += _opening(facts, (team_id, waits.strategy), case.at_us, waits.needs)
        if not facts.office.could_take(team_id, case.at_us, loads=decision.loads)[0]:
            effects += _opening(facts, (team_id, None), case.at_us, NO_NEEDS)
            return Step(tuple(effects))
    if facts.more and last is not None:
        after = (facts.waiting[last].since_us, last)
        effects.append(Emit("reroute", queue_event(team_id, at_us, cause=event.id, after=after)))
    return Step(tuple(effects))


def _decision(case: _Case, facts: RouteFacts, team_id: str | None, grade: str, needs: Needs) -> Case:
    """Return what a decision goes by, as it stands after those before it in this batch."""
    if team_id is None:
        return Case(case.at_us, case.decision_id, grade, {})
    totals = facts.totals.get((team_id, _period(facts.office, case.at_us), grade), {})
    if facts.last_us:
        persons = (one.person_id for one in facts.office.members.get(team_id, ()))
        totals = {
            one: (*totals.get(one, NOTHING_YET)[:2], facts.last_us.get((team_id, one), 0)) for one in persons
        }
    loads = NO_LOADS
    if facts.open or facts.today:
        day = _day(facts.office, case.at_us)
        loads = Loads(facts.open, {who: count for (when, who), count in facts.today.items() if when == day})
    return Case(case.at_us, case.decision_id, grade, totals, needs, loads)


def queue_event(team_id: str, time_us: int, cause: str, after: tuple[int, str] | None = None) -> Event:
    """Return the event that asks route to drain a team's waiting queue, behind a place in it."""
    return event_of(
        Reroute(why="queue_open", team_id=team_id, after=after),
        source="/timers",
        subject=team_id,
        key=team_id,
        time_us=time_us,
        trace_id=body_digest(f"{cause} {team_id}".encode()),
        purpose="real",
        key_id=None,
        cause=cause,
    )


def queue_opens(team_id: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of a waiting queue into its event (see stream.timers)."""
    return "reroute", queue_event(team_id, due_us, cause=f"{QUEUE_OPENS}:{team_id}:{due_us}")


def _stamp(event: Event, facts: RouteFacts, customer_id: str, at_us: int) -> int:
    """Return when a decision is made: never before what asked for it, nor before the customer's last one.

    Only route stamps what route compares, so that it does not matter how far resolve is ahead of it.
    """
    return max(at_us, event.time_us + 1, facts.routed[customer_id] + 1)


@dataclass(frozen=True)
class _Case:
    """One decision in the making: what asked for it, about whom, and when."""

    cause: Event
    customer_id: str
    lead_id: str | None
    at_us: int
    ordinal: int = 0

    @cached_property
    def decision_id(self) -> str:
        return child_id("dec", self.cause.id, "route", self.customer_id)

    def event(self, data: Assignment | Task, what: str) -> Event:
        return event_of(
            data,
            source=f"/stages/route/{what}",
            subject=self.customer_id,
            key=self.customer_id,
            time_us=self.at_us,
            trace_id=self.cause.trace_id,
            purpose=self.cause.purpose,
            key_id=None,
            cause=self.cause.id,
            ordinal=self.ordinal,
        )


def _period(office: Office, at_us: int) -> str:
    return period_of(at_us, office.company.zone)


def _day(office: Office, at_us: int) -> int:
    return day_start(at_us, zone_of(office.company.zone))


def _settled(case: _Case, facts: RouteFacts, routing: Routing, *, reopens: bool = False) -> list[Effect]:
    """Return what every decision writes: itself, the holding and open tasks if they move, and the news of it."""
    customer_id, before = case.customer_id, facts.holders[case.customer_id]
    facts.routed[customer_id] = case.at_us
    effects: list[Effect] = [
        _decision_row(case, routing),
        Update("customer", {"customer_id": customer_id}, {"routed_us": case.at_us}),
    ]
    if facts.states[customer_id] == "open":
        _load(facts, before, -1)
    elif reopens:
        facts.states[customer_id] = "open"
    if facts.states[customer_id] == "open":
        _load(facts, routing.holder, 1)
    if routing.holder != before:
        facts.holders[customer_id] = routing.holder
        effects += _moved(case, facts, routing)
    assignment = Assignment(
        decision_id=case.decision_id,
        lead_id=case.lead_id,
        customer_id=customer_id,
        holder_kind=routing.holder.kind,
        holder_id=routing.holder.holder_id,
        previous_holder_id=before.holder_id,
        reason=routing.reason,
        decided_us=case.at_us,
    )
    return [*effects, Emit("assignments", case.event(assignment, "assignment"))]


def _load(facts: RouteFacts, holder: Holder, change: int) -> None:
    if holder.kind == "person" and holder.holder_id in facts.open:
        facts.open[holder.holder_id] += change


def _moved(case: _Case, facts: RouteFacts, routing: Routing) -> list[Effect]:
    holder = {"holder_kind": routing.holder.kind, "holder_id": routing.holder.holder_id}
    effects: list[Effect] = [
        Close("holding", (case.customer_id, "owner"), case.at_us),
        Insert(
            "holding",
            {
                "customer_id": case.customer_id,
                "role": "owner",
                "from_us": case.at_us,
                "decision_id": case.decision_id,
                **holder,
            },
        ),
    ]
    effects += [
        Update("task", {"task_id": task_id}, dict(holder))
        for task_id in facts.tasks.get(case.customer_id, ())
    ]
    if routing.counts_for is not None:
        effects += _entered(case, facts, routing, routing.counts_for)
    return effects


def _entered(case: _Case, facts: RouteFacts, routing: Routing, team_id: str) -> list[Effect]:
    """Return the ledger's entry: one received, and for all who could have had it what they are entitled to of it."""
    chosen, at_us, standing = routing.holder.holder_id, case.at_us, routing.reason.standing
    where = (team_id, _period(facts.office, at_us), routing.reason.grade or NO_GRADE)
    totals = facts.totals.setdefault(where, {})
    effects: list[Effect] = [Insert("ledger", entered(case.decision_id, chosen, where, at_us))]
    for (person_id, *_), part in zip(standing, parts_of([one[1] for one in standing]), strict=True):
        got, last_us = (1, at_us) if person_id == chosen else (0, 0)
        received, entitled, before_us = totals.get(person_id, NOTHING_YET)
        totals[person_id] = (received + got, entitled + part, max(before_us, last_us))
        effects.append(Count(*where, person_id, got, part, last_us))
    if facts.last_us:
        facts.last_us[team_id, chosen] = max(at_us, facts.last_us.get((team_id, chosen), 0))
    if facts.today and (today := (_day(facts.office, at_us), chosen)) in facts.today:
        facts.today[today] += 1
    return effects


def _called_back(tasks: dict[str, str], at_us: int) -> list[Effect]:
    """Return the end of every call-back that is due to somebody we have now spoken with."""
    done = sorted(task_id for task_id, origin in tasks.items() if origin == "call_back")
    for task_id in done:
        del tasks[task_id]
    return [Update("task", {"task_id": task_id}, {"state": "done", "ended_us": at_us}) for task_id in done]


def _opening(facts: RouteFacts, way: tuple[str, str | None], at_us: int, needs: Needs) -> list[Effect]:
    """Return the timer for the moment at which somebody of a team may next take something with these needs."""
    team_id, strategy = way
    office, day = facts.office, _day(facts.office, at_us)
    today = {who: count for (when, who), count in facts.today.items() if when == day}
    opens_us = office.opens(
        team_id,
        at_us,
        needs,
        Loads(facts.open, today),
        only=named_person(strategy_named(strategy), team_id, office),
        tomorrow_us=_day(office, day + 36 * 3_600_000_000),
    )
    if opens_us is None or (team_id, opens_us) in facts.opens:
        return []
    facts.opens.add((team_id, opens_us))
    return [Insert("timer", {"kind": QUEUE_OPENS, "subject_id": team_id, "due_us": opens_us})]


def _task(case: _Case, routing: Routing, origin: TaskOrigin, office: Office) -> Task:
    stand_in = routing.reason.stand_in
    holder = routing.holder if stand_in is None else Holder("person", stand_in)
    return Task(
        task_id=child_id("task", case.decision_id, 0),
        decision_id=case.decision_id,
        ordinal=0,
        customer_id=case.customer_id,
        lead_id=case.lead_id,
        holder_kind=holder.kind,
        holder_id=holder.holder_id,
        origin=origin,
        due_us=office.due(holder.holder_id, case.at_us, routing.respond_within_minutes),
    )


def _decision_row(case: _Case, routing: Routing) -> Insert:
    return Insert(
        "decision",
        {
            "decision_id": case.decision_id,
            "stage": "route",
            "event_id": case.cause.id,
            "subject_id": case.customer_id,
            "lead_id": case.lead_id,
            "trace_id": case.cause.trace_id,
            "decided_us": case.at_us,
            "code": routing.reason.code,
            "book_version": routing.reason.book_version,
            "rule_id": routing.reason.rule_id,
            "reason_json": routing.reason.model_dump_json(),
        },
    )


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


def _rules(facts: RouteFacts, events: Sequence[Logged]) -> list[Found]:
    """Find the rule of every lead that does not stay where its customer is; return those there are."""
    for event_id in (one.event.id for one in events if one.topic == "resolved"):
        resolved = facts.resolved[event_id]
        holder = facts.holders.get(facts.customers[resolved.lead.lead_id])
        if holder is not None and stays(resolved, holder, facts.office, 0) is None:
            facts.rules[event_id] = rule_for(resolved, facts.office)
    return [rule[0] for rule in facts.rules.values() if rule is not None]


def _read_done(connection: Connection, facts: RouteFacts, event_ids: Sequence[str]) -> None:
    for row in _DONE(connection, of_events=listed((one,) for one in event_ids)):
        facts.done.add((row.event_id, row.subject_id))


def _read_customers(connection: Connection, resolved: dict[str, ResolvedLead]) -> dict[str, str]:
    found = {one.lead.lead_id: one.customer_id for one in resolved.values()}
    if found:
        for row in _PRESENT(connection, of_leads=listed((lead_id,) for lead_id in found)):
            found[row.lead_id] = row.customer_id
    return found


def _read_holders(connection: Connection, facts: RouteFacts, customers: set[str]) -> None:
    for row in _HOLDERS(connection, of_customers=listed((one,) for one in customers)):
        facts.holders[row.customer_id] = Holder(row.holder_kind, row.holder_id)
        facts.routed[row.customer_id] = row.routed_us
        facts.states[row.customer_id] = row.state


def _read_tasks(connection: Connection, facts: RouteFacts, customers: set[str]) -> None:
    for row in _TASKS(connection, of_customers=listed((one,) for one in customers)):
        facts.tasks.setdefault(row.customer_id, {})[row.task_id] = row.origin


def _read_queue(connection: Connection, team_id: str, after: tuple[int, str] | None) -> list[str]:
    """Return the customers waiting for a team, oldest first: one more than are taken, to know there are."""
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
            .limit(DRAIN_AT_ONCE + 1)
        ).scalars()
    )


def _read_waiting(connection: Connection, facts: RouteFacts) -> None:
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
        strategy = orjson.loads(row.reason_json)["strategy"] if row.code == "waiting" else None
        facts.waiting[row.customer_id] = Waiting(
            row.from_us,
            *needs.get(row.customer_id, (NO_NEEDS, NO_GRADE)),
            strategy=strategy,
            returned_by=row.actor if row.code == "returned" else None,
        )


def _read_needs(connection: Connection, facts: RouteFacts) -> dict[str, tuple[Needs, str]]:
    """Return what the newest lead of each of the queue's customers needs, and its grade."""
    lead, member, alias = tables.lead, tables.membership, tables.alias
    keys = [(one,) for one in facts.queue]
    merged = select(alias.c.old_id).where(keys_in(connection, ["now_id"], keys))
    rows = connection.execute(
        select(lead, func.coalesce(alias.c.now_id, member.c.customer_id).label("customer_id"))
        .join(member, member.c.lead_id == lead.c.lead_id)
        .outerjoin(alias, alias.c.old_id == member.c.customer_id)
        .where(
            member.c.to_us.is_(None),
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


def _capped(office: Office, teams: set[str]) -> set[str]:
    """Return who of these teams has a cap, as what to lock: they may be of several teams."""
    people = office.company.people
    members = (one.person_id for team in teams for one in office.members.get(team, ()))
    return {f"person {one}" for one in members if one in people and people[one].is_capped}


def _read_ledgers(
    connection: Connection, facts: RouteFacts, ways: set[tuple[str, str | None]], moments: set[int]
) -> None:
    office = facts.office
    periods = {_period(office, at_us) for at_us in moments}
    recent = {team for team, strategy in ways if strategy == "least_recent"}
    before = {_period(office, at_us - _MONTH_US) for at_us in moments} if recent else set()
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


def _read_loads(
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
                facts.today.update({(_day(office, at_us), person.person_id): 0 for at_us in moments})
    if facts.open:
        for row in _OPEN(connection, of_people=listed((one,) for one in sorted(facts.open))):
            facts.open[row.holder_id] = row.customers
    if facts.today:
        persons = sorted({who for _, who in facts.today})
        since_us = min(when for when, _ in facts.today)
        for row in _RECEIVED(connection, of_people=listed((one,) for one in persons), since_us=since_us):
            today = (_day(office, row.at_us), row.person_id)
            if today in facts.today:
                facts.today[today] += row.delta
