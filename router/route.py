"""Deciding who gets a lead: the owner the customer has, else the rule book, else a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

from router.book import Found
from router.eligible import NO_LOADS, NO_NEEDS, Loads, Needs, matches, needs_of
from router.office import Office
from router.strategies import Candidate, Strategy, StrategyName, strategy_named
from schemas.company import Member, person_called
from schemas.facts import facts_of, is_missed
from schemas.lead import Imported, Lead
from schemas.resolved import ResolvedLead
from schemas.units import people_beside
from schemas.work import HolderKind, Reason, TaskOrigin

PROBE_HOLDER = "probe"
"""Where probes end: a built-in queue that nobody works and no figure counts."""
INTAKE = "intake"
"""The queue that a customer is born into."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who or what has a customer."""

    kind: HolderKind
    holder_id: str


Code = Literal["waiting"] | StrategyName
"""How a rule was followed, see `schemas.work.Reason`."""

Total = tuple[int, int, int]
"""What a person received, is entitled to (`schemas.shares`), and when they got the last one (µs)."""

NOTHING_YET: Total = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Case:
    """What a decision on one lead goes by, besides rule and company."""

    at_us: int
    decision_id: str
    """Seeds ties."""
    grade: str
    totals: Mapping[str, Total]
    """Of the team's leads of this grade, by person, in this period."""
    needs: Needs = NO_NEEDS
    loads: Loads = NO_LOADS


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a lead goes and why; `counts_for` is the team in whose ledger it counts, None if in none."""

    holder: Holder
    reason: Reason
    respond_within_minutes: int
    counts_for: str | None
    by_way_of: str | None = None
    """Who has it for an instant before it is put aside, so that it wakes with them."""


def stays(
    resolved: ResolvedLead, holder: Holder, office: Office, at_us: int, before: str | None = None
) -> Routing | None:
    """Return where a lead goes whatever the rule book says: to whoever has its customer; None for all others.

    A customer that was put aside wakes: `before`, who had it last, has it again.
    """
    if resolved.lead.purpose == "probe":
        minutes = office.company.first_response_minutes
        return Routing(Holder("queue", PROBE_HOLDER), Reason(code="probe"), minutes, None)
    if resolved.lead.imported is not None:
        placed = by_list(resolved.lead.imported, holder, office, at_us)
        if placed is not None:
            return placed
    if holder.kind == "nurture" and before is not None and office.works_here(before):
        return woken(before, None, office, at_us)
    return keeps(holder, office, at_us)


def by_list(row: Imported, holder: Holder, office: Office, at_us: int) -> Routing | None:
    """Return where a row of a list puts its customer; None where it goes as any other lead does.

    Whoever has it keeps it. Else the owner whom the list names, at once or from the day until which it is put aside;
    else, if no rule is to decide, the list's heap.
    """
    if (kept := keeps(holder, office, at_us)) is not None:
        return kept
    minutes = office.company.first_response_minutes
    named = person_called(office.company, row.owner) if row.owner else None
    here = named is not None and office.works_here(named)
    why = None if here else "left" if named is not None else "unknown" if row.owner else "nobody"
    reason = Reason(code="imported", import_id=row.import_id, named=named, not_named=why)
    is_new = holder == Holder("queue", INTAKE)
    put_aside = row.wakes_us is not None and row.wakes_us > at_us
    if here and named is not None and (is_new or holder.kind in ("queue", "pool")):
        if put_aside and is_new:
            aside = reason.model_copy(update={"wakes_us": row.wakes_us})
            return Routing(Holder("nurture", str(row.cadence)), aside, minutes, None, by_way_of=named)
        return Routing(Holder("person", named), reason, minutes, None)
    if row.route and row.kind == "leads":
        return None
    if not is_new:
        return Routing(holder, reason, minutes, None)
    if put_aside:
        aside = reason.model_copy(update={"wakes_us": row.wakes_us, "team_id": _heap(row, office).holder_id})
        return Routing(Holder("nurture", str(row.cadence)), aside, minutes, None)
    return Routing(_heap(row, office), reason, minutes, None)


def _heap(row: Imported, office: Office) -> Holder:
    kind, _, name = (row.heap or "").partition(":")
    if kind == "pool" and name in office.company.pools:
        return Holder("pool", name)
    if kind == "queue" and name in office.company.units:
        return Holder("queue", name)
    return Holder("queue", office.company.default_queue)


def keeps(holder: Holder, office: Office, at_us: int) -> Routing | None:
    """Return that the person who has a customer keeps it, as long as they work here; None if nobody does.

    While they are away, what is to be done is their stand-in's; the customer stays theirs.
    """
    if holder.kind != "person" or not office.works_here(holder.holder_id):
        return None
    reason = Reason(code="sticky_owner", stand_in=office.stand_in(holder.holder_id, at_us))
    return Routing(holder, reason, office.company.first_response_minutes, None)


def woken(before: str | None, team_id: str | None, office: Office, at_us: int) -> Routing:
    """Return where a customer goes that was put aside until now: to who had it last, else to a team's queue."""
    minutes = office.company.first_response_minutes
    if before is not None and office.works_here(before):
        reason = Reason(code="woken", stand_in=office.stand_in(before, at_us))
        return Routing(Holder("person", before), reason, minutes, None)
    queue = team_id if team_id in office.company.units else office.company.default_queue
    return Routing(Holder("queue", str(queue)), Reason(code="woken", team_id=queue), minutes, None)


