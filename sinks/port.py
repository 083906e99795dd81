"""The port of a sink: what a kind of sink brings, what it is given, and how it may answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

import httpx2

from schemas.base import Language
from schemas.outward import Assigned
from schemas.sinks import SinkSettings


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a kind of sink can do, as data."""

    to_people: bool
    """Each person is a destination of their own; else the sink is the one destination."""
    side_by_side: int
    """How many sends of one sink may run at once, over all its destinations."""
    lists: int = 0
    """How many of the customers of one message it shows with a link each."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """The person that a message is for."""

    name: str
    email: str
    language: Language


@dataclass(frozen=True, slots=True)
class Message:
    """One delivery on its way: the same id at every try, so that a repeat can be recognised."""

    delivery_id: str
    attempt: int
    """1 at the first try."""
    at_us: int
    zone: str
    """IANA zone in which people read times."""
    company: str
    assigned: Assigned
    recipient: Recipient | None = None
    more: tuple[Assigned, ...] = ()
    """What is told in the same message, after `assigned`."""
    link: str | None = None
    """One-time link of the person it is for: to the task, of many to their day. None where others read along."""

    @property
    def told(self) -> tuple[Assigned, ...]:
        """All that it tells, in the order of their decisions."""
        return (self.assigned, *self.more)


@dataclass(frozen=True, slots=True)
class Taken:
    """The destination has it. `answer` is its status, never its words: those may quote a lead."""

    answer: str


@dataclass(frozen=True, slots=True)
class Later:
    """It may work another time: nobody there, busy, broken, or our own settings are not right yet."""

    code: str
    answer: str | None = None
    wait_s: float = 0.0
    """How long the destination asked us to wait."""


@dataclass(frozen=True, slots=True)
class Never:
    """It was refused for good: sent again as it is, it would be refused again."""

    code: str
    answer: str | None = None


Answer = Taken | Later | Never


@dataclass(frozen=True, slots=True)
class Outside:
    """What sends may use of the world."""

    http: httpx2.Client
    folder: Path
    """The data folder, for sinks that write into it."""


S = TypeVar("S", bound=SinkSettings)
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Kind(Generic[S, R]):
    """A kind of sink: settings, abilities, and three functions.

    `render` is pure and returns what is sent. `send` hands it over and blocks until there is an answer, at most
    some 30 s; it raises nothing that belongs to the world. `probe` connects without sending anything that a
    person would see, and says what it found; it raises OSError with what is wrong.
    """

    settings: type[S]
    abilities: Abilities
    render: Callable[[S, Message], R]
    send: Callable[[S, R, Outside], Answer]
    probe: Callable[[S, Outside], str]


AnyKind = Kind[Any, Any]


def outside(folder: Path) -> Outside:
    """Return the real world: no redirects, no proxies from the environment, time limits on everything."""
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=30)
    timeout = httpx2.Timeout(10, connect=5)
    client = httpx2.Client(timeout=timeout, limits=limits, follow_redirects=False, trust_env=False)
    return Outside(client, folder)
