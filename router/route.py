"""Deciding who gets a lead: the owner the customer has, else the rule book, else a queue."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

from router.book import Found
from router.office import Office
from router.strategy import weighted_turn
from schemas.facts import facts_of, is_missed
from schemas.lead import Lead
from schemas.resolved import ResolvedLead
from schemas.work import HolderKind, Reason, TaskOrigin

PROBE_HOLDER = "probe"
"""Where probes end: a built-in queue that nobody works and no figure counts."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who or what has a customer."""

    kind: HolderKind
    holder_id: str


@dataclass(frozen=True, slots=True)
class Routing:
    """Where a lead goes and why; `counts_for` is the team in whose ledger it counts, None if in none."""

    holder: Holder
    reason: Reason
    respond_within_minutes: int
    counts_for: str | None


def stays(resolved: ResolvedLead, holder: Holder, office: Office) -> Routing | None:
    """Return where a lead goes whatever the rule book says: to whoever has its customer; None for all others."""
    minutes = office.company.first_response_minutes
    if resolved.lead.purpose == "probe":
        return Routing(Holder("queue", PROBE_HOLDER), Reason(code="probe"), minutes, None)
    if holder.kind == "person" and office.works_here(holder.holder_id):
        return Routing(holder, Reason(code="sticky_owner"), minutes, None)
    return None


def rule_for(resolved: ResolvedLead, office: Office) -> Found | None:
    """Return the first rule that a lead fulfils, and the conditions that held: it says which team."""
    return office.book.first(facts_of(resolved, office.company))


def route(
    found: Found | None,
    office: Office,
    received: Mapping[str, Mapping[str, int]],
    at: tuple[int, str],
) -> Routing:
    """Decide on the holder of a lead that does not stay with one, by the rule that was found for it.

    `received` is what each person of a team got in this period, `at` the moment (µs) and the id of this
    decision, which seeds ties.
    """
    at_us, decision_id = at
    minutes = office.company.first_response_minutes
    if found is None:
        reason = Reason(code="default_queue", book_version=office.book.version)
        return Routing(Holder("queue", office.company.default_queue), reason, minutes, None)
    rule, conditions = found
    minutes = rule.respond_within_minutes if rule.respond_within_minutes is not None else minutes
    able, passed_over = office.could_take(rule.team, at_us)
    reason = Reason(
        code="weighted_turn" if able else "waiting",
        book_version=office.book.version,
        rule_id=rule.rule_id,
        conditions=conditions,
        team_id=rule.team,
        eligible=tuple(rep.person_id for rep in able),
        passed_over=tuple(passed_over),
    )
    if not able:
        return Routing(Holder("queue", rule.team), reason, minutes, None)
    chosen = weighted_turn(able, received.get(rule.team, {}), tie_of(decision_id))
    return Routing(Holder("person", chosen.person_id), reason, minutes, rule.team)


def drain(
    team_id: str,
    office: Office,
    received: Mapping[str, int],
    at: tuple[int, str],
    returned_by: str | None = None,
) -> Routing | None:
    """Decide who takes one customer out of a team's waiting queue; None while nobody can.

    Whoever returned the customer is passed over while somebody else is there: it would come back at once.
    """
    at_us, decision_id = at
    able, passed_over = office.could_take(team_id, at_us)
    if not able:
        return None
    others = [one for one in able if one.person_id != returned_by]
    if others and len(others) < len(able) and returned_by is not None:
        able, passed_over = others, [*passed_over, (returned_by, "returned_it")]
    reason = Reason(
        code="weighted_turn",
        book_version=office.book.version,
        team_id=team_id,
        eligible=tuple(rep.person_id for rep in able),
        passed_over=tuple(passed_over),
    )
    chosen = weighted_turn(able, received, tie_of(decision_id))
    return Routing(Holder("person", chosen.person_id), reason, office.company.first_response_minutes, team_id)


def has_talked(lead: Lead) -> bool:
    """Tell whether the lead is a call, in or out, in which a person of ours spoke with the customer."""
    return lead.call is not None and lead.call.answered


def task_origin(lead: Lead) -> TaskOrigin | None:
    """Return what is to be done first about a lead; None for a touch, and for what only adds to a lead."""
    if is_missed(lead):
        return "call_back"
    return "first_response" if lead.kind == "enquiry" and lead.joins is None else None


def tie_of(decision_id: str) -> Callable[[str], int]:
    """Return the hash that breaks ties in this decision: seeded, so that over many decisions all are equal."""

    def tie(person_id: str) -> int:
        digest = blake2b(f"{decision_id} {person_id}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big")

    return tie
