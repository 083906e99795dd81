"""The route stage: reads holders and ledgers for a batch, and writes decisions, holdings and tasks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from sqlalchemy import Connection

from router.beside import beside, met, new_beside
from router.book import Found
from router.eligible import NO_LOADS, NO_NEEDS, Loads, Needs
from router.ladder import asked_of, due_step, read_watched, routing_of, swept, timer_event, timer_of
from router.office import Office, OfficeCache
from router.reads import (
    Aside,
    RouteFacts,
    capped,
    day_at,
    period_at,
    read_aside,
    read_beside,
    read_customers,
    read_done,
    read_holders,
    read_ledgers,
    read_loads,
    read_queue,
    read_tasks,
    read_waiting,
)
from router.route import (
    NOTHING_YET,
    Case,
    Holder,
    Routing,
    drain,
    has_talked,
    named_person,
    route,
    rule_for,
    stays,
    task_origin,
    woken,
)
from router.strategies import offered_until, strategy_named
from schemas.events import Event, event_of
from schemas.ids import child_id
from schemas.lead import Lead
from schemas.resolved import ResolvedLead
from schemas.results import Stage as StageName
from schemas.shares import parts_of
from schemas.work import Assignment, Reroute, Task, TaskOrigin
from store.company import CompanyCache
from store.contention import Conflict
from store.effects import Close, Count, Effect, Emit, Insert, Update
from store.ledger import NO_GRADE, entered
from store.locks import lock_customers, lock_teams, share_company
from store.nurture import NURTURE_WAKES, wakes
from store.present import present_ids
from store.protection import DAY_US
from stream.host import Step
from stream.log import Logged

DRAIN_AT_ONCE = 100
"""Customers taken out of a waiting queue by one event; a longer queue asks for another round, so that a
Monday morning's backlog does not hold the store for seconds."""

QUEUE_OPENS = "queue_opens"
"""The timer of a waiting queue: its subject is the team."""


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
        facts.customers = read_customers(connection, prepared)
        customers = set(facts.customers.values())
        reroutes = [one.event.read(Reroute) for one in events if one.topic == "reroute"]
        drained = [(one.team_id, one.after) for one in reroutes if one.team_id]
        for reroute in reroutes:
            facts.watch = asked_of(connection, facts.office, reroute)
            if reroute.why == "untouched":
                customers |= set(facts.watch.names.values())
        for place in drained:
            facts.queue = read_queue(connection, place, DRAIN_AT_ONCE + 1)
            customers |= set(facts.queue)
        facts.woken = _to_wake(connection, events)
        customers |= set(facts.woken.values())
        locked = lock_customers(connection, customers)
        if locked:
            facts.customers = read_customers(connection, prepared)
            facts.woken = _to_wake(connection, events)
            if not customers.issuperset([*facts.customers.values(), *facts.woken.values()]):
                raise Conflict("alias")
        for place in drained:
            waiting = read_queue(connection, place, DRAIN_AT_ONCE + 1) if locked else facts.queue
            facts.queue = [one for one in waiting if one in customers][:DRAIN_AT_ONCE]
            facts.more = len(waiting) > len(facts.queue)
            read_waiting(connection, facts)
        if facts.watch.names:
            read_watched(connection, facts.watch, facts.office.company)
        read_done(connection, facts, [one.event.id for one in events])
        read_holders(connection, facts, customers)
        read_aside(connection, facts)
        read_tasks(connection, facts, customers)
        ways = {(rule.team, rule.strategy) for rule, _ in _rules(facts, events) if rule.team}
        if facts.met or any(rule[0][0].besides.collaborators for rule in facts.rules.values() if rule):
            read_beside(connection, facts, set(facts.customers.values()))
        ways |= {(team_id, one.how.strategy) for team_id, _ in drained for one in facts.waiting.values()}
        teams = {*(team for team, _ in ways), *(team_id for team_id, _ in drained)}
        lock_teams(connection, {*teams, *capped(facts.office, teams)})
        moments = {*times, *facts.routed.values(), *(one.event.time_us + 1 for one in events)}
        read_ledgers(connection, facts, ways, moments)
        read_loads(connection, facts, teams, ways, moments)
        return facts

    def decide(self, logged: Logged, facts: RouteFacts, at_us: int) -> Step:
        """Decide on one resolved lead, or take the next customers out of a queue."""
        if logged.event.id in facts.woken:
            return _woken(logged.event, facts, at_us)
        if logged.topic == "reroute":
            reroute = logged.event.read(Reroute)
            match reroute.why:
                case "untouched":
                    return _untouched(logged.event, facts, at_us)
                case "sweep":
                    return Step(tuple(swept(facts.watch, facts.office, logged.event, at_us)))
            return _drained(logged.event, facts, at_us)
        return _routed(logged.event, facts, at_us)


