"""Call now: everybody who could have a lead is told, the first to take it gets it, untaken it goes by turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from router.book import read_book
from schemas.company import Company, book_version
from schemas.decision_table import TableError
from store.acts import Command, perform
from store.acts_inbox import take
from tests.support.postbox import Postbox
from tests.support.rig import HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company
from tests.support.sending import Clock, dispatching, send_all


def calling(minutes: str = ":5", **changes: Any) -> Company:
    book = f"rule,then_team,then_strategy,then_respond_within\nhot,east,call_now{minutes},5\n"
    return small_company(book_csv=book, book_version=book_version(book), **changes)


def came(rig: Rig, number: int = 1, at_us: int = MONDAY_10) -> None:
    rig.feed([post(made=str(number), phone=f"1381234560{number}", at_us=at_us)])
    rig.run()


def held(rig: Rig) -> list[tuple[str, str]]:
    rows = sorted(rig.rows("holding"), key=lambda row: (row["customer_id"], row["from_us"]))
    return [(row["holder_kind"], row["holder_id"]) for row in rows if row["to_us"] is None]


def codes(rig: Rig) -> list[str]:
    return [row["code"] for row in sorted(rig.rows("decision"), key=lambda row: row["decided_us"])]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_untaken_it_goes_by_turn_when_the_minutes_are_over_and_not_before(
    request: pytest.FixtureRequest, tmp_path: Path, database: str
) -> None:
    store = request.getfixturevalue("clean_postgres") if database == "postgresql" else None
    rig = Rig(tmp_path, store, calling())
    came(rig)
    came(rig, 2, MONDAY_10 + 2 * MINUTE)
    assert held(rig) == [("queue", "east")] * 2
    reason = orjson.loads(rig.rows("decision")[0]["reason_json"])
    assert (reason["code"], reason["eligible"]) == ("call_now", ["ann", "bo"])
    assert rig.rows("ledger") == [], "nobody has received it yet"
    rig.fire(MONDAY_10 + 5 * MINUTE - 1)
    assert held(rig) == [("queue", "east")] * 2
    rig.fire(MONDAY_10 + 5 * MINUTE + SECOND)
    assert sorted(kind for kind, _ in held(rig)) == ["person", "queue"], "the other has two minutes yet"
    rig.fire(MONDAY_10 + 7 * MINUTE + SECOND)
    assert [kind for kind, _ in held(rig)] == ["person", "person"]
    assert codes(rig) == ["call_now", "call_now", "weighted_turn", "weighted_turn"]
    assert len(rig.rows("ledger")) == 2


def test_the_first_to_take_it_gets_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=calling())
    came(rig)
    (task,) = rig.rows("task")
    command = Command("take", "ann", "take-1", task["task_id"])
    perform(rig.store, command, take(), MONDAY_10 + MINUTE, rig.files.store_log.append)
    rig.fire(MONDAY_10 + 5 * MINUTE + SECOND)
    assert held(rig) == [("person", "ann")]
    assert codes(rig) == ["call_now", "claimed"]


def test_with_nobody_there_it_waits_and_goes_by_turn_when_they_come(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=calling())
    came(rig, at_us=MONDAY_10 - 3 * HOUR)
    assert (held(rig), codes(rig)) == ([("queue", "east")], ["waiting"])
    rig.fire(MONDAY_10 - HOUR)
    assert codes(rig) == ["waiting", "weighted_turn"]


def test_everybody_who_may_take_it_is_told_by_mail(tmp_path: Path, postbox: Postbox) -> None:
    company = calling(sinks={"mail": postbox.sink()}, responsible_id="chen")
    people = {
        key: one.model_copy(update={"email": f"{key}@haichuan.example", "language": "en"})
        for key, one in company.people.items()
    }
    rig = Rig(tmp_path, company=company.model_copy(update={"people": people}))
    came(rig)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE), "https://leads.haichuan.example") as dispatcher:
        send_all(dispatcher)
    assert sorted(to for to, _ in postbox.came) == ["ann@haichuan.example", "bo@haichuan.example"]
    for _, mail in postbox.came:
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert "call now: the first to take it gets it" in text
        assert "https://leads.haichuan.example/inbox/east" in text, "where it can be taken"
    rig.close()


@pytest.mark.parametrize("strategy", ["call_now:", "call_now:0", "call_now:soon", "call_later"])
def test_minutes_that_are_none_are_refused(strategy: str) -> None:
    with pytest.raises(TableError, match="call_now:<minutes>"):
        read_book(f"rule,then_team,then_strategy\nhot,east,{strategy}\n")
