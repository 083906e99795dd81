"""Whom a lead resembles that no identifier recognises: what it is compared with, and what comes of it. Pure.

Candidates are leads that share a blocking key; they speak for the contact or customer they belong to together.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import log2
from typing import Literal, NamedTuple

from enrich.match.block import key_number, keys_to_agree_by, refined
from enrich.match.cluster import Assignment, Bands, Candidate, Found, assign
from enrich.match.model import Level, MatchModel, default_model
from enrich.match.record import FIELDS, Record, record_of
from enrich.match.trusted import trusted_ids
from schemas.lead import FieldValue, Lead

Question = Literal[0, 1]
"""Is it the same contact (0), or the same customer (1)?"""


class Near(NamedTuple):
    """A lead that may be compared with: its record, and whose it is at present."""

    record: Record
    contact_id: str
    customer_id: str

    def of(self, question: Question) -> str:
        """Return the contact or the customer that it belongs to."""
        return self.customer_id if question else self.contact_id


class Doubt(NamedTuple):
    """A customer that may be the same: for how many bits, and by which question."""

    id: str
    bits: float
    level: Level


@dataclass(frozen=True, slots=True)
class Alike:
    """Whom a lead resembles: a contact, or only a customer; what else a person should look at."""

    contact: Found[str] | None = None
    customer: Found[str] | None = None
    review: tuple[Doubt, ...] = ()
    """Customers that may be the same, likeliest first."""
    contacts_customer: str | None = None
    """The customer that the contact belongs to."""

    def doubts(self) -> tuple[Doubt, ...]:
        """Return the customers of everybody found, for where the machine does not join by itself."""
        if self.contact is not None and self.contacts_customer is not None:
            sure = Doubt(self.contacts_customer, self.contact.bits, "contact")
        elif self.customer is not None:
            sure = Doubt(self.customer.id, self.customer.bits, "customer")
        else:
            return self.review
        return (sure, *(one for one in self.review if one.id != sure.id))


NOBODY = Alike()

SURE = 0.99
"""From which probability on the machine decides alone: one of a hundred joins may be wrong, and can be undone."""
DOUBTFUL = 0.5
"""From which probability on a person is asked."""


@dataclass(frozen=True, slots=True)
class Judge:
    """The model in use, and from how many bits on it decides each question."""

    model: MatchModel
    contact: Bands
    customer: Bands
    digest: str
    """Of the model: what was offered for review by another one had other bits."""


def stated_bands() -> Bands:
    """Return the bands of these probabilities, at a model's own prior."""
    return Bands(_bits(SURE), _bits(DOUBTFUL))


def default_judge() -> Judge:
    """Return the judge for the model that Leadflow comes with."""
    return Judge(default_model(), stated_bands(), stated_bands(), digest_of(default_model()))


def digest_of(model: MatchModel) -> str:
    """Return the name of a model: other weights or another prior are another one."""
    return sha256(model.dump()).hexdigest()[:12]


def record_of_lead(lead: Lead) -> Record | None:
    """Return what is compared of a lead; None if there is nobody to recognise in it: no name, mail or company.

    A probe is nobody.
    """
    if lead.purpose == "probe":
        return None
    fields: dict[str, list[str]] = {}
    for field in lead.fields:
        if field.name in _COMPARED and (text := _text(field)):
            fields.setdefault(field.name, []).append(text)
    record = record_of(lead.lead_id, fields, lead.channel)
    return record if record.names or record.emails or record.companies else None


class Key(NamedTuple):
    """A blocking key, and which fields agree where it is shared."""

    text: str
    fields: int


def keys_to_look_under(record: Record) -> dict[int, Key]:
    """Return the keys of a record by number."""
    return {key_number(key): Key(key, _AGREES[key.partition(":")[0]]) for key in keys_to_agree_by(record)}


