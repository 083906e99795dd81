"""Two people behind the mailbox of a counter's tablet: merged by it, parted with everything that followed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enrich.acts_part import Wish, part, plan_parting
from leadflow.explain import explain
from schemas.company import Person
from store.acts import Command, perform
from store.acts_inbox import give_back, take
from store.database import Database
from store.views import balance, orphans
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post, small_company

TABLET = "reception.tablet@qq.com"
PEOPLE = {
    key: Person(person_id=key, name=name, email=f"{key}@haichuan.cn")
    for key, name in (("ann", "安"), ("bo", "薄"), ("chen", "陈"))
}
SINKS = {"book": {"sink_id": "book", "kind": "faulty", "name": "book"}}
COMPANY = small_company(people=PEOPLE, sinks=SINKS, absences=())
NIGHT = MONDAY_10 + 30 * MINUTE


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Zhang and Li gave the tablet's address; Wang has nothing to do with them."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=COMPANY)
    made.feed([post(made="w", name="王芳", phone="13700000003")])
    made.feed([post(made="z", name="张伟", phone="13812345678", email=TABLET)])
    made.feed([post(made="l", at_us=MONDAY_10 + MINUTE, name="李娜", phone="13987654321", email=TABLET)])
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def lead_of(rig: Rig, name: str) -> str:
    (found,) = [row["lead_id"] for row in rig.rows("lead") if name in row["fields_json"]]
    return str(found)


def task_of(rig: Rig, lead_id: str) -> dict[str, Any]:
    (found,) = [row for row in rig.rows("task") if row["lead_id"] == lead_id]
    return found


def act(rig: Rig, said: tuple[str, str, str], plan: Any, at_us: int, reason: str | None = None) -> str:
    verb, actor, scope = said
    command = Command(verb, actor, f"{verb} {scope} {at_us}", scope, reason)
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()
    return command.act_id


def owner_of(rig: Rig, customer_id: str) -> str:
    (row,) = [
        one
        for one in rig.rows("holding")
        if (one["customer_id"], one["role"], one["to_us"]) == (customer_id, "owner", None)
    ]
    return str(row["holder_id"])


def customer_of(rig: Rig, lead_id: str) -> str:
    (atom,) = [
        row["customer_id"]
        for row in rig.rows("membership")
        if row["lead_id"] == lead_id and row["to_us"] is None
    ]
    names = {row["old_id"]: row["now_id"] for row in rig.rows("alias")}
    return str(names.get(atom, atom))


def test_two_people_behind_one_mailbox_are_parted_with_all_that_followed(rig: Rig) -> None:
    zhang, li, wang = (lead_of(rig, name) for name in ("张伟", "李娜", "王芳"))
    one = customer_of(rig, zhang)
    assert customer_of(rig, li) == one, "the tablet's address has made them one"
    first = owner_of(rig, one)
    second = next(person for person in ("ann", "bo", "chen") if person != first)
    li_task, zhang_task = task_of(rig, li), task_of(rig, zhang)
    # Li's enquiry is given back, and a colleague takes it: that carries Zhang along, as they are one.
    act(rig, ("return", first, li_task["task_id"]), give_back(), NIGHT, "not mine")
    act(rig, ("take", second, li_task["task_id"]), take(), NIGHT + MINUTE)
    assert owner_of(rig, one) == second
    assert {row["holder_id"] for row in rig.rows("task") if row["customer_id"] == one} == {second}
    others = [row for row in rig.rows("holding") if row["customer_id"] == customer_of(rig, wang)]
    sent = rig.rows("delivery")
    with rig.store.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'sent', answered_us = decided_us")

    wish = Wish(one, leads=frozenset({li}))
    with rig.store.read() as connection:
        seen = plan_parting(connection, wish, NIGHT + HOUR)
    assert {row["lead_id"] for row in seen.sent} == {zhang, li}
    assert len(seen.sent) == len([row for row in sent if row["customer_id"] == one])
    assert seen.shared == (("email", TABLET),)
    act(rig, ("unmerge", "manager", one), part(wish), NIGHT + HOUR, "two people at one tablet")

    lis = customer_of(rig, li)
    assert customer_of(rig, zhang) == one != lis
    assert (owner_of(rig, one), owner_of(rig, lis)) == (first, second)
    for lead_id, before, customer_id, holder in (
        (zhang, zhang_task, one, first),
        (li, li_task, lis, second),
    ):
        now = task_of(rig, lead_id)
        assert (now["customer_id"], now["holder_id"], now["state"]) == (customer_id, holder, "open")
        assert now["due_us"] == before["due_us"], "the time limit is the one that was promised to this lead"
    credit = {side.name: [row["person_id"] for row in side.credit] for side in seen.sides}
    assert credit == {one: [first], lis: [second]}
    assert [row for row in rig.rows("holding") if row["customer_id"] == customer_of(rig, wang)] == others
    assert {row["status"] for row in rig.rows("identifier_status")} == {"shared"}
    told = [row for row in rig.rows("delivery") if row["decided_us"] >= NIGHT + HOUR]
    assert {row["holder_id"] for row in told} == {first, second}

    with rig.store.read() as connection:
        assert orphans(connection, NIGHT + 2 * HOUR) == []
        assert balance(connection, NIGHT + 2 * HOUR).adds_up
    for lead_id, holder in ((zhang, first), (li, second)):
        story = "\n".join(explain(rig.files, lead_id, "en"))
        assert story.count("One customer was two") == 1
        assert "two people at one tablet" in story
        assert PEOPLE[holder].name in story.split("One customer was two")[1]

    # The tablet's address joins nobody any more, and each is known again by what is their own.
    rig.feed(
        [
            post(at_us=NIGHT + 2 * HOUR, made="n", name="赵六", email=TABLET),
            post(at_us=NIGHT + 2 * HOUR, made="l2", name="李娜", phone="13987654321"),
            post(at_us=NIGHT + 2 * HOUR, made="z2", name="张伟", phone="13812345678"),
        ]
    )
    rig.run()
    assert customer_of(rig, lead_of(rig, "赵六")) not in (one, lis)
    again = [row for row in rig.rows("lead") if row["accepted_us"] == NIGHT + 2 * HOUR]
    assert sorted(customer_of(rig, row["lead_id"]) for row in again) == sorted(
        [one, lis, customer_of(rig, lead_of(rig, "赵六"))]
    )
