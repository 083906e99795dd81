"""SIGKILL at each crash point, under load: no acknowledged lead lost, no effect twice, by the sender's book."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPException
from pathlib import Path
from urllib.parse import urlencode
from zlib import crc32

import pytest

from schemas.company import Absence, Company
from stream.crash import CRASH_POINTS
from tests.support.live import Live
from tests.support.receiver import Receiver, crm
from tests.support.rig import SECOND, small_company


class Sender:
    """Posts leads, repeats each until it is acknowledged, and keeps its own book of receipts."""

    def __init__(self, live: Live, count: int, every_twice: bool = False) -> None:
        self.receipts: dict[str, str] = {}
        self._live = live
        self._count = count
        self._every_twice = every_twice
        self._lock = threading.Lock()

    def run(self) -> None:
        """Send everything, in eight threads."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._send, range(self._count)))

    def _send(self, number: int) -> None:
        key = f"key-{number}"
        body = urlencode({"name": f"客户{number}", "phone": f"139{number:08d}", "message": "叉车"}).encode()
        headers = {"Idempotency-Key": key, "Content-Type": "application/x-www-form-urlencoded"}
        for _ in range(2 if self._every_twice else 1):
            receipt = self._until_acknowledged(body, headers)
            with self._lock:
                assert self.receipts.setdefault(key, receipt) == receipt, "a repeat got another receipt"

    def _until_acknowledged(self, body: bytes, headers: dict[str, str]) -> str:
        give_up = time.monotonic() + 120
        while time.monotonic() < give_up:
            try:
                status, answer = self._live.post("/in/web/site", body, headers)
            except (OSError, HTTPException):
                time.sleep(0.02)
                continue
            if status == 202:
                return str(answer["receipt"])
            time.sleep(0.02)
        raise TimeoutError("never acknowledged")


def night_company(opens_us: int) -> Company:
    """A team that is away until a moment: leads wait in its queue, and a timer opens it."""
    company = small_company(calendars={"day": {"zone": "Asia/Shanghai", "week": _ALL_DAY}})
    away = tuple(Absence(person_id=person, from_us=0, to_us=opens_us) for person in company.people)
    return company.model_copy(update={"absences": away})


_ALL_DAY = {day: ["00:00-24:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")}


def keep_running(live: Live, sender: Sender) -> None:
    """Let the sender finish while the process is started again each time it dies."""
    thread = threading.Thread(target=sender.run)
    thread.start()
    while thread.is_alive():
        if not live.alive:
            live.start()
        thread.join(0.05)


def await_the_kill(live: Live, timeout_s: float = 60) -> None:
    """Wait until the process has died once and is started again.

    A point behind the decision may be reached after everything is sent, the later the more a machine has to do.
    """
    give_up = time.monotonic() + timeout_s
    while live.starts < 2 and time.monotonic() < give_up:
        if not live.alive:
            live.start()
        time.sleep(0.05)


def assert_exactly_once(live: Live, sender: Sender) -> None:
    """Compare the store with the sender's book."""
    captures = {row[0] for row in live.query("SELECT capture_id FROM capture")}
    assert captures == set(sender.receipts.values())
    count = len(sender.receipts)
    for table in ("lead", "customer", "contact", "task"):
        assert live.query(f"SELECT count(*) FROM {table}") == [(count,)], table
    assert live.query("SELECT count(*) FROM membership WHERE to_us IS NULL") == [(count,)]
    assert live.query("SELECT count(*) FROM holding WHERE to_us IS NULL AND role = 'owner'") == [(count,)]
    assert live.query("SELECT count(*) FROM holding WHERE to_us IS NULL AND holder_id = 'intake'") == [(0,)]
    assert live.query("SELECT count(*) FROM dead") == [(0,)]
    assert live.query("SELECT coalesce(sum(received), 0) FROM ledger_total") == live.query(
        "SELECT count(*) FROM ledger"
    )
    assert live.query(
        "SELECT count(*) FROM (SELECT lead_id FROM task GROUP BY lead_id HAVING count(*) > 1)"
    ) == [(0,)]
    assert live.integrity() == ["ok", "ok"]


