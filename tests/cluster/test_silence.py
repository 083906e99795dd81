"""A network that loses every packet and says nothing: each wait has an end, and what waited goes on by itself."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.cluster import Site, posts
from tests.support.proxy import TcpLine
from tests.support.silence import silence
from tools.servers import KafkaServer, PostgresServer

DOOR_S = 12.0
"""How long the first visitor waits whose capture meets silent brokers; whoever comes later only waits for the disk."""
NOTICED_S = 40.0
"""How long a stage may take to say that its database is silent: 25 s for a line that was in use, 10 s for a new one."""


def test_silent_brokers(tmp_path: Path, database_url: str) -> None:
    broker = KafkaServer(tmp_path / "kafka")
    broker.start()
    site = Site(tmp_path, broker.address, database_url)
    try:
        door = site.door()
        site.outbox()
        worker = site.workers("a")
        captures = posts(120)
        site.accept(door, captures[:40])
        site.wait(lambda: site.count("task") >= 10, "some tasks")
        with silence(broker.port):
            for first in range(40, 80, 10):
                started = time.monotonic()
                site.accept(door, captures[first : first + 10])
                assert time.monotonic() - started < (DOOR_S if first == 40 else 1)
            site.wait(lambda: not worker.well()[0], "a worker that says so", NOTICED_S)
        site.accept(door, captures[80:])
        site.wait(lambda: site.count("task") >= 120, "every task", 120)
        site.wait(lambda: door.spooled_bytes == 0, "an empty spool")
        site.wait(lambda: worker.well()[0], "a worker that is well")
        site.assert_sound(captures)
    finally:
        site.close()
        broker.kill()


def test_a_silent_database(tmp_path: Path, brokers: str, server: tuple[PostgresServer, str]) -> None:
    """Of the worker's alone: the store's server meanwhile frees what the worker had locked, and others go on."""
    line = TcpLine(server[0].folder)
    site = Site(tmp_path, brokers, server[1])
    try:
        door = site.door()
        site.outbox()
        worker = site.workers("a", LEADFLOW_DATABASE_URL=line.url(server[1]))
        captures = posts(240)
        site.accept(door, captures[:80])
        site.wait(lambda: site.count("capture") >= 10, "the first batches")
        with silence(line.port):
            site.accept(door, captures[80:160])
            site.wait(lambda: not worker.well()[0], "a worker that says so", NOTICED_S)
            assert worker.alive
        site.accept(door, captures[160:])
        site.wait(lambda: site.count("task") >= 240, "every task", 120)
        site.wait(lambda: worker.well()[0], "a worker that is well")
        site.assert_sound(captures)
    finally:
        site.close()
        line.close()


def test_a_slow_database(tmp_path: Path, brokers: str, server: tuple[PostgresServer, str]) -> None:
    """50 ms a round trip: a backlog is worked off in large batches, and a stage that is only slow is ready."""
    line = TcpLine(server[0].folder, 0.05)
    site = Site(tmp_path, brokers, server[1])
    try:
        door = site.door()
        site.outbox()
        worker = site.workers("a", LEADFLOW_DATABASE_URL=line.url(server[1]))
        captures = posts(400)
        site.accept(door, captures)
        started = time.monotonic()
        site.wait(lambda: site.count("task") >= 400, "every task", 90)
        took_s = time.monotonic() - started
        assert worker.well() == (True, "")
        lone = posts(10, first=5_000)
        for one in lone:
            site.accept(door, [one])
            time.sleep(0.2)
        site.wait(lambda: site.count("task") >= 410, "the lone leads' tasks")
        waits = [
            row[0] / 1e6
            for row in site.ask(
                "SELECT task.created_us - capture.accepted_us FROM task JOIN lead USING (lead_id) "
                "JOIN capture USING (capture_id) ORDER BY capture.accepted_us DESC LIMIT 10"
            )
        ]
        print(f"400 leads in {took_s:.1f} s; alone the slowest of 10 waited {max(waits):.1f} s")
        assert max(waits) < 20
        site.assert_sound([*captures, *lone])
    finally:
        site.close()
        line.close()
