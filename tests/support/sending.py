"""Dispatch by hand: the sends of what is due, waited for, on a clock that the test moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sales.segments import gaps_for
from sinks.dispatch import Dispatcher
from sinks.port import outside
from store.company import CompanyCache
from tests.support.rig import MONDAY_10, Rig


class Clock:
    """A clock that stands still."""

    def __init__(self, at_us: int = MONDAY_10) -> None:
        self.at_us = at_us

    def __call__(self) -> int:
        return self.at_us


@contextmanager
def dispatching(rig: Rig, clock: Clock, public_url: str | None = None, **more: Any) -> Iterator[Dispatcher]:
    """Yield a dispatcher over a rig's store that is not started: `send_all` runs it."""
    world = outside(rig.files.folder)
    made = Dispatcher(rig.store, CompanyCache(), world, clock, public_url=public_url, gaps=gaps_for, **more)
    try:
        yield made
    finally:
        made.stop()


def send_all(dispatcher: Dispatcher, timeout_s: float = 20) -> None:
    """Send what is due at the clock's time until nothing more is, and record every result."""
    give_up = time.monotonic() + timeout_s
    quiet = 0
    while quiet < 2:
        quiet = quiet + 1 if dispatcher.turn() == 0 else 0
        if time.monotonic() > give_up:
            raise TimeoutError("sends do not end")
        time.sleep(0.002)