def delivered(live: Live, timeout_s: float = 60) -> None:
    """Wait until nothing waits to be sent."""
    give_up = time.monotonic() + timeout_s
    while live.query("SELECT count(*) FROM delivery WHERE state = 'waiting'") != [(0,)]:
        if time.monotonic() > give_up:
            raise TimeoutError("deliveries still wait")
        time.sleep(0.1)


def assert_all_told(live: Live, receiver: Receiver, most_twice: int) -> None:
    """Compare what the destination wrote down with the decisions: each is there, under one id.

    A kill repeats at most what was under way to the destination, which is one.
    """
    decided = [
        row[0] for row in live.query("SELECT decision_id FROM decision ORDER BY decided_us, decision_id")
    ]
    told = [post.content["data"]["decision_id"] for post in receiver.taken]
    assert sorted(set(told)) == sorted(decided)
    ids = {(post.webhook_id, post.content["data"]["decision_id"]) for post in receiver.taken}
    assert len(ids) == len(decided), "one id for one decision"
    assert len(told) - len(decided) <= most_twice
    assert live.query("SELECT count(*) FROM delivery WHERE state <> 'sent'") == [(0,)]


_ELSEWHERE = ("forwarded, unrecorded", "gathered, unsent")
"""In the cluster; and where people are told: tests/chaos/test_kill_while_gathering.py."""


@pytest.mark.parametrize("point", [one for one in CRASH_POINTS if one not in _ELSEWHERE])
def test_kill_at_a_crash_point_loses_nothing_and_repeats_nothing(tmp_path: Path, point: str) -> None:
    receiver = Receiver()
    receiver.open()
    # What waits for the timer must be there before it is due, however long a loaded machine takes to start.
    night_s = 20 if point == "timer fired" else 4
    company = night_company(time.time_ns() // 1_000 + night_s * SECOND)
    live = Live(
        tmp_path / "data",
        company.model_copy(update={"sinks": {"crm": crm(receiver)}}),
        LEADFLOW_WAL_LIMIT_BYTES="65536",
    )
    passed = tmp_path / "passed"
    live.start(LEADFLOW_CRASH_AT=f"{point}:{crc32(point.encode()) % 4 + 1}" if point != "timer fired" else point,
               LEADFLOW_CRASH_LOG=str(passed))  # fmt: skip
    sender = Sender(live, 120, every_twice=True)
    keep_running(live, sender)
    await_the_kill(live)
    give_up = time.monotonic() + 20
    waiting = "SELECT count(*) FROM holding WHERE to_us IS NULL AND holder_kind = 'queue'"
    while live.query(waiting) != [(0,)] and time.monotonic() < give_up:
        time.sleep(0.1)
    live.drained()
    delivered(live)
    live.stop()
    receiver.close()
    assert live.starts == 2, "the crash point was never reached"
    assert point in passed.read_text().splitlines()
    assert_exactly_once(live, sender)
    assert live.query(waiting) == [(0,)]
    assert_all_told(live, receiver, most_twice=1)


def test_random_kills_under_load(tmp_path: Path) -> None:
    """Soak of both files: eight writers, tiny WALs so that checkpoints never stop, a kill every half second."""
    receiver = Receiver()
    receiver.open()
    company = night_company(0).model_copy(update={"sinks": {"crm": crm(receiver)}})
    live = Live(tmp_path, company, LEADFLOW_WAL_LIMIT_BYTES="32768")
    live.start()
    sender = Sender(live, 1_500, every_twice=True)
    thread = threading.Thread(target=sender.run)
    thread.start()
    kills = random.Random(1)
    while thread.is_alive():
        thread.join(0.2 + kills.random() * 0.6)
        if thread.is_alive() and live.starts < 12:
            live.kill()
            live.start()
    live.drained()
    delivered(live)
    live.stop()
    receiver.close()
    assert live.starts >= 3
    assert_exactly_once(live, sender)
    assert_all_told(live, receiver, most_twice=live.starts - 1)
