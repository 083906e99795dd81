"""A working calendar as plain data, and how it is read from and written to a dict."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo

from pydantic import (
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_serializer,
    field_validator,
)
from pydantic.dataclasses import dataclass

from worktime.country import known_subdivisions
from worktime.localtime import moment, zone_of
from worktime.page import Page
from worktime.problems import CalendarError, fault, problem_of

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = get_args(Weekday)

DAY_MINUTES = 24 * 60

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_STRICT_KEYS = ConfigDict(extra="forbid", use_attribute_docstrings=True)


def parse_calendar(data: object) -> Calendar:
    """Read a calendar from a dict, as it comes out of TOML, YAML, JSON or the store.

    The keys are the fields of `Calendar`. For example::

        {"zone": "Asia/Shanghai", "country": "CN",
         "week": {"mon": ["09:00-12:00", "13:30-18:00"], "fri": ["22:00-06:00"]},
         "closed": ["2026-02-10/2026-02-24"], "open": ["2026-03-07"], "on_holidays": False}

    Raises CalendarError with every problem found, each naming its key and its fix.
    """
    try:
        return _ADAPTER.validate_python(dict(data) if isinstance(data, Mapping) else data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise CalendarError(tuple(problem_of(each, _KNOWN_KEYS) for each in found)) from error


def calendar_dict(calendar: Calendar) -> dict[str, Any]:
    """Return the calendar as a dict of JSON values that `parse_calendar` reads back as the same calendar."""
    dumped: dict[str, Any] = _ADAPTER.dump_python(
        calendar, mode="json", exclude_none=True, exclude_defaults=True
    )
    return dumped


def parse_leave(text: str, zone: ZoneInfo) -> Leave:
    """Read one leave: `2026-05-06`, `2026-05-06/2026-05-08` or `2026-05-06T13:00/2026-05-06T18:00`.

    Hours without an offset are those of `zone`. Nothing after the `/` means "until further notice".
    Raises ValueError naming the fix.
    """
    if "T" not in text and ":" not in text:
        return _read_days(text, "leave_form")
    start, slash, end = text.partition("/")
    try:
        from_us = _read_moment(start, zone)
        to_us = _read_moment(end, zone) if end.strip() else None
    except (ValueError, OverflowError) as error:
        raise fault("leave_form", value=text) from error
    if not slash:
        raise fault("leave_form", value=text)
    if to_us is not None and to_us <= from_us:
        raise fault("range_reversed", value=text)
    return Hours(from_us, to_us)


class Shift(NamedTuple):
    """One piece of work, in minutes after the midnight that begins its day.

    `end` is beyond 24 h for a shift over midnight, which belongs to the day on which it starts.
    """

    start: int
    end: int

    def __str__(self) -> str:
        end = self.end if self.end <= DAY_MINUTES else self.end - DAY_MINUTES
        return f"{self.start // 60:02}:{self.start % 60:02}-{end // 60:02}:{end % 60:02}"


@dataclass(frozen=True, config=_STRICT_KEYS)
class Days:
    """Whole days from `first` to `last`, both included; `last` None means until further notice.

    They take away the shifts that *start* on these days: a night shift into the first of them is still
    worked to its end, one out of the last of them is off to its end.
    """

    first: date
    last: date | None = None

    def __contains__(self, day: date) -> bool:
        return self.first <= day and (self.last is None or day <= self.last)

    def __str__(self) -> str:
        if self.last == self.first:
            return self.first.isoformat()
        return f"{self.first.isoformat()}/{self.last.isoformat() if self.last else ''}"


@dataclass(frozen=True, config=_STRICT_KEYS)
class Hours:
    """Time off from one moment to another, whatever shift it cuts; `to_us` None while it is open."""

    from_us: int
    to_us: int | None = None

    def __str__(self) -> str:
        return f"{_utc_text(self.from_us)}/{'' if self.to_us is None else _utc_text(self.to_us)}"


Leave = Days | Hours
"""Time off of one person: whole days, or from one moment to another."""


# Dashes, tildes and colons as Chinese input methods and word processors write them.
_TYPED = str.maketrans({"–": "-", "—": "-", "－": "-", "~": "-", "～": "-", "至": "-", "：": ":", "∶": ":"})
_SHIFT = re.compile(r"(\d{1,2}):(\d\d)-+(\d{1,2}):(\d\d)", re.ASCII)


def _read_shift(value: object) -> Shift:
    if isinstance(value, Shift):
        return value
    found = _SHIFT.fullmatch(re.sub(r"\s", "", value.translate(_TYPED))) if isinstance(value, str) else None
    if found is None:
        raise fault("shift_form", value=value)
    hour, minute, end_hour, end_minute = map(int, found.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if minute > 59 or end_minute > 59 or start >= DAY_MINUTES or end > DAY_MINUTES:
        raise fault("shift_form", value=value)
    if start == end:
        raise fault("shift_empty", value=value)
    return Shift(start, end if end > start else end + DAY_MINUTES)


def _read_date(value: object) -> date:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(str(value).strip())
    except ValueError as error:
        raise fault("date_form", value=value) from error


def _read_days(value: object, code: str = "days_form") -> Days:
    if isinstance(value, Days):
        return value
    if isinstance(value, date) and not isinstance(value, datetime):
        return Days(value, value)
    start, slash, end = str(value).partition("/")
    try:
        first = date.fromisoformat(start.strip())
        last = date.fromisoformat(end.strip()) if end.strip() else None
    except ValueError as error:
        raise fault(code, value=value) from error
    if last is not None and last < first:
        raise fault("range_reversed", value=value)
    return Days(first, last if slash else first)


def _read_moment(text: str, zone: ZoneInfo) -> int:
    read = datetime.fromisoformat(text.strip())
    if read.tzinfo is None:
        return moment(read, zone)
    return (read - _EPOCH) // timedelta(microseconds=1)


def _utc_text(at_us: int) -> str:
    return (_EPOCH + timedelta(microseconds=at_us)).isoformat().replace("+00:00", "Z")


def _read_leave(value: object, info: ValidationInfo) -> Leave:
    if isinstance(value, (Days, Hours)):
        return value
    if isinstance(value, str):
        return parse_leave(value, zone_of(info.data.get("zone", "UTC")))
    return _read_days(value, "leave_form")


def _read_list(value: object) -> object:
    if not isinstance(value, (list, tuple)):
        raise fault("list_form", value=value)
    return value


ShiftText = Annotated[
    Shift, PlainValidator(_read_shift, json_schema_input_type=str), PlainSerializer(str, return_type=str)
]
Shifts = Annotated[tuple[ShiftText, ...], BeforeValidator(_read_list)]
Date = Annotated[
    date,
    PlainValidator(_read_date, json_schema_input_type=date),
    PlainSerializer(date.isoformat, return_type=str),
]
LeaveText = Annotated[
    Leave, PlainValidator(_read_leave, json_schema_input_type=str), PlainSerializer(str, return_type=str)
]
DaysText = Annotated[
    Days, PlainValidator(_read_days, json_schema_input_type=str), PlainSerializer(str, return_type=str)
]


@dataclass(frozen=True, config=_STRICT_KEYS)
class Week:
    """The shifts of an ordinary week. A weekday that is left out is free."""

    mon: Shifts = ()
    tue: Shifts = ()
    wed: Shifts = ()
    thu: Shifts = ()
    fri: Shifts = ()
    sat: Shifts = ()
    sun: Shifts = ()


@dataclass(frozen=True, config=_STRICT_KEYS)
class Rota:
    """A cycle of days that does not follow the week, such as two early, two late, two night, two off."""

    start: Date
    """The date of a first day of the cycle; the cycle runs both ways from it."""
    days: Annotated[tuple[Shifts, ...], BeforeValidator(_read_list)]

    @field_validator("days")
    @classmethod
    def _has_days(cls, days: tuple[tuple[Shift, ...], ...]) -> tuple[tuple[Shift, ...], ...]:
        if not days:
            raise fault("rota_empty")
        return days


@dataclass(frozen=True, config=_STRICT_KEYS)
class OpenDay:
    """A date that is worked whatever week and holidays say; `shifts` None means the usual hours."""

    day: Date
    shifts: Shifts | None = None


@dataclass(frozen=True, config=_STRICT_KEYS)
class Calendar:
    """When a team or a person works. Compared by content; never changed.

    What decides a date, strongest first: `leave` · `open` · `closed` · the country's make-up days and
    holidays (unless `on_holidays`) · `rota` or `week`. Overlapping shifts count once.
    """

    zone: str
    """IANA zone in which the hours are meant."""
    country: str | None = None
    """Whose public holidays hold, ISO 3166 such as CN; None: no holidays."""
    subdivision: str | None = None
    """Part of the country with holidays of its own, such as BY in DE."""
    week: Week | None = None
    rota: Rota | None = None
    makeup: Shifts = ()
    """Hours of a make-up day. Empty: the day's own in `week`, else those of the first weekday with any."""
    closed: Annotated[tuple[DaysText, ...], BeforeValidator(_read_list)] = ()
    """Dates `2026-02-14` and ranges `2026-02-10/2026-02-24` on which nobody works."""
    open: tuple[OpenDay, ...] = ()
    """Dates that are worked out of turn: a list, or a table with the hours of each (none: the usual ones)."""
    on_holidays: StrictBool = False
    """True: works through public holidays and ignores make-up days."""
    confirmed: tuple[int, ...] = ()
    """Years whose holiday arrangement was entered by hand in `open` and `closed`: no longer unannounced."""
    leave: Annotated[tuple[LeaveText, ...], BeforeValidator(_read_list)] = ()
    """Time off of the one person whose calendar it is."""

    @field_validator("zone")
    @classmethod
    def _zone_exists(cls, zone: str) -> str:
        try:
            zone_of(zone)
        except ValueError as error:
            raise fault("zone_unknown", value=zone) from error
        return zone

    @field_validator("country")
    @classmethod
    def _country_exists(cls, country: str | None) -> str | None:
        if country is not None and known_subdivisions(country) is None:
            raise fault("country_unknown", value=country)
        return country

    @field_validator("open", mode="before", json_schema_input_type=list[date] | dict[date, list[str] | None])
    @classmethod
    def _read_open(cls, value: object) -> object:
        if isinstance(value, Mapping):
            return tuple({"day": day, "shifts": shifts} for day, shifts in value.items())
        return tuple(day if isinstance(day, (OpenDay, dict)) else {"day": day} for day in _items(value))

    @field_serializer("open")
    def _write_open(self, days: tuple[OpenDay, ...]) -> list[str] | dict[str, list[str] | None]:
        if all(each.shifts is None for each in days):
            return [each.day.isoformat() for each in days]
        return {
            each.day.isoformat(): None if each.shifts is None else [str(shift) for shift in each.shifts]
            for each in days
        }

    def __post_init__(self) -> None:
        if self.week is None and self.rota is None:
            raise fault("pattern_missing", key="week")
        if self.week is not None and self.rota is not None:
            raise fault("pattern_twice", key="rota")
        if self.subdivision is not None:
            if self.country is None:
                raise fault("subdivision_alone", key="subdivision")
            known = known_subdivisions(self.country) or ()
            if self.subdivision not in known:
                raise fault(
                    "subdivision_unknown",
                    key="subdivision",
                    value=self.subdivision,
                    country=self.country,
                    known=", ".join(known) or "–",
                )
        for each in self.open:
            if any(each.day in days for days in self.closed):
                raise fault("open_and_closed", key="open", value=each.day)
            if each.shifts is None and not self.usual_hours:
                raise fault("no_usual_hours", key="open", value=each.day)

    @cached_property
    def tz(self) -> ZoneInfo:
        """The zone as an object."""
        return zone_of(self.zone)

    @cached_property
    def pattern(self) -> tuple[tuple[Shift, ...], ...]:
        """The shifts of each day of the cycle, beginning with Monday or the first day of the rota."""
        if self.rota is not None:
            return self.rota.days
        return tuple(getattr(self.week, day) for day in WEEKDAYS)

    @cached_property
    def usual_hours(self) -> tuple[Shift, ...]:
        """The hours of a day that is worked out of turn and has none of its own."""
        return self.makeup or next((shifts for shifts in self.pattern if shifts), ())

    @cached_property
    def pages(self) -> dict[int, Page]:
        """Working time worked out so far; a cache that is no part of the calendar's content."""
        return {}


def _items(value: object) -> Sequence[Any]:
    if not isinstance(value, (list, tuple)):
        raise fault("list_form", value=value)
    return value


_ADAPTER = TypeAdapter(Calendar)

_KNOWN_KEYS: dict[tuple[str, ...], tuple[str, ...]] = {
    (): tuple(Calendar.__dataclass_fields__),
    ("week",): WEEKDAYS,
    ("rota",): tuple(Rota.__dataclass_fields__),
}
