"""What the operations about moves take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from console.api.models import Body, CustomerState, Done, Id, Moment, Text
from console.move_filter import MOST

Target = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=r"^[^\x00-\x1f]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Confirm = Annotated[str, StringConstraints(max_length=64, pattern=r"^[0-9a-z]*$")]


class CustomerFilter(BaseModel):
    """Which of the customers that one sees; what is left out narrows nothing."""

    model_config = ConfigDict(extra="forbid")

    unit: Name | None = Field(None, description="Whose holder is of this unit, or below it")
    holder: Name | None = None
    segment: Name | None = Field(None, description="As segments.csv names it")
    campaign: Name | None = Field(None, description="By which one of their leads came")
    silent_days: Annotated[int, Field(ge=1, le=99_999)] | None = Field(
        None, description="Untouched for so many days"
    )
    state: CustomerState | None = None


class Chosen(Body):
    """Which customers, and who is to have them."""

    customers: list[Id] | None = Field(
        None, description="Their ids; else `filter`", min_length=1, max_length=MOST
    )
    filter: CustomerFilter | None = Field(None, description="All that match, at most 5,000")
    to: Target = Field(
        description="A person, several by weight (`ann:2,bo:1`), a unit, `pool:ID`, or `by-rules`"
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.customers is None) == (self.filter is None):
            raise ValueError("name either customers or a filter")
        return self


class MoveAsked(Chosen):
    """A move, after a look at what it would do."""

    expected: int = Field(ge=1, le=MOST, description="How many are meant: `chosen` of the preview")
    confirm: Confirm | None = Field(
        None, description="`confirm` of the preview: refused if something else would happen by now"
    )
    reason: Text = Field("", description="Why; both sides are told")


class HolderCount(BaseModel):
    """How many go, or went, to somebody."""

    holder_id: str
    count: int


class CodeCount(BaseModel):
    """How many stay, or stayed, and why (docs/handover.md)."""

    code: str
    count: int


class MoveRow(BaseModel):
    """What would become of a customer."""

    customer_id: str = Field(description="As it was asked for")
    before_id: str | None = Field(description="Who has it; null where that is not yours to see")
    to_kind: str | None = Field(description="What would have it; null where it stays and is not yours to see")
    to_id: str | None = Field(description="Who would have it; null likewise")
    code: str | None = Field(description="Why it stays; null if it goes")


class MovePreview(BaseModel):
    """Exactly what would happen."""

    chosen: int = Field(description="How many were named, or match: to be sent as `expected`")
    moves: int
    open_tasks: int = Field(description="That go with them")
    receivers: list[HolderCount]
    stays: list[CodeCount]
    rows: list[MoveRow] = Field(description="The first 200, those that go first")
    confirm: str


class MoveDone(Done):
    """What a move did."""

    gave: list[HolderCount]
    stayed: list[CodeCount]


class SentCount(BaseModel):
    """What went out by a sink and cannot be taken back."""

    sink_id: str
    count: int


class Undo(BaseModel):
    """What taking it back would do now."""

    back: int
    left: list[CodeCount]
    sent: list[SentCount]


class MoveState(BaseModel):
    """A move, or what took one back."""

    act_id: str
    verb: str
    actor: str
    reason: str | None
    recorded_us: Moment
    undoes: str | None
    undone_by: str | None
    gave: list[HolderCount]
    stayed: list[CodeCount]
    undo: Undo | None
    cannot: str | None = Field(description="Why it cannot be taken back (any more), as a code")


class ActRow(BaseModel):
    """What an act did with a customer: from whom to whom, or (`code`) why it was left."""

    customer_id: str
    before_id: str | None
    holder_id: str | None
    code: str | None
    went_on: bool = Field(description="Somebody else has it by now, so that taking the act back leaves it")


class ActRows(BaseModel):
    """A page of what an act did."""

    rows: list[ActRow]
    next: str | None


def holder_counts(found: Any) -> list[HolderCount]:
    """Return (holder, count) pairs as they are answered."""
    return [HolderCount(holder_id=holder_id, count=count) for holder_id, count in found]


def code_counts(found: Any) -> list[CodeCount]:
    """Return (code, count) pairs as they are answered."""
    return [CodeCount(code=code, count=count) for code, count in found]
