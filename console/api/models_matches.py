"""What the operations about matches take and answer."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from console.api.models import Done, Id, Moment, Reasoned
from console.api.models_moves import SentCount
from schemas.lead import FieldValue


class MatchLead(BaseModel):
    """A lead of a customer, as far as it tells one from another."""

    lead_id: str
    channel: str
    source_id: str
    at_us: Moment
    fields: list[FieldValue]


class MatchSide(BaseModel):
    """One of those that may be one, with its latest leads."""

    customer_id: str
    holder_id: str
    since_us: Moment
    leads: list[MatchLead]
    more: int = Field(description="Leads that are not shown")


class Evidence(BaseModel):
    """A line of the sum: what was compared, both values, and how many bits it speaks for one (below 0: against)."""

    text: str
    values: tuple[str, str] | None
    bits: float


class Match(BaseModel):
    """Something to be answered."""

    review_id: str
    kind: Literal["pair", "leads"] = Field(
        description="pair: are both one; leads: do these belong to the customer"
    )
    why: str
    made_us: Moment
    leads: list[str]
    told: list[dict[str, Any]] = Field(description="What it was offered for")
    sides: list[MatchSide]
    evidence: list[Evidence]
    probability: float | None = Field(description="That they are one, by the sum")


class Matches(BaseModel):
    """A page of what is to be answered, the likeliest first."""

    matches: list[Match]
    next: str | None


class MatchAnswer(Reasoned):
    """What somebody says to a match."""

    answer: Literal["same", "apart", "skip", "join"] = Field(
        description="Join, or keep apart for good; skip: take it off the list; join: one after all, although kept apart before"
    )


class Parts(Reasoned):
    """What of a customer is somebody else."""

    leads: list[Id] = Field(
        default_factory=list, max_length=200, description="Those that go; else its merge is undone"
    )
    act: Id | None = Field(None, description="Which merge; without one, the latest")


class PartingSide(BaseModel):
    """A side after the parting, and what it gets."""

    customer_id: str
    holder_kind: str
    holder_id: str
    leads: list[str]
    open_tasks: int


class PartingPreview(BaseModel):
    """Exactly what parting would do."""

    sides: list[PartingSide] = Field(description="The one that keeps the customer's id is first")
    undone: list[str] = Field(description="Acts that joined them, and are taken back")
    shared: list[tuple[str, str]] = Field(
        description="Identifiers that identify nobody any more: kind and value"
    )
    sent: list[SentCount]


class PartedCustomer(BaseModel):
    """A customer that a parting left."""

    customer_id: str
    holder_id: str


class Parted(Done):
    """What a parting left, as far as it is yours to see."""

    customers: list[PartedCustomer]
