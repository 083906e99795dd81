"""A capture whose key is missing is no erased one: it is said, and replayed once the key is back."""

from __future__ import annotations

from sqlalchemy import delete, select

from store import tables
from store.bulk import insert_ignore
from stream.breaker import Policy
from tests.e2e.test_dead_letters import act
from tests.e2e.test_erased_again import erase_only, feed
from tests.support.rig import MINUTE, MONDAY_10, Rig, post


def lose_keys(rig: Rig, capture_id: str) -> list[dict[str, object]]:
    """Take the keys of a capture away, as if they had never been stored; return them."""
    key = tables.door_key
    with rig.files.doors.write() as connection:
        these = key.c.capture_id == capture_id
        lost = [dict(row) for row in connection.execute(select(key).where(these)).mappings()]
        connection.execute(delete(key).where(these))
    rig.files.keys.forget([str(row["key_id"]) for row in lost])
    return lost


def test_what_cannot_be_opened_is_said_and_replayed_once_the_key_is_back(rig: Rig) -> None:
    capture = post(made="1", phone="13812345678")
    rig.feed([capture, post(made="2", phone="13987654321")])
    lost = lose_keys(rig, capture.capture_id)
    rig.run()
    (dead,) = rig.rows("dead")
    assert (dead["code"], dead["stage"], dead["capture_id"]) == ("no_key", "parse", capture.capture_id)
    assert len(rig.rows("lead")) == 1, "the one behind it goes on"
    with rig.files.doors.write() as connection:
        insert_ignore(connection, tables.door_key, lost)
    assert act(rig, dead["dead_id"])
    rig.run()
    assert len(rig.rows("lead")) == 2
    assert [row["state"] for row in rig.rows("dead")] == ["replayed"]


def test_what_was_erased_or_read_before_is_passed_over_without_a_word(rig: Rig) -> None:
    capture = post(key="form-1", name="张伟", phone="13812345678")
    feed(rig, capture)
    rig.feed([capture])  # once more, not read yet when the customer is erased
    erase_only(rig)
    lose_keys(rig, capture.capture_id)
    rig.run()
    read = post(key="form-2", name="李娜", phone="13987654321", at_us=MONDAY_10 + MINUTE)
    feed(rig, read)
    rig.feed([read])
    lose_keys(rig, read.capture_id)
    rig.run()
    assert rig.rows("dead") == []
    assert len(rig.rows("lead")) == 1


def test_keys_that_are_missing_do_not_hold_the_source(rig: Rig) -> None:
    captures = [post(made=str(n), phone=f"1381234{n:04}") for n in range(Policy().minimum + 5)]
    rig.feed(captures)
    for one in captures:
        lose_keys(rig, one.capture_id)
    rig.feed([post(made="next", phone="13987654321")])
    rig.run()
    assert {row["code"] for row in rig.rows("dead")} == {"no_key"}
    assert rig.rows("breaker") == []
    assert len(rig.rows("lead")) == 1
