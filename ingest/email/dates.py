"""The moment a mail says it was sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

_FUTURE_US = 3_600_000_000
"""A sender's clock may be an hour fast before the date counts as being in the future."""

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_HAS_ZONE = re.compile(r"[+-]\d{2}:?\d{2}\b|\b(?:GMT|UTC?|[ECMP][SD]T|CST|Z)\b|Z$")


def read_date(value: str, zone: str, accepted_us: int) -> tuple[int | None, frozenset[str]]:
    """Return microseconds since the epoch and flags: `no_date`, `bad_date`, `future_date`, `time_no_zone`.

    A time without an offset is read in `zone`. A date before 1990 or none at all gives None; a future one
    is kept, being the sender's word.
    """
    text = value.strip()[:200]
    if not text:
        return None, frozenset({"no_date"})
    moment = _rfc5322(text) or _iso(text)
    if moment is None:
        return None, frozenset({"bad_date"})
    flags = set()
    if _HAS_ZONE.search(text) is None:
        moment = moment.replace(tzinfo=ZoneInfo(zone))
        flags.add("time_no_zone")
    elif moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        early = moment < _EARLIEST
        occurred_us = round(moment.timestamp()) * 1_000_000
    except (OverflowError, ValueError):
        return None, frozenset({"bad_date"})
    if early:
        return None, frozenset({"bad_date"})
    if occurred_us > accepted_us + _FUTURE_US:
        flags.add("future_date")
    return occurred_us, frozenset(flags)


def _rfc5322(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.replace("/", "-"))
    except ValueError:
        return None