def keys_instead(key: Key, record: Record) -> dict[int, Key]:
    """Return the keys that stand for one under which there are too many: something else agrees there as well."""
    return {
        key_number(one): Key(one, key.fields | _ALSO.get(one.rpartition("|")[2].partition(":")[0], 0))
        for one in refined(key.text, record)
    }


def is_worth_comparing(fields: int) -> bool:
    """Tell whether two records that share keys of these fields may be one person or one customer.

    One field alone, be it the same name, weighs less than the prior against it; a company may be known by its name.
    """
    return bool(fields & FIRM) or bool(fields & (fields - 1))


def similar(record: Record, near: Iterable[Near], judge: Judge) -> Alike:
    """Decide whom a record resembles enough, among leads that share a key with it.

    First the person; who is nobody known may still buy for a company that is.
    """
    near, weigh_both = list(near), judge.model.weigh_both
    both = {one.record.record_id: weigh_both(record, one.record) for one in near}

    def asked(question: Question) -> Assignment[str] | None:
        bands = judge.customer if question else judge.contact
        # No mean is above its greatest: most records resemble nobody, and need not be grouped to tell so.
        likely = {one.of(question) for one in near if both[one.record.record_id][question] >= bands.review}
        if not likely:
            return None

        def weigh(one: Record, other: Record) -> float:
            return (both[other.record_id] if one is record else weigh_both(one, other))[question]

        return assign(record, _grouped(near, likely, question), weigh, bands)

    person = asked(0)
    doubtful: dict[str, Doubt] = {}
    if person is not None:
        of = {one.contact_id: one.customer_id for one in near}
        # What is merged, by a person or at a second look, is customers.
        doubtful = {of[one]: Doubt(of[one], person.bits, "contact") for one in person.joins}
        doubtful |= {of[one.id]: Doubt(of[one.id], one.bits, "contact") for one in person.review}
        if person.band == "same" and person.customer is not None:
            found = Found(person.customer, person.bits)
            return Alike(found, review=_reviewed(doubtful), contacts_customer=of[found.id])
    firm = asked(1) if record.names_company else None
    if firm is not None:
        if firm.band == "same" and firm.customer is not None:
            return Alike(customer=Found(firm.customer, firm.bits), review=_reviewed(doubtful))
        for one in firm.review[:1]:
            doubtful.setdefault(one.id, Doubt(one.id, one.bits, "customer"))
    return Alike(review=_reviewed(doubtful))


def _reviewed(doubtful: Mapping[str, Doubt]) -> tuple[Doubt, ...]:
    return tuple(sorted(doubtful.values(), key=lambda one: -one.bits))


def _grouped(near: Iterable[Near], likely: Container[str], question: Question) -> list[Candidate[str]]:
    groups: dict[str, list[Record]] = {}
    for one in near:
        if (any_id := one.of(question)) in likely:
            groups.setdefault(any_id, []).append(one.record)
    level = _LEVELS[question]
    return [
        Candidate(any_id, members, frozenset().union(*(trusted_ids(one, level) for one in members)))
        for any_id, members in groups.items()
    ]


def _text(field: FieldValue) -> str:
    return field.value or field.received


def _bits(probability: float) -> float:
    return log2(probability / (1 - probability))


_LEVELS: tuple[Level, Level] = ("contact", "customer")
_COMPARED = frozenset(FIELDS) - {"other"}
NAME, _MAIL, _PHONE, FIRM, _ADDRESS, _PLACE = 1, 2, 4, 8, 16, 32
_AGREES = {
    "local": _MAIL,
    "near_mail": _MAIL,
    "phone_start": _PHONE,
    "phone_end": _PHONE,
    "sound": FIRM,
    "initials": FIRM,
    "domain": FIRM,
    "address": _ADDRESS,
}
"""By kind of key, what agrees where it is shared."""
_ALSO = {
    "part": NAME,
    "place": _PLACE,
    "phone": _PHONE,
    "mail": _MAIL,
    "firm": FIRM,
    "word": FIRM,
    "address": _ADDRESS,
}
"""Second fields that a hot key is refined by."""
