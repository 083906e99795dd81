"""A change of the company is felt at once: who joins the team gets what has been waiting."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import update

from sales.apply import publish
from schemas.company import Absence
from store import tables
from store.acts import Command, perform
from store.views import orphans
from tests.support.rig import DAY, MONDAY_10, SECOND, Rig, post, small_company


def test_a_leaver_s_customers_are_never_without_a_holder(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([post(made=str(number), phone=f"1381234567{number}") for number in range(8)])
    rig.run()
    bo = [row["customer_id"] for row in rig.rows("holding") if row["holder_id"] == "bo"]
    assert len(bo) > 2
    closed, *open_ones = bo
    with rig.store.write() as connection:
        connection.execute(
            update(tables.customer).where(tables.customer.c.customer_id == closed).values(state="closed")
        )
    new = small_company()
    new.people["bo"] = new.people["bo"].model_copy(update={"state": "left"})
    command = Command("publish", "boss", "k", "company")
    perform(rig.store, command, publish(new), MONDAY_10 + SECOND, rig.files.store_log.append)

    def held() -> dict[str, str]:
        return {row["customer_id"]: row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}

    assert {held()[one] for one in open_ones} == {"east"}, "in the same transaction: no instant in between"
    decisions = [row for row in rig.rows("decision") if row["code"] == "owner_left"]
    assert sorted(row["subject_id"] for row in decisions) == sorted(open_ones)
    assert {row["event_id"] for row in decisions} == {command.act_id}

    rig.run()
    assert {held()[one] for one in open_ones} == {"ann"}, "shared out at once among who is there"
    assert {row["holder_id"] for row in rig.rows("task") if row["customer_id"] in open_ones} == {"ann"}
    assert held()[closed] == "bo", "nothing is to be done for a closed customer until it comes back"
    with rig.store.read() as connection:
        assert orphans(connection, MONDAY_10 + SECOND) == []
    rig.feed([post(made="again", phone=phone_of(rig, closed), at_us=MONDAY_10 + 2 * SECOND)])
    rig.run()
    assert held()[closed] == "ann"
    rig.close()


def test_customers_of_a_leaver_without_a_team_go_to_the_default_queue(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([post(made="1", phone="13812345678")])
    rig.run()
    (before,) = [row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None]
    new = small_company()
    new = new.model_copy(update={"units": {k: v for k, v in new.units.items() if k != "east"}, "members": ()})
    del new.people[before]
    new = new.model_copy(update={"book_csv": "rule,then_team\nall,default\n"})
    perform(
        rig.store,
        Command("publish", "boss", "k", "company"),
        publish(new),
        MONDAY_10 + SECOND,
        rig.files.store_log.append,
    )
    (after,) = [row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None]
    assert after == "default"
    rig.close()


def phone_of(rig: Rig, customer_id: str) -> str:
    (lead_id,) = [row["lead_id"] for row in rig.rows("membership") if row["customer_id"] == customer_id]
    (value,) = [
        row["value"]
        for row in rig.rows("lead_identifier")
        if row["lead_id"] == lead_id and row["kind"] == "mobile"
    ]
    return str(value)


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
