"""Which assignments a sink wants, and for whom a message is. Pure."""

from __future__ import annotations

from schemas.base import Channel, Purpose
from schemas.company import Company
from schemas.sinks import SinkSettings
from schemas.units import up
from schemas.work import Assignment


def wants(
    sink: SinkSettings,
    assignment: Assignment,
    company: Company,
    lead: tuple[Purpose, Channel | None],
) -> bool:
    """Tell whether an assignment goes out by this sink; `lead` is its purpose and the channel it came by."""
    purpose, channel = lead
    told_of = "person" if assignment.reason.code == "reclaimed" else assignment.holder_kind
    if purpose not in sink.purposes:
        return False
    if not {assignment.holder_kind, told_of} & set(sink.events) and assignment.reason.code != "call_now":
        return False  # what anybody of a team may take is for people and for their queue
    if sink.channels and channel not in sink.channels:
        return False
    return not sink.teams or not set(sink.teams).isdisjoint(units_of(assignment, company))


def recipient_of(assignment: Assignment, company: Company) -> str | None:
    """Return the person to be told: the owner, else a manager of theirs or of the queue, nearest first.

    Only people with a mail address count; whoever answers for the default queue is the last one asked. None
    if there is nobody.
    """
    candidates = [assignment.holder_id] if assignment.holder_kind == "person" else []
    if assignment.reason.code == "reclaimed" and assignment.previous_holder_id:
        candidates = [assignment.previous_holder_id]
    candidates += [
        unit.manager_id
        for unit_id in units_of(assignment, company)
        if (unit := company.units.get(unit_id)) is not None and unit.manager_id is not None
    ]
    candidates += [company.responsible_id] if company.responsible_id else []
    for person_id in candidates:
        if _has_mail(person_id, company):
            return person_id
    return None


def may_take(assignment: Assignment, company: Company) -> list[str]:
    """Return who is told to call now: of those who may take the customer first, all with a mail address."""
    if assignment.reason.code != "call_now":
        return []
    return [one for one in assignment.reason.eligible if _has_mail(one, company)]


def also_told(assignment: Assignment, company: Company) -> list[str]:
    """Return who else is to be told and can be written to.

    The manager of whoever does nothing; whoever had a customer until it was merged, parted or moved; who works on it
    from now on beside the owner; and who manages the unit of a claim on it.
    """
    reason, before = assignment.reason, assignment.previous_holder_id
    told = [before] if reason.code in _TELLS_BOTH and before is not None else []
    told += reason.collaborators
    if reason.code in _TELLS_MANAGER:
        above = (
            company.units[one].manager_id for one in units_of(assignment, company) if one in company.units
        )
        managing = (one for one in above if one is not None and one != assignment.holder_id)
        told.append(next((one for one in managing if _has_mail(one, company)), ""))
    if reason.claimant is not None and not reason.collaborators:
        managers = (unit.manager_id for unit in up(company, reason.claimant))
        told += [
            reason.claimant,
            next((one for one in managers if one is not None and _has_mail(one, company)), ""),
        ]
    others = (one for one in told if one != assignment.holder_id and _has_mail(one, company))
    return list(dict.fromkeys(others))


def _has_mail(person_id: str, company: Company) -> bool:
    person = company.people.get(person_id)
    return person is not None and person.state == "active" and bool(person.email)


_TELLS_MANAGER = ("copied", "offered")
_TELLS_BOTH = ("merged", "parted", "moved", "moved_back", "handed_over", "claim_decided", "auto_moved")


def units_of(assignment: Assignment, company: Company) -> list[str]:
    """Return the units that an assignment concerns, nearest first: queue or team, its parents, the owner's own."""
    near = [assignment.reason.team_id] if assignment.reason.team_id else []
    if assignment.holder_kind == "pool" and (pool := company.pools.get(assignment.holder_id)) is not None:
        near += pool.units
    elif assignment.holder_kind == "queue":
        near.append(assignment.holder_id)
    else:
        near += [
            member.unit_id
            for member in company.members
            if member.person_id == assignment.holder_id
            and member.from_us <= assignment.decided_us
            and (member.to_us is None or member.to_us > assignment.decided_us)
        ]
    return list(dict.fromkeys(unit.unit_id for one in near for unit in up(company, one)))
