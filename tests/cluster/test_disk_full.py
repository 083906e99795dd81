"""Disks that fill up: a sender is told no, what was acknowledged stays, and with room everything goes on by itself."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cluster import Site, posts, started
from tests.support.disk import MIB, SmallDisk, small_disk
from tests.support.live import Live
from tests.support.visitors import company_with_mail, mailed, posted
from tools.servers import KafkaServer, PostgresServer, free_port, throw_away


def test_the_spools_disk_fills_up(tmp_path: Path, database_url: str) -> None:
    """Brokers away and the disk full: 503 and 451. With room again the door takes what comes; all of it arrives."""
    broker = KafkaServer(tmp_path / "kafka")
    broker.start()
    with small_disk(tmp_path / "d", 96 * MIB) as disk:
        site = Site(tmp_path, broker.address, database_url, company_with_mail())
        try:
            smtp_port = free_port()
            door = site.part("doors", "d", LEADFLOW_SMTP_PORT=str(smtp_port))
            broker.kill()
            answers = [posted(door.port, number) for number in range(3)]
            assert [status for status, _ in answers] == [202] * 3, "the spool takes what the brokers do not"
            disk.fill()
            assert [posted(door.port, number)[0] for number in range(100, 104)] == [503] * 4
            assert mailed(smtp_port) == 451
            disk.make_room()
            answers += [posted(door.port, number) for number in range(200, 203)]
            assert mailed(smtp_port) == 250
            broker.start()
            site.outbox()
            site.workers("a")
            site.wait(lambda: site.count("task") >= 7, "every task", 120)
            web = site.ask("SELECT capture_id FROM capture WHERE channel = 'web'")
            assert {row[0] for row in web} == {receipt for _, receipt in answers}
        finally:
            site.close()
            broker.kill()


def test_a_spool_that_was_sent_on_while_its_disk_is_full(tmp_path: Path, database_url: str) -> None:
    """Taking out of the spool needs room: until there is some, nothing is sent over and over."""
    broker = KafkaServer(tmp_path / "kafka")
    broker.start()
    with small_disk(tmp_path / "one", 96 * MIB) as disk:
        site = Site(tmp_path, broker.address, database_url)
        try:
            broker.kill()
            door = site.door()
            captures = posts(200)
            site.accept(door, captures)
            disk.fill()
            broker.start()
            site.outbox()
            site.workers("a")
            site.wait(lambda: site.count("task") >= 200, "every task", 120)
            time.sleep(3)
            lies = site.cluster.reader
            sent = sum(lies.head(place).end for place in lies.places(["captures"]))
            assert sent == 200, "each capture went to the brokers once"
            disk.make_room()
            site.wait(lambda: door.spooled_bytes == 0, "an empty spool")
            site.assert_sound(captures)
        finally:
            site.close()
            broker.kill()


@pytest.fixture
def small_postgres() -> Iterator[tuple[PostgresServer, SmallDisk]]:
    folder = throw_away()
    with small_disk(folder, 256 * MIB) as disk:
        server = PostgresServer(folder)
        yield server, disk
        server.stop()
    folder.rmdir()


def test_the_stores_disk_fills_up(
    tmp_path: Path, brokers: str, small_postgres: tuple[PostgresServer, SmallDisk]
) -> None:
    """PostgreSQL refuses, or stops: stages wait and say so; with room (and its restart) they go on."""
    server, disk = small_postgres
    url = started(server)
    site = Site(tmp_path, brokers, url)
    try:
        door = site.door()
        site.outbox()
        worker = site.workers("a")
        captures = posts(400)
        site.accept(door, captures[:100])
        site.wait(lambda: site.count("task") >= 100, "the first tasks")
        worker.send(signal.SIGSTOP)
        site.accept(door, captures[100:350])
        disk.fill()
        worker.send(signal.SIGCONT)
        site.wait(lambda: not worker.well()[0], "a worker that says so", 30)
        site.accept(door, captures[350:380])
        disk.make_room()
        if not server.runs():  # as whoever runs it would, such as systemd
            server.kill()
            server.start()
        site.accept(door, captures[380:])
        site.wait(lambda: site.count("task") >= 400, "every task", 120)
        site.assert_sound(captures)
        assert worker.alive
    finally:
        site.close()


def test_the_data_folders_disk_fills_up(tmp_path: Path) -> None:
    """One machine, everything in one folder: doors say no, stages wait; with room all that was promised is there."""
    with small_disk(tmp_path / "data", 48 * MIB) as disk:
        live = Live(tmp_path / "data", LEADFLOW_WAL_LIMIT_BYTES="65536")
        live.start()
        try:
            answers = [posted(live.port, number) for number in range(50)]
            disk.fill()
            answers += [
                posted(live.port, number) for number in range(1_000, 1_300)
            ]  # the files have some room
            assert answers[-1][0] == 503
            disk.make_room()
            answers += [posted(live.port, number) for number in range(2_000, 2_020)]
            assert {status for status, _ in answers[:50] + answers[-20:]} == {202}
            assert {status for status, _ in answers} == {202, 503}
            live.drained(60)
            kept = [row[0] for row in live.query("SELECT capture_id FROM capture ORDER BY 1")]
            assert kept == sorted(receipt for _, receipt in answers if receipt)
            assert live.get("/readyz")[0] == 200
            assert live.query("SELECT * FROM dead") == []
        finally:
            live.stop()
