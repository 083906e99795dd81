"""Live leads for the demo, through the real doors: one every 3 s for 5 minutes, one every 21 s after that.

What is sent in a slot of the wall clock follows from the slot alone, key included: a feeder that is killed and
started again in the same slot sends the same lead, and the door knows it.
"""

from __future__ import annotations

import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import structlog

from leadflow.demo.cast import again, dice, prospect
from leadflow.demo.script import SEED, Post, enquiry, redesigned, robot

SLOT_S = 3
LIVELY_S = 300
"""How long every slot is used: long enough to watch, too short to fill a disk over night."""
_EVERY = 7
"""After that one slot in seven: a lead every 21 s, some 4,000 a day."""
_TIMEOUT_S = 2.5
_FIRST, _NUMBERS = 10_000_000, 40_000_000
"""Numbers of live prospects: apart from those of the history, and none again within 3.8 years."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the doors of the installation are, and how many prospects of the history may ask again."""

    http: str
    customers: int


Feeder = Callable[[Doors, int, Random], None]
"""Sends the lead of one slot through one kind of door. Raises OSError when the door does not answer."""


def web(doors: Doors, slot: int, rng: Random) -> None:
    """Post a form as a visitor's browser or a site's program does."""
    post = post_of(doors, slot, rng)
    request = urllib.request.Request(  # noqa: S310  # our own address
        f"{doors.http}/in/web/{post.source_id}",
        data=post.body,
        headers={"Content-Type": post.content_type, "Accept": "application/json"},
    )
    if post.key is not None:
        request.add_header("Idempotency-Key", post.key)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
            pass
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= 500:
            raise
        # a broken body is answered so, and the sender is told why


FEEDERS: tuple[Feeder, ...] = (web,)
"""One for each door, taken in turn. A channel joins the demo with a function here and its source switched on."""


def feed(
    doors: Doors,
    stop: threading.Event,
    clock_s: Callable[[], float],
    feeders: tuple[Feeder, ...] = FEEDERS,
) -> None:
    """Send leads until `stop` is set. To be run in a thread or process of its own."""
    first = last = int(clock_s() // SLOT_S)
    opened = False
    while not stop.wait(SLOT_S - clock_s() % SLOT_S):
        slot = int(clock_s() // SLOT_S)
        if slot == last or not is_used(slot, first):
            continue
        last = slot
        try:
            feeders[slot % len(feeders)](doors, slot, dice(SEED, "live", slot))
            opened = True
        except OSError as error:
            if not opened:
                continue  # the doors are still to open
            log.warning("demo_feed_failed", error=type(error).__name__)


def is_used(slot: int, first: int) -> bool:
    """Tell whether a lead is sent in a slot, when the feeder began in slot `first`."""
    return (slot - first) * SLOT_S <= LIVELY_S or slot % _EVERY == 0


def post_of(doors: Doors, slot: int, rng: Random) -> Post:
    """Return what is posted in a slot: mostly somebody new, now and then one of the history, a robot, a break."""
    made = f"live-{slot}"
    number = _FIRST + slot % _NUMBERS
    draw = rng.random()
    if draw < 0.015:
        return robot(rng, made)
    if draw < 0.025:
        return redesigned(made, number)
    if draw < 0.035:
        return Post("site-en", "application/json", b'{"name": "Cut off, "phone"', None, made)
    if draw < 0.16:
        who = prospect(SEED, rng.randrange(doors.customers))
        return enquiry(rng, who, made, again(rng, who.language))
    return enquiry(rng, prospect(SEED, number), made)
