"""What the operations about hand-overs take and answer."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from console.api.models import Body, Done, Id, Moment, Text
from console.api.models_moves import CodeCount, Confirm, HolderCount, MoveRow, Target

State = Literal["running", "covering", "returning", "undoing", "stopped", "done", "returned", "undone"]


class Part(BaseModel):
    """Which of their customers, and who gets them."""

    model_config = ConfigDict(extra="forbid")

    filter: Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00-\x1f]*$")] = Field(
        "", description="As at the command line: `grade=A; days_silent=>= 60`; empty: all"
    )
    to: Target


class HandOverAsked(Body):
    """Whose customers go to whom, and why."""

    person: Id
    why: Literal["leaving", "transfer", "until"] = Field(
        description="They leave, and everything goes; for good; or until a day, when it comes back by itself"
    )
    parts: list[Part] = Field(default_factory=list, max_length=50, description="The first that fits counts")
    to: Target | None = Field(None, description="Who gets all else")
    until: Annotated[str, StringConstraints(max_length=10, pattern=r"^[0-9-]*$")] = Field(
        "", description="Of `until`: the day on which they are back, such as 2026-12-24"
    )
    duties_to: Id | None = Field(None, description="Of `leaving`: who takes what they manage and answer for")


class HandOverBegin(HandOverAsked):
    """A hand-over, after a look at what it would do."""

    confirm: Confirm | None = Field(
        None, description="`confirm` of the preview: refused if something else would happen by now"
    )
    reason: Text = Field("", description="Why; whoever gets them sees it")


class KindCount(BaseModel):
    """How many things of a kind."""

    kind: str
    count: int


class Mention(BaseModel):
    """Where the company's files name the person: to be changed by hand before they leave."""

    kind: str
    object_id: str


class HandOverPreview(BaseModel):
    """Exactly what would happen."""

    moves: int
    open_tasks: int = Field(description="That go with them")
    receivers: list[HolderCount]
    stays: list[CodeCount]
    left: int = Field(description="That no part takes, and so stay")
    besides: list[KindCount] = Field(description="What else is theirs, and goes or ends if they leave")
    mentions: list[Mention]
    under_way: str | None = Field(
        description="A hand-over of theirs that is not over: to begin one only goes on with that one"
    )
    rows: list[MoveRow] = Field(description="The first 200, those that go first")
    confirm: str


class HandOverRow(BaseModel):
    """A hand-over in a list."""

    job_id: str
    person_id: str
    actor: str
    reason: str
    state: State
    code: str | None = Field(description="Of a stopped one: why; put it right and begin again, it goes on")
    items: int
    next_item: int = Field(description="So many are through")
    until_us: Moment | None
    made_us: Moment
    ended_us: Moment | None


class HandOvers(BaseModel):
    """A page of hand-overs."""

    handovers: list[HandOverRow]
    next: str | None


class HandOverState(HandOverRow):
    """A hand-over as it is now."""

    given: int
    stayed: list[CodeCount]
    has_certificate: bool


class HandOverDone(Done):
    """A hand-over that was begun, and how far it is."""

    resumed: bool = Field(
        description="One of the same person was under way: it goes on as it was planned, and nothing of what was sent was done"
    )
    handover: HandOverState


class JobRow(BaseModel):
    """What becomes of one customer."""

    number: int
    customer_id: str
    holder_id: str
    state: Literal["open", "given", "left"]
    code: str | None


class JobRows(BaseModel):
    """A page of what becomes of each."""

    rows: list[JobRow]
    next: str | None


class Certificate(BaseModel):
    """The certificate, as `leadflow handover verify` reads it."""

    certificate_id: str
    number: int
    before: str
    digest: str
    body: dict[str, Any]


class SentTo(BaseModel):
    """What went out and cannot be taken back."""

    sink_id: str
    count: int


class HandOverUndo(BaseModel):
    """What taking it back would do now."""

    back: int
    left: list[CodeCount]
    sent: list[SentTo]
    ended: int = Field(description="Tokens, links and sessions that ended for good")
