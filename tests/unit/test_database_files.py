"""A SQLite file under a reader that takes its time, and copied while it is written."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from store.database import Database, open_sqlite

LIMIT = 64 * 1024


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    made = open_sqlite(tmp_path / "one.db", LIMIT)
    with made.write() as connection:
        connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY, filling TEXT NOT NULL)"))
    yield made
    made.close()


def write(database: Database, rows: int) -> None:
    with database.write() as connection:
        for _ in range(rows):
            connection.execute(text("INSERT INTO t (filling) VALUES (hex(randomblob(500)))"))


def test_writers_do_not_wait_for_a_reader_who_is_not_done(database: Database, tmp_path: Path) -> None:
    wal = tmp_path / "one.db-wal"
    with database.read() as reader:
        reader.execute(text("SELECT count(*) FROM t")).one()
        took, tries = 0.0, 0
        for _ in range(40):
            write(database, 10)
            if database.wal_is_full():
                started = time.perf_counter()
                assert not database.checkpoint()
                took += time.perf_counter() - started
                tries += 1
        size = wal.stat().st_size
    assert took < 1.0
    assert tries <= size / LIMIT  # once for each further `wal_limit`, and not at each commit
    while not database.wal_is_full():
        write(database, 10)
    assert database.checkpoint()
    assert wal.stat().st_size == 0
    write(database, 80)
    assert database.wal_is_full()


def test_what_must_be_gone_waits_for_the_reader(database: Database, tmp_path: Path) -> None:
    reading, done = threading.Event(), threading.Event()

    def read() -> None:
        with database.read() as reader:
            reader.execute(text("SELECT count(*) FROM t")).one()
            reading.set()
            done.wait(10)

    thread = threading.Thread(target=read)
    thread.start()
    reading.wait(10)
    write(database, 10)
    threading.Timer(0.3, done.set).start()
    assert database.checkpoint(wait=True)
    assert (tmp_path / "one.db-wal").stat().st_size == 0
    thread.join()


def test_a_copy_holds_one_moment_of_a_file_that_is_being_written(database: Database, tmp_path: Path) -> None:
    stop = threading.Event()

    def keep_writing() -> None:
        while not stop.is_set():
            write(database, 2)  # always in pairs

    writer = threading.Thread(target=keep_writing)
    writer.start()
    counts = []
    for number in range(10):
        copy = tmp_path / f"copy{number}.db"
        database.copy_to(copy)
        opened = open_sqlite(copy)
        with opened.read() as connection:
            counts.append(connection.execute(text("SELECT count(*) FROM t")).scalar_one())
            assert connection.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"
        opened.close()
    stop.set()
    writer.join()
    assert [count for count in counts if count % 2] == []
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
