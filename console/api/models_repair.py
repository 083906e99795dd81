"""What the operations about single dead letters take and answer."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from console.api.models import DeadRow, Done, Holder, Moment, Reasoned
from console.repair_fields import MOST_CHARS, MOST_FIELDS

_SIGNS = r"^[^\x00]*$"
Value = Annotated[str, StringConstraints(max_length=MOST_CHARS, pattern=_SIGNS)]
Name = Annotated[str, StringConstraints(max_length=500, pattern=_SIGNS)]


class NamedValue(BaseModel):
    """A field of what was received."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    value: Value = ""


class Received(BaseModel):
    """What was received, as it can be corrected."""

    kind: Literal["form", "json", "text", "none"] = Field(
        description="By `fields` (form, json), as `text`, or (none: no text, or too long) not here"
    )
    fields: list[NamedValue]
    text: str
    masked: bool = Field(
        description="Numbers are masked; to correct it, have it shown first: POST /api/reveal/{any_id}"
    )


class Settled(BaseModel):
    """Who settled it, and how."""

    verb: str
    actor: str
    reason: str | None
    recorded_us: Moment


class Became(BaseModel):
    """What came of its repair or replay, as far as is known by now."""

    result: str | None
    customers: list[str]
    holders: list[Holder]
    again: str | None = Field(description="The dead letter that it became once more")


class DeadLetter(DeadRow):
    """A dead letter with what was received."""

    settled: Settled | None
    received: Received | None = Field(description="null: erased, or never kept")
    became: Became


class Repair(Reasoned):
    """The corrected fields, all of them, or the corrected text."""

    fields: list[NamedValue] | None = Field(None, min_length=1, max_length=MOST_FIELDS + 2)
    text: Value | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.fields is None) == (self.text is None):
            raise ValueError("send either fields or text")
        return self


class RepairDone(Done):
    """A repair: what was corrected is read as a capture of its own."""

    capture_id: str | None = Field(description="null of a repetition")
