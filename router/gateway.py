"""The route stage: reads holders and ledgers for a batch, and writes decisions, holdings and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, select

from router.book import Found
from router.office import Office, OfficeCache
from router.route import Holder, Routing, drain, has_talked, route, rule_for, stays, task_origin
from schemas.events import Event, event_of
from schemas.ids import body_digest, child_id
from schemas.resolved import ResolvedLead
from schemas.results import Stage as StageName
from schemas.work import Assignment, Reroute, Task, TaskOrigin
from store import tables
from store.bulk import OneOf, Prepared, keys_in, listed
from store.company import CompanyCache
from store.contention import Conflict
from store.effects import Close, Count, Effect, Emit, Insert, Update
from store.locks import lock_customers, lock_teams, share_company
from store.present import present, with_alias
from stream.host import Step
from stream.log import Logged

DRAIN_AT_ONCE = 100
"""Customers taken out of a waiting queue by one event; a longer queue asks for another round, so that a
Monday morning's backlog does not hold the store for seconds."""

QUEUE_OPENS = "queue_opens"
"""The timer of a waiting queue: its subject is the team."""


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
    received: dict[tuple[str, str], dict[str, int]] = field(default_factory=dict)
    rules: dict[str, Found | None] = field(default_factory=dict)
    """By event, for leads that do not stay with whoever has their customer."""
    done: set[tuple[str, str]] = field(default_factory=set)
    """(event, customer) decided on before: what comes twice leads to nothing the second time."""
    queue: list[str] = field(default_factory=list)
    more: bool = False
    """Others wait in the queue beyond those."""
    returned_by: dict[str, str] = field(default_factory=dict)
    """Who of the queue's customers was returned, and by whom."""
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
            reroute.team_id
            for one in events
            if one.topic == "reroute" and (reroute := one.event.read(Reroute)).team_id
        ]
        for team_id in drained:
            facts.queue = _read_queue(connection, team_id)
            customers |= set(facts.queue)
        locked = lock_customers(connection, customers)
        if locked:
            facts.customers = _read_customers(connection, prepared)
            if not customers.issuperset(facts.customers.values()):
                raise Conflict("alias")
        for team_id in drained:
            waiting = _read_queue(connection, team_id) if locked else facts.queue
            facts.queue = [one for one in waiting if one in customers][:DRAIN_AT_ONCE]
            facts.more = len(waiting) > len(facts.queue)
            facts.returned_by = _read_returned(connection, facts.queue)
        _read_done(connection, facts, [one.event.id for one in events])
        _read_holders(connection, facts, customers)
        _read_tasks(connection, facts, customers)
        teams = {rule.team for rule, _ in _rules(facts, events)}
        lock_teams(connection, {*teams, *drained})
        periods = {_period(facts.office, at_us) for at_us in (*times, *facts.routed.values())}
        _read_ledgers(connection, facts, periods)
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
    routing = stays(resolved, facts.holders[customer_id], facts.office)
    if routing is None:
        counts = _received(facts, case.at_us)
        routing = route(facts.rules[event.id], facts.office, counts, (case.at_us, case.decision_id))
    effects = _settled(case, facts, routing)
    tasks = facts.tasks.setdefault(customer_id, {})
    if has_talked(lead):
        effects += _called_back(tasks, case.at_us)
    origin = task_origin(lead)
    if origin is not None and not (origin == "call_back" and "call_back" in tasks.values()):
        task = _task(case, routing, origin, facts.office)
        tasks[task.task_id] = origin
        effects.append(Update("customer", {"customer_id": customer_id}, {"state": "open"}))
        effects.append(Insert("task", {**task.model_dump(), "created_us": case.at_us}))
        effects.append(Emit("tasks", case.event(task, "task")))
    if routing.reason.code == "waiting" and routing.reason.team_id is not None:
        effects += _opening(facts, routing.reason.team_id, case.at_us)
    return Step(tuple(effects))


def _drained(event: Event, facts: RouteFacts, at_us: int) -> Step:
    team_id = event.read(Reroute).team_id
    if team_id is None:
        return Step()
    effects: list[Effect] = []
    for ordinal, customer_id in enumerate(facts.queue):
        if (event.id, customer_id) in facts.done:
            continue
        case = _Case(event, customer_id, None, _stamp(event, facts, customer_id, at_us), ordinal)
        received = _received(facts, case.at_us).get(team_id, {})
        returned_by = facts.returned_by.get(customer_id)
        routing = drain(team_id, facts.office, received, (case.at_us, case.decision_id), returned_by)
        if routing is None:
            effects += _opening(facts, team_id, case.at_us)
            return Step(tuple(effects))
        effects += _settled(case, facts, routing)
    if facts.more:
        effects.append(Emit("reroute", queue_event(team_id, at_us, cause=event.id)))
    return Step(tuple(effects))


