"""Brokers and database killed, away and cut off in the middle of a COMMIT: what was accepted arrives once."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from leadflow.cluster import STOP_S
from stream.door_log import Overloaded
from stream.kafka.door import SpoolLimits
from tests.support.cluster import Site, posts, started
from tests.support.proxy import CommitCutter
from tools.servers import KafkaServer, PostgresServer, throw_away

AWAY_S = float(os.environ.get("LEADFLOW_TEST_AWAY_S", "3"))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaServer]:
    server = KafkaServer(tmp_path / "kafka")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def own_site(tmp_path: Path, broker: KafkaServer, database_url: str) -> Iterator[Site]:
    made = Site(tmp_path, broker.address, database_url)
    yield made
    made.close()


@pytest.mark.timeout(AWAY_S + 300)
def test_brokers_killed_and_away(own_site: Site, broker: KafkaServer) -> None:
    """The door goes on, by its spool, and empties it in order; no retry of the sender is needed."""
    site = own_site
    door = site.door()
    site.outbox()
    site.workers("a")
    captures = posts(150)
    site.accept(door, captures[:50])
    broker.kill()
    for first in range(50, 100, 10):
        started = time.monotonic()
        site.accept(door, captures[first : first + 10])
        assert time.monotonic() - started < 12, "a visitor waits for the brokers once, and then for the disk"
    assert door.spooled_bytes > 0
    time.sleep(AWAY_S)
    broker.start()
    site.accept(door, captures[100:])
    site.wait(lambda: site.count("task") >= 150, "every task", 120)
    site.wait(lambda: door.spooled_bytes == 0, "an empty spool")
    site.assert_sound(captures)


def test_a_door_killed_with_a_full_spool(own_site: Site, broker: KafkaServer) -> None:
    """What the door of a dead process had on its disk goes out after the next start, by that process."""
    site = own_site
    captures = posts(40)
    broker.kill()
    first = site.door()
    site.accept(first, captures)
    site.stop(first)
    broker.start()
    site.outbox()
    site.workers("a")
    site.door()
    site.wait(lambda: site.count("task") >= 40, "every task", 120)
    site.assert_sound(captures)


def test_a_worker_told_to_stop_while_the_brokers_are_away(own_site: Site, broker: KafkaServer) -> None:
    """Faust would leave its groups only once the brokers answer: a restart of everything must not wait for that."""
    site = own_site
    captures = posts(60)
    door = site.door()
    site.outbox()
    worker = site.workers("a")
    site.accept(door, captures[:30])
    broker.kill()
    told = time.monotonic()
    site.stop(worker)
    assert time.monotonic() - told < STOP_S + 5
    assert not worker.alive
    assert "stop_given_up" in worker.log()
    broker.start()
    site.workers("a")
    site.accept(door, captures[30:])
    site.wait(lambda: site.count("task") >= 60, "every task", 120)
    site.assert_sound(captures)


def test_a_spool_that_is_full_says_no(own_site: Site, broker: KafkaServer) -> None:
    broker.kill()
    door = own_site.door()
    door._limits = SpoolLimits(max_bytes=2_000)
    own_site.accept(door, posts(3))
    with pytest.raises(Overloaded, match="bytes wait for the brokers"):
        own_site.accept(door, posts(60, first=100))
    own_site.accept(door, posts(1, first=900))  # what fits is still taken


def test_the_database_killed(tmp_path: Path, brokers: str) -> None:
    server = PostgresServer(throw_away())
    url = started(server)
    site = Site(tmp_path, brokers, url)
    try:
        door = site.door()
        site.outbox()
        worker = site.workers("a")
        captures = posts(150)
        site.accept(door, captures[:60])
        site.wait(lambda: site.count("capture") > 10, "the first batches")
        server.kill()
        site.accept(door, captures[60:100])
        assert door.spooled_bytes > 0, "without the database there is nowhere to put the keys"
        assert _within(20, lambda: not worker.well()[0]), "a stage that waits says so"
        server.start()
        site.accept(door, captures[100:])
        site.wait(lambda: site.count("task") >= 150, "every task", 120)
        site.assert_sound(captures)
        assert _within(20, lambda: worker.well()[0])
    finally:
        site.close()
        server.stop()


@pytest.mark.parametrize("cut", ["before", "after"])
def test_the_line_cut_in_the_middle_of_a_commit(tmp_path: Path, brokers: str, cut: str) -> None:
    """Nobody tells the worker whether its batch is done: it reads that from the database."""
    server = PostgresServer(throw_away())
    url = started(server)
    proxy = CommitCutter(tmp_path / "line", server.folder)
    site = Site(tmp_path, brokers, url)
    try:
        door = site.door()
        site.outbox()
        through = url.replace(str(server.folder), str(proxy.folder))
        worker = site.workers("a", LEADFLOW_DATABASE_URL=through)
        captures = posts(160)
        for number in range(8):
            proxy.cut_next("before" if cut == "before" else "after")
            site.accept(door, captures[number * 20 : number * 20 + 20])
            site.wait(lambda number=number: proxy.cuts > number, "a cut", 30)  # type: ignore[misc]
        site.wait(lambda: site.count("task") >= 160, "every task", 120)
        site.assert_sound(captures)
        assert worker.alive
        assert proxy.cuts == 8
    finally:
        site.close()
        proxy.close()
        server.stop()


def _within(seconds: float, holds: Callable[[], bool]) -> bool:
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if holds():
            return True
        time.sleep(0.1)
    return False
