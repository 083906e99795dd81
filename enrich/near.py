"""What the leads of a batch may resemble: read in two looks, and added to as the batch is decided."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sqlalchemy import Connection

from enrich.match.block import is_same_firm, is_same_name, shares_name, signature
from enrich.match.cluster import MOST_MEMBERS
from enrich.match.pack import pack, unpack
from enrich.match.record import Record
from enrich.similar import (
    FIRM,
    NAME,
    NOBODY,
    Alike,
    Judge,
    Key,
    Near,
    is_worth_comparing,
    keys_instead,
    keys_to_look_under,
    similar,
)
from store.effects import Effect, Insert
from store.similar import MOST_UNDER_KEY, UnderKey, leads_under, records_of

MOST_COMPARED = 30
"""Leads that one is compared with: those that agree in most fields. It costs some 15 µs to read and weigh each."""
MOST_COLLEAGUES = MOST_MEMBERS
"""Of these, leads that agree in the company only: none is the same person, and more do not tell the company better."""


@dataclass(frozen=True, slots=True)
class Compared:
    """What is compared of a lead, and the numbers of the keys that it is found by."""

    record: Record
    keys: Mapping[int, Key]
    signature: int
    """See `enrich.match.block.signature`."""


def compared_by(record: Record) -> Compared:
    """Return a record with what it is found by."""
    return Compared(record, keys_to_look_under(record), signature(record))


@dataclass
class Neighbourhood:
    """Leads by key number, whose they are, and what the model said of each that was asked about."""

    judge: Judge
    under: dict[int, list[UnderKey]] = field(default_factory=dict)
    near: dict[str, Near] = field(default_factory=dict)
    _found: dict[str, tuple[int, list[str]]] = field(default_factory=dict)
    _answers: dict[str, tuple[list[str], Alike]] = field(default_factory=dict)

    def read(
        self, connection: Connection, leads: Iterable[Compared], is_open: Callable[[Compared], bool]
    ) -> None:
        """Learn who is under these leads' keys; and for those leads that are open, what they are compared with."""
        leads = list(leads)
        self.under |= leads_under(connection, {number for one in leads for number in one.keys})
        finer = {
            number for one in leads for key in self._full(one) for number in keys_instead(key, one.record)
        }
        self.under |= leads_under(connection, finer)
        wanted = {other for one in leads if is_open(one) for other in self._others(one)}
        for lead_id, packed, contact_id, customer_id in records_of(connection, wanted):
            self.near[lead_id] = Near(unpack(packed), contact_id, customer_id)

    def alike(self, one: Compared) -> Alike:
        """Return whom a lead resembles, among those known by now."""
        others = self._others(one)
        known, answer = self._answers.get(one.record.record_id, (None, NOBODY))
        if known is not others:
            found = [self.near[other] for other in sorted(others) if other in self.near]
            answer = similar(one.record, found, self.judge) if found else NOBODY
            self._answers[one.record.record_id] = others, answer
        return answer

    def add(self, one: Compared, contact_id: str, customer_id: str) -> Iterator[Effect]:
        """Let the leads that follow find this one, and yield the rows that keep it so."""
        lead_id = one.record.record_id
        found_under = self.put(one, contact_id, customer_id)
        row = {"lead_id": lead_id, "packed": pack(one.record), "keys_json": str(found_under)}
        yield Insert("match_record", row)
        for number in found_under:
            yield Insert("match_key", {"number": number, "lead_id": lead_id, "signature": one.signature})

    def put(self, one: Compared, contact_id: str, customer_id: str) -> list[int]:
        """Let the leads that follow find this one; return the numbers of the keys that it is found under."""
        lead_id = one.record.record_id
        found_under = []
        for number in self._keys(one):
            leads = self.under.setdefault(number, [])
            if len(leads) < MOST_UNDER_KEY:
                leads.append((lead_id, one.signature))
                found_under.append(number)
        self.near[lead_id] = Near(one.record, contact_id, customer_id)
        return found_under

    def others(self, one: Compared, contact_id: str) -> list[Near]:
        """Return the known leads worth comparing with that are not of the lead's own contact."""
        near = (self.near.get(other) for other in self._others(one))
        return [other for other in near if other is not None and other.contact_id != contact_id]

    def _full(self, one: Compared) -> list[Key]:
        return [key for number, key in one.keys.items() if len(self.under.get(number, ())) >= MOST_UNDER_KEY]

    def _keys(self, one: Compared) -> Mapping[int, Key]:
        full = self._full(one)
        if not full:
            return one.keys
        keys = dict(one.keys)
        for key in full:
            keys |= keys_instead(key, one.record)
        return keys

    def _others(self, one: Compared) -> list[str]:
        """Return the leads worth comparing with; the same list as long as nobody has come under the lead's keys."""
        keys, under = self._keys(one), self.under
        count = sum([len(under.get(number, ())) for number in keys])
        seen, others = self._found.get(one.record.record_id, (-1, []))
        if seen != count:
            others = self._worth(one, keys)
            self._found[one.record.record_id] = count, others
        return others

    def _worth(self, one: Compared, keys: Mapping[int, Key]) -> list[str]:
        agree: dict[UnderKey, int] = {}
        for number, key in keys.items():
            for other in self.under.get(number, ()):
                agree[other] = agree.get(other, 0) | key.fields
        mine = one.signature
        worth: dict[UnderKey, int] = {}
        colleagues: list[UnderKey] = []
        for other, by_key in agree.items():
            fields = by_key | NAME if is_same_name(mine, other[1]) else by_key
            if fields == FIRM and not shares_name(mine, other[1]):
                colleagues.append(other)
            elif is_worth_comparing(fields):
                worth[other] = fields
        likeliest = list(worth) if len(worth) <= MOST_COMPARED else self._likeliest(worth, one, keys)
        if len(colleagues) > MOST_COLLEAGUES:
            colleagues.sort(key=lambda other: (not is_same_firm(mine, other[1]), other[0]))
        return [other[0] for other in (*likeliest, *colleagues[:MOST_COLLEAGUES])]

    def _likeliest(
        self, worth: Mapping[UnderKey, int], one: Compared, keys: Mapping[int, Key]
    ) -> list[UnderKey]:
        """Return those that agree in most, a whole name counting twice, and then under the rarest keys."""
        mine, rarity = one.signature, dict.fromkeys(worth, 0.0)
        for number in keys:
            under = self.under.get(number, ())
            for other in under:
                if other in rarity:
                    rarity[other] += 1 / len(under)

        def place(other: UnderKey) -> tuple[float, float, str]:
            name = is_same_name(mine, other[1]) + shares_name(mine, other[1])
            return -((worth[other] & ~NAME).bit_count() + name), -rarity[other], other[0]

        return sorted(worth, key=place)[:MOST_COMPARED]
