"""What is taken from the world: what time it is, a new id, and a new secret."""

from __future__ import annotations

import os
import secrets
import threading
import time


def wall_clock_us() -> int:
    """Return the time now, in microseconds UTC."""
    return time.time_ns() // 1_000


def wall_clock_of(_event: object) -> int:
    """Return the time now, at which a live host decides whatever event it is."""
    return wall_clock_us()


def new_id() -> str:
    """Return a new id of 32 hex characters, fit as a W3C trace id: milliseconds, then 80 random bits.

    In the order of time, as UUIDv7 is (RFC 9562): keys and traces that follow each other lie together.
    """
    return f"{time.time_ns() // 1_000_000:012x}{_random_bytes().hex()}"


def new_secret() -> str:
    """Return 256 random bits that fit into an address, a header and a cookie."""
    return secrets.token_urlsafe(32)


_RANDOM_BYTES = 10
_DRAWN_AT_ONCE = 400 * _RANDOM_BYTES
"""The system call lets go of the interpreter lock, and getting it back costs more than the bytes: one call in 400."""
_drawn = threading.local()


def _random_bytes() -> bytes:
    start: int = getattr(_drawn, "used", _DRAWN_AT_ONCE)
    if start >= _DRAWN_AT_ONCE:
        _drawn.bytes, start = os.urandom(_DRAWN_AT_ONCE), 0
    _drawn.used = start + _RANDOM_BYTES
    drawn: bytes = _drawn.bytes
    return drawn[start : start + _RANDOM_BYTES]
