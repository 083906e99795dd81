"""An order as a list or another system sends it: what was sold to whom, for how much."""

from __future__ import annotations

from hashlib import blake2b
from typing import Literal

import orjson

from schemas.base import Frozen, Micros

HAND = "hand"
"""The source of an order that somebody typed in with the outcome."""

WhyOpen = Literal["nobody", "several", "shared", "no_reference", "unknown_customer", "unknown_lead", "erased"]
"""Why an order belongs to no customer yet: nobody is known by what it names, several are, it names only what many share,
nothing at all, an id that there is not; or the person was erased."""


class Buyer(Frozen):
    """Whom an order names: the customer's or a lead's id, else by what they can be recognised."""

    customer_id: str | None = None
    lead_id: str | None = None
    full_name: str | None = None
    company: str | None = None
    phone: str | None = None
    email: str | None = None
    tax_id: str | None = None


class OrderRow(Frozen):
    """One order. The same number from the same source again is a repetition, a correction or a cancellation."""

    order_no: str
    ordered_us: Micros
    product: str | None = None
    line: str | None = None
    amount_minor: int
    currency: str
    state: Literal["placed", "cancelled"] = "placed"
    updated: str | None = None
    buyer: Buyer = Buyer()

    @property
    def digest(self) -> str:
        """Tell two rows apart: the same again says nothing new."""
        dumped = orjson.dumps(self.model_dump(), option=orjson.OPT_SORT_KEYS)
        return blake2b(dumped, digest_size=15).hexdigest()
