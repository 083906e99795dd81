"""When a person is told: at once, or when their quiet hours are over. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

_DAY_MIN = 24 * 60
QUIET = "/quiet"
"""How the lane of what waits for the end of quiet hours ends."""
AT_ONCE = "/now"
"""How the lane of what is urgent ends: told alone, whatever else is gathered."""


def hours_of(text: str) -> tuple[int, int]:
    """Return quiet hours such as `22:00-07:30` as minutes of the local day, from and until. Raises ValueError."""
    start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    return start.hour * 60 + start.minute, end.hour * 60 + end.minute


def not_before(quiet: tuple[int, int] | None, zone: str, at_us: int) -> int:
    """Return the moment from which a message may go: `at_us`, or the end of the quiet hours that it falls into (µs).

    `quiet` are minutes of the local day, from and until; over midnight where the first is greater.
    """
    if quiet is None or quiet[0] == quiet[1]:
        return at_us
    place = ZoneInfo(zone)
    local = datetime.fromtimestamp(at_us / 1_000_000, place)
    start, end = quiet
    minute = local.hour * 60 + local.minute
    is_quiet = start <= minute < end if start < end else (minute >= start or minute < end)
    if not is_quiet:
        return at_us
    day = local.date() + timedelta(days=1 if minute >= end else 0)
    over = datetime.combine(day, time(end % _DAY_MIN // 60, end % 60), place)
    return max(at_us, int(over.timestamp()) * 1_000_000)