def _routed(event: Event, facts: RouteFacts, at_us: int) -> Step:
    resolved = facts.resolved[event.id]
    lead = resolved.lead
    customer_id = facts.customers[lead.lead_id]
    if lead.kind == "correction" or (event.id, customer_id) in facts.done:
        return Step()  # whoever has a customer has them under a mended name, too
    facts.done.add((event.id, customer_id))
    case = _Case(event, customer_id, lead.lead_id, _stamp(event, facts, customer_id, at_us))
    grade = resolved.score.grade
    aside = facts.aside.get(customer_id)
    before = aside.person_id if aside else None
    routing = stays(resolved, facts.holders[customer_id], facts.office, case.at_us, before)
    found, needs = None, NO_NEEDS
    if routing is not None and (rule := facts.met.get(event.id)) is not None:
        routing = met(facts, routing, rule, customer_id)  # whose owner may be of this very batch
    if routing is None:
        found, needs = facts.rules[event.id] or (None, NO_NEEDS)
        routing = route(found, facts.office, _decision(case, facts, found and found[0].team, grade, needs))
    routing = new_beside(facts, routing, customer_id)
    origin = task_origin(lead)
    tasks = facts.tasks.setdefault(customer_id, {})
    is_new = origin is not None and not (origin == "call_back" and "call_back" in tasks.values())
    quiet = lead.imported is not None and not lead.imported.notify
    effects = _settled(case, facts, routing, reopens=is_new, quiet=quiet)
    if has_talked(lead):
        effects += _called_back(tasks, case.at_us)
    if is_new and origin is not None:
        task = _task(case, routing, origin, facts.office)
        tasks[task.task_id] = origin
        effects.append(Update("customer", {"customer_id": customer_id}, {"state": "open"}))
        effects.append(Insert("task", {**task.model_dump(), "created_us": case.at_us}))
        effects.append(Emit("tasks", case.event(task, "task")))
    elif (planned := _planned(case, lead, routing, facts.office)) is not None:
        tasks[planned.task_id] = planned.origin
        effects.append(Insert("task", {**planned.model_dump(), "created_us": case.at_us}))
        effects.append(Emit("tasks", case.event(planned, "task")))
    if routing.reason.code == "imported" and routing.holder.kind == "queue" and lead.imported is not None:
        effects += _opens_at(facts, routing.holder.holder_id, case.at_us) if lead.imported.route else []
    if routing.reason.code == "waiting" and found is not None:
        effects += _opening(facts, (found[0].team, found[0].strategy), case.at_us, needs)
    if routing.reason.code == "call_now":
        effects += _opens_at(
            facts, routing.holder.holder_id, offered_until(routing.reason.strategy, case.at_us)
        )
    return Step(tuple(effects))


def _woken(event: Event, facts: RouteFacts, at_us: int) -> Step:
    """Give a customer that was put aside back to who had it, with something to do, if it is still put aside till now."""
    customer_id = facts.woken[event.id]
    aside = facts.aside.get(customer_id)
    if aside is None or (event.id, customer_id) in facts.done:
        return Step()
    if aside.wakes_us is not None and aside.wakes_us > event.time_us:
        return Step(
            (wakes(customer_id, aside.wakes_us),)
        )  # merged or parted since: the date stays, the name may not
    facts.done.add((event.id, customer_id))
    case = _Case(event, customer_id, None, _stamp(event, facts, customer_id, at_us))
    routing = woken(aside.person_id, aside.team_id, facts.office, case.at_us)
    task = _task(case, routing, "care", facts.office)
    effects = _settled(case, facts, routing)
    effects.append(Insert("task", {**task.model_dump(), "created_us": case.at_us}))
    effects.append(Emit("tasks", case.event(task, "task")))
    if routing.holder.kind == "queue":
        effects += _opens_at(facts, routing.holder.holder_id, case.at_us)
    return Step(tuple(effects))


