"""Several processes on one store: timers, lanes, migrations, limits, and the log that is trimmed under them."""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import orjson
import pytest
from sqlalchemy import Connection, create_engine, make_url, select, text
from sqlalchemy.exc import DBAPIError

from leadflow import pipeline
from router.gateway import queue_event
from sinks.claims import LEASE_US, claim, release
from sinks.dispatch import Dispatcher
from sinks.port import outside
from store import tables
from store.bulk import insert_ignore
from store.company import CompanyCache, company_version, load_company, put_company
from store.database import Database, PostgresLimits, open_postgres
from store.migrate import is_behind, migrate
from stream.host import StageHost, TopicReplaced
from stream.log import Place
from stream.retention import AT_ONCE, trim
from stream.timers import fire_due
from tests.support.rig import HOUR, MONDAY_10, Rig, post, small_company
from tests.support.workers import in_threads


@pytest.fixture(params=["sqlite", "postgresql"])
def rig_of_both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    on_postgres = request.param == "postgresql"
    sinks = {"crm": {"sink_id": "crm", "kind": "faulty", "name": "CRM"}}
    store = request.getfixturevalue("clean_postgres") if on_postgres else None
    rig = Rig(tmp_path, store, company=small_company(sinks=sinks))
    yield rig
    rig.files.doors.close()


def again(store: Database, limits: PostgresLimits | None = None, name: str = "leadflow") -> Database:
    """Open the same PostgreSQL as another process would."""
    return open_postgres(url_of(store), limits, name)


def url_of(store: Database) -> str:
    return store.engine.url.render_as_string(hide_password=False)


def test_each_timer_fires_once_however_many_processes_fire(rig_of_both: Rig) -> None:
    rig = rig_of_both
    rows = [{"kind": "settle", "subject_id": f"group{number}", "due_us": number} for number in range(1_200)]
    with rig.store.write() as connection:
        insert_ignore(connection, tables.timer, rows)
    fired: list[int] = []

    def fires() -> None:
        while done := fire_due(rig.store, rig.files.store_log, pipeline.TIMERS, 2_000):
            fired.append(done)

    in_threads([fires] * 6)
    told = rig.readers["settle"].read(Place("settle"), 0, 5_000)
    assert sum(fired) == len(told) == 1_200
    assert len({one.event.subject for one in told}) == 1_200


def test_a_lane_is_claimed_by_one_process_until_it_lets_go_or_its_time_is_up(rig_of_both: Rig) -> None:
    store = rig_of_both.store

    def takes(worker: str, now_us: int, *lanes: str) -> set[str]:
        with store.write() as connection:
            return claim(connection, lanes, worker, now_us)

    assert takes("a", 0, "x", "y") == {"x", "y"}
    assert takes("b", 1, "x", "z") == {"z"}
    assert takes("a", 1, "x") == {"x"}, "started again, it has its own at once"
    with store.write() as connection:
        release(connection, ["x"], "b")
    assert takes("b", 2, "x") == set(), "only whoever has it can let go"
    with store.write() as connection:
        release(connection, ["x"], "a")
    assert takes("b", 2, "x") == {"x"}
    assert takes("b", LEASE_US - 1, "y") == set()
    assert takes("b", LEASE_US, "y") == {"y"}, "whoever had it is gone"