def queue_event(team_id: str, time_us: int, cause: str) -> Event:
    """Return the event that asks route to drain a team's waiting queue."""
    return event_of(
        Reroute(why="queue_open", team_id=team_id),
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
    """Return the local day: whoever was away does not have to catch up for weeks."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at_us)
    return moment.astimezone(ZoneInfo(office.company.zone)).date().isoformat()


def _received(facts: RouteFacts, at_us: int) -> dict[str, dict[str, int]]:
    period = _period(facts.office, at_us)
    return {team: counts for (team, when), counts in facts.received.items() if when == period}


def _settled(case: _Case, facts: RouteFacts, routing: Routing) -> list[Effect]:
    """Return what every decision writes: itself, the holding and open tasks if they move, and the news of it."""
    customer_id, before = case.customer_id, facts.holders[case.customer_id]
    facts.routed[customer_id] = case.at_us
    effects: list[Effect] = [
        _decision_row(case, routing),
        Update("customer", {"customer_id": customer_id}, {"routed_us": case.at_us}),
    ]
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
        team_id, person_id, period = (
            routing.counts_for,
            routing.holder.holder_id,
            _period(facts.office, case.at_us),
        )
        counts = facts.received.setdefault((team_id, period), {})
        counts[person_id] = counts.get(person_id, 0) + 1
        ledger = {
            "decision_id": case.decision_id,
            "person_id": person_id,
            "kind": "received",
            "team_id": team_id,
            "period": period,
            "delta": 1,
        }
        effects += [Insert("ledger", ledger), Count(team_id, period, person_id, 1)]
    return effects


def _called_back(tasks: dict[str, str], at_us: int) -> list[Effect]:
    """Return the end of every call-back that is due to somebody we have now spoken with."""
    done = sorted(task_id for task_id, origin in tasks.items() if origin == "call_back")
    for task_id in done:
        del tasks[task_id]
    return [Update("task", {"task_id": task_id}, {"state": "done", "ended_us": at_us}) for task_id in done]


def _opening(facts: RouteFacts, team_id: str, at_us: int) -> list[Effect]:
    """Return the timer for the moment at which somebody of a team can next take something."""
    opens_us = facts.office.opens(team_id, at_us)
    if opens_us is None or (team_id, opens_us) in facts.opens:
        return []
    facts.opens.add((team_id, opens_us))
    return [Insert("timer", {"kind": QUEUE_OPENS, "subject_id": team_id, "due_us": opens_us})]


def _task(case: _Case, routing: Routing, origin: TaskOrigin, office: Office) -> Task:
    holder = routing.holder
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
        if holder is not None and stays(resolved, holder, facts.office) is None:
            facts.rules[event_id] = rule_for(resolved, facts.office)
    return [found for found in facts.rules.values() if found is not None]


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


def _read_tasks(connection: Connection, facts: RouteFacts, customers: set[str]) -> None:
    for row in _TASKS(connection, of_customers=listed((one,) for one in customers)):
        facts.tasks.setdefault(row.customer_id, {})[row.task_id] = row.origin


def _read_queue(connection: Connection, team_id: str) -> list[str]:
    """Return the customers waiting for a team, oldest first: one more than are taken, to know there are."""
    holding = tables.holding
    return list(
        connection.execute(
            select(holding.c.customer_id)
            .where(
                holding.c.holder_kind == "queue", holding.c.holder_id == team_id, holding.c.to_us.is_(None)
            )
            .order_by(holding.c.from_us, holding.c.customer_id)
            .limit(DRAIN_AT_ONCE + 1)
        ).scalars()
    )


def _read_returned(connection: Connection, customers: Sequence[str]) -> dict[str, str]:
    """Return who returned these customers, for those that were put into the queue by a return."""
    holding, decision, act = tables.holding, tables.decision, tables.act
    wanted = keys_in(connection, ["holding.customer_id"], [(one,) for one in customers])
    rows = connection.execute(
        select(holding.c.customer_id, act.c.actor)
        .join(decision, decision.c.decision_id == holding.c.decision_id)
        .join(act, act.c.act_id == decision.c.event_id)
        .where(wanted, holding.c.role == "owner", holding.c.to_us.is_(None), decision.c.code == "returned")
    )
    return {row.customer_id: row.actor for row in rows}


def _read_ledgers(connection: Connection, facts: RouteFacts, periods: set[str]) -> None:
    wanted = listed((team, period) for team in facts.office.members for period in periods)
    for row in _TOTALS(connection, of_periods=wanted):
        facts.received.setdefault((row.team_id, row.period), {})[row.person_id] = row.received
