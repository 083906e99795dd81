"""A calendar as people write it: what is read, what is written back, and what a mistake is told."""

from __future__ import annotations

import json
from datetime import date

import pytest
from pydantic import BaseModel, ValidationError

from worktime import Calendar, CalendarError, Days, Hours, Shift, calendar_dict, parse_calendar, parse_leave
from worktime.localtime import zone_of

FULL = {
    "zone": "Europe/Berlin",
    "country": "DE",
    "subdivision": "BY",
    "week": {"mon": ["09:00-12:00", "13:30-18:00"], "fri": ["22:00-06:00"], "sun": ["00:00-24:00"]},
    "makeup": ["08:00-12:00"],
    "closed": ["2026-02-14", "2026-08-03/2026-08-14", "2030-01-01/"],
    "open": {"2026-03-07": ["10:00-16:00"], "2026-03-14": None},
    "on_holidays": True,
    "confirmed": [2027],
    "leave": ["2026-05-06/2026-05-08", "2026-06-01T13:00/2026-06-01T18:00", "2027-01-01T00:00/"],
}


def problems(data: object) -> dict[str, str]:
    """Return the code of every problem of `data` by its key."""
    with pytest.raises(CalendarError) as caught:
        parse_calendar(data)
    return {problem.key: problem.code for problem in caught.value.problems}


def test_a_calendar_survives_the_way_through_json() -> None:
    calendar = parse_calendar(FULL)
    again = parse_calendar(json.loads(json.dumps(calendar_dict(calendar))))
    assert again == calendar
    assert hash(again) == hash(calendar)


def test_what_was_asked_of_a_calendar_does_not_change_what_it_equals() -> None:
    from worktime import is_working

    asked, fresh = parse_calendar(FULL), parse_calendar(FULL)
    is_working(asked, 1_770_000_000_000_000)
    assert asked == fresh


def test_a_calendar_is_read_and_written_as_a_part_of_larger_settings() -> None:
    class Team(BaseModel):
        name: str
        calendar: Calendar

    team = Team.model_validate({"name": "华东一组", "calendar": FULL})
    assert team.calendar == parse_calendar(FULL)
    assert Team.model_validate_json(team.model_dump_json()) == team
    schema = Team.model_json_schema()["$defs"]["Calendar"]["properties"]
    assert [kind["type"] for kind in schema["open"]["anyOf"]] == ["array", "object"]
    assert "make-up days" in schema["on_holidays"]["description"]
    with pytest.raises(ValidationError, match=r"09:00-18:00 or 22:00-06:00"):
        Team.model_validate({"name": "华东一组", "calendar": {"zone": "UTC", "week": {"mon": ["9-18"]}}})


def test_written_dates_stay_a_plain_list_when_none_has_hours_of_its_own() -> None:
    calendar = parse_calendar({"zone": "UTC", "week": {"mon": ["09:00-17:00"]}, "open": ["2026-03-07"]})
    assert calendar_dict(calendar)["open"] == ["2026-03-07"]


@pytest.mark.parametrize(
    ("text", "shift"),
    [
        ("09:00-18:00", Shift(540, 1080)),
        ("9:00-18:00", Shift(540, 1080)),
        (" 09:00 – 18:00 ", Shift(540, 1080)),
        ("09：00～18：00", Shift(540, 1080)),
        ("09:00至18:00", Shift(540, 1080)),
        ("09:00——18:00", Shift(540, 1080)),
        ("22:00-06:00", Shift(1320, 1800)),
        ("16:00-24:00", Shift(960, 1440)),
        ("16:00-00:00", Shift(960, 1440)),
        ("00:00-24:00", Shift(0, 1440)),
    ],
)
def test_hours_are_read_as_people_type_them(text: str, shift: Shift) -> None:
    calendar = parse_calendar({"zone": "Asia/Shanghai", "week": {"mon": [text]}})
    assert calendar.week is not None
    assert calendar.week.mon == (shift,)


def test_dates_from_toml_need_no_quotes() -> None:
    calendar = parse_calendar({"zone": "UTC", "week": {}, "closed": [date(2026, 2, 14)]})
    assert calendar.closed == (Days(date(2026, 2, 14), date(2026, 2, 14)),)


