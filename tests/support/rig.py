"""A pipeline without threads or a wall clock: feed captures, run the stages by hand, look at the tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import delete, select

from leadflow import pipeline
from leadflow.embedded import Files
from schemas.capture import Capture, capture_of
from schemas.company import Absence, Company, Member, Person, Unit, book_version
from schemas.events import Event
from store import tables
from store.bulk import insert_ignore
from store.company import CompanyCache, put_company
from store.database import Database, open_sqlite
from store.migrate import History, migrate
from stream.breaker import Policy
from stream.door_log import capture_event, fetch_keys
from stream.host import StageHost
from stream.log import LogReader, SqlLog, SqlReader
from stream.seal import KeyRing
from stream.timers import fire_due

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND
MONDAY_10 = 1_795_399_200 * SECOND
"""Monday 23 November 2026, 10:00 in Shanghai (02:00 UTC)."""


def small_company(**changes: Any) -> Company:
    """A company of two teams, five people and one web form; east works by day, night by night.

    Whom the match model finds alike is for a person to decide, so that tests of other things meet it by identifiers only.
    """
    book = "rule,province,then_team,then_respond_within\neverything,,east,30\n"
    values: dict[str, Any] = {
        "version": 0,
        "name": "海川搬运设备",
        "matching": "review",
        "units": {
            "company": Unit(unit_id="company", kind="company", name_zh="海川", name_en="Haichuan"),
            "east": Unit(
                unit_id="east",
                parent_id="company",
                kind="team",
                name_zh="华东",
                name_en="East",
                calendar_id="day",
            ),
            "default": Unit(
                unit_id="default", parent_id="company", kind="team", name_zh="默认", name_en="Default"
            ),
        },
        "people": {
            key: Person(person_id=key, name=name)
            for key, name in (("ann", "安"), ("bo", "薄"), ("chen", "陈"))
        },
        "members": (
            Member(unit_id="east", person_id="ann", from_us=0, share=1),
            Member(unit_id="east", person_id="bo", from_us=0, share=2),
            Member(unit_id="east", person_id="chen", from_us=0, share=1),
        ),
        "absences": (Absence(person_id="chen", from_us=0, to_us=MONDAY_10 + HOUR),),
        "calendars": {
            "day": {
                "zone": "Asia/Shanghai",
                "country": "CN",
                "week": {day: ["09:00-18:00"] for day in ("mon", "tue", "wed", "thu", "fri")},
            }
        },
        "sources": {
            "site": {
                "source_id": "site",
                "channel": "web",
                "format": "web.form",
                "name": "官网",
                "language": "zh",
            }
        },
        "book_csv": book,
        "book_version": book_version(book),
    }
    return Company(**{**values, **changes})


def post(
    *, at_us: int = MONDAY_10, key: str | None = None, made: str = "m", purpose: str = "real", **fields: str
) -> Capture:
    """A form posted to the small company's site."""
    from urllib.parse import urlencode

    return capture_of(
        source_id="site",
        channel="web",
        format="web.form",
        body=urlencode(fields).encode(),
        accepted_us=at_us,
        trace_id="0" * 32,
        idem_key=key,
        made_key=made,
        purpose=purpose,  # type: ignore[arg-type]
        meta={"content_type": "application/x-www-form-urlencoded"},
    )


@lru_cache
def _template(history: History) -> bytes:
    """A migrated, empty file: copying it is 100 times faster than migrating anew for each example."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "template.db"
        database = open_sqlite(path)
        migrate(database, history)
        database.checkpoint()
        database.close()
        return path.read_bytes()


def new_sqlite(folder: Path, history: History) -> Database:
    """Return an empty, migrated SQLite database of its own."""
    path = folder / f"{history}.db"
    path.write_bytes(_template(history))
    return open_sqlite(path)


class Rig:
    """The stages over a data folder (or a store of your own), run by hand on the events' own times."""

    def __init__(
        self,
        folder: Path,
        store: Database | None = None,
        company: Company | None = None,
        batch_max: int = 1_000,
        policy: Policy | None = None,
    ) -> None:
        doors = new_sqlite(folder, "doors")
        store = store or new_sqlite(folder, "state")
        self._ids = (f"{number:032x}" for number in itertools.count(1))
        keys = KeyRing(bytes(32), fetch_keys(doors))
        self.files = Files(
            doors,
            store,
            SqlLog(tables.door_log, tables.door_head, keys),
            SqlLog(tables.log, tables.topic_head, keys),
            keys,
            folder,
            folder / "erasures",
        )
        with doors.write() as connection:
            self.files.door_log.create(connection, pipeline.DOOR_TOPICS, "doors-topic")
        with store.write() as connection:
            self.files.store_log.create(connection, pipeline.STORE_TOPICS, "store-topic")
            put_company(connection, company or small_company(), 0)
        readers: dict[str, LogReader] = dict.fromkeys(
            pipeline.DOOR_TOPICS, SqlReader(doors, self.files.door_log)
        )
        readers |= dict.fromkeys(pipeline.STORE_TOPICS, SqlReader(store, self.files.store_log))
        self.readers = readers
        self.hosts = [
            StageHost(
                stage, readers, store, self.files.store_log, _own_time, batch_max=batch_max, policy=policy
            )
            for stage in pipeline.stages(CompanyCache(), keys.hash_secret)
        ]

    @property
    def store(self) -> Database:
        return self.files.store

    def feed(self, captures: Iterable[Capture]) -> None:
        """Make captures durable, as a door would."""
        rows, events = [], []
        for capture in captures:
            key_id = next(self._ids)
            rows.append(
                {"key_id": key_id, "capture_id": capture.capture_id, "wrapped": self.files.keys.make(key_id)}
            )
            events.append(capture_event(capture, key_id))
        if not events:
            return
        with self.files.doors.write() as connection:
            insert_ignore(connection, tables.door_key, rows)
            self.files.door_log.append(connection, "captures", events, 0)

    def step(self, stage: int) -> int:
        """Run one batch of one stage."""
        return self.hosts[stage].run_once()

    def run(self) -> int:
        """Run every stage until nothing is left to do; return how many events were handled."""
        total = 0
        while done := sum(host.run_once() for host in self.hosts):
            total += done
        return total

    def fire(self, now_us: int) -> int:
        """Fire the timers due by then, and run what they lead to."""
        fired = fire_due(self.store, self.files.store_log, pipeline.TIMERS, now_us)
        self.run()
        return fired

    def rows(self, name: str, *columns: str) -> list[dict[str, Any]]:
        """Return a table's rows in the order of its key; all columns, or those named."""
        table = tables.state.tables[name]
        with self.store.read() as connection:
            found = connection.execute(select(table).order_by(*table.primary_key.columns)).mappings().all()
        return [{key: row[key] for key in columns or row} for row in found]

    def state(self) -> dict[str, list[dict[str, Any]]]:
        """Return every table but the log, whose seals differ by design."""
        return {name: self.rows(name) for name in sorted(tables.state.tables) if name != "log"}

    def close(self) -> None:
        self.files.close()


def empty(store: Database) -> None:
    """Take every row out of a store, so that a shared server can be used again."""
    with store.write() as connection:
        for table in reversed(tables.state.sorted_tables):
            connection.execute(delete(table))


def _own_time(event: Event) -> int:
    return event.time_us
