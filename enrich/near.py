"""What the leads of a batch may resemble: read in two looks, and added to as the batch is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from enrich.match.pack import pack, unpack
from enrich.match.record import Record
from enrich.similar import (
    NOBODY,
    Alike,
    Doubt,
    Judge,
    Key,
    Near,
    is_worth_comparing,
    keys_instead,
    keys_to_look_under,
    record_of_lead,
    similar,
)
from schemas.lead import Lead
from store.effects import Effect, Insert
from store.similar import MOST_UNDER_KEY, leads_under, records_of

MOST_COMPARED = 30
"""Leads that one is compared with: those that agree in most fields. It costs some 15 µs to read and weigh each."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared of a lead, and the numbers of the keys that it is found by."""

    record: Record
    keys: Mapping[int, Key]


def compared(lead: Lead) -> Compared | None:
    """Read what is compared of a lead; None if nobody can be recognised in it."""
    record = record_of_lead(lead)
    return Compared(record, keys_to_look_under(record)) if record else None


@dataclass
class Neighbourhood:
    """Leads by key number, whose they are, and what the model said of each that was asked about."""

    judge: Judge
    under: dict[int, list[str]] = field(default_factory=dict)
    near: dict[str, Near] = field(default_factory=dict)
    _answers: dict[str, tuple[frozenset[str], Alike]] = field(default_factory=dict)

    def read(
        self, connection: Connection, leads: Iterable[Compared], is_open: Callable[[Compared], bool]
    ) -> None:
        """Learn who is under these leads' keys; and for those leads that are open, what they are compared with."""
        leads = list(leads)
        self._look(connection, {number for one in leads for number in one.keys})
        self._look(
            connection,
            {number for one in leads for key in self._full(one) for number in keys_instead(key, one.record)},
        )
        wanted = {other for one in leads if is_open(one) for other in self._others(one)}
        for row in records_of(connection, wanted):
            self.near[row.lead_id] = Near(unpack(row.packed.encode()), row.contact_id, row.customer_id)

    def alike(self, one: Compared) -> Alike:
        """Return whom a lead resembles, among those known by now."""
        found = frozenset(other for other in self._others(one) if other in self.near)
        if not found:
            return NOBODY
        known, answer = self._answers.get(one.record.record_id, (None, NOBODY))
        if known != found:
            answer = similar(one.record, (self.near[other] for other in sorted(found)), self.judge)
            self._answers[one.record.record_id] = found, answer
        return answer

    def only_asked(self, alike: Alike) -> Alike:
        """Return the answer of a company where a person decides: everybody found is to be reviewed, nobody joined."""
        if alike.contact is not None:
            contact = alike.contact
            of = next(one.customer_id for one in self.near.values() if one.contact_id == contact.id)
            sure = Doubt(of, contact.bits, "contact")
        elif alike.customer is not None:
            sure = Doubt(alike.customer.id, alike.customer.bits, "customer")
        else:
            return alike
        return Alike(review=(sure, *(one for one in alike.review if one.id != sure.id)))

    def add(self, one: Compared, contact_id: str, customer_id: str) -> Iterator[Effect]:
        """Let the leads that follow find this one, and yield the rows that keep it so."""
        lead_id = one.record.record_id
        yield Insert("match_record", {"lead_id": lead_id, "packed": pack(one.record).decode()})
        for number in self._keys(one):
            leads = self.under.setdefault(number, [])
            if len(leads) < MOST_UNDER_KEY:
                leads.append(lead_id)
                yield Insert("match_key", {"number": number, "lead_id": lead_id})
        self.near[lead_id] = Near(one.record, contact_id, customer_id)

    def _look(self, connection: Connection, numbers: set[int]) -> None:
        for number, lead_id in leads_under(connection, numbers):
            self.under.setdefault(number, []).append(lead_id)

    def _full(self, one: Compared) -> list[Key]:
        return [key for number, key in one.keys.items() if len(self.under.get(number, ())) >= MOST_UNDER_KEY]

    def _keys(self, one: Compared) -> dict[int, Key]:
        keys = dict(one.keys)
        for key in self._full(one):
            keys |= keys_instead(key, one.record)
        return keys

    def _others(self, one: Compared) -> list[str]:
        """Return the leads worth comparing with, those first that agree in most fields."""
        agree: dict[str, int] = {}
        for number, key in self._keys(one).items():
            for other in self.under.get(number, ()):
                agree[other] = agree.get(other, 0) | key.fields
        worth = [other for other, fields in agree.items() if is_worth_comparing(fields)]
        if len(worth) <= MOST_COMPARED:
            return worth
        return sorted(worth, key=lambda other: (-agree[other].bit_count(), other))[:MOST_COMPARED]
