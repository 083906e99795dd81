"""What a parser may answer: a lead, a reason to ignore, a refusal, or a part of something larger."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Frozen, LeadKind
from schemas.lead import Lead

Stage = Literal["door", "parse", "resolve", "route", "deliver"]


class Ignored(Frozen):
    """Read and understood, and not a lead: an out-of-office reply, an internal call. Kept with the reason."""

    stage: Stage
    code: str = Field(description="Stable and machine-readable, such as `auto_reply` or `internal_call`")
    kind: LeadKind = "automatic"
    field: str | None = Field(None, description="What it was recognised by: `header:Auto-Submitted`")
    message: str
    hint: str = ""


class Refused(Frozen):
    """Could not be read. The raw bytes stay in the capture; the dead letter says what to repair."""

    stage: Stage
    code: str = Field(description="Stable and machine-readable, such as `bad_charset` or `truncated_row`")
    field: str | None = Field(None, description="The offending field, column or header")
    message: str = Field(description="What is wrong, for a person, without personal data")
    hint: str = Field("", description="What to do next")


class Part(Frozen):
    """One piece of something judged only when whole, such as one leg of a call.

    Parts with the same `group` are handed together to the format's `assemble` once no further part has
    come for `settle_s` seconds; a late part joins the lead that its group became.
    """

    group: str
    settle_s: float
    data: dict[str, str]


ParseResult = Lead | Ignored | Refused | Part
