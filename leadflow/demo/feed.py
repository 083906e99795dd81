"""Live leads for the demo, through the real doors in turn: one every 3 s for 5 minutes, then every 21 s.

What is sent in a slot of the wall clock follows from the slot alone, key included: a feeder that is killed and
started again in the same slot sends the same lead, and the door knows it.
"""

from __future__ import annotations

import smtplib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import structlog

from leadflow.demo.cast import Prospect, again, dice, prospect
from leadflow.demo.channels import MAILBOX, call_rows, mail_of, visit_of
from leadflow.demo.script import SEED, Post, enquiry, redesigned, robot

SLOT_S = 3
LIVELY_S = 300
"""How long every slot is used: long enough to watch, too short to fill a disk over night."""
_EVERY = 7
"""After that one slot in seven: a lead every 21 s, some 4,000 a day."""
_TIMEOUT_S = 2.5
_FIRST, _NUMBERS = 10_000_000, 40_000_000
"""Numbers of live prospects: apart from those of the history, and none again within 3.8 years."""

_ZONE = ZoneInfo("Asia/Shanghai")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the doors of the installation are, and how many prospects of the history may ask again."""

    http: str
    customers: int
    smtp: tuple[str, int] | None = None
    calls: Path | None = None


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


def mail(doors: Doors, slot: int, rng: Random) -> None:
    """Send a mail to the mail door, as another server would."""
    if doors.smtp is None:
        return
    letter = mail_of(rng, _somebody(doors, slot, rng), f"live-{slot}", datetime.now(_ZONE))
    try:
        with smtplib.SMTP(*doors.smtp, timeout=_TIMEOUT_S) as smtp:
            smtp.send_message(letter, from_addr="bounces@mail.example", to_addrs=[MAILBOX])
    except smtplib.SMTPException as error:
        raise OSError("the mail door refused") from error


def call(doors: Doors, slot: int, rng: Random) -> None:
    """Add a call to the switchboard's file, as Asterisk does when it is over."""
    if doors.calls is None:
        return
    doors.calls.parent.mkdir(parents=True, exist_ok=True)
    with doors.calls.open("ab") as file:
        file.write(call_rows(rng, _somebody(doors, slot, rng), slot, datetime.now(_ZONE)))


def visit(doors: Doors, slot: int, rng: Random) -> None:
    """Enter a visit at the front desk."""
    request = urllib.request.Request(  # noqa: S310  # our own address
        f"{doors.http}/in/counter/front-desk",
        data=visit_of(rng, _somebody(doors, slot, rng), f"live-{slot}"),
        headers={"Content-Type": "application/json", "Accept": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310
        pass


FEEDERS: tuple[Feeder, ...] = (web, mail, call, visit)
"""One for each door, taken in turn; the first slot uses all, so that every channel shows at once."""


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
        due = feeders if not opened else (feeders[slot % len(feeders)],)
        try:
            for feeder in due:
                feeder(doors, slot, dice(SEED, "live", feeder.__name__, slot))
            opened = True
        except OSError as error:
            if not opened:
                continue  # the doors are still to open
            log.warning("demo_feed_failed", error=type(error).__name__)


def _somebody(doors: Doors, slot: int, rng: Random) -> Prospect:
    """Return somebody new, or in one case of four somebody of the history."""
    if rng.random() < 0.25:
        return prospect(SEED, rng.randrange(doors.customers))
    return prospect(SEED, _FIRST + slot % _NUMBERS)


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
