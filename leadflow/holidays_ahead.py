"""Whether next year's holidays are known yet to the calendars by which people work."""

from __future__ import annotations

from datetime import datetime

from schemas.company import Company
from worktime import parse_calendar, unannounced_year
from worktime.localtime import moment, wall_clock, zone_of

WARN_FROM_MONTH = 11
"""China announces the next year's holidays in November at the latest, as in every year since 2013: before, there is nothing
to enter, and from then on what is due in January may be reckoned wrong."""


def calendars_without_next_year(company: Company, now_us: int) -> tuple[int, list[str]]:
    """Return next year, and the calendars that do not know its holidays though they should by now."""
    today = wall_clock(now_us, zone_of(company.zone))
    year = today.year + 1
    if today.month < WARN_FROM_MONTH:
        return year, []
    missing = []
    for calendar_id, value in sorted(company.calendars.items()):
        calendar = parse_calendar(value)
        zone = zone_of(str(value.get("zone", company.zone)))
        first, last = (moment(datetime(year, *day), zone) for day in ((1, 2), (12, 20)))
        if unannounced_year(calendar, first, last) == year:
            missing.append(calendar_id)
    return year, missing