def _to_wake(connection: Connection, events: Sequence[Logged]) -> dict[str, str]:
    """Return by event the present ids of the customers that are to wake."""
    subjects = {
        one.event.id: reroute.customer_id
        for one in events
        if one.topic == "reroute"
        and (reroute := one.event.read(Reroute)).why == "nurture_wakes"
        and reroute.customer_id is not None
    }
    names = present_ids(connection, subjects.values())
    return {event_id: names[customer_id] for event_id, customer_id in subjects.items()}


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
        if case.at_us < waits.offered_until_us:
            continue
        decision = _decision(case, facts, team_id, waits.grade, waits.needs)
        routing = drain(team_id, facts.office, decision, waits.how)
        if routing is not None:
            effects += _settled(case, facts, routing)
            continue
        effects += _opening(facts, (team_id, waits.how.strategy), case.at_us, waits.needs)
        if not facts.office.could_take(team_id, case.at_us, loads=decision.loads)[0]:
            effects += _opening(facts, (team_id, None), case.at_us, NO_NEEDS)
            return Step(tuple(effects))
    if facts.more and last is not None:
        after = (facts.waiting[last].since_us, last)
        effects.append(Emit("reroute", queue_event(team_id, at_us, cause=event.id, after=after)))
    return Step(tuple(effects))


def _untouched(event: Event, facts: RouteFacts, at_us: int) -> Step:
    """Take the step of a customer's ladder that is due, if one is, and set the timer for the next."""
    effects: list[Effect] = []
    for customer_id, watched in facts.watch.customers.items():
        if (event.id, customer_id) in facts.done:
            continue
        case = _Case(event, customer_id, None, _stamp(event, facts, customer_id, at_us))
        holder, found = facts.holders[customer_id], due_step(watched, facts.office, case.at_us)
        if found is not None:
            step, pool = found
            minutes = facts.office.company.first_response_minutes
            effects += _settled(case, facts, routing_of(step, pool, holder, minutes))
            if step == "reclaimed":
                continue
        now = watched if found is None else replace(watched, done={**watched.done, found[0]: case.at_us})
        effects += timer_of(customer_id, now, facts.office, case.at_us)
    return Step(tuple(effects))


def _decision(case: _Case, facts: RouteFacts, team_id: str | None, grade: str, needs: Needs) -> Case:
    """Return what a decision goes by, as it stands after those before it in this batch."""
    if team_id is None:
        return Case(case.at_us, case.decision_id, grade, {})
    totals = facts.totals.get((team_id, period_at(facts.office, case.at_us), grade), {})
    if facts.last_us:
        persons = (one.person_id for one in facts.office.members.get(team_id, ()))
        totals = {
            one: (*totals.get(one, NOTHING_YET)[:2], facts.last_us.get((team_id, one), 0)) for one in persons
        }
    loads = NO_LOADS
    if facts.open or facts.today:
        day = day_at(facts.office, case.at_us)
        loads = Loads(facts.open, {who: count for (when, who), count in facts.today.items() if when == day})
    return Case(case.at_us, case.decision_id, grade, totals, needs, loads)


def queue_event(team_id: str, time_us: int, cause: str, after: tuple[int, str] | None = None) -> Event:
    """Return the event that asks route to drain a team's waiting queue, behind a place in it."""
    return timer_event(Reroute(why="queue_open", team_id=team_id, after=after), team_id, time_us, cause)


