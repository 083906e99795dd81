"""Chinese holidays and make-up days against an independent source, and what an unannounced year is told."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import chinese_calendar  # type: ignore[import-untyped]
import pytest

from worktime import Calendar, add_working, parse_calendar, plan_day, working_seconds
from worktime.country import FIRST_NOTICE_YEAR, country_year

HOUR = 3600
OFFICE = {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")}
SHOP = OFFICE | {"sat": ["10:00-16:00"], "sun": ["10:00-16:00"]}


def china(**keys: object) -> Calendar:
    return parse_calendar({"zone": "Asia/Shanghai", "country": "CN", "week": OFFICE, **keys})


def us(text: str) -> int:
    local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai"))
    return round(local.timestamp() * 1_000_000)


def days(first_year: int, last_year: int) -> Iterator[date]:
    day = date(first_year, 1, 1)
    while day.year <= last_year:
        yield day
        day += timedelta(days=1)


def last_announced_year() -> int:
    year = 2026
    while country_year("CN", None, year + 1).settled:
        year += 1
    return year


def test_every_day_since_2004_is_worked_or_free_as_the_other_source_says() -> None:
    office = china()
    wrong = [
        day
        for day in days(2004, 2026)
        if bool(plan_day(office, day).shifts) != chinese_calendar.is_workday(day)
    ]
    # The notice for 2006 has Saturday 2005-12-31 worked; the other source leaves it out.
    assert wrong == [date(2005, 12, 31)]


def test_a_shop_that_opens_on_weekends_closes_for_the_whole_break() -> None:
    """The notices count adjoining weekends as part of the break; the other source names these days."""
    shop = china(week=SHOP)
    open_in_break = [
        day
        for day in days(2019, 2026)
        if plan_day(shop, day).shifts and chinese_calendar.get_holiday_detail(day)[0]
        if chinese_calendar.get_holiday_detail(day)[1] is not None
    ]
    closed_outside = [
        day
        for day in days(2019, 2026)
        if not plan_day(shop, day).shifts and chinese_calendar.get_holiday_detail(day)[1] is None
    ]
    assert open_in_break == []
    # Dragon Boat 2024, "10 June, together with the weekend": the other source names the Monday only.
    assert closed_outside == [date(2024, 6, 8), date(2024, 6, 9)]


@pytest.mark.parametrize(
    "makeup",
    [
        *("2024-02-04", "2024-02-18", "2024-04-07", "2024-04-28", "2024-05-11", "2024-09-14", "2024-09-29"),
        *("2024-10-12", "2025-01-26", "2025-02-08", "2025-04-27", "2025-09-28", "2025-10-11"),
        *("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10"),
    ],
)
def test_make_up_days_are_worked_with_the_hours_of_a_weekday(makeup: str) -> None:
    assert plan_day(china(), date.fromisoformat(makeup)).reason == "makeup"
    assert working_seconds(china(), us(f"{makeup}T00:00"), us(f"{makeup}T23:59")) == 9 * HOUR


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2024-02-10", "2024-02-17"),
        ("2024-10-01", "2024-10-07"),
        ("2025-01-28", "2025-02-04"),
        ("2025-10-01", "2025-10-08"),
        ("2026-02-15", "2026-02-23"),
        ("2026-10-01", "2026-10-07"),
    ],
)
def test_spring_festival_and_national_day_are_free_from_end_to_end(first: str, last: str) -> None:
    week = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}
    always_but_holidays = china(week=week)
    begin, end = us(f"{first}T00:00"), us(f"{last}T00:00") + 24 * HOUR * 1_000_000
    assert working_seconds(always_but_holidays, begin, end) == 0
    assert working_seconds(always_but_holidays, begin - 1_000_000, end + 1_000_000) == 2


@pytest.mark.parametrize(
    ("at", "seconds", "due"),
    [
        # Friday evening: the make-up Saturday is next, and after it the break until Tuesday the 24th.
        ("2026-02-13T17:45", 30 * 60, "2026-02-14T09:15"),
        ("2026-02-14T17:45", 30 * 60, "2026-02-24T09:15"),
        ("2024-09-30T17:30", HOUR, "2024-10-08T09:30"),
        ("2025-09-27T12:00", HOUR, "2025-09-28T10:00"),
        ("2025-09-30T17:30", HOUR, "2025-10-09T09:30"),
    ],
)
def test_due_across_a_break(at: str, seconds: int, due: str) -> None:
    assert add_working(china(), us(at), seconds) == (us(due), None)


def test_hours_of_a_make_up_day() -> None:
    saturday = date(2026, 2, 14)
    [usual] = plan_day(china(), saturday).shifts
    [own] = plan_day(china(week=SHOP), saturday).shifts
    [set_apart] = plan_day(china(week=SHOP, makeup=["08:00-12:00"]), saturday).shifts
    assert (str(usual), str(own), str(set_apart)) == ("09:00-18:00", "10:00-16:00", "08:00-12:00")


def test_hong_kong_does_not_follow_the_mainland() -> None:
    hong_kong = parse_calendar({"zone": "Asia/Hong_Kong", "country": "HK", "week": OFFICE})
    assert not plan_day(hong_kong, date(2026, 2, 14)).shifts
    assert plan_day(hong_kong, date(2026, 10, 2)).shifts


# Years whose arrangement is not published


def test_a_due_time_in_an_unannounced_year_says_so_in_both_languages() -> None:
    due = add_working(china(), us("2060-03-02T10:00"), HOUR)
    assert due.due_us == us("2060-03-02T11:00")
    assert due.unannounced_year == 2060
    assert "2060" in (due.remark("zh") or "")
    assert "尚未公布" in (due.remark("zh") or "")
    assert "not published" in (due.remark("en") or "")


@pytest.mark.parametrize("year", range(2004, 2027))
def test_announced_years_carry_no_remark(year: int) -> None:
    due = add_working(china(), us(f"{year}-03-02T10:00"), 100 * HOUR)
    assert due.unannounced_year is None
    assert due.remark("en") is None


def test_years_before_the_first_notice_are_settled_by_law() -> None:
    assert add_working(china(), us(f"{FIRST_NOTICE_YEAR - 2}-03-02T10:00"), HOUR).unannounced_year is None


def test_the_last_days_of_an_announced_year_depend_on_the_next_notice() -> None:
    year = last_announced_year()
    assert add_working(china(), us(f"{year}-12-20T10:00"), HOUR).unannounced_year is None
    assert add_working(china(), us(f"{year}-12-27T23:00"), 0).unannounced_year == year + 1
    assert add_working(china(), us(f"{year}-12-20T10:00"), 100 * HOUR).unannounced_year == year + 1


def test_who_works_on_holidays_or_has_no_country_depends_on_no_notice() -> None:
    for calendar in (china(on_holidays=True), china(country=None)):
        assert add_working(calendar, us("2060-03-02T10:00"), HOUR).unannounced_year is None


def test_a_company_that_entered_the_arrangement_itself_is_not_reminded() -> None:
    confirmed = china(confirmed=[2060])
    assert add_working(confirmed, us("2060-03-02T10:00"), HOUR).unannounced_year is None
    assert add_working(confirmed, us("2060-12-20T10:00"), 100 * HOUR).unannounced_year == 2061


def test_other_countries_publish_no_such_notice() -> None:
    berlin = parse_calendar({"zone": "Europe/Berlin", "country": "DE", "week": OFFICE})
    assert add_working(berlin, us("2060-03-02T20:00"), HOUR).unannounced_year is None
