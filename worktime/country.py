"""Public holidays and make-up working days (调休) of a country, a year at a time, cached.

The data is that of the `holidays` library. What it does not say, and is worked out here: whether China's
arrangement of a year has been published at all, and that the weekend beside a Chinese holiday belongs to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import holidays

FIRST_NOTICE_YEAR = 2001
"""Before it the library knows no notices of the State Council; those years count as settled."""

NOTICE_OVERLAP_DAY = (12, 28)
"""From here to the year's end a notice for the *next* year may still turn days round.

The earliest so far was 29 December (2001, 2007, 2018); one day is added for safety.
"""

_SATURDAY = 5


@dataclass(frozen=True, slots=True)
class CountryYear:
    """The days of one year on which a country departs from its ordinary week, as ordinals of dates."""

    off: frozenset[int]
    makeup: frozenset[int]
    settled: bool
    """False if the days come from the law alone, because the yearly notice is not known yet."""


@lru_cache(maxsize=1024)
def country_year(country: str, subdivision: str | None, year: int) -> CountryYear:
    """Return the holidays and make-up days of `year`.

    The neighbouring years are asked too: an observed New Year's Day may fall into the old year, and a
    Chinese make-up day before it belongs to the notice for the new one.
    """
    found = holidays.country_holidays(
        country, subdiv=subdivision, years=(year - 1, year, year + 1), expand=False
    )
    off = {day.toordinal() for day in found}
    # The library lists make-up days of other years as well, whatever year was asked for.
    makeup = {day.toordinal() for day in found.weekend_workdays}
    if country == "CN":
        off |= _adjoining_weekends(off, makeup)
    inside = range(date(year, 1, 1).toordinal(), date(year, 12, 31).toordinal() + 1)
    makeup_inside = frozenset(makeup.intersection(inside))
    return CountryYear(
        off=frozenset(off.intersection(inside)),
        makeup=makeup_inside,
        settled=country != "CN" or year < FIRST_NOTICE_YEAR or bool(makeup_inside),
    )


def unsettled_year(country: str, subdivision: str | None, day: date) -> int | None:
    """Return the year whose unpublished notice may still change `day`, or None if the day is settled.

    Only China publishes its make-up days year by year. Every notice since 2001 had some, so a year
    without any has not been published (or is newer than the installed library).
    """
    if country != "CN":
        return None
    if not country_year(country, subdivision, day.year).settled:
        return day.year
    next_matters = (day.month, day.day) >= NOTICE_OVERLAP_DAY
    if next_matters and not country_year(country, subdivision, day.year + 1).settled:
        return day.year + 1
    return None


@lru_cache(maxsize=1024)
def known_subdivisions(country: str) -> tuple[str, ...] | None:
    """Return the codes of the parts of `country` (maybe none), or None if the country is unknown."""
    codes = holidays.list_supported_countries(include_aliases=False).get(country)
    return None if codes is None else tuple(codes)


def _adjoining_weekends(off: set[int], makeup: set[int]) -> set[int]:
    """Return the weekend days that touch a holiday and are not worked.

    The library leaves them out, since an ordinary week has them off anyway. The notices count them as
    part of the holiday, which matters to a team that works on ordinary Saturdays.
    """
    found: set[int] = set()
    for start in off:
        for step in (-1, 1):
            day = start + step
            while day not in off and day not in makeup and _is_weekend(day):
                found.add(day)
                day += step
    return found


def _is_weekend(ordinal: int) -> bool:
    return date.fromordinal(ordinal).weekday() >= _SATURDAY