def test_two_dispatchers_send_each_delivery_once_and_each_lane_in_order(rig_of_both: Rig) -> None:
    rig = rig_of_both
    rig.feed([post(made=f"m{number}", name="张伟", phone=f"138{number:08d}") for number in range(60)])
    rig.run()
    line = sorted(rig.rows("delivery"), key=lambda row: (row["decided_us"], row["delivery_id"]))
    assert {row["lane"] for row in line} == {"crm/crm"}
    folders = [rig.files.folder / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    workers = [
        Dispatcher(rig.store, CompanyCache(), outside(folder), lambda: MONDAY_10 + HOUR, worker=folder.name)
        for folder in folders
    ]
    for worker in workers:
        worker.start()
    give_up = time.monotonic() + 20
    while any(row["state"] == "waiting" for row in rig.rows("delivery")) and time.monotonic() < give_up:
        time.sleep(0.02)
    for worker in workers:
        worker.stop()
    sent = [
        [
            orjson.loads(taken)["delivery_id"]
            for file in folder.rglob("*.jsonl")
            for taken in file.read_text().splitlines()
        ]
        for folder in folders
    ]
    places = {row["delivery_id"]: place for place, row in enumerate(line)}
    assert Counter(itertools.chain(*sent)) == dict.fromkeys(places, 1)
    assert all(found == sorted(found, key=places.__getitem__) for found in sent)
    assert rig.rows("lane_claim") == []


def test_an_event_is_kept_while_somebody_may_read_it(rig_of_both: Rig) -> None:
    rig = rig_of_both
    rig.feed([post(made=f"m{number}", name="张伟", phone=f"138{number:08d}") for number in range(30)])
    while rig.step(0):
        pass
    readers = {"leads": ("resolve",)}
    late = MONDAY_10 + HOUR
    assert trim(rig.store, readers, late) == 0, "resolve has not begun"
    rig.run()
    assert trim(rig.store, readers, MONDAY_10) == 0, "none is old enough"
    with rig.store.write() as connection:
        letter = {"dead_id": "dead_1", "topic": "leads", "part": 0, "off": 7, "state": "open"}
        insert_ignore(connection, tables.dead, [{**A_LETTER, **letter}])
    assert trim(rig.store, readers, late) == 30
    assert trim(rig.store, readers, late) == 0
    kept = [row["off"] for row in rig.rows("log") if row["topic"] == "leads"]
    assert kept == [7], "a dead letter is replayed from it"
    assert rig.readers["leads"].head(Place("leads")).start == 30
    rig.feed([post(made="later", name="李娜", phone="13987654321")])
    rig.run()
    assert len(rig.rows("lead")) == 31, "the stages go on"
    with rig.store.write() as connection:
        connection.execute(tables.progress.delete().where(tables.progress.c.stage == "resolve"))
    begun_anew = StageHost(
        rig.hosts[1].stage, rig.readers, rig.store, rig.files.store_log, lambda one: one.time_us
    )
    with pytest.raises(TopicReplaced):
        begun_anew.run_once()


def test_a_long_log_is_trimmed_in_small_steps(rig: Rig) -> None:
    event = queue_event("east", 0, cause="test")
    with rig.store.write() as connection:
        rig.files.store_log.append(connection, "tasks", [event] * (AT_ONCE + 5), 0)
    assert [trim(rig.store, {"tasks": ()}, 1) for _ in range(3)] == [AT_ONCE, 5, 0]


A_LETTER = {
    "stage": "resolve",
    "event_id": "evt_1",
    "trace_id": "0" * 32,
    "attempt": 1,
    "code": "bug",
    "message": "m",
    "hint": "h",
    "refused_us": 1,
}


def test_a_company_published_elsewhere_is_seen_at_the_next_look(
    clean_postgres: Database, tmp_path: Path
) -> None:
    rig = Rig(tmp_path, clean_postgres)
    other = again(clean_postgres)
    cache = CompanyCache()

    def name() -> str:
        with other.read() as connection:
            return cache.get(connection).name

    assert name() == "海川搬运设备"
    with rig.store.write() as connection:
        put_company(connection, small_company(name="新名"), 0)
    assert name() == "新名"
    other.close()
    rig.files.doors.close()


def test_whoever_reads_sees_one_moment(rig_of_both: Rig) -> None:
    """Else a company could be read half before and half after it was published."""
    with rig_of_both.store.read() as reading:
        version = company_version(reading)
        with rig_of_both.store.write() as connection:
            put_company(connection, small_company(name="新名"), 0)
        assert company_version(reading) == version
        assert load_company(reading, version).name == "海川搬运设备"
    with rig_of_both.store.read() as reading, pytest.raises(DBAPIError):
        reading.execute(text("DELETE FROM setting"))


def test_processes_that_start_at_once_migrate_one_after_the_other(postgres: Database) -> None:
    url = make_url(url_of(postgres))
    server = create_engine(url, isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text("CREATE DATABASE started_at_once"))
    stores = [open_postgres(url.set(database="started_at_once").render_as_string(False)) for _ in range(4)]
    try:
        in_threads([partial(migrate, store, "state") for store in stores])
        assert not is_behind(stores[0], "state")
    finally:
        for store in stores:
            store.close()
        with server.connect() as connection:
            connection.execute(text("DROP DATABASE started_at_once"))
        server.dispose()


def row_locked(connection: Connection) -> None:
    connection.execute(select(tables.config_version.c.version).with_for_update())


def test_a_process_that_is_stopped_does_not_keep_its_locks(clean_postgres: Database, tmp_path: Path) -> None:
    rig = Rig(tmp_path, clean_postgres)
    zombie = again(clean_postgres, PostgresLimits(idle_s=0.3), "leadflow zombie")
    names = select(text("application_name")).select_from(text("pg_stat_activity"))

    def stops_in_the_middle() -> None:
        with zombie.write() as connection:
            row_locked(connection)
            with rig.store.read() as beside:
                assert "leadflow zombie" in beside.execute(names).scalars().all()
            with rig.store.write() as waiting:
                row_locked(waiting)
            connection.execute(text("SELECT 1"))

    with pytest.raises(DBAPIError, match="idle-in-transaction"):
        stops_in_the_middle()
    zombie.close()
    rig.files.doors.close()


def test_waiting_ends_with_an_error_of_the_world(clean_postgres: Database, tmp_path: Path) -> None:
    rig = Rig(tmp_path, clean_postgres)
    hurried = again(clean_postgres, PostgresLimits(pool=1, statement_s=0.2, lock_s=0.1))
    with rig.store.write() as connection:
        row_locked(connection)
        with pytest.raises(DBAPIError, match="lock timeout"), hurried.write() as waiting:
            row_locked(waiting)
    with pytest.raises(DBAPIError, match="statement timeout"), hurried.read() as slow:
        slow.execute(text("SELECT pg_sleep(2)"))
    with hurried.read(), pytest.raises(DBAPIError), hurried.write():
        pass
    hurried.close()
    rig.files.doors.close()