def rule_for(resolved: ResolvedLead, office: Office) -> tuple[Found, Needs] | None:
    """Return the first rule that a lead fulfils, with the conditions that held, and what the lead needs; None for none.

    The rule says which team.
    """
    facts = facts_of(resolved, office.company)
    found = office.book.first(facts)
    return None if found is None else (found, needs_of(facts))


def route(found: Found | None, office: Office, case: Case) -> Routing:
    """Decide on the holder of a lead that does not stay with one, by the rule that was found for it."""
    minutes = office.company.first_response_minutes
    if found is None:
        reason = Reason(code="default_queue", book_version=office.book.version)
        return Routing(Holder("queue", office.company.default_queue), reason, minutes, None)
    rule, conditions = found
    ruled = {
        "book_version": office.book.version,
        "rule_id": rule.rule_id,
        "conditions": conditions,
        "priority": rule.besides.priority,
        "playbook": rule.besides.playbook,
        "protect_days": rule.besides.protect_days,
        "collaborators": people_beside(rule.besides.collaborators, office.company),
    }
    minutes = rule.respond_within_minutes if rule.respond_within_minutes is not None else minutes
    if rule.pool is not None:
        pooled = Reason(code="pooled", pool_id=rule.pool, grade=case.grade, **ruled)
        return Routing(Holder("pool", rule.pool), pooled, minutes, None)
    strategy = strategy_named(rule.strategy)
    team, passed_over = _eligible(rule.team, office, case, strategy)
    if strategy.call_minutes is not None and team:
        reason = _offered((rule.team, rule.strategy), team, passed_over, case, ruled)
        return Routing(Holder("queue", rule.team), reason, minutes, None)
    reason, chosen = _chosen((rule.team, rule.strategy, strategy), team, passed_over, case, ruled)
    holder = Holder("queue", rule.team) if chosen is None else Holder("person", chosen.person_id)
    return Routing(holder, reason, minutes, None if chosen is None else rule.team)


@dataclass(frozen=True, slots=True)
class Waits:
    """How a customer came into a waiting queue: by a rule with this strategy and protection, or returned by somebody."""

    strategy: str | None = None
    protect_days: int | None = None
    returned_by: str | None = None


JUST_WAITS = Waits()
"""By turn, and nothing else is known."""


def drain(team_id: str, office: Office, case: Case, waits: Waits = JUST_WAITS) -> Routing | None:
    """Decide who takes one customer out of a team's waiting queue; None while nobody can.

    Whoever returned the customer is passed over while somebody else is there: it would come back at once.
    """
    strategy, returned_by = waits.strategy, waits.returned_by
    way = strategy_named(strategy)
    team, passed_over = _eligible(team_id, office, case, way)
    if not team:
        return None
    others = [one for one in team if one.person_id != returned_by]
    if others and len(others) < len(team) and returned_by is not None:
        team, passed_over = others, [*passed_over, (returned_by, "returned_it")]
    ruled = {"book_version": office.book.version, "protect_days": waits.protect_days}
    reason, chosen = _chosen((team_id, strategy, way), team, passed_over, case, ruled)
    assert chosen is not None
    minutes = office.company.first_response_minutes
    return Routing(Holder("person", chosen.person_id), reason, minutes, team_id)


