"""The base of every contract model, and the small value types shared by all of them."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Micros = Annotated[int, Field(description="Microseconds since the Unix epoch, UTC")]
"""A moment. Integers keep SQLite, PostgreSQL, JSON and Kafka in exact agreement; floats would not."""

Channel = Literal["web", "email", "cti", "counter", "list"]
"""How a lead came in. Shown as Web 网页, Email 邮件, Calls 来电, Front desk 前台, List 名单."""

Purpose = Literal["real", "test", "probe", "demo"]
"""What a capture is for. A `probe` runs every stage but touches no ledger, figure or default export."""

LeadKind = Literal[
    "enquiry", "existing_customer", "service", "supplier", "private", "automatic", "correction"
]
"""What a capture turned out to be. Only an `enquiry` is routed as a lead; a `correction` is what somebody of ours put right
about a customer, and nothing is decided on it."""

Language = Literal["zh", "en"]

Priority = Literal["high", "normal", "low"]
"""How urgent what is to be done is, as a rule says."""


class Frozen(BaseModel):
    """A value: compared by content, never changed, unknown keys rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")
