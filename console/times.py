"""Moments as people read them: in the company's zone, and as a distance from now."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from babel.dates import format_skeleton
from babel.units import format_unit

from schemas.base import Language

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE_US = 60 * 1_000_000


def local(us: int, zone: str) -> datetime:
    """Return a moment in a zone."""
    return (_EPOCH + timedelta(microseconds=us)).astimezone(ZoneInfo(zone))


def shown(us: int, now_us: int, zone: str, language: Language) -> str:
    """Return date and time; the time alone for today, the year too when it is another one."""
    moment, now = local(us, zone), local(now_us, zone)
    time = f"{moment:%H:%M}"
    if moment.date() == now.date():
        return time
    skeleton = "MMMd" if moment.year == now.year else "yMMMd"
    return f"{format_skeleton(skeleton, moment, locale=_locale(language))} {time}"


def exact(us: int, zone: str) -> str:
    """Return a moment to the millisecond with its offset, as ISO 8601."""
    return local(us, zone).isoformat(sep=" ", timespec="milliseconds")


def unit(count: int, name: str, language: Language) -> str:
    """Return a number of `second`, `minute`, `hour` or `day`, such as `5 min` and `5分钟`."""
    return format_unit(count, name, "short", locale=_locale(language))


def distance(us: int, language: Language) -> str:
    """Return a length of time in one unit, such as `2 min` or `2分钟`; at least a minute."""
    minutes = max(1, round(abs(us) / _MINUTE_US))
    if minutes < 90:
        count, unit = minutes, "duration-minute"
    elif minutes < 36 * 60:
        count, unit = round(minutes / 60), "duration-hour"
    else:
        count, unit = round(minutes / 1_440), "duration-day"
    return format_unit(count, unit, length="short", locale=_locale(language))


def parse_local(text: str, zone: str) -> int:
    """Read what a `datetime-local` field holds as a moment in the zone. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        raise ValueError("a local time has no offset")
    return int((moment.replace(tzinfo=ZoneInfo(zone)) - _EPOCH) / timedelta(microseconds=1))


def _locale(language: Language) -> str:
    return "zh_Hans_CN" if language == "zh" else "en_GB"
