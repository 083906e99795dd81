"""The doors of a cluster while PostgreSQL is away or silent: whoever writes is answered, and what they wrote arrives."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.cluster import Site
from tests.support.proxy import TcpLine
from tests.support.silence import silence
from tests.support.visitors import company_with_mail, mailed, posted
from tools.servers import PostgresServer, free_port

AWAY_S = 2.0
"""How long a visitor may wait while the database is known to be away: for the disk, and for a look whether it is back."""
SILENT_S = 8.0
"""How long the first one may wait when it falls silent: 5 s for the keys of what it wrote, 0.5 s for the sources."""


def test_the_database_killed_under_the_doors(
    tmp_path: Path, brokers: str, server: tuple[PostgresServer, str]
) -> None:
    postgres, url = server
    site = Site(tmp_path, brokers, url, company_with_mail())
    try:
        smtp_port = free_port()
        door = site.part("doors", "d", LEADFLOW_SMTP_PORT=str(smtp_port))
        answers = [posted(door.port, number) for number in range(5)]
        postgres.kill()
        for number in range(10, 15):
            started = time.monotonic()
            answers.append(posted(door.port, number))
            assert time.monotonic() - started < AWAY_S
        assert mailed(smtp_port) == 250
        postgres.start()
        site.outbox()
        site.workers("a")
        answers += [posted(door.port, number) for number in range(20, 25)]
        assert {status for status, _ in answers} == {202}
        site.wait(lambda: site.count("task") >= 16, "every task", 120)
        web = site.ask("SELECT capture_id FROM capture WHERE channel = 'web'")
        assert {row[0] for row in web} == {receipt for _, receipt in answers}
    finally:
        site.close()


def test_a_silent_database_under_the_doors(
    tmp_path: Path, brokers: str, server: tuple[PostgresServer, str]
) -> None:
    """The first visitor waits until the door gives up, whoever comes later for the disk only."""
    line = TcpLine(server[0].folder)
    site = Site(tmp_path, brokers, server[1])
    try:
        door = site.part("doors", "d", LEADFLOW_DATABASE_URL=line.url(server[1]))
        answers = [posted(door.port, number) for number in range(5)]
        with silence(line.port):
            for number in range(10, 20):
                started = time.monotonic()
                answers.append(posted(door.port, number))
                took_s = time.monotonic() - started
                assert took_s < (SILENT_S if number == 10 else AWAY_S)
        site.outbox()
        site.workers("a")
        assert {status for status, _ in answers} == {202}
        site.wait(lambda: site.count("task") >= 15, "every task", 120)
        kept = site.ask("SELECT capture_id FROM capture")
        assert {row[0] for row in kept} == {receipt for _, receipt in answers}
    finally:
        site.close()
        line.close()
