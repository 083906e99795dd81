"""What the API takes and answers. Moments are microseconds since 1970 (UTC), as everywhere inside."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from sales.life import Stage
from schemas.lead import FieldValue
from schemas.outcomes import OutcomeCode

Moment = Annotated[int, Field(ge=0, le=2**53, description="Microseconds since 1970-01-01T00:00:00Z")]
_TEXT = r"^[^\x00-\x08\x0b\x0c\x0e-\x1f]*$"
Id = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f]*$")]
Text = Annotated[str, StringConstraints(max_length=2_000, pattern=_TEXT)]
Day = Annotated[str, StringConstraints(min_length=1, max_length=10, pattern=_TEXT)]
DeadState = Literal["open", "held", "repaired", "replayed", "discarded"]
CustomerState = Literal["open", "closed"]


class Body(BaseModel):
    """The body of an act. What it does not know, it refuses: a misspelt field would otherwise be lost in silence."""

    model_config = ConfigDict(extra="forbid")

    actor: Id | None = Field(
        None, description="Who does it; of a call with a token it is the token's person, whatever stands here"
    )


class Reasoned(Body):
    """An act that says why."""

    reason: Text = Field("", description="Why; whoever takes over reads it")


class Order(BaseModel):
    """The order that a task led to."""

    model_config = ConfigDict(extra="forbid")

    order_no: Text
    amount: Annotated[float, Field(allow_inf_nan=False)] | Text | None = Field(
        None, description="In major units, as a number or text"
    )
    product: Text | None = None
    currency: Text | None = None


class Outcome(Body):
    """What came of a task."""

    code: OutcomeCode
    note: Text | None = None
    next_us: Moment | None = Field(None, description="When to take it up again: of `later` and `nurture`")
    reason: Text | None = Field(None, description="Which entry of the company's list, e.g. of `no_need`")
    order: Order | None = Field(None, description="Of `won`: the order, if its number is known")


Fact = Annotated[str, StringConstraints(max_length=2_000, pattern=_TEXT)]


class Facts(BaseModel):
    """What can be put right of a customer."""

    model_config = ConfigDict(extra="forbid")

    full_name: Fact | None = None
    company: Fact | None = None
    job_title: Fact | None = None
    phone: Fact | None = None
    email: Fact | None = None
    city: Fact | None = None
    address: Fact | None = None
    industry: Fact | None = None


class Correction(Body):
    """What is known wrongly of a customer, put right."""

    fields: Facts = Field(description="What it is; what is left out or empty stays as it is")
    was: Facts = Field(
        default_factory=Facts,
        description="What stood there in its normal form when whoever corrects looked; if another value stands there now, "
        "nothing is done",
    )


class StageSet(Reasoned):
    """How far a customer is, as somebody says."""

    stage: Stage
    line: Text | None = Field(None, description="Product line; without one, that of the last enquiry")
    until_us: Moment | None = Field(None, description="Of `later`: when it is taken up again")
    lost: Text | None = Field(None, description="Of `lost`: one of the company's reasons")


class Release(Reasoned):
    """Into which pool a customer is put back."""

    pool: Id | None = Field(None, description="Without one, the pool of the team")


class Leave(Body):
    """For how long somebody is away."""

    from_us: Moment
    to_us: Moment
    stand_in: Id | None = None


class Cancelled(Body):
    """Which leave somebody does not go on after all."""

    from_us: Moment = Field(description="When it begins, as it was entered")


class Orders(Body):
    """Orders of a system outside; each has the columns of an orders list (docs/marketing.md)."""

    source: Id = Field(description="The name of the system they come from")
    orders: list[dict[str, Any]] = Field(description="1 to 500 of them", min_length=1, max_length=500)


class Spent(Reasoned):
    """What a campaign cost, one entry more by hand."""

    campaign: Id = Field(description="Its code or name")
    from_day: Day = Field(alias="from", description="A day such as 2026-11-01, or a month such as 2026-11")
    to_day: Day | None = Field(None, alias="to", description="The last day; without one, that day or month")
    amount: Annotated[float, Field(allow_inf_nan=False)] | Text = Field(description="In major units")
    currency: Text | None = None
    note: Text | None = None


class SpendRow(BaseModel):
    """An entry of what a campaign cost."""

    spend_id: str
    campaign_id: str
    from_day: str
    to_day: str = Field(description="Included")
    amount_minor: int = Field(description="In minor units of the currency")
    currency: str
    note: str | None
    source: str = Field(description="The file's name, or hand")


class SpendEntries(BaseModel):
    """A page of entries, the newest period first."""

    entries: list[SpendRow]
    next: str | None


class Done(BaseModel):
    """An act that was done, or had been done under its key."""

    act_id: str
    repeated: bool = Field(description="Whether it had been done before under this Idempotency-Key")


class OrdersDone(Done):
    """What became of each order."""

    orders: list[dict[str, Any]]


class SpendDone(Done):
    """The entry that was added."""

    spend_id: str


class Holder(BaseModel):
    """Who has a customer."""

    kind: str = Field(description="person, queue, pool or nurture")
    id: str
    since_us: Moment


class PutAside(BaseModel):
    """Who had a customer last that is put aside, and when it comes back."""

    person_id: str | None = Field(
        description="Who had it last, and has it again then, as long as they work here"
    )
    until_us: Moment | None


class CustomerRow(BaseModel):
    """A customer in a list."""

    customer_id: str
    kind: Literal["person", "company"]
    state: CustomerState
    born_us: Moment
    touched_us: Moment
    holder: Holder | None
    put_aside: PutAside | None


class Customers(BaseModel):
    """A page of customers."""

    customers: list[CustomerRow]
    next: str | None = Field(description="The cursor of the following page; null after the last one")


class TaskRow(BaseModel):
    """A task."""

    task_id: str
    lead_id: str | None
    holder_kind: str
    holder_id: str
    due_us: Moment
    state: str
    priority: str | None
    playbook: str | None
    created_us: Moment
    ended_us: Moment | None


class HistoryEntry(BaseModel):
    """One thing that happened with a customer."""

    kind: Literal["touch", "outcome", "owner", "order"]
    at_us: Moment
    what: dict[str, Any] = Field(description="The row of that kind")


class CustomerAnswer(CustomerRow):
    """A customer with its tasks and all that happened."""

    tasks: list[TaskRow]
    history: list[HistoryEntry]


class LeadRow(BaseModel):
    """A lead as it was taken in, and whose it is now."""

    lead_id: str
    customer_id: str | None
    trace_id: str
    capture_id: str
    source_id: str
    channel: str
    kind: str
    campaign_id: str | None
    product_line: str | None
    grade: str | None
    accepted_us: Moment
    resolved_us: Moment
    fields: list[FieldValue]


class Leads(BaseModel):
    """A page of leads."""

    leads: list[LeadRow]
    next: str | None = Field(description="The cursor to go on with; of the last page, too: ask again later")


class DeadRow(BaseModel):
    """A dead letter."""

    dead_id: str
    stage: str
    source_id: str | None
    capture_id: str | None
    trace_id: str
    code: str
    field: str | None
    message: str
    hint: str
    state: DeadState
    refused_us: Moment


class DeadLetters(BaseModel):
    """A page of dead letters."""

    dead: list[DeadRow]
    next: str | None


class Me(BaseModel):
    """Who asks, and what for."""

    person_id: str | None
    roles: list[str]
    sees_all: bool
    holders: list[str] = Field(description="People and units whose work they may see")
    scopes: list[str] | None = Field(
        description="The only parts of the API that the token opens, such as leads:read; null: it is not narrowed so"
    )


class Problem(BaseModel):
    """What was wrong (RFC 9457); `code` is stable, see docs/errors.md."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    field: str | None = None
    hint: str | None = None
