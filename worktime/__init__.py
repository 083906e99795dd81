"""Working calendars: shifts, leave, public holidays and make-up days (调休). Pure, imports nothing of ours.

A `Calendar` is plain data, read by `parse_calendar`. The questions to it take and give microseconds since the
epoch, UTC. Keep a calendar object between questions: it remembers the days that it has worked out.
"""

from worktime.calendar import (
    Calendar,
    Days,
    Hours,
    Leave,
    OpenDay,
    Rota,
    Shift,
    Week,
    calendar_dict,
    parse_calendar,
    parse_leave,
)
from worktime.days import DayPlan, plan_day
from worktime.problems import CalendarError, Problem
from worktime.reckon import (
    HORIZON_DAYS,
    Due,
    add_working,
    after_working_days,
    is_working,
    next_working,
    on_duty,
    unannounced_year,
    with_leave,
    working_days_between,
    working_seconds,
    working_spans,
)

__all__ = [
    "HORIZON_DAYS",
    "Calendar",
    "CalendarError",
    "DayPlan",
    "Days",
    "Due",
    "Hours",
    "Leave",
    "OpenDay",
    "Problem",
    "Rota",
    "Shift",
    "Week",
    "add_working",
    "after_working_days",
    "calendar_dict",
    "is_working",
    "next_working",
    "on_duty",
    "parse_calendar",
    "parse_leave",
    "plan_day",
    "unannounced_year",
    "with_leave",
    "working_days_between",
    "working_seconds",
    "working_spans",
]
