"""The warning that next year's holidays are missing: from November on, for calendars that go by them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from leadflow.holidays_ahead import calendars_without_next_year
from tests.support.rig import small_company
from worktime.localtime import moment

SHANGHAI = ZoneInfo("Asia/Shanghai")


@pytest.mark.parametrize(("month", "missing"), [(10, []), (11, ["day"]), (12, ["day"])])
def test_next_year_is_asked_for_from_november_on(month: int, missing: list[str]) -> None:
    now_us = moment(datetime(2059, month, 1), SHANGHAI)
    assert calendars_without_next_year(small_company(), now_us) == (2060, missing)


@pytest.mark.parametrize("change", [{"confirmed": [2060]}, {"country": None}])
def test_what_was_entered_or_does_not_matter_is_not_missing(change: dict[str, object]) -> None:
    calendar = {**small_company().calendars["day"], **change}
    company = small_company(calendars={"day": calendar})
    assert calendars_without_next_year(company, moment(datetime(2059, 11, 5), SHANGHAI)) == (2060, [])
