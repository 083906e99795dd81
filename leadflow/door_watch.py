"""Watches the doors: one that falls silent against its rhythm, and says when it speaks again."""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from leadflow.clock import wall_clock_us
from leadflow.rhythm import HOUR_US, WEEK_H, WEEKS, Rhythm, is_silent, learn
from schemas.company import Company
from store import silences
from store.alarms import raise_alarm
from store.company import CompanyCache
from store.database import Database
from worktime import parse_calendar, working_seconds

log = structlog.get_logger()

EVERY_S = 60.0
"""Between two looks: an alarm comes at most so much later than the silence is improbable."""
LEARN_US = HOUR_US
"""A rhythm is learnt anew once an hour: that reads six weeks of captures."""
DAY_US = 24 * HOUR_US


class DoorWatch:
    """Looks now and then until stopped."""

    def __init__(self, store: Database) -> None:
        self._store = store
        self._companies = CompanyCache()
        self._rhythms: dict[str, Rhythm] = {}
        self._last: dict[str, int] = {}
        self._learnt_us = 0
        self._looked_us = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="door-watch", daemon=True)

    def start(self) -> None:
        """Start watching."""
        self._thread.start()

    def stop(self) -> None:
        """End the look at hand."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                self.look(wall_clock_us())
            except Exception as error:  # the store failed, and the next look finds what this one would have
                log.error("doors_not_watched", error=type(error).__name__)

    def look(self, now_us: int) -> None:
        """Look at every source; have a person told of each that fell silent or speaks again."""
        learnt_now = False
        with self._store.read() as connection:
            company = self._companies.get(connection)
            known = silences.silent(connection)
            if now_us - self._learnt_us >= LEARN_US:
                since_us = now_us - WEEKS * WEEK_H * HOUR_US
                counts = silences.by_hour(connection, since_us)
                zones = {
                    key: ZoneInfo(str(one.get("zone") or company.zone))
                    for key, one in company.sources.items()
                }
                learnt = {key: learn(counts.get(key, {}), now_us, zone) for key, zone in zones.items()}
                self._rhythms = {key: one for key, one in learnt.items() if one is not None}
                self._learnt_us, self._looked_us = now_us, since_us
                learnt_now = True
            # Transactions commit a little out of order, so each look goes back over the last minutes.
            self._last |= silences.last_taken(connection, self._looked_us - 5 * 60_000_000)
        self._looked_us = now_us
        if learnt_now and self._rhythms:
            with self._store.write() as connection:
                for source_id, rhythm in self._rhythms.items():
                    silences.keep_rhythm(connection, source_id, rhythm.hourly, str(rhythm.zone), now_us)
        for source_id, last_us in known.items():
            if source_id not in company.sources:
                with self._store.write() as connection:
                    silences.forget(connection, source_id)
            elif self._last.get(source_id, 0) > last_us:
                with self._store.write() as connection:
                    silences.speaks_again(connection, source_id, now_us)
        for source_id, rhythm in self._rhythms.items():
            if source_id in company.sources and source_id not in known and source_id in self._last:
                self._judge(source_id, rhythm, company, now_us)

    def _judge(self, source_id: str, rhythm: Rhythm, company: Company, now_us: int) -> None:
        last_us = self._last[source_id]
        closed = holidays(company, rhythm.zone, last_us, now_us)
        if is_silent(rhythm, last_us, now_us, closed):
            expected = round(rhythm.expected(last_us, now_us, closed))
            with self._store.write() as connection:
                if silences.fell_silent(connection, source_id, last_us, now_us, expected):
                    log.warning("door_silent", source=source_id, expected=expected)


def holidays(company: Company, zone: ZoneInfo, from_us: int, to_us: int) -> frozenset[date]:
    """Return the days between two moments on which, by every calendar of the company, nobody works although it is no
    usual day off: what is learnt from usual weeks does not hold then.
    """
    calendars = [parse_calendar(one) for one in company.calendars.values()]
    day = datetime.fromtimestamp(from_us / 1e6, zone).date()
    last = datetime.fromtimestamp(to_us / 1e6, zone).date()
    found = set()
    while day <= last and calendars:
        start = int(datetime.combine(day, datetime.min.time(), zone).timestamp()) * 1_000_000
        # Four weeks before or behind, the same weekday was a usual one.
        usual = any(working_seconds(one, start + n * 7 * DAY_US, start + n * 7 * DAY_US + DAY_US) for one in calendars for n in (-4, 4))  # fmt: skip
        if usual and not any(working_seconds(one, start, start + DAY_US) for one in calendars):
            found.add(day)
        day += timedelta(days=1)
    return frozenset(found)


def tell_trouble(store: Database, source_id: str, code: str) -> None:
    """Have a person told that a source cannot be fetched from; the same trouble once a day."""
    try:
        with store.write() as connection:
            raise_alarm(
                connection,
                "door_failed",
                silences.DOOR,
                source_id,
                wall_clock_us(),
                code=code,
                within_us=DAY_US,
            )
    except SQLAlchemyError as error:
        log.error("alarms_failed", error=type(error).__name__)
