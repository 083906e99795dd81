"""When a delivery that failed is tried again, and when it is given up. Pure: time and dice are passed in."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import blake2b

_S, _MIN, _H = 1_000_000, 60_000_000, 3_600_000_000
STEPS_US = (5 * _S, 30 * _S, 2 * _MIN, 10 * _MIN, 30 * _MIN, 1 * _H, 2 * _H, 4 * _H, 8 * _H, 12 * _H)
"""Waits between tries; the last one repeats. A restart of the destination costs seconds, an outage over a
weekend some dozen requests."""
GIVE_UP_US = 72 * _H
"""From the first moment on: a weekend with a day at each end. What is older is of no use to a salesperson."""
LEAST_TRIES = 2
"""What has waited behind others for three days still gets more than one try."""
STEP_ASIDE_AFTER = 6
"""A destination gets its messages in order, so the first one in line holds up the rest: right while the
destination is away, wrong when it chokes on this message. After so many failures (some 45 minutes) it lets the
others pass and goes on by itself."""
LONGEST_WAIT_S = 86_400.0
"""A destination that asks for more than a day off is looked at once a day."""
_JITTER = 0.2


def next_attempt(
    failed: int, since_us: int, now_us: int, wait_s: float = 0.0, dice: float = 0.5
) -> int | None:
    """Return when to try again after the `failed`-th failure, or None to give up.

    `since_us` is when the delivery became due at first, `wait_s` what the destination asked for, `dice` in
    [0, 1) spreads the step by ±20 %, so that a thousand deliveries do not come back at the same second.
    """
    if failed >= LEAST_TRIES and now_us - since_us >= GIVE_UP_US:
        return None
    step_us = STEPS_US[min(failed, len(STEPS_US)) - 1]
    spread_us = int(step_us * (1 + _JITTER * (2 * dice - 1)))
    return now_us + max(spread_us, int(min(wait_s, LONGEST_WAIT_S) * _S))


def dice_of(delivery_id: str, attempt: int) -> float:
    """Return the dice of a try: seeded, so that a replayed history is the same."""
    digest = blake2b(f"{delivery_id} {attempt}".encode(), digest_size=6).digest()
    return int.from_bytes(digest, "big") / 2**48


def wait_of(retry_after: str | None, now_us: int) -> float:
    """Return the seconds that a `Retry-After` asks for (RFC 9110, 10.2.3: seconds or a date); 0 if unreadable."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= 9:
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() - now_us / _S)
