"""A silence is an alarm when the door's own rhythm makes it improbable, within minutes for a busy one."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from leadflow.rhythm import HOUR_US, LEAST_CAPTURES, WEEK_H, Rhythm, is_silent, learn

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000_000
MONDAY = int(datetime(2026, 11, 23, tzinfo=SHANGHAI).timestamp()) * 1_000_000


def office(per_hour: int, weeks: int = 6) -> dict[int, int]:
    """Captures of weeks that take so many an hour from 9 to 18, Monday to Friday."""
    found = {}
    for back in range(1, weeks * WEEK_H + 1):
        hour = MONDAY // HOUR_US - back
        here = datetime.fromtimestamp(hour * 3_600, SHANGHAI)
        if here.weekday() < 5 and 9 <= here.hour < 18:
            found[hour] = per_hour
    return found


def rhythm(per_hour: int) -> Rhythm:
    made = learn(office(per_hour), MONDAY, SHANGHAI)
    assert made is not None
    return made


def at(hour: float, day: int = 0) -> int:
    return MONDAY + int((day * 24 + hour) * HOUR_US)


@pytest.mark.parametrize(("per_hour", "minutes"), [(120, 15), (60, 25), (10, 120)])
def test_a_busy_door_is_missed_within_minutes_at_work_and_not_before(per_hour: int, minutes: int) -> None:
    door = rhythm(per_hour)
    silent = next(m for m in range(1, 600) if is_silent(door, at(11), at(11) + m * MINUTE))
    assert silent <= minutes
    assert silent > 2 * 60 / per_hour


def test_a_night_and_a_weekend_are_no_silence() -> None:
    door = rhythm(60)
    assert not is_silent(door, at(17.9), at(8.9, 1))
    assert not is_silent(door, at(17.9, 4), at(8.9, 7))
    assert is_silent(door, at(17.9, 4), at(9.8, 7))


def test_a_holiday_is_none_either() -> None:
    door = rhythm(60)
    closed = {datetime(2026, 11, 24).date()}
    assert is_silent(door, at(17.9), at(12, 1))
    assert not is_silent(door, at(17.9), at(18, 1), closed)


def test_a_door_that_speaks_rarely_or_only_lately_has_no_rhythm() -> None:
    assert learn({MONDAY // HOUR_US - 500: LEAST_CAPTURES - 1}, MONDAY, SHANGHAI) is None
    assert learn(office(60, weeks=1), MONDAY, SHANGHAI) is None
    assert learn({}, MONDAY, SHANGHAI) is None


def test_chance_alone_gives_about_one_false_alarm_a_year() -> None:
    dice = random.Random(5)
    door = Rhythm((6.0,) * WEEK_H, SHANGHAI)
    false, now = 0, 0.0
    for _ in range(52 * WEEK_H * 6):
        gap = dice.expovariate(6.0)
        false += is_silent(door, int(now * HOUR_US), int((now + gap) * HOUR_US))
        now += gap
    assert false <= 2


def test_the_clock_may_be_put_back_meanwhile() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    door = Rhythm((1.0,) * WEEK_H, berlin)
    start = int(datetime(2026, 10, 25, tzinfo=berlin).timestamp()) * 1_000_000
    end = int((datetime(2026, 10, 26, tzinfo=berlin)).timestamp()) * 1_000_000
    assert door.expected(start, end) == pytest.approx(25.0)
    assert timedelta(microseconds=end - start) == timedelta(hours=25)
