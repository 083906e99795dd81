"""A change of the company is felt at once: who joins the team gets what has been waiting."""

from __future__ import annotations

from pathlib import Path

from sales.apply import publish
from schemas.company import Absence
from store.acts import Command, perform
from tests.support.rig import DAY, MONDAY_10, SECOND, Rig, post, small_company


def test_a_waiting_queue_drains_when_somebody_is_called_back_from_leave(tmp_path: Path) -> None:
    away = tuple(Absence(person_id=who, from_us=0, to_us=MONDAY_10 + DAY) for who in ("ann", "bo", "chen"))
    rig = Rig(tmp_path, company=small_company(absences=away))
    rig.feed([post(made=str(number), phone=f"1381234567{number}") for number in range(3)])
    rig.run()
    assert {row["holder_id"] for row in rig.rows("task")} == {"east"}

    command = Command("publish", "boss", "k", "company")
    new = small_company(absences=away[1:])
    perform(rig.store, command, publish(new), MONDAY_10 + SECOND, rig.files.store_log.append)
    rig.run()
    assert {row["holder_id"] for row in rig.rows("task")} == {"ann"}
    held = {row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}
    assert held == {"ann"}
    rig.close()
