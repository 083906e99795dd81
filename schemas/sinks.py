"""A sink: one configured way out. Each kind brings its own settings as a subclass, in its own file of sinks/."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Channel, Frozen, Purpose

HeldBy = Literal["person", "queue", "pool"]
"""What an assignment gave the customer to: a person, a waiting queue, or an open pool."""


class SinkSettings(Frozen):
    """What every sink has. `kind` picks the module; subclasses add what that needs. An empty filter takes all."""

    sink_id: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$", description="Stable, lower case")
    kind: str
    name: str = Field(description="Shown to people")
    events: tuple[HeldBy, ...] = Field(
        ("person", "queue", "pool"),
        description="Assignments to a person, to a waiting queue, into an open pool",
    )
    channels: tuple[Channel, ...] = Field((), description="Only leads that came in by these")
    teams: tuple[str, ...] = Field((), description="Only these units and what lies below them")
    purposes: tuple[Purpose, ...] = Field(
        ("real",), description="What is sent out: `test`, `demo` and `probe` only where they are named"
    )
    secret: str | None = Field(
        None, description="What only the destination and we know: signing secret, or password", repr=False
    )


class ReadSettings(SinkSettings):
    """A sink whose messages people read: the first is told at once, what comes soon after it in one message."""

    gather_s: int = Field(
        120,
        ge=0,
        le=3_600,
        description="Seconds after a message in which what comes for the same holder is gathered into the next one; "
        "0: each customer alone",
    )