def named_person(strategy: Strategy, team_id: str, office: Office) -> str | None:
    """Return whom a strategy names, if they can still get something of the team; else it is anybody's."""
    person_id = strategy.person_id
    here = person_id is not None and office.works_here(person_id)
    return (
        person_id
        if here and any(one.person_id == person_id for one in office.members.get(team_id, ()))
        else None
    )


def _eligible(
    team_id: str, office: Office, case: Case, strategy: Strategy
) -> tuple[list[Candidate], list[tuple[str, str]]]:
    """Return who can have a lead, with the numbers that strategies go by, and why the others cannot."""
    able, passed_over = office.could_take(team_id, case.at_us, case.needs, case.loads)
    team = [_candidate(member, office, case, strategy) for member in able]
    if (named := named_person(strategy, team_id, office)) is not None:
        passed_over += [(one.person_id, "not_named") for one in team if one.person_id != named]
        team = [one for one in team if one.person_id == named]
    if strategy.by_match and team:
        best = max(one.matches for one in team)
        passed_over += [(one.person_id, "lacks_skill") for one in team if one.matches < best]
        team = [one for one in team if one.matches == best]
    return team, passed_over


def _candidate(member: Member, office: Office, case: Case, strategy: Strategy) -> Candidate:
    person_id = member.person_id
    received, entitled, last_us = case.totals.get(person_id, NOTHING_YET)
    return Candidate(
        person_id,
        member.share,
        received,
        entitled,
        case.loads.open.get(person_id, 0),
        last_us,
        matches(office.company.people[person_id], case.needs) if strategy.by_match else 0,
    )


def _offered(
    by: tuple[str, str | None],
    team: list[Candidate],
    passed_over: list[tuple[str, str]],
    case: Case,
    ruled: Mapping[str, Any],
) -> Reason:
    team_id, named = by
    return Reason(
        code="call_now",
        team_id=team_id,
        eligible=tuple([one.person_id for one in team]),
        passed_over=tuple(passed_over),
        strategy=named,
        grade=case.grade,
        **ruled,
    )


def _chosen(
    by: tuple[str, str | None, Strategy],
    team: list[Candidate],
    passed_over: list[tuple[str, str]],
    case: Case,
    ruled: Mapping[str, Any],
) -> tuple[Reason, Candidate | None]:
    team_id, named, strategy = by
    number = strategy.number
    reason = Reason(
        code=_code(strategy, team),
        team_id=team_id,
        eligible=tuple([one.person_id for one in team]),
        passed_over=tuple(passed_over),
        strategy=named,
        grade=case.grade,
        standing=tuple([(one.person_id, one.share, one.received, one.entitled, number(one)) for one in team]),
        **ruled,
    )
    return reason, strategy.pick(team, tie_of(case.decision_id)) if team else None


def _code(strategy: Strategy, team: list[Candidate]) -> Code:
    if not team:
        return "waiting"
    somebody_else = strategy.person_id is not None and team[0].person_id != strategy.person_id
    return "weighted_turn" if somebody_else else strategy.code


def has_talked(lead: Lead) -> bool:
    """Tell whether the lead is a call, in or out, in which a person of ours spoke with the customer."""
    return lead.call is not None and lead.call.answered


def task_origin(lead: Lead) -> TaskOrigin | None:
    """Return what is to be done first about a lead; None for a touch, and for what only adds to a lead."""
    if is_missed(lead):
        return "call_back"
    if lead.imported is not None and not lead.imported.route:
        return None
    return "first_response" if lead.kind == "enquiry" and lead.joins is None else None


def tie_of(decision_id: str) -> Callable[[str], int]:
    """Return the hash that breaks ties in this decision: seeded, so that over many decisions all are equal."""

    def tie(person_id: str) -> int:
        digest = blake2b(f"{decision_id} {person_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    return tie
