"""One lead from raw bytes to a task, through every stage."""

from tests.support.rig import MONDAY_10, Rig, post


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
