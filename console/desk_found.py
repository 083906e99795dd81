"""What the front desk and a telephone's screen are told of a customer, by who asks. Reads; the pages write down who asked.

Of customers whose holder somebody sees, they see everything. The front desk is told of all others who has them, masked. For
everybody else the blind check answers, to a whole number or a company's name only (enrich.taken).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from console.counter_answer import back_us, presence, whom_instead
from console.may import Visitor
from enrich.findable import words_of
from enrich.taken import MOST, NOBODY, Owned, Taken, look_up, owned
from router.office import Office
from router.route import tie_of
from schemas.lead import FieldValue
from schemas.mask import first_sign, masked
from store.acts import ActRefused
from store.find import FoundLead, fields_of, leads_found


@dataclass(frozen=True, slots=True)
class Hit:
    """A customer that fits, and who has it."""

    taken: Taken
    name: str
    """As it may be shown: of whom one does not see, the first sign."""
    company: str
    phones: tuple[tuple[str, str | None], ...]
    """(as it may be shown, `tel:` address or None)."""
    is_seen: bool
    """The reader may open its story."""
    presence: str
    """`here`, `away`, `off_shift`, `left`; empty where no person has it."""
    back_us: int | None
    instead: tuple[str, str] | None
    """Who can see to a visitor instead: (person, as what)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody typed leads to."""

    hits: tuple[Hit, ...] = ()
    blind: tuple[Taken, ...] = ()
    """Customers of others, of which only department, since when and whom to ask is told."""
    many: bool = False
    """There are more than a handful: what was typed has to say more."""
    too_little: bool = False
    """What was typed says too little to look for."""
    questions: tuple[str, ...] = ()
    """Customers about which this was a question to be written down (`nobody`: none was found)."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Who reads, when, and of which company."""

    office: Office
    who: Visitor
    now_us: int


def find(connection: Connection, office: Office, asked: str, who: Visitor, now_us: int) -> Answer:
    """Return what a visitor is told of what they typed."""
    words, reader = words_of(asked), _Reader(office, who, now_us)
    leads, many = leads_found(connection, words, MOST)
    by_id = {one.customer_id: Owned._make(one[1:]) for one in leads}
    fits = sorted(by_id.values(), key=lambda one: (one.from_us, one.customer_id))

    def told_of(some: Sequence[Owned]) -> list[Taken]:
        return owned(connection, office.company, some, who.person_id or "")

    if who.person_id is None or "front_desk" in who.roles:
        told = [] if many else told_of(fits)
        strange = tuple(one.customer_id for one in told if not who.knows(one.holder_id))
        is_free = who.sees_all or many or not words
        questions = () if is_free else strange or (() if told else (NOBODY,))
        return Answer(_hits(connection, leads, told, reader), (), many, not words, questions)
    told = told_of([one for one in fits if who.knows(one.holder_id)][:MOST])
    blind, questions = _blind(connection, office, asked, who, {one.customer_id for one in told})
    hits = _hits(connection, leads, told, reader)
    return Answer(hits, blind, many and not told and not blind, not words, questions)


def _blind(
    connection: Connection, office: Office, asked: str, who: Visitor, told: set[str]
) -> tuple[tuple[Taken, ...], tuple[str, ...]]:
    """Return what the blind check says beyond what somebody sees anyway, and the questions that it was."""
    try:
        found = look_up(connection, office.company, asked, who.person_id or "")
    except ActRefused:
        return (), ()
    rest = tuple(one for one in found if one.customer_id not in told)
    if rest:
        return rest, tuple(one.customer_id for one in rest)
    return (), () if told else (NOBODY,)


def _hits(
    connection: Connection, leads: Sequence[FoundLead], told: Sequence[Taken], reader: _Reader
) -> tuple[Hit, ...]:
    by_customer: dict[str, list[str]] = {}
    for one in leads:
        by_customer.setdefault(one.customer_id, []).append(one.lead_id)
    shown = fields_of(connection, [by_customer[one.customer_id][0] for one in told])
    fields = {
        lead_id: tuple(FieldValue.model_validate(one) for one in many) for lead_id, many in shown.items()
    }
    return tuple(_hit(one, fields.get(by_customer[one.customer_id][0], ()), reader) for one in told)


def _hit(taken: Taken, fields: Sequence[FieldValue], reader: _Reader) -> Hit:
    office, who, now_us = reader.office, reader.who, reader.now_us
    is_person = taken.holder_id in office.company.people
    present = presence(office, taken.holder_id, now_us) if is_person else ""
    team_id = office.places.get(taken.holder_id) if is_person else taken.holder_id
    instead = None
    if present != "here":
        absent = (taken.holder_id if is_person else None, team_id)
        instead = whom_instead(office, absent, now_us, tie_of(taken.customer_id))
    seen = who.knows(taken.holder_id)
    clear = who.person_id is None or taken.holder_id in who.looks_after
    name = _first(fields, "full_name")
    company = _first(fields, "company")
    phones = [(one.received, one.value) for one in fields if one.name == "phone"]
    return Hit(
        taken,
        name if seen else first_sign(name or company),
        company if seen else "",
        tuple(
            (received, f"tel:{value}" if value else None) if clear else (masked(received), None)
            for received, value in phones
        ),
        seen,
        present,
        back_us(office, taken.holder_id, now_us) if present in ("away", "off_shift") else None,
        instead,
    )


def _first(fields: Sequence[FieldValue], name: str) -> str:
    return next((one.value or one.received for one in fields if one.name == name), "")
