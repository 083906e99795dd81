"""What a person chose to be told by mail: none, or none in quiet hours; what is not theirs alone comes all the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.company import Company, Unit
from store.acts import Command, perform
from store.acts_inbox import give_back
from store.database import Database
from store.notices import DEFAULT, SET_NOTICE, Notice, notices_of, set_notice
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post, small_company

SINK = {
    "sink_id": "mail",
    "kind": "mail",
    "name": "通知",
    "relay": "127.0.0.1",
    "tls": "none",
    "sender": "leadflow@haichuan.example",
    "events": ["person", "queue"],
}
DAYTIME = (9 * 60, 18 * 60)
"""Quiet in the middle of the day, when leads come."""


def company() -> Company:
    made = small_company(sinks={"mail": SINK}, responsible_id="chen")
    people = {
        key: one.model_copy(update={"email": f"{key}@haichuan.example"}) for key, one in made.people.items()
    }
    units = {**made.units, "east": made.units["east"].model_copy(update={"manager_id": "ann"})}
    assert isinstance(units["east"], Unit)
    return made.model_copy(update={"people": people, "units": units})


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=company())
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def choose(rig: Rig, person_id: str, notice: Notice, key: str = "k") -> None:
    command = Command(SET_NOTICE, person_id, f"{key} {person_id}", person_id)
    perform(rig.store, command, set_notice(notice), MONDAY_10, rig.files.store_log.append)


def feed(rig: Rig, count: int, first: int = 0) -> None:
    rig.feed(
        post(at_us=MONDAY_10 + n, made=f"m{n}", name=f"客{n}", phone=f"139{n * 7919:08d}")
        for n in range(first, first + count)
    )
    rig.run()


def test_who_wants_no_mail_gets_none_and_who_is_quiet_gets_it_when_that_is_over(rig: Rig) -> None:
    choose(rig, "ann", Notice(mail=False))
    choose(rig, "bo", Notice(quiet=DAYTIME))
    with rig.store.read() as connection:
        assert notices_of(connection, ["ann", "bo", "chen"]) == {
            "ann": Notice(mail=False),
            "bo": Notice(quiet=DAYTIME),
        }
    feed(rig, 8)
    assert {row["holder_id"] for row in rig.rows("task")} == {"ann", "bo"}
    found = rig.rows("delivery")
    assert {row["dest"] for row in found} == {"bo"}
    for row in found:
        assert row["next_us"] == row["since_us"] == MONDAY_10 + 8 * HOUR, "18:00, when it is over"
        assert row["lane"] == "mail/bo/quiet", "what is told at once does not wait behind it"


def test_a_choice_is_changed_and_counts_from_then_on(rig: Rig) -> None:
    choose(rig, "ann", Notice(mail=False))
    choose(rig, "ann", DEFAULT, "again")
    feed(rig, 8)
    assert {row["dest"] for row in rig.rows("delivery")} == {"ann", "bo"}
    assert {row["lane"] for row in rig.rows("delivery")} == {"mail/ann", "mail/bo"}


def test_a_manager_is_told_of_what_waits_for_their_team_at_any_hour(rig: Rig) -> None:
    choose(rig, "ann", Notice(mail=False, quiet=DAYTIME))
    feed(rig, 8)
    task = next(row for row in rig.rows("task") if row["holder_id"] == "bo")
    before = {row["delivery_id"] for row in rig.rows("delivery")}
    command = Command("return", "bo", "back", task["task_id"], "not mine")
    perform(rig.store, command, give_back(), MONDAY_10 + MINUTE, rig.files.store_log.append)
    rig.run()
    (told,) = [
        row for row in rig.rows("delivery") if row["delivery_id"] not in before and row["dest"] == "ann"
    ]
    assert told["holder_kind"] == "queue"
    assert told["lane"] == "mail/ann:east", "not behind what waits for them"
    assert told["next_us"] < MONDAY_10 + 8 * HOUR
