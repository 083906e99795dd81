"""The questions that are put to a working calendar; all moments are µs since the epoch, UTC."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

from worktime.calendar import Calendar, Days, Hours, Leave
from worktime.days import LIMIT_US, PAGE_US, day_spans, page_of
from worktime.localtime import DAY_US, SECOND_US, wall_clock
from worktime.page import Span, merged
from worktime.problems import Language

HORIZON_DAYS = 5 * 366
"""How far ahead a working moment is looked for: longer than any leave or limit in use. A calendar that never
works is given up after 115 pages: 3 ms the first time, 25 µs when they are known."""

_HORIZON_US = HORIZON_DAYS * DAY_US
_LAST_PAGE = (LIMIT_US - 1) // PAGE_US


class Due(NamedTuple):
    """When a number of working seconds will have passed."""

    due_us: int | None
    """None if they do not pass within HORIZON_DAYS: the calendar hardly ever works."""
    unannounced_year: int | None = None
    """A year on the way whose holiday arrangement is not published yet, so that the due time may move."""

    def remark(self, language: Language) -> str | None:
        """Say what a person should know beside the due time, or None."""
        if self.unannounced_year is None:
            return None
        return _REMARKS[language].format(year=self.unannounced_year)


def is_working(calendar: Calendar, at_us: int) -> bool:
    """Say whether `at_us` is working time. A shift includes its first moment and not its last."""
    return page_of(calendar, at_us // PAGE_US).works(at_us)


def next_working(calendar: Calendar, at_us: int) -> int | None:
    """Return `at_us` if it is working time, else the next moment that is; None beyond HORIZON_DAYS."""
    end_us = at_us + _HORIZON_US
    index = at_us // PAGE_US
    found = page_of(calendar, index).next_work(at_us)
    last = min(end_us // PAGE_US, _LAST_PAGE)
    while found is None and index < last:
        index += 1
        found = page_of(calendar, index).next_work(at_us)
    return found if found is not None and found <= end_us else None


def add_working(calendar: Calendar, at_us: int, seconds: int) -> Due:
    """Return when `seconds` of working time will have passed since `at_us`.

    It is the first such moment: what is due after a whole day's hours is due at the end of that day, not
    on the next morning. Zero seconds are due at the next working moment. Raises ValueError if `seconds`
    is negative.
    """
    if seconds < 0:
        raise ValueError(f"working seconds to add must not be negative, got {seconds}")
    due_us = next_working(calendar, at_us) if seconds == 0 else _after(calendar, at_us, seconds * SECOND_US)
    return Due(due_us, unannounced_year(calendar, at_us, due_us))


def working_seconds(calendar: Calendar, from_us: int, to_us: int) -> int:
    """Return the whole seconds of working time between two moments; 0 if `to_us` is not after `from_us`."""
    if to_us <= from_us:
        return 0
    first, last = from_us // PAGE_US, to_us // PAGE_US
    worked = sum(page_of(calendar, index).total_us for index in range(first, last))
    worked += page_of(calendar, last).worked(to_us) - page_of(calendar, first).worked(from_us)
    return worked // SECOND_US


def working_spans(calendar: Calendar, from_us: int, to_us: int) -> list[Span]:
    """Return the stretches of working time between two moments, sorted and disjoint: what `working_seconds` adds up."""
    pages = (page_of(calendar, index) for index in range(from_us // PAGE_US, to_us // PAGE_US + 1))
    work = merged(span for page in pages for span in page.spans)
    return [(max(start, from_us), min(end, to_us)) for start, end in work if start < to_us and end > from_us]


def working_days_between(calendar: Calendar, from_us: int, to_us: int) -> int:
    """Return how many whole working days lie between two moments.

    A working day is a date with at least one shift that starts on it. It counts if its first shift begins
    at or after `from_us` and its last one is over by `to_us`: after a touch on Monday afternoon, Tuesday
    is the first day that counts, once its shift is over.
    """
    return sum(
        from_us <= begins and ends <= to_us
        for index in range(from_us // PAGE_US, to_us // PAGE_US + 1)
        for begins, ends in page_of(calendar, index).days
    )


def after_working_days(
    calendar: Calendar, from_us: int, days: int, away: Sequence[tuple[int, int]] = ()
) -> int | None:
    """Return the first moment by which so many whole working days have passed, as `working_days_between` counts them.

    A day any of whose hours lie in one of the spans `away` (from, to) does not count. None if it does not come within
    HORIZON_DAYS; `from_us` for no days.
    """
    left, last = days, min((from_us + _HORIZON_US) // PAGE_US, _LAST_PAGE)
    if left <= 0:
        return from_us
    for index in range(from_us // PAGE_US, last + 1):
        for begins, ends in page_of(calendar, index).days:
            if begins < from_us or any(start < ends and begins < end for start, end in away):
                continue
            left -= 1
            if left == 0:
                return ends
    return None


def on_duty(calendar: Calendar, leave: Sequence[Leave], at_us: int) -> bool:
    """Say whether a person with this `leave` works at `at_us`, by the calendar of their team.

    The same as `is_working(with_leave(calendar, leave), at_us)`, and cheaper for a single question.
    """
    if not is_working(calendar, at_us):
        return False
    if not leave:
        return True
    if any(
        isinstance(each, Hours) and each.from_us <= at_us and (each.to_us is None or at_us < each.to_us)
        for each in leave
    ):
        return False
    days_off = [each for each in leave if isinstance(each, Days)]
    today = wall_clock(at_us, calendar.tz).date()
    # The days on which a shift that is still running may have begun, with one to spare for skipped dates.
    begun = [today - timedelta(days=days_ago) for days_ago in range(3)]
    worked = [day for day in begun if not any(day in each for each in days_off)]
    if len(worked) == len(begun):
        return True
    return any(
        start <= at_us < end for day in worked for start, end in day_spans(calendar, day, calendar.leave)
    )


def with_leave(calendar: Calendar, leave: Sequence[Leave]) -> Calendar:
    """Return the calendar of one person: that of their team, less their leave.

    It has a cache of its own; keep it as long as the leave holds instead of making it for each question.
    """
    return replace(calendar, leave=(*calendar.leave, *leave)) if leave else calendar


def _after(calendar: Calendar, at_us: int, work_us: int) -> int | None:
    end_us = at_us + _HORIZON_US
    index = at_us // PAGE_US
    last = min(end_us // PAGE_US, _LAST_PAGE)
    page = page_of(calendar, index)
    left_us = work_us + page.worked(at_us)
    while left_us > page.total_us:
        if index >= last:
            return None
        left_us -= page.total_us
        index += 1
        page = page_of(calendar, index)
    due_us = page.moment(left_us)
    return due_us if due_us <= end_us else None


def unannounced_year(calendar: Calendar, from_us: int, due_us: int | None) -> int | None:
    """Return the first year between two moments whose holidays are not published yet, None if all are.

    Without a due time: as far as HORIZON_DAYS.
    """
    to_us = min(from_us + _HORIZON_US, LIMIT_US - 1) if due_us is None else due_us
    for index in range(from_us // PAGE_US, to_us // PAGE_US + 1):
        for start, end, year in page_of(calendar, index).unsettled:
            if from_us < end and start < max(to_us, from_us + 1):
                return year
    return None


_REMARKS: dict[Language, str] = {
    "zh": "{year} 年放假调休安排尚未公布，此时限可能变动",
    "en": "The holiday arrangement of {year} is not published yet; this due time may move",
}
