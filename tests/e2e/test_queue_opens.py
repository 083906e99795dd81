"""A queue's timer that comes late: it is set again for a moment that is still ahead."""

from __future__ import annotations

from pathlib import Path

from router.gateway import queue_event
from tests.support.rig import HOUR, MONDAY_10, Rig, post


def test_a_timer_older_than_the_customer_it_finds_waits_for_the_next_shift(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    at_night = MONDAY_10 + 10 * HOUR
    rig.feed([post(made="1", at_us=at_night, name="张伟", phone="13812345678")])
    rig.run()
    (queued,) = (row for row in rig.rows("holding") if row["to_us"] is None)
    assert queued["holder_kind"] == "queue"
    late = queue_event("east", MONDAY_10, cause="late")
    with rig.store.write() as connection:
        rig.files.store_log.append(connection, "reroute", [late], MONDAY_10)
    rig.run()
    timers = [row for row in rig.rows("timer") if row["kind"] == "queue_opens"]
    assert timers
    assert all(row["due_us"] > at_night for row in timers)
    rig.close()
