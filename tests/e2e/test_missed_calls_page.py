"""Missed calls that nobody returned: seen by whom they concern, gone once somebody called back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from store import tables
from tests.e2e.test_access import House
from tests.support.rig import MONDAY_10, Rig, post, small_company


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Ann and Bo each have an enquiry; those of Ann count as calls that were missed."""
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made=f"{n}", name=f"来电{n}", phone=f"138 0000 {n:04}") for n in range(1, 7)])
    rig.run()
    task = tables.task
    with rig.store.write() as connection:
        connection.execute(update(task).where(task.c.holder_id == "ann").values(origin="call_back"))
    yield House(rig, now_us=MONDAY_10 + 60_000_000)
    rig.close()


def test_a_missed_call_stands_there_until_it_is_returned(house: House) -> None:
    mine = [row for row in house.rig.rows("task") if row["holder_id"] == "ann"]
    assert mine
    page = house.client(house.grant("ann", role="representative")).get("/calls").text
    assert page.count("Whole story") == 0
    assert page.count("来电") >= len(mine)
    client = house.client(house.grant("ann"))
    for row in mine:
        done = client.post(
            f"/api/tasks/{row['task_id']}/outcome", json={"code": "no_need", "reason": "price"}
        )
        assert done.status_code == 200, done.text
    assert "No missed call is open." in client.get("/calls").text


def test_nobody_sees_the_calls_of_others(house: House) -> None:
    page = house.client(house.grant("bo", role="representative")).get("/calls").text
    assert "No missed call is open." in page
    assert "来电" not in page
    assert "138 ••••" in house.client(house.grant("bo", role="auditor")).get("/calls").text