@pytest.mark.parametrize(
    ("data", "key", "code"),
    [
        ({"week": {}}, "zone", "key_missing"),
        ({"zone": "CST", "week": {}, "zones": 1}, "zones", "key_unknown"),
        ({"zone": "China Standard Time", "week": {}}, "zone", "zone_unknown"),
        ({"zone": "+08:00", "week": {}}, "zone", "zone_unknown"),
        ({"zone": "", "week": {}}, "zone", "zone_unknown"),
        ({"zone": "../../etc/passwd", "week": {}}, "zone", "zone_unknown"),
        ({"zone": "Asia/Shanghai\0", "week": {}}, "zone", "zone_unknown"),
        ({"zone": 8, "week": {}}, "zone", "text_form"),
        ({"zone": "UTC"}, "week", "pattern_missing"),
        ({"zone": "UTC", "week": {}, "rota": {"start": "2026-01-05", "days": [[]]}}, "rota", "pattern_twice"),
        ({"zone": "UTC", "rota": {"start": "2026-01-05", "days": []}}, "rota.days", "rota_empty"),
        ({"zone": "UTC", "rota": {"days": [[]]}}, "rota.start", "key_missing"),
        ({"zone": "UTC", "week": {"monday": []}}, "week.monday", "key_unknown"),
        ({"zone": "UTC", "week": {"周一": []}}, "week.周一", "key_unknown"),
        ({"zone": "UTC", "week": ["09:00-18:00"]}, "week", "table_form"),
        ({"zone": "UTC", "week": {"mon": "09:00-18:00"}}, "week.mon", "list_form"),
        ({"zone": "UTC", "week": {"mon": [], "tue": ["08:00-09:00", "9-18"]}}, "week.tue.1", "shift_form"),
        ({"zone": "UTC", "week": {"mon": ["25:00-26:00"]}}, "week.mon.0", "shift_form"),
        ({"zone": "UTC", "week": {"mon": ["09:60-10:00"]}}, "week.mon.0", "shift_form"),
        ({"zone": "UTC", "week": {"mon": ["20:00-24:30"]}}, "week.mon.0", "shift_form"),
        ({"zone": "UTC", "week": {"mon": ["09:00-10:00-11:00"]}}, "week.mon.0", "shift_form"),
        ({"zone": "UTC", "week": {"mon": [None]}}, "week.mon.0", "shift_form"),
        ({"zone": "UTC", "week": {"mon": ["09:00-09:00"]}}, "week.mon.0", "shift_empty"),
        ({"zone": "UTC", "week": {}, "country": "cn"}, "country", "country_unknown"),
        ({"zone": "UTC", "week": {}, "country": "HolidayBase"}, "country", "country_unknown"),
        ({"zone": "UTC", "week": {}, "subdivision": "BY"}, "subdivision", "subdivision_alone"),
        (
            {"zone": "UTC", "week": {}, "country": "DE", "subdivision": "XX"},
            "subdivision",
            "subdivision_unknown",
        ),
        ({"zone": "UTC", "week": {}, "closed": ["2026-02-30"]}, "closed.0", "days_form"),
        ({"zone": "UTC", "week": {}, "closed": ["2026-02-20/2026-02-10"]}, "closed.0", "range_reversed"),
        ({"zone": "UTC", "week": {}, "closed": "2026-02-20"}, "closed", "list_form"),
        ({"zone": "UTC", "week": {"mon": ["09:00-18:00"]}, "open": ["14.2.2026"]}, "open.0.day", "date_form"),
        ({"zone": "UTC", "week": {}, "open": ["2026-02-14"]}, "open", "no_usual_hours"),
        (
            {
                "zone": "UTC",
                "week": {"mon": ["09:00-18:00"]},
                "open": ["2026-02-14"],
                "closed": ["2026-02-10/2026-02-20"],
            },
            "open",
            "open_and_closed",
        ),
        ({"zone": "UTC", "week": {}, "on_holidays": "yes"}, "on_holidays", "bool_form"),
        ({"zone": "UTC", "week": {}, "confirmed": ["next"]}, "confirmed.0", "number_form"),
        ({"zone": "UTC", "week": {}, "leave": ["2026-05-06T13:00"]}, "leave.0", "leave_form"),
        (
            {"zone": "Asia/Shanghai", "week": {}, "leave": ["0001-01-01T00:00/2026-01-01T00:00"]},
            "leave.0",
            "leave_form",
        ),
        ({"zone": "UTC", "week": {}, "leave": ["2026-05-06", "sick"]}, "leave.1", "leave_form"),
        (
            {"zone": "UTC", "week": {}, "leave": ["2026-05-06T13:00/2026-05-06T12:00"]},
            "leave.0",
            "range_reversed",
        ),
        ("09:00-18:00", "calendar", "table_form"),
        (None, "calendar", "table_form"),
    ],
)
def test_a_mistake_is_told_with_its_place(data: object, key: str, code: str) -> None:
    assert problems(data)[key] == code


def test_all_mistakes_are_told_at_once_each_with_its_fix_in_both_languages() -> None:
    with pytest.raises(CalendarError) as caught:
        parse_calendar(
            {"zone": "Shanghai", "week": {"mon": ["9-18"], "fr": []}, "closed": ["x"], "on_holidays": 1}
        )
    found = {problem.key: problem for problem in caught.value.problems}
    assert found.keys() == {"zone", "week.mon.0", "week.fr", "closed.0", "on_holidays"}
    assert "09:00-18:00" in found["week.mon.0"].fix("en")
    assert "09:00-18:00" in found["week.mon.0"].fix("zh")
    assert "不是班次" in found["week.mon.0"].line("zh")
    assert "fri" in found["week.fr"].fix("en")
    assert "Asia/Shanghai" in str(caught.value)


def test_every_kind_of_problem_has_a_text_that_can_be_filled() -> None:
    from string import Formatter

    from worktime.problems import _TEXTS

    for code, texts in _TEXTS.items():
        fields = {
            language: {name for text in pair for _, name, _, _ in Formatter().parse(text) if name}
            for language, pair in texts.items()
        }
        assert texts.keys() == {"zh", "en"}, code
        assert fields["zh"] == fields["en"], code


def test_a_pasted_file_does_not_fill_the_screen() -> None:
    with pytest.raises(CalendarError) as caught:
        parse_calendar({"zone": "UTC", "week": {"mon": ["9" * 1_000_000]}})
    assert len(str(caught.value)) < 300


def test_leave_with_hours_is_meant_in_the_zone_of_the_calendar() -> None:
    shanghai = zone_of("Asia/Shanghai")
    leave = parse_leave("2026-05-06T13:00/2026-05-06T18:00", shanghai)
    assert leave == parse_leave("2026-05-06T05:00Z/2026-05-06T10:00Z", shanghai)
    assert leave == Hours(1_778_043_600_000_000, 1_778_061_600_000_000)


def test_leave_until_further_notice_stays_open() -> None:
    zone = zone_of("Asia/Shanghai")
    assert parse_leave("2026-05-06/", zone) == Days(date(2026, 5, 6), None)
    assert parse_leave("2026-05-06T13:00/", zone) == Hours(1_778_043_600_000_000, None)
    assert parse_leave("2026-05-06", zone) == Days(date(2026, 5, 6), date(2026, 5, 6))
