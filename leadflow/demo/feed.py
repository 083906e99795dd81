"""Live leads for the demo, through the real doors in turn: one every 3 s for 5 minutes, then every 21 s.

What is sent in a slot of the wall clock follows from the slot alone, key included: a feeder that is killed and
started again in the same slot sends the same lead, and the door knows it.
"""

from __future__ import annotations

import http.client
import re
import smtplib
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.policy import SMTP
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


Feeder = Callable[[Doors, int, Random, bool], str | None]
"""Sends the lead of one slot through one kind of door and returns the receipt it was given, if that door gives
one; `plain`: a lead without any of the usual damage. Raises OSError when the door does not answer."""


def web(doors: Doors, slot: int, rng: Random, plain: bool) -> str | None:
    """Post a form as a visitor's browser or a site's program does."""
    post = post_of(doors, slot, rng, plain)
    headers = {"Content-Type": post.content_type}
    if post.key is not None:
        headers["Idempotency-Key"] = post.key
    return _posted(f"{doors.http}/in/web/{post.source_id}", post.body, headers)


def mail(doors: Doors, slot: int, rng: Random, plain: bool) -> str | None:
    """Send a mail to the mail door, as another server would."""
    if doors.smtp is None:
        return None
    letter = mail_of(rng, _somebody(doors, slot, rng), f"live-{slot}", _time_of(slot), plain)
    try:
        with smtplib.SMTP(*doors.smtp, timeout=_TIMEOUT_S) as smtp:
            smtp.ehlo_or_helo_if_needed()
            smtp.mail("bounces@mail.example")
            smtp.rcpt(MAILBOX)
            code, said = smtp.data(letter.as_bytes(policy=SMTP))
    except smtplib.SMTPException as error:
        raise OSError("the mail door broke off") from error
    if code != 250:
        raise OSError("the mail door refused")
    return _receipt_in(said.decode("ascii", "replace"))


def call(doors: Doors, slot: int, rng: Random, _plain: bool) -> str | None:
    """Add a call to the switchboard's file, as Asterisk does when it is over."""
    if doors.calls is None:
        return None
    doors.calls.parent.mkdir(parents=True, exist_ok=True)
    with doors.calls.open("ab") as file:
        file.write(call_rows(rng, _somebody(doors, slot, rng), slot, _time_of(slot)))
    return None


def visit(doors: Doors, slot: int, rng: Random, _plain: bool) -> str | None:
    """Enter a visit at the front desk."""
    body = visit_of(rng, _somebody(doors, slot, rng), f"live-{slot}")
    return _posted(f"{doors.http}/in/counter/front-desk", body, {"Content-Type": "application/json"})


FEEDERS: tuple[Feeder, ...] = (web, mail, call, visit)
"""One for each door, taken in turn; the first slot uses all, so that every channel shows at once."""


def feed(
    doors: Doors,
    stop: threading.Event,
    clock_s: Callable[[], float],
    acknowledged: Callable[[str], None] = lambda _receipt: None,
    feeders: tuple[Feeder, ...] = FEEDERS,
) -> None:
    """Send leads until `stop` is set, and tell `acknowledged` every receipt. To be run in a thread of its own.

    What got no answer is sent again, the same under the same key, until it gets one: as every sender should.
    """
    first = last = int(clock_s() // SLOT_S)
    opened = False
    unanswered: list[tuple[Feeder, int]] = []
    while not stop.wait(SLOT_S - clock_s() % SLOT_S):
        slot = int(clock_s() // SLOT_S)
        if slot == last:
            continue
        last = slot
        due = list(unanswered)
        if is_used(slot, first):
            due += [(one, slot) for one in (feeders if not opened else (feeders[slot % len(feeders)],))]
        unanswered = []
        for feeder, of_slot in due:
            try:
                rng = dice(SEED, "live", feeder.__name__, of_slot)
                receipt = feeder(doors, of_slot, rng, not opened)
            except OSError as error:
                if opened:
                    log.warning("demo_feed_failed", error=type(error).__name__)
                    unanswered.append((feeder, of_slot))
                    continue
                break  # the doors are still to open
            if receipt is not None:
                acknowledged(receipt)
        else:
            opened = opened or bool(due)


def _posted(url: str, body: bytes, headers: dict[str, str]) -> str | None:
    """Post and return the receipt; None for what the door refused, and told the sender why."""
    request = urllib.request.Request(  # noqa: S310  # our own address
        url, data=body, headers={**headers, "Accept": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310
            return _receipt_in(answer.read().decode())
    except urllib.error.HTTPError as error:
        error.close()
        if error.code >= 500:
            raise
        return None
    except http.client.HTTPException as error:
        raise OSError("the door broke off") from error


def _receipt_in(answer: str) -> str | None:
    found = re.search(r"cap_[0-9a-z]+", answer)
    return found[0] if found else None


def _time_of(slot: int) -> datetime:
    return datetime.fromtimestamp(slot * SLOT_S, _ZONE)


def _somebody(doors: Doors, slot: int, rng: Random) -> Prospect:
    """Return somebody new, or in one case of four somebody of the history."""
    if rng.random() < 0.25:
        return prospect(SEED, rng.randrange(doors.customers))
    return prospect(SEED, _FIRST + slot % _NUMBERS)


def is_used(slot: int, first: int) -> bool:
    """Tell whether a lead is sent in a slot, when the feeder began in slot `first`."""
    return (slot - first) * SLOT_S <= LIVELY_S or slot % _EVERY == 0


def post_of(doors: Doors, slot: int, rng: Random, plain: bool = False) -> Post:
    """Return what is posted in a slot: mostly somebody new, now and then one of the history, a robot, a break."""
    made = f"live-{slot}"
    number = _FIRST + slot % _NUMBERS
    draw = 1.0 if plain else rng.random()
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
