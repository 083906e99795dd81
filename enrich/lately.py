"""Leads that came within one moment on several workers: neither was there yet when the other was decided. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from enrich.near import Compared
from enrich.similar import Judge, Near, is_worth_comparing, similar

SPAN_US = 20 * 1_000_000
"""How long before a lead another may have come that its worker did not see: longer than any transaction takes."""
MOST_UNDER_KEY = 50
"""Leads under one key that are looked at. In a minute, more are a flood from one place, of which these are enough."""


class Arrived(NamedTuple):
    """A lead, when it was decided, and whose it became."""

    at_us: int
    compared: Compared
    contact_id: str
    customer_id: str


class Offer(NamedTuple):
    """Two customers that may be one, or two contacts of one customer, and what speaks for it, in bits."""

    one: str
    other: str
    bits: float


@dataclass
class Lately:
    """The leads of the last minute by key; each new one is compared with those that became somebody else."""

    judge: Judge
    _leads: dict[str, Arrived] = field(default_factory=dict)
    _under: dict[int, dict[str, None]] = field(default_factory=dict)

    def take(self, arrived: Iterable[Arrived], now_us: int) -> list[Offer]:
        """Take leads in, forget what is older than `SPAN_US`, and return whom they resemble."""
        arrived = list(arrived)
        for one in arrived:
            self._leads[one.compared.record.record_id] = one
            for number in one.compared.keys:
                self._under.setdefault(number, {})[one.compared.record.record_id] = None
        offers = [offer for one in arrived for offer in self._offers(one)]
        self._forget(now_us - SPAN_US)
        return list(dict.fromkeys(offers))

    def _offers(self, one: Arrived) -> Iterator[Offer]:
        near = [
            Near(other.compared.record, other.contact_id, other.customer_id) for other in self._others(one)
        ]
        if not near:
            return
        alike = similar(one.compared.record, near, self.judge)
        of = {other.contact_id: other.customer_id for other in near}
        if (contact := alike.contact) is not None:
            if of[contact.id] == one.customer_id:
                yield Offer(one.contact_id, contact.id, contact.bits)
            else:
                yield Offer(one.customer_id, of[contact.id], contact.bits)
        for other in (*((alike.customer,) if alike.customer else ()), *alike.review):
            if other.id != one.customer_id:
                yield Offer(one.customer_id, other.id, other.bits)

    def _others(self, one: Arrived) -> Iterator[Arrived]:
        agree: dict[str, int] = {}
        for number, key in one.compared.keys.items():
            for other, _ in zip(self._under.get(number, ()), range(MOST_UNDER_KEY), strict=False):
                agree[other] = agree.get(other, 0) | key.fields
        for other, fields in agree.items():
            if is_worth_comparing(fields) and self._leads[other].contact_id != one.contact_id:
                yield self._leads[other]

    def _forget(self, before_us: int) -> None:
        for lead_id, one in list(self._leads.items()):
            if one.at_us < before_us:
                del self._leads[lead_id]
                for number in one.compared.keys:
                    under = self._under[number]
                    under.pop(lead_id, None)
                    if not under:
                        del self._under[number]
