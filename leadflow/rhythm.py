"""How a door usually speaks, learnt by the hour of the week, and whether its silence is more than chance. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

HOUR_US: Final = 3_600_000_000
WEEK_H: Final = 168
WEEKS: Final = 6
"""So many weeks are looked back on: a campaign of last quarter says nothing of today."""
LEAST_WEEKS, LEAST_CAPTURES = 2.0, 20
"""Less is no rhythm: a form that was filled in five times may well be silent for a month."""
STEADINESS: Final = 20.0
"""How much alike weeks are: with an expectation of m nothing comes with probability (1 + m / 20) ** -20. With all weeks
alike it would be exp(-m), and a slow week would be an alarm."""
YEAR_W: Final = 52.0


@dataclass(frozen=True, slots=True)
class Rhythm:
    """What a door takes in an hour of the week, Monday 0 o'clock first, in the zone of its source."""

    hourly: tuple[float, ...]
    zone: ZoneInfo

    @property
    def weekly(self) -> float:
        """What it takes in a week."""
        return sum(self.hourly)

    def expected(self, from_us: int, to_us: int, closed: Collection[date] = ()) -> float:
        """Return how much it usually takes between two moments; nothing on days that are closed this time."""
        total, at = 0.0, from_us
        while at < to_us:
            until = min(to_us, (at // HOUR_US + 1) * HOUR_US)
            here = datetime.fromtimestamp(at / 1e6, self.zone)
            if here.date() not in closed:
                total += self.hourly[here.weekday() * 24 + here.hour] * (until - at) / HOUR_US
            at = until
        return total


def learn(by_hour: Mapping[int, int], now_us: int, zone: ZoneInfo) -> Rhythm | None:
    """Return the rhythm of captures counted by the hour (hours since the epoch); None if there is none yet.

    With six weeks a single hour says little, so none counts for more than the mean of itself and the hours beside it.
    """
    this_hour = now_us // HOUR_US
    known = {hour: count for hour, count in by_hour.items() if this_hour - WEEKS * WEEK_H <= hour < this_hour}
    if sum(known.values()) < LEAST_CAPTURES:
        return None
    weeks = (this_hour - min(known)) / WEEK_H
    if weeks < LEAST_WEEKS:
        return None
    raw = [0.0] * WEEK_H
    for hour, count in known.items():
        here = datetime.fromtimestamp(hour * HOUR_US / 1e6, zone)
        raw[here.weekday() * 24 + here.hour] += count / weeks
    beside = ((raw[h] / 2 + raw[h - 1] / 4 + raw[(h + 1) % WEEK_H] / 4) for h in range(WEEK_H))
    return Rhythm(tuple(map(min, raw, beside)), zone)


def chance_of_silence(expected: float) -> float:
    """Return how probable it is that nothing comes where so much is expected."""
    return float((1.0 + expected / STEADINESS) ** -STEADINESS)


def is_silent(rhythm: Rhythm, last_us: int, now_us: int, closed: Collection[date] = ()) -> bool:
    """Tell whether a door has been silent for longer than its rhythm makes probable.

    Each capture begins a silence; so that chance alone gives about one false alarm a year, a silence must be rarer than
    one in the captures of a year.
    """
    return chance_of_silence(rhythm.expected(last_us, now_us, closed)) < 1.0 / max(
        rhythm.weekly * YEAR_W, 1.0
    )
