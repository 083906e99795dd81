"""What is due, on both databases: of each lane its first, however many wait behind it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sinks.read import due
from store import tables
from store.bulk import insert_ignore
from store.database import Database
from tests.support.rig import new_sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        yield request.getfixturevalue("clean_postgres")
        return
    database = new_sqlite(tmp_path, "state")
    yield database
    database.close()


def delivery(lane: str, number: int, *, next_us: int = 0, state: str = "waiting") -> dict[str, Any]:
    return {
        "delivery_id": f"dlv_{lane}_{number:06d}",
        "sink_id": lane,
        "dest": lane,
        "lane": lane,
        "event_id": f"evt_{number}",
        "decision_id": "dec_1",
        "customer_id": "cus_1",
        "trace_id": "0" * 32,
        "purpose": "real",
        "holder_kind": "person",
        "holder_id": "ann",
        "decided_us": number,
        "state": state,
        "attempt": 0,
        "replays": 0,
        "since_us": 0,
        "next_us": next_us,
    }


def put(store: Database, *rows: dict[str, Any]) -> None:
    with store.write() as connection:
        insert_ignore(connection, tables.delivery, rows)


def found(store: Database, now_us: int) -> list[str]:
    with store.read() as connection:
        return [row["delivery_id"] for row in due(connection, now_us)]


def test_nothing_waits(store: Database) -> None:
    put(store, delivery("crm", 1, state="sent"))
    assert found(store, 10) == []


def test_of_each_lane_the_first_once_its_time_has_come(store: Database) -> None:
    put(
        store,
        delivery("crm", 1, state="sent"),
        delivery("crm", 3, next_us=5),
        delivery("crm", 2, next_us=4),
        delivery("mail", 1, next_us=9),
        delivery("mail", 2, next_us=1),
        delivery("old", 1, state="failed"),
        delivery("old", 2, next_us=3),
    )
    assert found(store, 4) == ["dlv_old_000002", "dlv_crm_000002"]
    assert found(store, 3) == ["dlv_old_000002"]
    assert found(store, 9)[-1] == "dlv_mail_000001"


def test_a_long_line_behind_a_dead_destination_costs_nothing(store: Database) -> None:
    put(store, *(delivery("dead", number, next_us=10**15 if number == 0 else 0) for number in range(30_000)))
    put(store, *(delivery(f"lane{number}", number) for number in range(50)))
    took = []
    for _ in range(5):
        started = time.perf_counter()
        assert len(found(store, 1)) == 50
        took.append(time.perf_counter() - started)
    assert min(took) < 0.1, "reading past 30,000 takes longer, however quiet the machine"
