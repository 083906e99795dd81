"""Working time as a team lead counts it on paper: shifts, nights, leave, clock changes, ends of search."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from worktime import (
    HORIZON_DAYS,
    Calendar,
    add_working,
    is_working,
    next_working,
    on_duty,
    parse_calendar,
    parse_leave,
    with_leave,
    working_days_between,
    working_seconds,
)
from worktime.localtime import DAY_US, moment, zone_of

HOUR = 3600
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
OFFICE = {day: ["09:00-12:00", "13:30-18:00"] for day in WEEK[:5]}
ALWAYS = {day: ["00:00-24:00"] for day in WEEK}


def us(text: str, zone: str = "Asia/Shanghai", fold: int = 0) -> int:
    """Return the moment of an ISO time on the clock of `zone`."""
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return round(local.timestamp() * 1_000_000)


def calendar(zone: str = "Asia/Shanghai", **keys: Any) -> Calendar:
    return parse_calendar({"zone": zone, **({} if "rota" in keys else {"week": OFFICE}), **keys})


@pytest.mark.parametrize(
    ("at", "works"),
    [
        ("2026-03-02T08:59:59.999999", False),
        ("2026-03-02T09:00", True),
        ("2026-03-02T11:59:59.999999", True),
        ("2026-03-02T12:00", False),
        ("2026-03-02T13:30", True),
        ("2026-03-02T18:00", False),
        ("2026-03-07T10:00", False),
    ],
)
def test_a_shift_has_its_first_moment_and_not_its_last(at: str, works: bool) -> None:
    assert is_working(calendar(), us(at)) is works


@pytest.mark.parametrize(
    ("at", "following"),
    [
        ("2026-03-02T10:00", "2026-03-02T10:00"),
        ("2026-03-02T12:00", "2026-03-02T13:30"),
        ("2026-03-06T18:00", "2026-03-09T09:00"),
        ("2026-03-07T03:00", "2026-03-09T09:00"),
    ],
)
def test_the_next_working_moment(at: str, following: str) -> None:
    assert next_working(calendar(), us(at)) == us(following)


@pytest.mark.parametrize(
    ("at", "seconds", "due"),
    [
        ("2026-03-02T10:00", 30 * 60, "2026-03-02T10:30"),
        ("2026-03-02T11:45", 30 * 60, "2026-03-02T13:45"),
        ("2026-03-06T17:50", 30 * 60, "2026-03-09T09:20"),
        ("2026-03-07T22:00", 30 * 60, "2026-03-09T09:30"),
        # A full day's hours are due at its end, not on the next morning.
        ("2026-03-02T09:00", 7.5 * HOUR, "2026-03-02T18:00"),
        ("2026-03-02T09:00", 7.5 * HOUR + 1, "2026-03-03T09:00:01"),
        ("2026-03-02T10:00:00.000001", 1, "2026-03-02T10:00:01.000001"),
        # Nothing to wait for: at once, or when work begins.
        ("2026-03-02T10:00", 0, "2026-03-02T10:00"),
        ("2026-03-07T10:00", 0, "2026-03-09T09:00"),
        ("2026-03-02T09:00", 37.5 * HOUR * 10, "2026-05-08T18:00"),
    ],
)
def test_due_after_working_seconds(at: str, seconds: float, due: str) -> None:
    assert add_working(calendar(), us(at), int(seconds)).due_us == us(due)


def test_negative_seconds_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        add_working(calendar(), us("2026-03-02T10:00"), -1)


@pytest.mark.parametrize("at_us", [-1, 1_770_000_000_000_000_000])
def test_a_moment_in_other_units_is_an_error_and_not_a_day_off(at_us: int) -> None:
    for ask in (is_working, next_working, lambda c, at: add_working(c, at, 60)):
        with pytest.raises(ValueError, match="microseconds"):
            ask(calendar(), at_us)


def test_working_seconds_count_shifts_only() -> None:
    c = calendar()
    assert working_seconds(c, us("2026-03-06T17:00"), us("2026-03-09T10:00")) == 2 * HOUR
    assert working_seconds(c, us("2026-03-02T00:00"), us("2026-03-09T00:00")) == 37.5 * HOUR
    assert working_seconds(c, us("2026-03-09T10:00"), us("2026-03-06T17:00")) == 0


def test_a_night_shift_belongs_to_the_day_on_which_it_starts() -> None:
    c = calendar(week={"fri": ["22:00-06:00"]}, closed=["2026-03-07"])
    assert is_working(c, us("2026-03-07T05:59"))
    assert not is_working(c, us("2026-03-07T06:00"))
    assert not is_working(
        calendar(week={"fri": ["22:00-06:00"]}, closed=["2026-03-06"]), us("2026-03-07T03:00")
    )
    assert add_working(c, us("2026-03-06T23:00"), 7 * HOUR).due_us == us("2026-03-07T06:00")


def test_three_shifts_that_hand_over_leave_no_hole() -> None:
    c = calendar(week={day: ["06:00-14:15", "14:00-22:15", "22:00-06:15"] for day in WEEK})
    start = us("2026-03-02T03:00")
    assert add_working(c, start, 100 * 24 * HOUR).due_us == start + 100 * DAY_US
    assert working_seconds(c, start, start + 100 * DAY_US) == 100 * 24 * HOUR


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/New_York", "Pacific/Apia"])
def test_a_night_shift_is_whole_on_every_night(zone: str) -> None:
    """Days are worked out in stretches; no night may be cut where two of them meet."""
    c = calendar(zone, week={day: ["20:00-19:00"] for day in WEEK})
    for day in range(1, 29):
        start = us(f"2026-02-{day:02}T20:00", zone)
        assert working_seconds(c, start, start + DAY_US) == 23 * HOUR
        assert add_working(c, start, 23 * HOUR).due_us == start + 23 * HOUR * 1_000_000


def test_a_rota_follows_its_own_cycle_both_ways_from_its_start() -> None:
    days = [["08:00-20:00"], ["20:00-08:00"], [], []]
    c = calendar(rota={"start": "2026-03-02", "days": days})
    assert is_working(c, us("2026-03-02T09:00"))
    assert is_working(c, us("2026-03-04T07:59"))
    assert next_working(c, us("2026-03-04T08:00")) == us("2026-03-06T08:00")
    assert is_working(c, us("2026-02-26T09:00"))
    assert not is_working(c, us("2026-03-01T09:00"))


def test_a_rota_keeps_its_days_off_on_chinese_make_up_days_but_not_its_work_on_holidays() -> None:
    # 2026-02-14 is a make-up Saturday, 2026-02-17 the first day of the Spring Festival.
    rota = {"start": "2026-02-14", "days": [[], ["09:00-18:00"], ["09:00-18:00"], ["09:00-18:00"]]}
    assert not is_working(calendar(country="CN", rota=rota), us("2026-02-14T10:00"))
    assert not is_working(calendar(country="CN", rota=rota), us("2026-02-17T10:00"))
    assert is_working(calendar(country="CN", rota=rota, on_holidays=True), us("2026-02-17T10:00"))


def test_open_and_closed_days_of_the_company() -> None:
    c = calendar(closed=["2026-03-03/2026-03-04"], open={"2026-03-07": ["10:00-11:00"], "2026-03-08": None})
    assert next_working(c, us("2026-03-02T18:00")) == us("2026-03-05T09:00")
    assert working_seconds(c, us("2026-03-07T00:00"), us("2026-03-08T00:00")) == HOUR
    # Without hours of its own, the Sunday takes over those of the first weekday that has any.
    assert working_seconds(c, us("2026-03-08T00:00"), us("2026-03-09T00:00")) == 7.5 * HOUR


def test_an_open_day_beats_the_public_holiday() -> None:
    holiday = us("2026-10-01T10:00")
    assert not is_working(calendar(country="CN"), holiday)
    assert is_working(calendar(country="CN", open=["2026-10-01"]), holiday)
    assert is_working(calendar(country="CN", on_holidays=True), holiday)


def test_a_closed_day_beats_the_make_up_day() -> None:
    assert not is_working(calendar(country="CN", closed=["2026-02-14"]), us("2026-02-14T10:00"))


def test_holidays_of_other_countries_and_of_their_parts() -> None:
    epiphany = us("2026-01-06T10:00", "Europe/Berlin")
    assert is_working(calendar("Europe/Berlin", country="DE"), epiphany)
    assert not is_working(calendar("Europe/Berlin", country="DE", subdivision="BY"), epiphany)
    # New Year's Day of 2028 is a Saturday and observed on the last day of 2027.
    observed = us("2027-12-31T10:00", "America/New_York")
    assert not is_working(calendar("America/New_York", country="US"), observed)


def test_the_same_moment_is_work_in_one_zone_and_night_in_another() -> None:
    at = us("2026-03-02T10:00")
    assert is_working(calendar("Asia/Shanghai"), at)
    assert not is_working(calendar("America/New_York"), at)


# Leave


def test_whole_days_of_leave_take_the_shifts_that_start_on_them() -> None:
    nights = calendar(week={day: ["22:00-06:00"] for day in WEEK})
    leave = [parse_leave("2026-03-04", nights.tz)]
    assert on_duty(nights, leave, us("2026-03-04T05:00"))
    assert not on_duty(nights, leave, us("2026-03-04T23:00"))
    assert not on_duty(nights, leave, us("2026-03-05T05:00"))
    assert on_duty(nights, leave, us("2026-03-05T22:00"))


def test_hours_of_leave_take_just_these() -> None:
    c = calendar()
    leave = [parse_leave("2026-03-02T15:00/2026-03-02T16:00", c.tz)]
    assert on_duty(c, leave, us("2026-03-02T14:59"))
    assert not on_duty(c, leave, us("2026-03-02T15:00"))
    assert on_duty(c, leave, us("2026-03-02T16:00"))
    assert not on_duty(c, leave, us("2026-03-02T19:00"))
    assert add_working(with_leave(c, leave), us("2026-03-02T14:30"), HOUR).due_us == us("2026-03-02T16:30")


def test_who_is_away_until_further_notice_is_not_expected_back() -> None:
    c = calendar()
    for text in ("2026-03-03/", "2026-03-03T00:00/"):
        person = with_leave(c, [parse_leave(text, c.tz)])
        assert is_working(person, us("2026-03-02T17:00"))
        assert next_working(person, us("2026-03-02T18:00")) is None
        assert add_working(person, us("2026-03-02T17:00"), HOUR).due_us == us("2026-03-02T18:00")
        assert add_working(person, us("2026-03-02T17:00"), HOUR + 1).due_us is None


def test_leave_of_one_person_leaves_the_team_alone() -> None:
    team = calendar()
    at = us("2026-03-02T10:00")
    is_working(team, at)  # the team's days are known already
    person = with_leave(team, [parse_leave("2026-03-02", team.tz)])
    assert not is_working(person, at)
    assert is_working(team, at)


# Working days


@pytest.mark.parametrize(
    ("touched", "now", "days"),
    [
        ("2026-03-02T16:00", "2026-03-02T20:00", 0),
        ("2026-03-02T16:00", "2026-03-03T17:59", 0),
        ("2026-03-02T16:00", "2026-03-03T18:00", 1),
        ("2026-03-02T08:00", "2026-03-02T18:00", 1),
        ("2026-03-02T09:00", "2026-03-02T18:00", 1),
        ("2026-03-02T09:00:00.000001", "2026-03-02T18:00", 0),
        ("2026-03-06T16:00", "2026-03-09T08:00", 0),
        ("2026-03-06T16:00", "2026-03-09T18:00", 1),
        ("2026-03-02T16:00", "2026-04-02T19:00", 23),
        ("2026-03-03T16:00", "2026-03-02T16:00", 0),
    ],
)
def test_only_whole_working_days_make_a_customer_neglected(touched: str, now: str, days: int) -> None:
    assert working_days_between(calendar(), us(touched), us(now)) == days


def test_the_spring_festival_makes_nobody_neglected() -> None:
    c = calendar(country="CN")
    # Friday to Tuesday after the nine days' break, with a make-up Saturday before it.
    assert working_days_between(c, us("2026-02-13T17:00"), us("2026-02-24T09:00")) == 1
    assert working_days_between(calendar(), us("2026-02-13T17:00"), us("2026-02-24T09:00")) == 6


# Clock changes: New York skips 02:00-03:00 on 2026-03-08 and repeats 01:00-02:00 on 2026-11-01.


def test_a_night_with_a_skipped_hour_is_an_hour_shorter() -> None:
    zone = "America/New_York"
    c = calendar(zone, week=ALWAYS)
    assert working_seconds(c, us("2026-03-08T00:00", zone), us("2026-03-09T00:00", zone)) == 23 * HOUR
    assert working_seconds(c, us("2026-11-01T00:00", zone), us("2026-11-02T00:00", zone)) == 25 * HOUR


def test_a_shift_inside_the_skipped_hour_does_not_happen() -> None:
    c = calendar("America/New_York", week={"sun": ["02:10-02:50"]})
    assert next_working(c, us("2026-03-08T00:00", c.zone)) == us("2026-03-15T02:10", c.zone)


def test_a_hand_over_in_the_skipped_hour_leaves_no_hole() -> None:
    c = calendar("America/New_York", week={"sun": ["00:00-02:30", "02:30-05:00"]})
    assert working_seconds(c, us("2026-03-08T00:00", c.zone), us("2026-03-08T05:00", c.zone)) == 4 * HOUR
    late = calendar("America/New_York", week={"sun": ["02:30-05:00"]})
    assert next_working(late, us("2026-03-08T00:00", c.zone)) == us("2026-03-08T03:00", c.zone)


def test_a_repeated_hour_belongs_to_the_shift_that_goes_on() -> None:
    zone = "America/New_York"
    evening = calendar(zone, week={"sun": ["00:00-01:30"]})
    morning = calendar(zone, week={"sun": ["01:30-06:00"]})
    first, second = us("2026-11-01T01:30", zone), us("2026-11-01T01:30", zone, fold=1)
    assert second - first == HOUR * 1_000_000
    assert not is_working(evening, first)
    assert not is_working(evening, second)
    assert next_working(morning, us("2026-11-01T00:00", zone)) == first
    assert is_working(morning, us("2026-11-01T01:10", zone, fold=1))
    assert working_seconds(morning, first, us("2026-11-01T06:00", zone)) == 5.5 * HOUR


def test_a_date_that_a_zone_skipped_has_no_shift() -> None:
    # Samoa went from 2011-12-29 straight to 2011-12-31.
    c = calendar("Pacific/Apia", week={day: ["09:00-17:00"] for day in WEEK})
    assert next_working(c, us("2011-12-29T17:00", c.zone)) == us("2011-12-31T09:00", c.zone)
    assert working_days_between(c, us("2011-12-29T00:00", c.zone), us("2012-01-01T00:00", c.zone)) == 2


def test_the_first_moment_that_shows_a_skipped_time_is_the_skip() -> None:
    zone = zone_of("America/New_York")
    assert moment(datetime(2026, 3, 8, 2, 30), zone) == us("2026-03-08T03:00", "America/New_York")


# Ends of search


def test_a_calendar_that_never_works_ends() -> None:
    never = calendar(week={})
    at = us("2026-03-02T10:00")
    assert not is_working(never, at)
    assert next_working(never, at) is None
    assert add_working(never, at, 0).due_us is None
    assert add_working(never, at, HOUR).due_us is None
    assert working_seconds(never, at, at + 400 * DAY_US) == 0
    assert working_days_between(never, at, at + 400 * DAY_US) == 0


def test_work_is_looked_for_as_far_as_stated_and_no_farther() -> None:
    c = calendar(week={}, open={"2031-03-01": ["00:00-24:00"]})
    there = us("2031-03-01T00:00")
    assert next_working(c, there - HORIZON_DAYS * DAY_US) == there
    assert next_working(c, there - HORIZON_DAYS * DAY_US - 1) is None
    assert add_working(c, there + HOUR * 1_000_000 - HORIZON_DAYS * DAY_US, HOUR).due_us == us(
        "2031-03-01T01:00"
    )
    assert add_working(c, there + HOUR * 1_000_000 - HORIZON_DAYS * DAY_US - 1, HOUR).due_us is None


def test_the_search_ends_with_the_holiday_data() -> None:
    c = calendar(week={})
    assert next_working(c, us("2099-12-01T00:00")) is None
    assert add_working(calendar(country="CN"), us("2099-12-01T00:00"), 10**9).due_us is None


def test_what_is_known_of_a_day_is_not_worked_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    c = calendar(country="CN")
    at = us("2026-03-02T10:00")
    first = (is_working(c, at), next_working(c, at), add_working(c, at, 60 * HOUR))

    def fail(*_: object) -> None:
        raise AssertionError("a known day was worked out again")

    monkeypatch.setattr("worktime.days.plan_day", fail)
    assert (is_working(c, at), next_working(c, at), add_working(c, at, 60 * HOUR)) == first
