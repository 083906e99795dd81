"""The two things that are taken from the world: what time it is, and a new id."""

from __future__ import annotations

import os
import time


def wall_clock_us() -> int:
    """Return the time now, in microseconds UTC."""
    return time.time_ns() // 1_000


def new_id() -> str:
    """Return a new id of 32 hex characters, fit as a W3C trace id: milliseconds, then 80 random bits.

    In the order of time, as UUIDv7 is (RFC 9562): keys and traces that follow each other lie together.
    """
    return f"{time.time_ns() // 1_000_000:012x}{os.urandom(10).hex()}"
