"""What the front desk is told of a visitor it has just entered: whose customer, here or away, whom instead."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import orjson
from sqlalchemy import Connection, select

from console.names import holder_name
from console.texts import WORDING
from console.times import shown
from console.why import Teller
from router.office import Office, OfficeCache
from router.route import tie_of
from schemas.base import Language
from schemas.company import Company
from schemas.work import Reason
from store import tables
from store.company import CompanyCache
from store.database import Database
from worktime import next_working


class CounterAnswers:
    """Answers the front desk from the store, by a capture's receipt.

    Reads by key only, so that it can be asked every few milliseconds until route has decided.
    """

    def __init__(self, store: Database, companies: CompanyCache, clock: Callable[[], int]) -> None:
        self._store = store
        self._companies = companies
        self._clock = clock
        self._offices = OfficeCache()

    def __call__(self, source_id: str, receipt: str, language: Language) -> dict[str, Any] | None:
        """Return the answer, see `answer_of`; None while nothing is decided, or for another source's receipt.

        A capture that could not be read gives {"refused": True}.
        """
        now_us = self._clock()
        with self._store.read() as connection:
            office = self._offices.get(self._companies.get(connection))
            capture = tables.capture
            found = connection.execute(
                select(capture.c.result).where(
                    capture.c.capture_id == receipt, capture.c.source_id == source_id
                )
            ).one_or_none()
            if found is None:
                return None
            if found.result != "lead":
                return {"refused": True}
            case = _read(connection, receipt)
        return None if case is None else answer_of(case, office, language, now_us)


def counter_staff(store: Database, companies: CompanyCache) -> Callable[[Language], dict[str, str]]:
    """Return the names of who can type at a front desk, by their two digits, as of when it is asked."""

    def staff(language: Language) -> dict[str, str]:
        with store.read() as connection:
            company = companies.get(connection)
        return {
            one.desk_code: holder_name(company, one.person_id, language)
            for one in company.people.values()
            if one.desk_code is not None and one.state == "active"
        }

    return staff


def answer_of(case: dict[str, Any], office: Office, language: Language, now_us: int) -> dict[str, Any]:
    """Return the answer for a visit that route has decided on.

    `case` has decision_id, reason, holder_kind and holder_id, due_us (None without an open task), and known:
    whether the customer had been here before. The answer: `owner` {name, extension, present, back} or None,
    `team`, `opens` (from when the team works, if nobody has the customer yet), `instead` {name, extension, role}
    or None, `known`, `why`, `due` and `due_us`. Moments are texts as people read them but `due_us`.
    """
    company, reason = office.company, Reason.model_validate(case["reason"])
    holder_id = case["holder_id"]
    is_person = case["holder_kind"] == "person"
    team_id = (reason.team_id or office.places.get(holder_id)) if is_person else holder_id
    present = presence(office, holder_id, now_us) if is_person else None

    def when(us: int | None) -> str:
        return "" if us is None else shown(us, now_us, company.zone, language)

    def person(person_id: str) -> dict[str, Any]:
        found = company.people.get(person_id)
        name = holder_name(company, person_id, language)
        return {"name": name, "extension": found.extension if found else None}

    owner = None
    if is_person:
        back = "" if present in ("here", "left") else when(back_us(office, holder_id, now_us))
        owner = {**person(holder_id), "present": present, "back": back}
    instead = None
    if present != "here":
        tie = tie_of(case["decision_id"])
        found = whom_instead(office, (holder_id if is_person else None, team_id), now_us, tie)
        instead = None if found is None else {**person(found[0]), "role": found[1]}
    teller = Teller(company, language, WORDING.translations(language).gettext)
    return {
        "known": case["known"],
        "owner": owner,
        "team": holder_name(company, team_id, language),
        "opens": "" if is_person or team_id is None else when(office.opens(team_id, now_us)),
        "instead": instead,
        "why": teller.sentence(reason, holder_id),
        "due_us": case["due_us"],
        "due": when(case["due_us"]),
    }


def presence(office: Office, person_id: str, at_us: int) -> str:
    """Return `here` (at work by the calendar), `away`, `off_shift` or `left`."""
    return office.why_not(person_id, at_us) or "here"


def back_us(office: Office, person_id: str, at_us: int) -> int | None:
    """Return when somebody is next at work; None if that cannot be told."""
    person = office.company.people.get(person_id)
    if person is None:
        return None
    start = at_us
    while True:
        ends = [
            away.to_us for away in office.absences.get(person_id, ()) if away.from_us <= start < away.to_us
        ]
        if ends:
            start = max(ends)
            continue
        moment = next_working(office.calendar_of(person), start)
        if moment is None or moment == start:
            return moment
        start = moment


def whom_instead(
    office: Office, absent: tuple[str | None, str | None], at_us: int, tie: Callable[[str], int]
) -> tuple[str, str] | None:
    """Return who can see to a visitor now, and as what: `stand_in`, `colleague` or `manager`; None if nobody.

    `absent` is the (owner, team) who cannot: first the owner's stand-in, then a colleague of the team who is
    at work (which one goes by `tie`, so that not always the same is called), then the managers upwards, then
    whoever answers for the default queue.
    """
    owner_id, team_id = absent
    for away in office.absences.get(owner_id or "", ()):
        if away.from_us <= at_us < away.to_us and _is_here(office, away.stand_in_id, at_us):
            return str(away.stand_in_id), "stand_in"
    team = {
        member.person_id
        for member in office.members.get(team_id or "", ())
        if member.from_us <= at_us and (member.to_us is None or at_us < member.to_us)
    }
    here = [one for one in sorted(team - {owner_id}) if _is_here(office, one, at_us)]
    if here:
        return min(here, key=tie), "colleague"
    for manager_id in _managers(office.company, team_id):
        if manager_id != owner_id and _is_here(office, manager_id, at_us):
            return manager_id, "manager"
    return None


def _is_here(office: Office, person_id: str | None, at_us: int) -> bool:
    return person_id is not None and office.why_not(person_id, at_us) is None


def _managers(company: Company, unit_id: str | None) -> Iterator[str]:
    seen: set[str] = set()
    while unit_id is not None and unit_id not in seen and (unit := company.units.get(unit_id)) is not None:
        seen.add(unit_id)
        if unit.manager_id is not None:
            yield unit.manager_id
        unit_id = unit.parent_id
    if company.responsible_id is not None:
        yield company.responsible_id


def _read(connection: Connection, capture_id: str) -> dict[str, Any] | None:
    """Read what `answer_of` needs of a visit; None while route has not decided on it."""
    origin, lead, decision, member = tables.lead_capture, tables.lead, tables.decision, tables.membership
    own = connection.execute(
        select(lead.c.lead_id, lead.c.joined_lead_id, decision.c.decision_id, decision.c.reason_json)
        .join(lead, lead.c.lead_id == origin.c.lead_id)
        .join(decision, decision.c.lead_id == lead.c.lead_id)
        .where(origin.c.capture_id == capture_id, origin.c.role == "origin", decision.c.stage == "route")
        .order_by(decision.c.decided_us)
    ).first()
    if own is None:
        return None
    leads = [one for one in (own.lead_id, own.joined_lead_id) if one is not None]
    # What a correction joins was decided first; that decision says why, the correction's only "still the owner".
    first = None
    if own.joined_lead_id is not None:
        first = connection.execute(
            select(decision.c.decision_id, decision.c.reason_json)
            .where(decision.c.lead_id == own.joined_lead_id, decision.c.stage == "route")
            .order_by(decision.c.decided_us)
        ).first()
    told: Any = own if first is None else first
    atom = connection.execute(
        select(member.c.customer_id).where(member.c.lead_id == own.lead_id, member.c.to_us.is_(None))
    ).scalar_one()
    holder = _holder(connection, atom)
    if holder is None:
        return None
    return {
        "decision_id": told.decision_id,
        "reason": orjson.loads(told.reason_json),
        "holder_kind": holder.holder_kind,
        "holder_id": holder.holder_id,
        "due_us": _due_us(connection, holder.customer_id, leads),
        "known": holder.born_lead not in leads,
    }


def _holder(connection: Connection, atom: str) -> Any:
    alias, holding, customer = tables.alias, tables.holding, tables.customer
    now = connection.execute(select(alias.c.now_id).where(alias.c.old_id == atom)).scalar() or atom
    return connection.execute(
        select(holding.c.customer_id, holding.c.holder_kind, holding.c.holder_id, customer.c.born_lead)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(holding.c.customer_id == now, holding.c.role == "owner", holding.c.to_us.is_(None))
    ).first()


def _due_us(connection: Connection, customer_id: str, leads: list[str]) -> int | None:
    """Return when the first open task is due: that of this visit, else the customer's next one."""
    task = tables.task
    rows = connection.execute(
        select(task.c.lead_id, task.c.due_us).where(task.c.customer_id == customer_id, task.c.state == "open")
    ).all()
    own = [row.due_us for row in rows if row.lead_id in leads]
    return min(own or [row.due_us for row in rows], default=None)
