"""A sink that misbehaves on purpose, by shares and a seed: for the demo, and to try out what failures do.

It sends nothing anywhere. What it "took" stands as a line of ids in `sinks/SINK.jsonl` of the data folder, so
that it can be compared with what Leadflow believes to have delivered.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

import orjson
from pydantic import Field, model_validator

from schemas.sinks import SinkSettings
from sinks.net import utc
from sinks.port import Abilities, Answer, Kind, Later, Message, Never, Outside, Taken

Fault = Literal["fails", "slow", "unanswered", "gone", "busy", "broken"]

Share = Field(0.0, ge=0, le=1)


class Faulty(SinkSettings):
    """Shares of tries that go wrong in each way; the rest goes well."""

    seed: int = 0
    fails: float = Share
    """Nobody is there."""
    slow: float = Share
    """Taken, but only after `slow_s`."""
    unanswered: float = Share
    """Taken, but the answer is lost, so it will come again."""
    gone: float = Share
    """410: refused for good."""
    busy: float = Share
    """429, come back in a second."""
    broken: float = Share
    """500."""
    slow_s: float = Field(2.0, ge=0, le=30)

    @model_validator(mode="after")
    def _is_a_whole(self) -> Faulty:
        if sum(share for _, share in _shares(self)) > 1:
            raise ValueError("the shares come to more than 1")
        return self


def _shares(sink: Faulty) -> list[tuple[Fault, float]]:
    return [
        ("fails", sink.fails),
        ("slow", sink.slow),
        ("unanswered", sink.unanswered),
        ("gone", sink.gone),
        ("busy", sink.busy),
        ("broken", sink.broken),
    ]


@dataclass(frozen=True, slots=True)
class Try:
    """One try: what happens to it, and the line to be written if it is taken."""

    fault: Fault | None
    line: bytes


def render(sink: Faulty, message: Message) -> Try:
    """Return what will happen to this try; the same try of the same delivery always meets the same fate."""
    assigned = message.assigned
    ids = {
        "delivery_id": message.delivery_id,
        "event_id": assigned.event_id,
        "customer_id": assigned.customer_id,
        "attempt": message.attempt,
        "at": utc(message.at_us),
    }
    return Try(
        fault_of(sink, message.delivery_id, message.attempt),
        orjson.dumps(ids, option=orjson.OPT_APPEND_NEWLINE),
    )


def fault_of(sink: Faulty, delivery_id: str, attempt: int) -> Fault | None:
    """Return the fault that a try meets, by the sink's shares and seed."""
    digest = blake2b(f"{sink.seed} {delivery_id} {attempt}".encode(), digest_size=6).digest()
    dice = int.from_bytes(digest, "big") / 2**48
    for fault, share in _shares(sink):
        if dice < share:
            return fault
        dice -= share
    return None


def send(sink: Faulty, attempt: Try, outside: Outside) -> Answer:
    """Do what the try is fated to."""
    match attempt.fault:
        case "fails":
            return Later("unreachable")
        case "gone":
            return Never("gone", "410")
        case "busy":
            return Later("busy", "429", wait_s=1.0)
        case "broken":
            return Later("broken", "500")
        case "slow":
            time.sleep(sink.slow_s)
    _write(sink, attempt.line, outside)
    return Later("timeout") if attempt.fault == "unanswered" else Taken("200")


def _write(sink: Faulty, line: bytes, outside: Outside) -> None:
    folder = outside.folder / "sinks"
    folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(folder / f"{sink.sink_id}.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(descriptor, line)  # one write, so that lines of several threads never mix
    finally:
        os.close(descriptor)


def probe(_sink: Faulty, _outside: Outside) -> str:
    """Say what it is."""
    return "it sends nothing anywhere"


FAULTY = Kind(
    settings=Faulty,
    abilities=Abilities(to_people=False, side_by_side=4),
    render=render,
    send=send,
    probe=probe,
)
