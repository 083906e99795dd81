"""Whom a lead resembles that no identifier recognises: what it is compared with, and what comes of it. Pure.

Candidates are leads that share a blocking key; they speak for the contact or customer they belong to together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from math import log2
from typing import NamedTuple

from enrich.match.block import key_number, keys_of, refined
from enrich.match.cluster import Bands, Candidate, Found, assign
from enrich.match.model import Level, MatchModel, default_model
from enrich.match.record import FIELDS, Record, record_of
from enrich.match.trusted import trusted_ids
from schemas.lead import FieldValue, Lead


class Near(NamedTuple):
    """A lead that may be compared with: its record, and whose it is at present."""

    record: Record
    contact_id: str
    customer_id: str


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

    def weigh(self, level: Level) -> Callable[[Record, Record], float]:
        """Return what two records are worth for a question, in bits."""
        return lambda one, other: self.model.weigh(one, other, level)


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
    return {
        key_number(key): Key(key, fields)
        for key in keys_of(record, "customer")
        if (fields := _AGREES.get(key.partition(":")[0]))
    }


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
    return bool(fields & _FIRM) or bool(fields & (fields - 1))


def similar(record: Record, near: Iterable[Near], judge: Judge) -> Alike:
    """Decide whom a record resembles enough, among leads that share a key with it.

    First the person; who is nobody known may still buy for a company that is.
    """
    near = list(near)
    person = assign(record, _grouped(near, "contact"), judge.weigh("contact"), judge.contact)
    of = {one.contact_id: one.customer_id for one in near}
    # What a person merges is customers.
    doubtful = {of[one.id]: Doubt(of[one.id], one.bits, "contact") for one in person.review}
    if person.band == "same" and person.customer is not None:
        return Alike(contact=Found(person.customer, person.bits), review=_reviewed(doubtful))
    if record.names_company:
        firm = assign(record, _grouped(near, "customer"), judge.weigh("customer"), judge.customer)
        if firm.band == "same" and firm.customer is not None:
            return Alike(customer=Found(firm.customer, firm.bits), review=_reviewed(doubtful))
        for one in firm.review[:1]:
            doubtful.setdefault(one.id, Doubt(one.id, one.bits, "customer"))
    return Alike(review=_reviewed(doubtful))


def _reviewed(doubtful: Mapping[str, Doubt]) -> tuple[Doubt, ...]:
    return tuple(sorted(doubtful.values(), key=lambda one: -one.bits))


def _grouped(near: Iterable[Near], level: Level) -> list[Candidate[str]]:
    groups: dict[str, list[Record]] = {}
    for one in near:
        groups.setdefault(one.contact_id if level == "contact" else one.customer_id, []).append(one.record)
    return [
        Candidate(any_id, members, frozenset().union(*(trusted_ids(one, level) for one in members)))
        for any_id, members in groups.items()
    ]


def _text(field: FieldValue) -> str:
    return field.value or field.received


def _bits(probability: float) -> float:
    return log2(probability / (1 - probability))


_COMPARED = frozenset(FIELDS) - {"other"}
_NAME, _MAIL, _PHONE, _FIRM, _ADDRESS, _PLACE = 1, 2, 4, 8, 16, 32
_AGREES = {
    "local": _MAIL,
    "near_mail": _MAIL,
    "phone_start": _PHONE,
    "phone_end": _PHONE,
    "name": _NAME,
    "name_start": _NAME,
    "part_firm": _NAME | _FIRM,
    "sound": _FIRM,
    "initials": _FIRM,
    "domain": _FIRM,
    "address": _ADDRESS,
}
"""Kinds of keys that are looked under. Whole mailboxes and numbers are identifiers, which are looked up as such; what
else there is leads to many, and is seldom the only one."""
_ALSO = {
    "part": _NAME,
    "place": _PLACE,
    "phone": _PHONE,
    "mail": _MAIL,
    "firm": _FIRM,
    "word": _FIRM,
    "address": _ADDRESS,
}
"""Second fields that a hot key is refined by."""
