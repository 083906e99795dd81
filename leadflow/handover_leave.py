"""The last step of a leaver's hand-over, and its way back: duties, access, and their state, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from sales.apply import publish
from schemas.company import Company
from store import tables
from store.acts import ActRefused, Command
from store.acts_job import read_job
from store.acts_move import is_there, owned_by
from store.belongings import Belonging, belongings
from store.company import company_version, load_company
from store.effects import Effect, Update
from store.locks import lock_company


def leave(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Plan: mark a job's person (the command's scope is the job) as left, their duties with whoever takes them.

    Refused while they own a single customer: the job gives it first.
    """
    lock_company(connection)
    job = read_job(connection, command.scope_id)
    company = load_company(connection, company_version(connection))
    left = owned_by(connection, job.person_id)
    if left:
        raise ActRefused(
            "left_over", f"{job.person_id} still owns {len(left)} customers; nobody leaves with one."
        )
    after = without(company, job.person_id, job.spec["duties_to"], now_us)
    had = belongings(connection, company, job.person_id, now_us)
    return [*publish(after)(connection, command, now_us), *_ended(connection, had, job.person_id, now_us)]


def without(company: Company, person_id: str, duties_to: str | None, now_us: int) -> Company:
    """Return the company in which somebody has left and another has their duties. Raises ActRefused without another."""
    if _has_duties(company, person_id, now_us) and (
        duties_to is None or not is_there(company, "person", duties_to) or duties_to == person_id
    ):
        raise ActRefused(
            "duties_missing",
            f"{person_id} manages, stands in or answers for something; say who does: --duties-to",
        )
    person = company.people[person_id].model_copy(update={"state": "left"})
    units = {
        key: unit.model_copy(update={"manager_id": duties_to}) if unit.manager_id == person_id else unit
        for key, unit in company.units.items()
    }
    absences = tuple(
        away.model_copy(update={"stand_in_id": _stand_in(away.person_id, duties_to)})
        if away.stand_in_id == person_id and away.to_us > now_us
        else away
        for away in company.absences
    )
    members = tuple(
        one.model_copy(update={"to_us": max(now_us, one.from_us + 1)})
        if one.person_id == person_id and (one.to_us is None or one.to_us > now_us)
        else one
        for one in company.members
    )
    responsible = duties_to if company.responsible_id == person_id else company.responsible_id
    return company.model_copy(
        update={
            "people": {**company.people, person_id: person},
            "units": units,
            "absences": absences,
            "members": members,
            "responsible_id": responsible,
        }
    )


def _stand_in(away_id: str, duties_to: str | None) -> str | None:
    return None if away_id == duties_to else duties_to  # nobody stands in for themselves


def _has_duties(company: Company, person_id: str, now_us: int) -> bool:
    manages = any(unit.manager_id == person_id for unit in company.units.values())
    stands_in = any(one.stand_in_id == person_id and one.to_us > now_us for one in company.absences)
    return manages or stands_in or company.responsible_id == person_id


def _ended(connection: Connection, had: Sequence[Belonging], person_id: str, now_us: int) -> Iterator[Effect]:
    for one in had:
        if one.kind == "claim":
            yield Update("claim", {"claim_id": one.object_id}, {"state": "refused", "ended_us": now_us})
        if one.kind == "access":
            yield Update("access", {"access_id": one.object_id}, {"ended_us": now_us})
    holding = tables.holding
    beside = select(holding.c.customer_id, holding.c.role, holding.c.from_us).where(
        holding.c.holder_kind == "person",
        holding.c.holder_id == person_id,
        holding.c.role != "owner",
        holding.c.to_us.is_(None),
    )
    for row in connection.execute(beside):
        yield Update("holding", dict(row._mapping), {"to_us": max(now_us, row.from_us + 1)})


def come_back(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Plan: have a leaver back as they were (the command's scope is the job), with what nobody changed since."""
    lock_company(connection)
    job = read_job(connection, command.scope_id)
    company = load_company(connection, company_version(connection))
    return publish(_back(company, job.person_id, job.spec))(connection, command, now_us)


def _back(company: Company, person_id: str, spec: Mapping[str, Any]) -> Company:
    had, taker = {Belonging(kind, object_id) for kind, object_id in spec["had"]}, spec["duties_to"]
    units = {
        key: unit.model_copy(update={"manager_id": person_id})
        if Belonging("unit_manager", key) in had and unit.manager_id == taker
        else unit
        for key, unit in company.units.items()
    }
    absences = tuple(
        away.model_copy(update={"stand_in_id": person_id})
        if Belonging("stand_in", f"{away.person_id}@{away.from_us}") in had
        and away.stand_in_id == _stand_in(away.person_id, taker)
        else away
        for away in company.absences
    )
    places = {(one["unit_id"], one["from_us"]): one["to_us"] for one in spec["places"]}
    members = tuple(
        one.model_copy(update={"to_us": places[one.unit_id, one.from_us]})
        if one.person_id == person_id and (one.unit_id, one.from_us) in places
        else one
        for one in company.members
    )
    responsible = company.responsible_id
    if any(one.kind == "responsible" for one in had) and responsible == taker:
        responsible = person_id
    person = company.people[person_id].model_copy(update={"state": "active"})
    return company.model_copy(
        update={
            "people": {**company.people, person_id: person},
            "units": units,
            "absences": absences,
            "members": members,
            "responsible_id": responsible,
        }
    )
