"""My day where more waits than anybody works off."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import insert, select

from store import tables
from tests.e2e.test_access import House
from tests.support.rig import MONDAY_10, Rig, post, small_company

MANY = 5_200
"""Moments of so many tasks, added up, are no number of 64 bits any more."""


def test_a_day_with_thousands_of_tasks_is_shown(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made="1", name="张伟", phone="138 0000 0001")])
    rig.run()
    task = tables.task
    with rig.store.write() as connection:
        one = connection.execute(select(task)).mappings().one()
        copied = [{**one, "task_id": f"{one['task_id']}{i}", "ordinal": i} for i in range(1, MANY)]
        connection.execute(insert(task), copied)
    holder = one["holder_id"]
    house = House(rig, now_us=MONDAY_10 + 60_000_000)
    page = house.client(house.grant(holder, role="representative")).get("/day")
    assert page.status_code == 200
    assert "张伟" in page.text
    rig.close()
