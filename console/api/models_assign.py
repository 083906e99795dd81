"""What the operations about names on no list and orders of nobody take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from console.api.models import Done, Id, Moment, Reasoned
from schemas.company import AliasKind
from schemas.orders import WhyOpen

Name = Annotated[str, StringConstraints(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]


class UnlistedName(BaseModel):
    """A name that leads came with, and no campaign has."""

    kind: AliasKind
    value: str
    leads: int
    first_us: Moment
    last_us: Moment


class UnlistedNames(BaseModel):
    """A page of names, first seen first."""

    names: list[UnlistedName]
    next: str | None


class AliasAsked(Reasoned):
    """A name that is to count for a campaign."""

    kind: AliasKind
    value: Name = Field(description="As leads came with it; upper and lower case are one")


class AliasDone(Done):
    """A name that counts from now on."""

    leads: int = Field(description="How many that came with it, and had no campaign, count for it since")


class OpenOrder(BaseModel):
    """An order that belongs to no customer yet."""

    source: str
    order_no: str
    ordered_us: Moment
    amount_minor: int = Field(description="In minor units of the currency")
    currency: str
    product: str | None
    why_open: WhyOpen
    given: dict[str, str] = Field(description="What it names its buyer by")


class OpenOrders(BaseModel):
    """A page of orders, newest first."""

    orders: list[OpenOrder]
    next: str | None


class OrderAssigned(Reasoned):
    """Whose an order is."""

    order_no: Name
    customer_id: Id
    source: Name | None = Field(
        None, description="The system it comes from: needed if several have that number"
    )
