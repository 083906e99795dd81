"""Quiet hours: over midnight, in the person's time zone, across a change of the clocks."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sinks.quiet import hours_of, not_before

NIGHT = (22 * 60, 7 * 60)
NOON = (12 * 60, 13 * 60 + 30)


def us(text: str, zone: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("quiet", "zone", "at", "until"),
    [
        (NIGHT, "Asia/Shanghai", "2026-11-23T23:10", "2026-11-24T07:00"),
        (NIGHT, "Asia/Shanghai", "2026-11-24T06:59", "2026-11-24T07:00"),
        (NIGHT, "Asia/Shanghai", "2026-11-24T07:00", "2026-11-24T07:00"),
        (NIGHT, "Asia/Shanghai", "2026-11-24T21:59", "2026-11-24T21:59"),
        (NOON, "Asia/Shanghai", "2026-11-24T12:00", "2026-11-24T13:30"),
        (NOON, "Asia/Shanghai", "2026-11-24T13:30", "2026-11-24T13:30"),
        (None, "Asia/Shanghai", "2026-11-24T03:00", "2026-11-24T03:00"),
        ((480, 480), "Asia/Shanghai", "2026-11-24T08:00", "2026-11-24T08:00"),
        (NIGHT, "Europe/Berlin", "2026-10-24T23:00", "2026-10-25T07:00"),
    ],
)
def test_told_when_the_quiet_hours_are_over(
    quiet: tuple[int, int] | None, zone: str, at: str, until: str
) -> None:
    assert not_before(quiet, zone, us(at, zone)) == us(until, zone)


def test_hours_are_read_as_minutes_of_the_day() -> None:
    assert hours_of("22:00-07:30") == (22 * 60, 7 * 60 + 30)
    assert hours_of(" 12:00 - 13:30 ") == NOON
    for wrong in ("", "22:00", "22:00-24:30", "22:00-07:00-08:00", "ten-noon"):
        with pytest.raises(ValueError, match=r"."):
            hours_of(wrong)
