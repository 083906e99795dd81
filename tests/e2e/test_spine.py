"""One lead from raw bytes to a task, through every stage."""

from sqlalchemy import insert, update

from store import tables
from tests.support.rig import HOUR, MONDAY_10, Rig, post


def test_a_web_lead_becomes_a_task_on_somebodys_desk(rig: Rig) -> None:
    rig.feed(
        [
            post(
                key="k1",
                name="张伟",
                phone="138 1234 5678",
                company="上海大恒信息技术有限公司",
                message="要两台叉车",
            )
        ]
    )
    rig.run()
    (task,) = rig.rows("task")
    (customer,) = rig.rows("customer")
    (holding,) = [row for row in rig.rows("holding") if row["to_us"] is None]
    assert task["holder_id"] == holding["holder_id"] in ("ann", "bo")
    assert task["origin"] == "first_response"
    assert task["due_us"] - MONDAY_10 == 30 * 60 * 1_000_000 + 1  # decided 1 µs after it was resolved
    assert customer["kind"] == "company"
    assert rig.rows("dead") == []


def test_a_lead_of_a_merged_customer_goes_to_the_owner_of_the_merged_one(rig: Rig) -> None:
    rig.feed([post(made="1", phone="13812345678"), post(made="2", phone="13987654321")])
    rig.run()
    (kept, merged) = rig.rows("customer")
    owner = _owner(rig, kept["customer_id"])
    with rig.store.write() as connection:
        connection.execute(
            insert(tables.alias).values(
                old_id=merged["customer_id"], now_id=kept["customer_id"], act_id="act_1"
            )
        )
        connection.execute(
            update(tables.holding)
            .where(tables.holding.c.customer_id == merged["customer_id"], tables.holding.c.to_us.is_(None))
            .values(to_us=MONDAY_10 + HOUR)
        )
    rig.feed(
        [
            post(made=str(number), at_us=MONDAY_10 + 2 * HOUR, phone=phone)
            for number, phone in enumerate(["13812345678", "13987654321"], start=3)
        ]
    )
    rig.run()
    late = [row for row in rig.rows("task") if row["created_us"] > MONDAY_10 + HOUR]
    assert [(row["customer_id"], row["holder_id"]) for row in late] == [(kept["customer_id"], owner)] * 2


def _owner(rig: Rig, customer_id: str) -> str:
    (row,) = [
        one for one in rig.rows("holding") if one["customer_id"] == customer_id and one["to_us"] is None
    ]
    return str(row["holder_id"])
