"""What a decision writes, on both databases: all of it or, where somebody else was faster, a conflict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from schemas.shares import LEAD
from store import tables
from store.bulk import insert_ignore, keys_in, update_rows
from store.contention import TRIES, Conflict, until_alone
from store.database import Database
from store.effects import Close, Count, Effect, Insert, Update, Writes
from tests.support.rig import new_sqlite


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "postgresql":
        yield request.getfixturevalue("clean_postgres")
        return
    database = new_sqlite(tmp_path, "state")
    yield database
    database.close()


def binding(value: str, target: str, from_us: int = 1) -> Insert:
    row = {"kind": "mobile", "value": value, "from_us": from_us, "target_id": target, "lead_id": "lead_1"}
    return Insert("binding", row)


def timer(due_us: int) -> Insert:
    return Insert("timer", {"kind": "k", "subject_id": "s", "due_us": due_us})


def write(store: Database, *effects: Effect) -> None:
    writes = Writes()
    writes.add(effects)
    with store.write() as connection:
        writes.flush(connection)


def rows(store: Database, name: str, *columns: str) -> list[tuple[Any, ...]]:
    table = tables.state.tables[name]
    wanted = select(*(table.c[column] for column in columns)).order_by(*table.primary_key.columns)
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(wanted)]


def test_an_identifier_that_somebody_else_bound_meanwhile_is_a_conflict(store: Database) -> None:
    write(store, binding("1", "con_a"))
    with pytest.raises(Conflict):
        write(store, binding("0", "con_b"), binding("1", "con_b", from_us=2))
    assert rows(store, "binding", "value", "target_id") == [("1", "con_a")], "nothing of the later one stays"


def test_the_same_row_twice_is_a_conflict_too_for_nobody_decides_twice(store: Database) -> None:
    write(store, binding("1", "con_a"))
    with pytest.raises(Conflict):
        write(store, binding("1", "con_a"))


def test_an_interval_that_is_closed_already_is_a_conflict(store: Database) -> None:
    write(store, binding("1", "con_a"), binding("2", "con_a"))
    write(store, Close("binding", ("mobile", "1"), 5))
    with pytest.raises(Conflict):
        write(store, Close("binding", ("mobile", "1"), 6), Close("binding", ("mobile", "2"), 6))
    assert rows(store, "binding", "value", "to_us") == [("1", 5), ("2", None)]


def test_a_timer_may_be_set_by_anybody(store: Database) -> None:
    write(store, timer(5))
    write(store, timer(5), timer(6))
    assert rows(store, "timer", "due_us") == [(5,), (6,)]


ODD = [
    "",
    "NULL",
    "null",
    '"',
    "\\",
    '\\"',
    "{a,b}",
    "a, b",
    " ",
    "\n\t\r",
    "\u3000",
    "张伟",
    "👩‍👧",
    "%s %(c0)s",
    "'",
]
"""Texts that mean something in an array literal, a statement, or a placeholder."""


def offered(millibits: int, said: str, at_us: int) -> Insert:
    row = {
        "review_id": "rev_1",
        "kind": "pair",
        "a": "cus_a",
        "b": "cus_b",
        "leads_json": "[]",
        "why": "alike",
    }
    return Insert(
        "review", {**row, "evidence_json": said, "millibits": millibits, "state": "open", "made_us": at_us}
    )


@pytest.mark.parametrize("at_once", [True, False])
def test_a_pair_for_which_more_speaks_by_now_is_looked_at_again(store: Database, at_once: bool) -> None:
    offers = [offered(2_000, "[1]", 10), offered(9_000, "[2]", 20), offered(7_000, "[3]", 30)]
    for effects in [offers] if at_once else [[one] for one in offers]:
        write(store, *effects)
        write(store, Update("review", {"review_id": "rev_1"}, {"looked_us": 5}))
    columns = ("millibits", "evidence_json", "made_us", "looked_us")
    assert rows(store, "review", *columns) == [(9_000, "[2]", 10, 5)]
    write(store, offered(9_100, "[4]", 40))
    assert rows(store, "review", *columns) == [(9_100, "[4]", 10, None)]
    write(store, Update("review", {"review_id": "rev_1"}, {"state": "skipped"}))
    write(store, offered(9_200, "[5]", 50))
    assert rows(store, "review", "millibits", "state") == [(9_100, "skipped")]


def test_any_text_comes_back_as_it_was_given(store: Database) -> None:
    table = tables.unlisted
    given = [{"kind": "k", "value": text, "lead_id": f"lead_{text}", "at_us": 1} for text in ODD]
    with store.write() as connection:
        assert insert_ignore(connection, table, given) == len(ODD)
        changes = [({"kind": "k", "value": text, "lead_id": f"lead_{text}"}, {"at_us": 2}) for text in ODD]
        assert update_rows(connection, table, changes) == len(ODD)
        asked = select(table.c.value).where(keys_in(connection, ["value"], [(text,) for text in ODD]))
        assert set(connection.execute(asked).scalars()) == set(ODD)
    found = rows(store, "unlisted", "value", "lead_id", "at_us")
    assert set(found) == {(text, f"lead_{text}", 2) for text in ODD}


def test_bytes_come_back_as_they_were_given(store: Database) -> None:
    table = tables.pii_key
    wrapped = [bytes(range(256)), b"", b'\\x00"{}']
    given = [
        {"key_id": f"key_{number}", "capture_id": "cap_1", "wrapped": one}
        for number, one in enumerate(wrapped)
    ]
    with store.write() as connection:
        insert_ignore(connection, table, given)
    assert [row[0] for row in rows(store, "pii_key", "wrapped")] == wrapped


def test_counts_add_up_over_transactions(store: Database) -> None:
    def count(person_id: str, received: int, entitled: int, last_us: int = 0) -> Count:
        return Count("east", "2026-11", "A", person_id, received, entitled, last_us)

    write(store, count("bo", 1, LEAD // 2, 7), count("ann", 2, LEAD), count("bo", 1, LEAD // 2, 5))
    write(store, count("bo", 3, 10_000 * LEAD, 6))
    write(store, count("bo", -1, -LEAD), count("ann", 0, 0, 9))
    columns = ("person_id", "received", "entitled", "last_us")
    assert rows(store, "ledger_total", *columns) == [("ann", 2, LEAD, 9), ("bo", 4, 10_000 * LEAD, 7)]


def test_updates_of_several_shapes_reach_their_rows_and_no_others(store: Database) -> None:
    write(store, *(binding(str(number), "con_a") for number in range(5)))
    key = {"kind": "mobile", "from_us": 1}
    write(
        store,
        Update("binding", {**key, "value": "1"}, {"target_id": "con_b"}),
        Update("binding", {**key, "value": "3"}, {"target_id": "con_c"}),
        Update("binding", {**key, "value": "2"}, {"to_us": 7, "lead_id": "lead_2"}),
    )
    assert rows(store, "binding", "target_id", "lead_id", "to_us") == [
        ("con_a", "lead_1", None),
        ("con_b", "lead_1", None),
        ("con_a", "lead_2", 7),
        ("con_c", "lead_1", None),
        ("con_a", "lead_1", None),
    ]
    missing = ({**key, "value": "9"}, {"to_us": 8})
    with store.write() as connection:
        assert update_rows(connection, tables.binding, [missing, ({**key, "value": "4"}, {"to_us": 8})]) == 1


def test_work_is_done_anew_while_others_get_in_its_way_but_not_for_ever() -> None:
    tries: list[int] = []

    def work() -> str:
        tries.append(1)
        if len(tries) < 3:
            raise Conflict("customer")
        return "done"

    assert until_alone(work) == "done"
    met: list[BaseException] = []

    def never() -> None:
        raise Conflict("customer")

    with pytest.raises(Conflict):
        until_alone(never, met.append)
    assert len(met) == TRIES - 1