def queue_opens(team_id: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of a waiting queue into its event (see stream.timers)."""
    return "reroute", queue_event(team_id, due_us, cause=f"{QUEUE_OPENS}:{team_id}:{due_us}")


def nurture_wakes(customer_id: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of a customer that is put aside into its event (see stream.timers)."""
    asks = Reroute(why="nurture_wakes", customer_id=customer_id)
    return "reroute", timer_event(asks, customer_id, due_us, f"{NURTURE_WAKES}:{customer_id}:{due_us}")


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


def _settled(
    case: _Case, facts: RouteFacts, routing: Routing, *, reopens: bool = False, quiet: bool = False
) -> list[Effect]:
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
    if routing.reason.collaborators or routing.reason.claimant:
        effects += beside((customer_id, case.decision_id, case.at_us), facts, routing.reason)
        effects.append(
            Update("customer", {"customer_id": customer_id}, {"routed_us": facts.routed[customer_id]})
        )
    assignment = Assignment(
        decision_id=case.decision_id,
        lead_id=case.lead_id,
        customer_id=customer_id,
        holder_kind=routing.holder.kind,
        holder_id=routing.holder.holder_id,
        previous_holder_id=before.holder_id,
        reason=routing.reason,
        decided_us=case.at_us,
        quiet=quiet,
    )
    return [*effects, Emit("assignments", case.event(assignment, "assignment"))]


def _load(facts: RouteFacts, holder: Holder, change: int) -> None:
    if holder.kind == "person" and holder.holder_id in facts.open:
        facts.open[holder.holder_id] += change


def _moved(case: _Case, facts: RouteFacts, routing: Routing) -> list[Effect]:
    holder = {"holder_kind": routing.holder.kind, "holder_id": routing.holder.holder_id}
    days = routing.reason.protect_days if routing.holder.kind == "person" else None
    from_us = case.at_us
    effects: list[Effect] = [Close("holding", (case.customer_id, "owner"), case.at_us)]
    if routing.by_way_of is not None:
        from_us = facts.routed[case.customer_id] = case.at_us + 1
        had = {
            "customer_id": case.customer_id,
            "role": "owner",
            "from_us": case.at_us,
            "to_us": from_us,
            "decision_id": case.decision_id,
            "holder_kind": "person",
            "holder_id": routing.by_way_of,
        }
        effects.append(Insert("holding", had))
        effects.append(Update("customer", {"customer_id": case.customer_id}, {"routed_us": from_us}))
    if routing.reason.wakes_us is not None and routing.holder.kind == "nurture":
        effects.append(wakes(case.customer_id, routing.reason.wakes_us))
        aside = Aside(routing.by_way_of, routing.reason.team_id, routing.reason.wakes_us)
        facts.aside[case.customer_id] = aside
    effects += [
        Insert(
            "holding",
            {
                "customer_id": case.customer_id,
                "role": "owner",
                "from_us": from_us,
                "decision_id": case.decision_id,
                "protected_until_us": None if days is None else case.at_us + days * DAY_US,
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
    where = (team_id, period_at(facts.office, at_us), routing.reason.grade or NO_GRADE)
    totals = facts.totals.setdefault(where, {})
    effects: list[Effect] = [Insert("ledger", entered(case.decision_id, chosen, where, at_us))]
    for (person_id, *_), part in zip(standing, parts_of([one[1] for one in standing]), strict=True):
        got, last_us = (1, at_us) if person_id == chosen else (0, 0)
        received, entitled, before_us = totals.get(person_id, NOTHING_YET)
        totals[person_id] = (received + got, entitled + part, max(before_us, last_us))
        effects.append(Count(*where, person_id, got, part, last_us))
    if facts.last_us:
        facts.last_us[team_id, chosen] = max(at_us, facts.last_us.get((team_id, chosen), 0))
    if facts.today and (today := (day_at(facts.office, at_us), chosen)) in facts.today:
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
    office, day = facts.office, day_at(facts.office, at_us)
    today = {who: count for (when, who), count in facts.today.items() if when == day}
    opens_us = office.opens(
        team_id,
        at_us,
        needs,
        Loads(facts.open, today),
        only=named_person(strategy_named(strategy), team_id, office),
        tomorrow_us=day_at(office, day + 36 * 3_600_000_000),
    )
    return [] if opens_us is None else _opens_at(facts, team_id, opens_us)


def _opens_at(facts: RouteFacts, team_id: str, opens_us: int) -> list[Effect]:
    if (team_id, opens_us) in facts.opens:
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
        priority=routing.reason.priority,
        playbook=routing.reason.playbook,
    )


def _planned(case: _Case, lead: Lead, routing: Routing, office: Office) -> Task | None:
    """Return what the owner of an imported customer meant to do, if its day is still to come."""
    next_us = lead.imported.next_us if lead.imported else None
    if next_us is None or next_us <= case.at_us or routing.holder.kind != "person":
        return None
    return _task(case, routing, "plan", office).model_copy(update={"due_us": next_us})


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


def _rules(facts: RouteFacts, events: Sequence[Logged]) -> list[Found]:
    """Find the rule of every lead that does not stay where its customer is; return those there are."""
    for event_id in (one.event.id for one in events if one.topic == "resolved"):
        resolved = facts.resolved[event_id]
        holder = facts.holders.get(facts.customers[resolved.lead.lead_id])
        if holder is None:
            continue
        goes = stays(resolved, holder, facts.office, 0) is None
        meets = facts.office.book.meets_owners and resolved.lead.purpose != "probe"
        if not goes and not meets:
            continue
        rule = rule_for(resolved, facts.office)
        if goes:
            facts.rules[event_id] = rule
        if meets and rule is not None:
            facts.met[event_id] = rule[0]
    return [rule[0] for rule in facts.rules.values() if rule is not None]
