"""What the operations about asking for and claiming customers take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field, StringConstraints

from console.api.models import Body, Done, Id, Moment, Reasoned
from console.taken import ASKED_CHARS

Question = Annotated[str, StringConstraints(min_length=1, max_length=ASKED_CHARS, pattern=r"^[^\x00-\x1f]*$")]


class Ask(Body):
    """About which customer somebody asks."""

    asked: Question = Field(description="A whole telephone number, or the company's name; kept nowhere")


class TakenBy(BaseModel):
    """Who has a customer, as far as a colleague is told."""

    unit_id: str = Field(description="Their department, else their team")
    since_us: Moment
    ask: str | None = Field(description="The person to ask")
    yours: bool
    closed: bool = Field(description="The work on it has ended, bought or not; they had it last")


class TakenAnswer(BaseModel):
    """Who has it, the longest first; empty: nobody."""

    taken: list[TakenBy]


class Registration(Reasoned):
    """For whom a customer is registered, and until when."""

    for_id: Id = Field(description="A person, or a unit such as a department or a channel partner")
    until_us: Moment = Field(description="Until when it is protected, or stays on the list")


class Registered(Done):
    """What a registration led to."""

    has_it: bool = Field(description="They have it now; else somebody has to decide")


class Decision(Reasoned):
    """Who has a customer on which there are claims, and who works on it, too."""

    owner: Id
    beside: list[Id] = Field(default_factory=list, max_length=20)


class ClaimRow(BaseModel):
    """A claim of which nobody decided yet."""

    claim_id: str
    customer_id: str
    claimant_id: str
    why: str = Field(description="rule, or registered")
    made_us: Moment
    until_us: Moment | None
    holder_id: str
    from_us: Moment = Field(description="Since when its holder has it")
    protected_until_us: Moment | None


class Claims(BaseModel):
    """A page of claims, the oldest first."""

    claims: list[ClaimRow]
    next: str | None
