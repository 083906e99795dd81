"""Wall-clock time of a zone to moments and back; says what a wall time means when the clock is changed."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US

_EPOCH = datetime(1970, 1, 1)
_EPOCH_UTC = _EPOCH.replace(tzinfo=UTC)
_ONE_US = timedelta(microseconds=1)


@cache
def zone_of(name: str) -> ZoneInfo:
    """Return the IANA zone called `name`.

    Raises ValueError for anything else, such as an abbreviation of a desktop system or a bare offset.
    """
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise ValueError(f"{name!r} is no IANA time zone") from error


def moment(wall: datetime, zone: ZoneInfo) -> int:
    """Return the first moment (µs since the epoch, UTC) at which a clock in `zone` has reached `wall`.

    `wall` is naive. A wall time that comes twice means its first coming; one that the clock skips means
    the moment of the skip. Later wall times thus never give earlier moments, and two shifts that hand
    over at the same wall time neither overlap nor leave a hole, whatever the clock does.
    """
    local = (wall - _EPOCH) // _ONE_US
    before = local - _offset_us(wall.replace(tzinfo=zone))
    if wall_clock(before, zone) == wall:
        return before
    # `wall` is skipped: with the offset after the skip it lies before it, with the offset before, after it.
    low, high = local - _offset_us(wall.replace(tzinfo=zone, fold=1)), before
    while high - low > 1:
        middle = (low + high) // 2
        if wall_clock(middle, zone) >= wall:
            high = middle
        else:
            low = middle
    return high


def wall_clock(at_us: int, zone: ZoneInfo) -> datetime:
    """Return what a clock in `zone` shows at `at_us`, as a naive datetime."""
    return (_EPOCH_UTC + timedelta(microseconds=at_us)).astimezone(zone).replace(tzinfo=None, fold=0)


def day_start(at_us: int, zone: ZoneInfo) -> int:
    """Return when the day of a moment began in a zone."""
    return moment(datetime.combine(wall_clock(at_us, zone).date(), time()), zone)


def _offset_us(local: datetime) -> int:
    offset = local.utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset // _ONE_US
