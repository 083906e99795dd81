"""Absences out of a file: a calendar (iCalendar, RFC 5545) as mail programs and staff systems export it, or absences.csv.

In a calendar that says of its events whether somebody is out of office (Outlook's X-MICROSOFT-CDO-BUSYSTATUS), only those
that do are absences; in any other each event is, since then it is a calendar of leave. Cancelled ones are none. Series
(RRULE, EXDATE, RECURRENCE-ID) are spread out by the library recurring-ical-events.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import icalendar
import recurring_ical_events

from sales.layout import ABSENCES, read_records
from sales.problems import Problem
from schemas.company import Absence
from worktime.localtime import moment

AHEAD = timedelta(days=400)
"""So far ahead a series is read: the next year's leave, and no series without an end."""
_BUSY = "X-MICROSOFT-CDO-BUSYSTATUS"


class LeaveFileError(ValueError):
    """A file is no calendar; `zh` says it in Chinese."""

    def __init__(self, why: str) -> None:
        super().__init__(f"this is no iCalendar file ({why}); export it again as .ics")
        self.zh = f"这不是 iCalendar 文件（{why}），请重新导出为 .ics"


@dataclass(frozen=True, slots=True)
class NotRead:
    """An event that gives no absence: its UID, and why, in English and Chinese."""

    uid: str
    en: str
    zh: str


def absences_in_csv(data: bytes, zone: ZoneInfo) -> tuple[list[Absence], list[Problem]]:
    """Return the absences of a file with the columns of absences.csv, and what is wrong in it, each with its line."""
    records, problems = read_records(ABSENCES, data, zone)
    return [Absence(**one.values) for one in records], problems


def absences_in_calendar(
    data: bytes,
    now_us: int,
    zone: ZoneInfo,
    *,
    whose: str | None = None,
    emails: Mapping[str, str] | None = None,
) -> tuple[list[Absence], list[NotRead]]:
    """Return the absences of a calendar that have not ended and begin within AHEAD, and the events that give none.

    `whose` calendar it is; without it, `emails` (in lower case) says which person an event's attendee or organizer is.
    Times without a zone are the company's. Raises LeaveFileError.
    """
    try:
        calendar = icalendar.Calendar.from_ical(data)
    except ValueError as error:
        raise LeaveFileError(str(error)[:120]) from error
    now = datetime.fromtimestamp(now_us / 1_000_000, UTC)
    refused = _drop_unreadable(calendar)
    try:
        events = recurring_ical_events.of(calendar).between(now, now + AHEAD)
    except (ValueError, LookupError, OverflowError) as error:
        raise LeaveFileError(str(error)[:120]) from error
    says = any(_BUSY in event for event in events)
    found: set[Absence] = set()
    for event in events:
        uid = str(event.get("UID", "-"))
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        if says and str(event.get(_BUSY, "")).upper() != "OOF":
            continue
        person_id = whose or _person(event, emails or {})
        if person_id is None:
            refused.append(NotRead(uid, "no attendee is in people.csv", "参加者不在 people.csv 中"))
            continue
        from_us, to_us = _at(event.start, zone), _at(event.end, zone)
        if to_us <= from_us:
            refused.append(NotRead(uid, "it ends when it begins", "结束不晚于开始"))
            continue
        found.add(Absence(person_id=person_id, from_us=from_us, to_us=to_us))
    return sorted(found, key=lambda one: (one.from_us, one.person_id, one.to_us)), refused


def _drop_unreadable(calendar: Any) -> list[NotRead]:
    refused = []
    for event in [one for one in calendar.subcomponents if one.name == "VEVENT"]:
        wrong = [f"{name}: {why}" for name, why in event.errors if name in _NEEDED]
        if "DTSTART" not in event:
            wrong.append("DTSTART")
        if wrong:
            calendar.subcomponents.remove(event)
            told = "; ".join(wrong)[:120]
            refused.append(
                NotRead(str(event.get("UID", "-")), f"it cannot be read ({told})", f"无法读取（{told}）")
            )
    return refused


_NEEDED = ("DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "RECURRENCE-ID")


def _person(event: Any, emails: Mapping[str, str]) -> str | None:
    return next((emails[one] for one in _addresses(event) if one in emails), None)


def _addresses(event: Any) -> Iterator[str]:
    for name in ("ATTENDEE", "ORGANIZER"):
        value = event.get(name, [])
        listed: Iterable[Any] = value if isinstance(value, list) else [value]
        for one in listed:
            yield str(one).lower().removeprefix("mailto:").strip()


def _at(when: date | datetime, zone: ZoneInfo) -> int:
    """Return a moment in µs; of a day its beginning. An all-day event ends with the day before its DTEND (RFC 5545, 3.6.1)."""
    if not isinstance(when, datetime):
        return moment(datetime(when.year, when.month, when.day), zone)
    if when.tzinfo is None:
        return moment(when, zone)
    return round(when.timestamp()) * 1_000_000
