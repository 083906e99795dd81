"""What a calendar says about one date, and the working time that follows for a page of dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

from worktime.calendar import Calendar, Days, Hours, Leave, Shift
from worktime.country import country_year, unsettled_year
from worktime.localtime import DAY_US, moment, wall_clock
from worktime.page import Page, Span, merged, without

PAGE_DAYS = 16
"""Long enough that most due times lie in the page of their start, short enough that the first question
to a calendar costs a fraction of a millisecond."""

PAGE_US = PAGE_DAYS * DAY_US

LIMIT_US = 4_102_444_800_000_000
"""Start of 2100, UTC. The holiday data ends with 2100; nothing is answered beyond."""

_ONE_DAY = timedelta(days=1)

Reason = Literal["open", "closed", "makeup", "holiday", "pattern"]


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What a calendar plans for one date, and which of its parts decided it."""

    reason: Reason
    shifts: tuple[Shift, ...]


def plan_day(calendar: Calendar, day: date) -> DayPlan:
    """Return the shifts that start on `day` and why; leave is not looked at."""
    for each in calendar.open:
        if each.day == day:
            return DayPlan("open", each.shifts or _own_shifts(calendar, day) or calendar.usual_hours)
    if any(day in days for days in calendar.closed):
        return DayPlan("closed", ())
    own = _own_shifts(calendar, day)
    if calendar.country is None or calendar.on_holidays:
        return DayPlan("pattern", own)
    year = country_year(calendar.country, calendar.subdivision, day.year)
    ordinal = day.toordinal()
    if ordinal in year.makeup and calendar.week is not None:
        return DayPlan("makeup", calendar.makeup or own or calendar.usual_hours)
    if ordinal in year.off:
        return DayPlan("holiday", ())
    return DayPlan("pattern", own)


def day_spans(calendar: Calendar, day: date, leave: Sequence[Leave]) -> list[Span]:
    """Return the working time of the shifts that start on `day`, less `leave`."""
    shifts = plan_day(calendar, day).shifts
    if not shifts or any(isinstance(each, Days) and day in each for each in leave):
        return []
    midnight = datetime(day.year, day.month, day.day)
    spans = merged(
        (
            moment(midnight + timedelta(minutes=shift.start), calendar.tz),
            moment(midnight + timedelta(minutes=shift.end), calendar.tz),
        )
        for shift in shifts
    )
    return without(
        spans,
        [
            (each.from_us, LIMIT_US if each.to_us is None else each.to_us)
            for each in leave
            if isinstance(each, Hours)
        ],
    )


def page_of(calendar: Calendar, index: int) -> Page:
    """Return the calendar's page from `index * PAGE_US` on, from its cache if it is there.

    Raises ValueError outside 1970 to 2099: that is a moment in other units than microseconds.
    """
    page = calendar.pages.get(index)
    if page is None:
        page = calendar.pages[index] = _build(calendar, index)
    return page


def _build(calendar: Calendar, index: int) -> Page:
    start, end = index * PAGE_US, (index + 1) * PAGE_US
    if start < 0 or start >= LIMIT_US:
        raise ValueError(
            f"the moments around {start} lie outside 1970 to 2099; give microseconds since the epoch, UTC"
        )
    work: list[Span] = []
    days: list[Span] = []
    unsettled: list[tuple[int, int, int]] = []
    # A shift may reach into the page from the day before; one day more allows for zones that skip a date.
    day = wall_clock(start, calendar.tz).date() - 2 * _ONE_DAY
    last = wall_clock(end, calendar.tz).date()
    while day <= last:
        spans = day_spans(calendar, day, calendar.leave)
        if spans and start <= spans[0][0] < end:
            days.append((spans[0][0], spans[-1][1]))
        work.extend((max(a, start), min(b, end)) for a, b in spans)
        year = _unsettled(calendar, day)
        if year is not None:
            midnight = datetime(day.year, day.month, day.day)
            unsettled.append((moment(midnight, calendar.tz), moment(midnight + _ONE_DAY, calendar.tz), year))
        day += _ONE_DAY
    return Page(merged(work), tuple(days), tuple(unsettled))


def _own_shifts(calendar: Calendar, day: date) -> tuple[Shift, ...]:
    if calendar.rota is not None:
        return calendar.pattern[(day - calendar.rota.start).days % len(calendar.pattern)]
    return calendar.pattern[day.weekday()]


def _unsettled(calendar: Calendar, day: date) -> int | None:
    if calendar.country is None or calendar.on_holidays:
        return None
    year = unsettled_year(calendar.country, calendar.subdivision, day)
    return None if year in calendar.confirmed else year
