"""Working time under any calendar and clock change, also against a slow model that looks at each minute."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from worktime import (
    Calendar,
    add_working,
    calendar_dict,
    is_working,
    next_working,
    on_duty,
    parse_calendar,
    with_leave,
    working_days_between,
    working_seconds,
)

MINUTE_US = 60_000_000
DAY_US = 1440 * MINUTE_US
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

# Half-hour changes, changes at midnight, a skipped date, four changes a year, offsets of 5:45, none at all.
ZONES = (
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "America/St_Johns",
    "America/Sao_Paulo",
    "Asia/Beirut",
    "Africa/Casablanca",
    "Asia/Kathmandu",
    "Pacific/Apia",
    "UTC",
)

# Days on which some of these zones change their clock, and ordinary ones.
CHANGES = (
    date(2026, 3, 8),
    date(2026, 11, 1),
    date(2026, 3, 29),
    date(2026, 10, 25),
    date(2026, 4, 5),
    date(2026, 10, 4),
    date(2026, 2, 15),
    date(2026, 3, 22),
    date(2018, 11, 4),
    date(2018, 2, 18),
    date(2011, 12, 30),
    date(2024, 2, 29),
)


@st.composite
def shift_texts(draw: st.DrawFn) -> str:
    start = draw(st.integers(0, 1439))
    end = draw(st.integers(0, 1440).filter(lambda end: end != start))
    return f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"


day_shifts = st.lists(
    shift_texts() | st.sampled_from(["00:00-24:00", "22:00-06:00", "01:30-02:30"]), max_size=3
)
dates = st.builds(
    lambda day, days: (day + timedelta(days=days)).isoformat(), st.sampled_from(CHANGES), st.integers(-4, 4)
)


@st.composite
def leaves(draw: st.DrawFn) -> str:
    first = date.fromisoformat(draw(dates))
    last = first + timedelta(days=draw(st.integers(0, 3)))
    if draw(st.booleans()):
        return f"{first}/{last}"
    start = datetime(first.year, first.month, first.day) + timedelta(minutes=draw(st.integers(0, 2000)))
    end = start + timedelta(minutes=draw(st.integers(1, 3000)))
    return f"{start.isoformat()}Z/{end.isoformat()}Z"


@st.composite
def specs(draw: st.DrawFn) -> dict[str, Any]:
    spec: dict[str, Any] = {"zone": draw(st.sampled_from(ZONES))}
    if draw(st.booleans()):
        spec["week"] = {day: draw(day_shifts) for day in WEEK}
    else:
        start = draw(dates)
        spec["rota"] = {"start": start, "days": draw(st.lists(day_shifts, min_size=1, max_size=9))}
    spec["closed"] = draw(st.lists(dates, max_size=2))
    opened = set(draw(st.lists(dates, max_size=2))) - set(spec["closed"])
    spec["open"] = {day: draw(day_shifts.filter(bool)) for day in sorted(opened)}
    spec["leave"] = draw(st.lists(leaves(), max_size=2))
    return spec


moments = st.builds(
    lambda day, offset: (
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000 + offset
    ),
    st.sampled_from(CHANGES),
    st.integers(-3 * DAY_US, 3 * DAY_US),
)
seconds = st.integers(0, 400) | st.integers(0, 500_000)
calendars = specs().map(parse_calendar)


def slow_minutes(spec: dict[str, Any], start_us: int, minutes: int) -> list[bool]:
    """Say for each minute from `start_us` whether it is worked, by looking at the clock on the wall.

    The wall clock is read as one that stops while it is set back: an hour that comes twice goes on with
    whatever ran, and an hour that is skipped is not there.
    """
    zone = ZoneInfo(spec["zone"])
    shown = datetime.min
    result = []
    for number in range(-2 * 1440, minutes):
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=start_us, minutes=number)
        shown = max(shown, at.astimezone(zone).replace(tzinfo=None, fold=0))
        if number >= 0:
            today = shown.date()
            result.append(
                any(_runs(spec, today - timedelta(days=back), shown) for back in (0, 1))
                and not any(_away(text, at) for text in spec["leave"])
            )
    return result


def _runs(spec: dict[str, Any], day: date, shown: datetime) -> bool:
    text = day.isoformat()
    if any("T" not in leave and leave[:10] <= text <= leave[11:] for leave in spec["leave"]):
        return False
    if text in spec["open"]:
        texts = spec["open"][text]
    elif text in spec["closed"]:
        texts = []
    elif "week" in spec:
        texts = spec["week"][WEEK[day.weekday()]]
    else:
        cycle = spec["rota"]["days"]
        texts = cycle[(day - date.fromisoformat(spec["rota"]["start"])).days % len(cycle)]
    midnight = datetime(day.year, day.month, day.day)
    for each in texts:
        start, end = (timedelta(hours=int(side[:2]), minutes=int(side[3:])) for side in each.split("-"))
        if end <= start:
            end += timedelta(days=1)
        if midnight + start <= shown < midnight + end:
            return True
    return False


def _away(text: str, at: datetime) -> bool:
    if "T" not in text:
        return False
    start, end = map(datetime.fromisoformat, text.split("/"))
    return start <= at < end


@settings(max_examples=80, deadline=None)
@given(specs(), st.sampled_from(CHANGES), st.integers(-2 * 1440, 1440))
def test_every_answer_is_that_of_a_look_at_each_minute(spec: dict[str, Any], day: date, offset: int) -> None:
    calendar = parse_calendar(spec)
    start = (
        int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1_000_000 + offset * MINUTE_US
    )
    count = 2 * 1440
    slow = slow_minutes(spec, start, count)
    assert [is_working(calendar, start + n * MINUTE_US) for n in range(count)] == slow
    assert working_seconds(calendar, start, start + count * MINUTE_US) == 60 * sum(slow)
    expected_next: int | None = None
    worked_after = 0
    for n in reversed(range(count)):
        if slow[n]:
            expected_next = start + n * MINUTE_US
            worked_after += 60
        if expected_next is not None and n % 7 == 0:
            at = start + n * MINUTE_US
            assert next_working(calendar, at) == expected_next
            assert add_working(calendar, at, 60).due_us == _slow_due(slow, start, n, 1)
    if worked_after:
        due = add_working(calendar, start, worked_after).due_us
        assert due == _slow_due(slow, start, 0, worked_after // 60)


def _slow_due(slow: list[bool], start: int, position: int, minutes: int) -> int:
    while True:
        minutes -= slow[position]
        position += 1
        if minutes == 0:
            return start + position * MINUTE_US


@given(calendars, moments, seconds)
def test_working_seconds_gives_back_what_add_working_added(calendar: Calendar, at: int, amount: int) -> None:
    due = add_working(calendar, at, amount).due_us
    if due is not None:
        assert due >= at
        assert working_seconds(calendar, at, due) == amount


@given(calendars, moments, seconds.filter(bool))
def test_a_due_time_is_the_first_possible_moment(calendar: Calendar, at: int, amount: int) -> None:
    due = add_working(calendar, at, amount).due_us
    if due is not None:
        assert working_seconds(calendar, at, due - 1) == amount - 1
        assert is_working(calendar, due - 1)


@given(calendars, moments, st.integers(0, 2 * DAY_US), seconds, seconds)
def test_later_or_longer_is_never_due_earlier(
    calendar: Calendar, at: int, later: int, amount: int, more: int
) -> None:
    due = add_working(calendar, at, amount).due_us
    for other in (
        add_working(calendar, at + later, amount).due_us,
        add_working(calendar, at, amount + more).due_us,
    ):
        if due is not None and other is not None:
            assert due <= other


@given(calendars, moments, seconds.filter(bool), seconds.filter(bool))
def test_two_steps_lead_where_one_leads(calendar: Calendar, at: int, first: int, second: int) -> None:
    half_way = add_working(calendar, at, first).due_us
    if half_way is not None:
        whole = add_working(calendar, at, first + second).due_us
        if whole is not None:
            assert add_working(calendar, half_way, second).due_us == whole


@given(calendars, moments)
def test_nothing_is_worked_before_the_next_working_moment(calendar: Calendar, at: int) -> None:
    following = next_working(calendar, at)
    assert is_working(calendar, at) == (following == at)
    if following is not None:
        assert is_working(calendar, following)
        assert not is_working(calendar, following - 1) or following == at
        assert working_seconds(calendar, at, following) == 0
        assert next_working(calendar, following) == following


@given(calendars, moments, st.integers(0, 20 * 86_400), st.integers(0, 20 * 86_400))
def test_working_time_adds_up_over_any_cut(calendar: Calendar, at: int, first: int, second: int) -> None:
    at -= at % 1_000_000
    middle, end = at + first * 1_000_000, at + (first + second) * 1_000_000
    parts = working_seconds(calendar, at, middle) + working_seconds(calendar, middle, end)
    assert working_seconds(calendar, at, end) == parts


@given(specs(), st.lists(moments, min_size=2, max_size=8))
def test_the_order_of_questions_changes_no_answer(spec: dict[str, Any], asked: list[int]) -> None:
    warm = parse_calendar(spec)
    for at in asked:
        is_working(warm, at)
    for at in reversed(asked):
        fresh = parse_calendar(spec)
        assert add_working(warm, at, 3600) == add_working(fresh, at, 3600)
        assert next_working(warm, at) == next_working(fresh, at)


@given(specs(), moments)
def test_a_person_on_leave_is_off_duty_by_both_ways_of_asking(spec: dict[str, Any], at: int) -> None:
    team = parse_calendar(spec | {"leave": []})
    leave = parse_calendar(spec).leave
    person = with_leave(team, leave)
    assert person == parse_calendar(spec)
    assert on_duty(team, leave, at) == is_working(person, at)
    assert is_working(team, at) or not is_working(person, at)


@given(calendars, moments, st.integers(0, 30), st.integers(0, 30))
def test_a_longer_silence_never_counts_fewer_working_days(
    calendar: Calendar, at: int, days: int, more: int
) -> None:
    shorter = working_days_between(calendar, at, at + days * DAY_US)
    longer = working_days_between(calendar, at, at + (days + more) * DAY_US)
    assert shorter <= longer <= shorter + more + 2
    assert longer >= working_days_between(calendar, at + DAY_US, at + (days + more) * DAY_US)


@given(
    st.lists(day_shifts, min_size=7, max_size=7),
    st.lists(dates, max_size=3),
    st.sampled_from(CHANGES),
    st.integers(0, 3 * 1440),
    st.integers(0, 40 * 1440),
)
def test_working_days_are_those_that_begin_and_end_between(
    week: list[list[str]], closed: list[str], day: date, offset: int, length: int
) -> None:
    calendar = parse_calendar({"zone": "UTC", "week": dict(zip(WEEK, week, strict=True)), "closed": closed})
    start = datetime(day.year, day.month, day.day) + timedelta(minutes=offset)
    end = start + timedelta(minutes=length)
    expected = 0
    for number in range(-2, 50):
        each = day + timedelta(days=number)
        shifts = [] if each.isoformat() in closed else week[each.weekday()]
        sides = [[int(side[:2]) * 60 + int(side[3:]) for side in shift.split("-")] for shift in shifts]
        if sides:
            midnight = datetime(each.year, each.month, each.day)
            begins = midnight + timedelta(minutes=min(a for a, _ in sides))
            ends = midnight + timedelta(minutes=max(b if b > a else b + 1440 for a, b in sides))
            expected += begins >= start and ends <= end
    from_us, to_us = (int(each.replace(tzinfo=UTC).timestamp()) * 1_000_000 for each in (start, end))
    assert working_days_between(calendar, from_us, to_us) == expected


@given(specs())
def test_a_calendar_is_written_as_it_was_read(spec: dict[str, Any]) -> None:
    calendar = parse_calendar(spec)
    assert parse_calendar(calendar_dict(calendar)) == calendar
