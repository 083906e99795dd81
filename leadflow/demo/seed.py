"""Playing the demo's history into an empty data folder through the real stages, with a simulated clock.

The history is cut twice a day and where waiting queues open. Each slice: the company as it was, the timers that were due, the captures
(with a checkpoint in the same transaction of `doors.db`), the stages until nothing is left, then what people did.
Killed anywhere, the next start goes on at the checkpoint, and ends in the same state.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

import orjson
from sqlalchemy import select

from leadflow import pipeline
from leadflow.demo.money import spent
from leadflow.demo.script import history
from leadflow.demo.staff import Deed, deeds, perform_all
from leadflow.embedded import Files
from router.office import Office, office_of
from sales.apply import merged, publish
from sales.diff import diff
from sales.spend import VERB as SPEND
from sales.spend import take_spend
from schemas.capture import Capture
from schemas.company import Absence, Company, Member
from schemas.events import Event
from store import tables
from store.acts import Command, perform
from store.company import CompanyCache, company_version, load_company
from store.database import Database
from stream.door_log import Checkpoint, DoorLog
from stream.host import StageHost
from stream.log import LogReader, SqlReader
from stream.timers import fire_due, next_due
from worktime.localtime import moment, wall_clock, zone_of

AS_OF = date(2026, 11, 23)
"""The day on which the files in examples/demo are up to date; their dates are moved from it to the first day."""

Progress = Callable[[int, int], None]
"""Told how much of how much time has been played (µs)."""

_SOURCE, _PATH = "demo", "history"
"""Where the checkpoint stands among those of followed files."""


class NotADemo(RuntimeError):
    """The data folder holds something else, and the demo must not mix with it."""

    def __init__(self) -> None:
        super().__init__(
            "This data folder holds data that is not the demo's. "
            "Choose another one: LEADFLOW_DATA=demo-data leadflow demo"
        )


def seed(
    files: Files,
    company: Company,
    now_us: int,
    *,
    days: int = 90,
    customers: int = 3_000,
    progress: Progress | None = None,
) -> bool:
    """Fill an empty data folder with the `days` before `now_us`; return False if it was filled before.

    A seeding that was killed is finished, by the moment and the figures it was begun with. To be called
    before any host runs on the folder. Raises NotADemo for a folder with other data.
    """
    place = _Place.of(files, now_us, days, customers)
    if place.done:
        return False
    play = _Play(files, company, place)
    # The store's commits may reach the disk a little later: `doors.db` has all that a restart needs.
    _synchronous(files.store, "NORMAL")
    try:
        play.run(progress or (lambda _done, _all: None))
    finally:
        play.close()
        _synchronous(files.store, "FULL")
    return True


def moved_company(company: Company, anchor_us: int) -> Company:
    """Return the company with every date moved from AS_OF to the day of `anchor_us`."""
    zone = zone_of(company.zone)
    step = timedelta(days=(wall_clock(anchor_us, zone).date() - AS_OF).days)

    def later(at_us: int | None) -> int | None:
        return moment(wall_clock(at_us, zone) + step, zone) if at_us else at_us

    def moved(one: Member | Absence) -> dict[str, int | None]:
        return {"from_us": later(one.from_us), "to_us": later(one.to_us)}

    members = tuple(one.model_copy(update=moved(one)) for one in company.members)
    absences = tuple(one.model_copy(update=moved(one)) for one in company.absences)
    return company.model_copy(update={"members": members, "absences": absences})


def as_it_was(company: Company, at_us: int) -> Company:
    """Return the company as it stood in the store at a moment: whoever left later was still there."""
    still = {
        member.person_id
        for member in company.members
        if member.to_us is not None
        and member.to_us > at_us
        and company.people[member.person_id].state == "left"
    }
    if not still:
        return company
    people = {
        key: person.model_copy(update={"state": "active"}) if key in still else person
        for key, person in company.people.items()
    }
    members = tuple(
        one.model_copy(update={"to_us": None}) if one.person_id in still else one for one in company.members
    )
    return company.model_copy(update={"people": people, "members": members})


def cuts(company: Company, from_us: int, to_us: int) -> list[int]:
    """Return the moments at which history is cut in any case: midnight, noon, and changes of places.

    The moments at which waiting queues open come to these as they arise.
    """
    zone = zone_of(company.zone)
    day, last = wall_clock(from_us, zone).date(), wall_clock(to_us, zone).date()
    found = set()
    while day <= last:
        found |= {moment(datetime.combine(day, time(hour)), zone) for hour in (0, 12)}
        day += timedelta(days=1)
    found |= {edge or 0 for one in company.members for edge in (one.from_us, one.to_us)}
    found |= {edge for one in company.absences for edge in (one.from_us, one.to_us)}
    return [*sorted(at_us for at_us in found if from_us < at_us < to_us), to_us]


@dataclass
class _Place:
    """Where the seeding stands: the checkpoint of `doors.db`."""

    anchor_us: int
    days: int
    customers: int
    until_us: int = 0
    fed: int = 0
    done: bool = False

    @classmethod
    def of(cls, files: Files, now_us: int, days: int, customers: int) -> _Place:
        table = tables.tail_checkpoint
        with files.doors.read() as connection:
            state = connection.execute(
                select(table.c.state_json).where(table.c.source_id == _SOURCE, table.c.path == _PATH)
            ).scalar_one_or_none()
        if state is not None:
            return cls(**orjson.loads(state))
        with files.store.read() as connection:
            used = company_version(connection) > 0
        with files.doors.read() as connection:
            used = used or files.door_log.head(connection, pipeline.DOOR_TOPICS[0])[1] > 0
        if used:
            raise NotADemo
        return cls(now_us, days, customers)

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(_SOURCE, _PATH, dict(self.__dict__))


class _Play:
    """A seeding under way."""

    def __init__(self, files: Files, company: Company, place: _Place) -> None:
        self._files = files
        self._place = place
        self._whole = moved_company(company, place.anchor_us)
        # Nothing was sent out in those days: the sinks come at the end, and tell what happens from then on.
        self._company = self._whole.model_copy(update={"sinks": {}})
        self._office: Office = office_of(self._company)
        self._in_force: Company | None = None
        self._clock_us = 0
        self._key = itertools.count()
        self._door = DoorLog(
            files.doors, files.door_log, files.keys, clock=lambda: self._clock_us, new_id=self._next_key
        )
        self._door.start()
        readers: dict[str, LogReader] = dict.fromkeys(
            pipeline.DOOR_TOPICS, SqlReader(files.doors, files.door_log)
        )
        readers |= dict.fromkeys(pipeline.STORE_TOPICS, SqlReader(files.store, files.store_log))
        self._hosts: list[StageHost[Any, Any]] = [
            StageHost(stage, readers, files.store, files.store_log, _own_time)
            for stage in pipeline.stages(CompanyCache(), files.keys.hash_secret)
        ]

    def run(self, progress: Progress) -> None:
        place = self._place
        zone = zone_of(self._company.zone)
        midnight = datetime.combine(wall_clock(place.anchor_us, zone).date(), time())
        first_us = moment(midnight - timedelta(days=place.days), zone)
        edges = cuts(self._company, first_us, place.anchor_us)
        captures = history(place.anchor_us, place.days, place.customers, zone)
        if place.until_us:
            self._work(place.until_us)  # what a kill left lying
        at_us = place.until_us or first_us
        while at_us < place.anchor_us:
            self._begin(at_us)
            end_us = edges[bisect_right(edges, at_us)]
            opens_us = next_due(self._files.store)
            if opens_us is not None and at_us < opens_us < end_us:
                end_us = opens_us
            some = captures[place.fed : bisect_left(captures, end_us, key=lambda one: one.accepted_us)]
            self._feed(some, at_us, end_us)
            self._work(end_us)
            at_us = end_us
            progress(at_us - first_us, place.anchor_us - first_us)
        self._timers(place.anchor_us)
        self._spend(wall_clock(first_us, zone).date(), wall_clock(place.anchor_us, zone).date())
        self._publish(self._whole, place.anchor_us)
        self._stages()
        place.done = True
        self._append([], place.anchor_us)

    def close(self) -> None:
        self._door.close()

    def _begin(self, at_us: int) -> None:
        company = as_it_was(self._company, at_us)
        if company != self._in_force:
            self._publish(company, at_us)
            self._in_force = company
        self._timers(at_us)

    def _publish(self, company: Company, at_us: int) -> None:
        with self._files.store.read() as connection:
            stored = load_company(connection, company_version(connection))
        # Not by the key alone: after a kill the same company is looked at again, at another moment.
        if not diff(stored, merged(stored, company, at_us)):
            return
        actor = company.responsible_id or "demo"
        command = Command("publish", actor, f"demo:publish:{at_us}", "company")
        perform(self._files.store, command, publish(company), at_us, self._files.store_log.append)

    def _spend(self, first: date, last: date) -> None:
        """Enter what the campaigns cost in all these days."""
        actor = self._company.responsible_id or "demo"
        command = Command(SPEND, actor, "demo:spend", "spend")
        plan = take_spend("demo", list(spent(self._company, first, last)), self._company, [])
        perform(self._files.store, command, plan, self._place.anchor_us, self._files.store_log.append)

    def _timers(self, at_us: int) -> None:
        while fire_due(self._files.store, self._files.store_log, pipeline.TIMERS, at_us):
            self._stages()

    def _feed(self, captures: Sequence[Capture], at_us: int, until_us: int) -> None:
        self._key = itertools.count(self._place.fed)
        self._place.until_us = until_us
        self._place.fed += len(captures)
        self._append(captures, at_us)

    def _append(self, captures: Sequence[Capture], at_us: int) -> None:
        self._clock_us = at_us
        self._door.append(captures, [self._place.checkpoint()]).result()

    def _stages(self) -> None:
        while sum(host.run_once() for host in self._hosts):
            pass

    def _work(self, until_us: int) -> None:
        """Run the stages, then let people work until a moment."""
        while True:
            self._stages()
            with self._files.store.read() as connection:
                some = deeds(connection, self._office, until_us)
            if not perform_all(some, self._do):
                return

    def _do(self, deed: Deed) -> None:
        perform(self._files.store, deed.command, deed.plan, deed.at_us, self._files.store_log.append)

    def _next_key(self) -> str:
        return f"{next(self._key):032x}"


def _synchronous(store: Database, level: str) -> None:
    raw = store.engine.raw_connection()
    try:
        raw.driver_connection.execute(f"PRAGMA synchronous={level}")  # type: ignore[union-attr]
    finally:
        raw.close()


def _own_time(event: Event) -> int:
    return event.time_us
