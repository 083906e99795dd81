"""Absences out of calendars and tables: whose, from when until when, and what is no absence."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from sales.leave_files import LeaveFileError, absences_in_calendar, absences_in_csv

ZONE = ZoneInfo("Asia/Shanghai")
NOW = round(datetime(2026, 11, 23, 10, tzinfo=ZONE).timestamp()) * 1_000_000


def us(*wall: int) -> int:
    return round(datetime(*wall, tzinfo=ZONE).timestamp()) * 1_000_000  # type: ignore[arg-type,misc]


def calendar(*events: str) -> bytes:
    body = "".join(f"BEGIN:VEVENT\n{event.strip()}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//x//\n{body}END:VCALENDAR\n".replace(
        "\n", "\r\n"
    ).encode()


def read(data: bytes, whose: str | None = "ann") -> list[tuple[str, int, int]]:
    found, unread = absences_in_calendar(data, NOW, ZONE, whose=whose, emails={"bo@haichuan.example": "bo"})
    assert unread == []
    return [(one.person_id, one.from_us, one.to_us) for one in found]


def test_days_are_whole_and_the_end_is_not_in_it() -> None:
    days = calendar("UID:1\nDTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227\nSUMMARY:年假")
    assert read(days) == [("ann", us(2026, 12, 24), us(2026, 12, 27))]


def test_one_day_without_an_end_and_hours_in_another_zone_and_in_none() -> None:
    events = calendar(
        "UID:1\nDTSTART;VALUE=DATE:20261224",
        "UID:2\nDTSTART:20261201T010000Z\nDURATION:PT3H",
        "UID:3\nDTSTART:20261202T130000\nDTEND:20261202T180000",
    )
    assert read(events) == [
        ("ann", us(2026, 12, 1, 9), us(2026, 12, 1, 12)),
        ("ann", us(2026, 12, 2, 13), us(2026, 12, 2, 18)),
        ("ann", us(2026, 12, 24), us(2026, 12, 25)),
    ]


def test_a_series_is_spread_out_without_its_exceptions_and_ends_somewhere() -> None:
    weekly = calendar(
        "UID:1\nDTSTART;TZID=Asia/Shanghai:20261127T130000\nDTEND;TZID=Asia/Shanghai:20261127T180000\n"
        "RRULE:FREQ=WEEKLY\nEXDATE;TZID=Asia/Shanghai:20261204T130000"
    )
    found = read(weekly)
    assert found[:2] == [
        ("ann", us(2026, 11, 27, 13), us(2026, 11, 27, 18)),
        ("ann", us(2026, 12, 11, 13), us(2026, 12, 11, 18)),
    ]
    assert 50 < len(found) < 60


def test_where_a_calendar_says_who_is_out_of_office_only_that_counts() -> None:
    busy = "X-MICROSOFT-CDO-BUSYSTATUS"
    mixed = calendar(
        f"UID:1\nDTSTART;VALUE=DATE:20261224\n{busy}:OOF",
        f"UID:2\nDTSTART:20261201T010000Z\nDURATION:PT1H\n{busy}:BUSY\nSUMMARY:Weekly meeting",
        "UID:3\nDTSTART:20261203T010000Z\nDURATION:PT1H",
    )
    assert read(mixed) == [("ann", us(2026, 12, 24), us(2026, 12, 25))]


def test_what_is_cancelled_or_over_is_none() -> None:
    gone = calendar(
        "UID:1\nDTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED",
        "UID:2\nDTSTART;VALUE=DATE:20261101\nDTEND;VALUE=DATE:20261110",
    )
    assert read(gone) == []


def test_a_common_calendar_says_whose_it_is_by_the_address() -> None:
    common = calendar(
        "UID:1\nDTSTART;VALUE=DATE:20261224\nATTENDEE;CN=Bo:MAILTO:Bo@haichuan.example\n"
        "ORGANIZER:mailto:staff@haichuan.example",
        "UID:2\nDTSTART;VALUE=DATE:20261225\nORGANIZER:mailto:nobody@haichuan.example",
        "UID:3\nSUMMARY:no time",
        "UID:4\nDTSTART:tomorrow",
    )
    found, unread = absences_in_calendar(common, NOW, ZONE, emails={"bo@haichuan.example": "bo"})
    assert [(one.person_id, one.from_us) for one in found] == [("bo", us(2026, 12, 24))]
    assert sorted((one.uid, one.en[:8]) for one in unread) == [
        ("2", "no atten"),
        ("3", "it canno"),
        ("4", "it canno"),
    ]


@pytest.mark.parametrize("data", [b"", b"person,from,to\n", b"\xff\xfe\x00", b"BEGIN:VCALENDAR\r\n"])
def test_what_is_no_calendar_is_refused_in_words(data: bytes) -> None:
    with pytest.raises(LeaveFileError, match="export it again"):
        absences_in_calendar(data, NOW, ZONE)


def test_a_table_is_read_like_absences_csv_with_the_line_of_what_is_wrong() -> None:
    found, problems = absences_in_csv("人员,开始,结束\nann,2026-12-24,2026-12-26\n".encode(), ZONE)
    assert [(one.from_us, one.to_us) for one in found] == [(us(2026, 12, 24), us(2026, 12, 27))]
    assert problems == []
    _, problems = absences_in_csv(b"person,from,to\nann,soon,2026-12-26\n", ZONE)
    assert [one.line for one in problems] == [2]
