"""Leads that came within one moment on several workers: neither was there yet when the other was decided. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from enrich.near import Compared, Neighbourhood
from enrich.similar import Doubt, Judge, similar

SPAN_US = 20 * 1_000_000
"""How long before a lead another may have come that its worker did not see: longer than any transaction takes."""


class Arrived(NamedTuple):
    """A lead, when it was decided, and whose it became."""

    at_us: int
    compared: Compared
    contact_id: str
    customer_id: str


class Offer(NamedTuple):
    """Two customers that may be one, or two contacts of one customer, and what speaks for it."""

    one: str
    doubt: Doubt


@dataclass
class Lately:
    """The leads of the last moment; each new one is compared with those that became somebody else."""

    judge: Judge
    _leads: dict[str, Arrived] = field(default_factory=dict)

    def take(self, arrived: Iterable[Arrived], now_us: int) -> list[Offer]:
        """Take leads in, forget what is older than `SPAN_US`, and return whom they resemble."""
        new = {one.compared.record.record_id: one for one in arrived}
        self._leads |= new
        lately = Neighbourhood(self.judge)
        for one in self._leads.values():
            lately.put(one.compared, one.contact_id, one.customer_id)
        offers = [offer for one in new.values() for offer in self._offers(one, lately)]
        self._leads = {lead_id: one for lead_id, one in self._leads.items() if one.at_us >= now_us - SPAN_US}
        return list(dict.fromkeys(offers))

    def _offers(self, one: Arrived, lately: Neighbourhood) -> Iterator[Offer]:
        near = lately.others(one.compared, one.contact_id)
        if not near:
            return
        alike = similar(one.compared.record, near, self.judge)
        for doubt in alike.doubts():
            if doubt.id != one.customer_id:
                yield Offer(one.customer_id, doubt)
            elif alike.contact is not None and alike.contacts_customer == doubt.id:
                yield Offer(one.contact_id, Doubt(alike.contact.id, alike.contact.bits, "contact"))
