"""SIGKILL while a source is held and while it is replayed: each capture led to one lead or one dead letter."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path

import pytest

from leadflow.embedded import open_files
from schemas.company import Company
from store.company import put_company
from tests.e2e.test_operate import leadflow
from tests.support.live import Live
from tests.support.senders import senders

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
COUNT = 400


def post_until_taken(live: Live, source_id: str, number: int) -> None:
    """Post a lead of a rebuilt form (of `fair`: a good one), again and again until it is acknowledged."""
    field = "phone" if source_id == "fair" else "sj"
    give_up = time.monotonic() + 60
    while time.monotonic() < give_up:
        try:
            key = {**FORM, "Idempotency-Key": f"{source_id}-{number}"}
            status, _ = live.post(f"/in/web/{source_id}", f"{field}=139{number:08d}".encode(), key)
        except (OSError, HTTPException):
            status = 0
        if status == 202:
            return
        time.sleep(0.02)
    raise TimeoutError("never acknowledged")


def kill_while(live: Live, work: threading.Thread, dice: random.Random) -> None:
    """Kill and start the process until the work is done."""
    work.start()
    while work.is_alive():
        work.join(0.1 + dice.random() * 0.4)
        if work.is_alive() and live.starts < 8:
            live.kill()
            live.start()


@pytest.mark.parametrize("point", ["half the effects", "before commit", "committed"])
def test_kills_while_held_and_while_replayed_lose_and_repeat_nothing(tmp_path: Path, point: str) -> None:
    live = Live(tmp_path / "data", senders("site", "fair", "shop"), LEADFLOW_BREAKER_MINIMUM="5")
    live.start()

    def feed() -> None:
        for number in range(COUNT):
            post_until_taken(live, "fair" if number % 4 == 0 else "site", number)

    kill_while(live, threading.Thread(target=feed), random.Random(point))
    live.drained()
    live.stop()
    states = Counter(state for (state,) in live.query("SELECT state FROM dead"))
    assert states == {"open": 5, "held": COUNT * 3 // 4 - 5}

    mapped(live, senders("site", "fair", "shop", fields={"sj": "phone"}))
    live.start(LEADFLOW_CRASH_AT=f"{point}:2")
    before = live.starts
    with_kill(live, "breaker", "reset", "site")
    give_up = time.monotonic() + 30
    while live.query("SELECT count(*) FROM breaker") != [(0,)] and time.monotonic() < give_up:
        if not live.alive:
            live.start()
        time.sleep(0.05)
    live.drained()
    live.stop()
    assert live.starts > before > 2, "killed while it was held, and while it was replayed"
    assert dict(live.query("SELECT state, count(*) FROM dead GROUP BY state")) == {
        "open": 5,
        "replayed": COUNT * 3 // 4 - 5,
    }
    assert live.query("SELECT count(*) FROM capture") == [(COUNT,)]
    for table in ("lead", "customer", "task"):
        assert live.query(f"SELECT count(*) FROM {table}") == [(COUNT - 5,)], table
    offs = [
        off
        for (off,) in live.query(
            "SELECT capture.off FROM log JOIN lead_capture ON lead_capture.lead_id = log.subject "
            "JOIN capture USING (capture_id) "
            "WHERE topic = 'leads' AND role = 'origin' AND capture.source_id = 'site' ORDER BY log.off"
        )
    ]
    assert offs == sorted(offs), "one overtook another"
    assert live.integrity() == ["ok", "ok"]


def mapped(live: Live, company: Company) -> None:
    files = open_files(live.folder)
    with files.store.write() as connection:
        put_company(connection, company, 0)
    files.close()


def with_kill(live: Live, *arguments: str) -> None:
    """Run a command whose host may die meanwhile; done twice, the second time there is nothing left to do."""
    try:
        leadflow(live.folder, *arguments)
    except AssertionError:
        if not live.alive:
            live.start()
        leadflow(live.folder, *arguments, code=2)
