"""What a host does beside its stages: each chore in its turn, and one that breaks holds up neither them nor the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import structlog

log = structlog.get_logger()

AGAIN_S = 10.0
"""How long a chore that broke is left alone."""

Chore = Callable[[int], int | None]
"""Does one step of something at a moment (µs, UTC); returns how much it did."""


class Housekeeping:
    """Chores by name. If it is the store that failed, the stages find that out by themselves."""

    def __init__(self, chores: Mapping[str, Chore]) -> None:
        self._chores = chores
        self._not_before_s: dict[str, float] = {}

    def turn(self, now_us: int) -> int:
        """Do one step of each chore; return how much was done."""
        done = 0
        for name, chore in self._chores.items():
            if time.monotonic() < self._not_before_s.get(name, 0.0):
                continue
            try:
                done += chore(now_us) or 0
            except Exception as error:
                log.error("chore_failed", chore=name, error=type(error).__name__)
                self._not_before_s[name] = time.monotonic() + AGAIN_S
        return done
