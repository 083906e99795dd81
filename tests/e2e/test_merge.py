"""Two customers are one: who has it, what follows, what stands in the way, and what undoing it gives back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part
from enrich.golden import golden_of
from leadflow.explain import explain
from leadflow.exports import EXPORTS
from schemas.capture import Capture
from schemas.company import Person
from schemas.work import Reason
from store.acts import ActRefused, Command, perform
from store.acts_erase import erase_customer, find_erasure
from store.acts_inbox import give_back, take
from store.database import Database
from store.moves import Move, give, held_customer
from store.subject import subject
from store.touches import owned
from store.views import balance, feed, inbox, orphans
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post, small_company

PEOPLE = {key: Person(person_id=key, name=key, email=f"{key}@haichuan.cn") for key in ("ann", "bo", "chen")}
SINKS = {
    "book": {"sink_id": "book", "kind": "faulty", "name": "book"},
    "mail": {
        "sink_id": "mail",
        "kind": "mail",
        "name": "mail",
        "relay": "127.0.0.1",
        "sender": "leadflow@haichuan.cn",
    },
}
COMPANY = small_company(people=PEOPLE, sinks=SINKS, absences=())
LATER = MONDAY_10 + HOUR
TAX_A, TAX_B = "91310000607234567W", "91110108551385082Q"


@pytest.fixture(params=["sqlite", "postgresql"])
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Desk]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    rig = Rig(tmp_path, store=store, company=COMPANY)
    yield Desk(rig)
    rig.files.doors.close()
    if store is None:
        rig.files.store.close()


class Desk:
    """A rig, with acts on it and questions to it."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.at_us = LATER

    def feed(self, *captures: Capture) -> list[str]:
        """Take these in, and return the leads they have become."""
        known = {row["lead_id"] for row in self.rig.rows("lead")}
        self.rig.feed(captures)
        self.rig.run()
        return sorted({row["lead_id"] for row in self.rig.rows("lead")} - known)

    def act(self, verb: str, scope: str, plan: Any, actor: str = "boss", reason: str | None = "seen") -> str:
        self.at_us += MINUTE
        command = Command(verb, actor, f"{verb} {self.at_us}", scope, reason)
        assert perform(self.rig.store, command, plan, self.at_us, self.rig.files.store_log.append)
        assert not perform(self.rig.store, command, plan, self.at_us, self.rig.files.store_log.append)
        self.rig.run()
        return command.act_id

    def hand_to(self, customer_id: str, person: str) -> None:
        def plan(connection: Any, command: Command, now_us: int) -> Any:
            held = held_customer(connection, customer_id)
            assert held is not None
            return give(Move(held, command, now_us), "person", person, Reason(code="moved"))

        self.act("move", customer_id, plan)

    def customer(self, lead_id: str) -> str:
        with self.rig.store.read() as connection:
            (row,) = [one for one in EXPORTS["leads"](connection) if one["lead_id"] == lead_id]
        return str(row["customer_id"])

    def owner(self, customer_id: str, role: str = "owner") -> list[str]:
        return [
            str(row["holder_id"])
            for row in self.rig.rows("holding")
            if (row["customer_id"], row["role"], row["to_us"]) == (customer_id, role, None)
        ]

    def row(self, customer_id: str) -> dict[str, Any]:
        (found,) = [row for row in self.rig.rows("customer") if row["customer_id"] == customer_id]
        return found


def zhang(made: str = "z", **more: Any) -> Capture:
    return post(made=made, name="张伟", phone="13812345678", **more)


def zhang_by_mail(made: str = "m", **more: Any) -> Capture:
    return post(made=made, at_us=MONDAY_10 + MINUTE, name="Zhang Wei", email="zw1987@qq.com", **more)


def test_merging_and_undoing_gives_everything_back(desk: Desk) -> None:
    (first,), (second,) = desk.feed(zhang()), desk.feed(zhang_by_mail(company="大恒信息"))
    a, b = desk.customer(first), desk.customer(second)
    desk.hand_to(a, "ann")
    desk.hand_to(b, "bo")
    before = [
        (row["task_id"], row["customer_id"], row["holder_id"], row["due_us"]) for row in desk.rig.rows("task")
    ]
    assert (desk.row(a)["kind"], desk.row(b)["kind"]) == ("person", "company")

    desk.act("merge", b, merge_with(a), reason="same voice")
    assert desk.customer(second) == a
    assert (desk.owner(a), desk.owner(a, "collaborator"), desk.owner(b)) == (["ann"], ["bo"], [])
    assert (desk.row(a)["kind"], desk.row(b)["state"]) == ("company", "merged")
    assert {(row["customer_id"], row["holder_id"]) for row in desk.rig.rows("task")} == {(a, "ann")}
    told = [row for row in desk.rig.rows("delivery") if row["decided_us"] >= desk.at_us]
    assert {row["dest"] for row in told if row["sink_id"] == "mail"} == {"ann", "bo"}, "both are told"
    with desk.rig.store.read() as connection:
        assert {row["customer_id"] for row in inbox(connection, "ann")} == {a}
        assert {row["customer_id"] for row in feed(connection)} == {a}
        assert {one.customer_id for one in owned(connection)} == {a}
        assert orphans(connection, desk.at_us) == []
        standing = balance(connection, desk.at_us)
        assert (standing.owned, standing.adds_up) == (2, True)
        for what in ("leads", "tasks", "assignments", "deliveries", "customers"):
            assert {row["customer_id"] for row in EXPORTS[what](connection)} == {a}, what
        (exported,) = EXPORTS["customers"](connection)
        assert exported["merged_ids"] == [b]
    assert "same voice" in "\n".join(explain(desk.rig.files, second, "en"))
    (later,) = desk.feed(zhang_by_mail(made="m2"))
    assert desk.customer(later) == a
    assert desk.owner(a) == ["ann"]

    desk.act("unmerge", a, part(Wish(a)))
    assert (desk.customer(first), desk.customer(second), desk.customer(later)) == (a, b, b)
    assert (desk.owner(a), desk.owner(b)) == (["ann"], ["bo"])
    assert (desk.owner(a, "collaborator"), desk.owner(b, "collaborator")) == ([], [])
    assert (desk.row(a)["kind"], desk.row(b)["kind"]) == ("person", "company")
    assert (desk.row(a)["state"], desk.row(b)["state"]) == ("open", "open")
    after = [
        (row["task_id"], row["customer_id"], row["holder_id"], row["due_us"]) for row in desk.rig.rows("task")
    ]
    assert [row for row in after if row[0] in {one[0] for one in before}] == before
    told = [row for row in desk.rig.rows("delivery") if row["decided_us"] >= desk.at_us]
    assert {row["dest"] for row in told if row["sink_id"] == "mail"} == {"ann", "bo"}, "both are told"
    with pytest.raises(ActRefused) as refused:
        desk.act("merge", b, merge_with(a))
    assert refused.value.code == "parted_before"
    desk.act("merge", b, merge_with(a, although=True))
    assert desk.customer(second) == a


def test_two_tax_numbers_are_two_companies(desk: Desk) -> None:
    (first,) = desk.feed(zhang(tax_id=TAX_A))
    (second,) = desk.feed(zhang_by_mail(tax_id=TAX_B))
    a, b = desk.customer(first), desk.customer(second)
    with pytest.raises(ActRefused) as refused:
        desk.act("merge", a, merge_with(b))
    assert refused.value.code == "conflicting_identifiers"
    with pytest.raises(ActRefused) as refused:
        desk.act("merge", a, merge_with(b, although=True), reason=" ")
    assert refused.value.code == "reason_missing"
    assert desk.rig.rows("joined") == []
    desk.act("merge", a, merge_with(b, although=True), reason="new number since the merger")
    assert desk.customer(second) == a


def test_what_cannot_be_merged_says_why(desk: Desk) -> None:
    (first,) = desk.feed(zhang())
    a = desk.customer(first)
    (contact,) = [str(row["contact_id"]) for row in desk.rig.rows("contact")]
    for scope, other, code in (
        (a, a, "one_already"),
        (a, "cus_nobody", "unknown_customer"),
        (contact, "con_nobody", "unknown_contact"),
        (a, contact, "not_alike"),
        (a, "lead_1", "unknown_customer"),
    ):
        with pytest.raises(ActRefused) as refused:
            desk.act("merge", scope, merge_with(other))
        assert refused.value.code == code
    for wish, code in (
        (Wish(a), "nothing_merged"),
        (Wish(a, leads=frozenset({first})), "nothing_left"),
        (Wish(a, leads=frozenset({"lead_x"})), "foreign_lead"),
        (Wish(a, act_id="act_x"), "nothing_merged"),
    ):
        with pytest.raises(ActRefused) as refused:
            desk.act("unmerge", a, part(wish))
        assert refused.value.code == code


def test_contacts_alone_are_merged_and_parted(desk: Desk) -> None:
    (first,) = desk.feed(zhang(tax_id=TAX_A))
    (second,) = desk.feed(zhang_by_mail(tax_id=TAX_A))
    one, two = (str(row["contact_id"]) for row in desk.rig.rows("contact"))
    assert desk.customer(first) == desk.customer(second)
    owners = desk.rig.rows("holding")
    desk.act("merge", two, merge_with(one))
    assert [(row["old_id"], row["now_id"]) for row in desk.rig.rows("alias")] == [(two, one)]
    (third,) = desk.feed(post(made="3", name="张伟", phone="13812345678", email="zw1987@qq.com"))
    (note,) = [
        row["note"] for row in desk.rig.rows("evidence") if row["lead_id"] == third and row["kind"] == "email"
    ]
    assert note is None, "the mailbox is no conflict any more: it is the same person's"
    desk.act("unmerge", two, part(Wish(two)))
    assert desk.rig.rows("alias") == []
    assert [row for row in desk.rig.rows("holding") if row["to_us"] is None] == [
        row for row in owners if row["to_us"] is None
    ]
    with pytest.raises(ActRefused) as refused:
        desk.act("merge", two, merge_with(one))
    assert refused.value.code == "parted_before"


def test_one_who_buys_for_two_companies_stays_one_when_their_merge_is_undone(desk: Desk) -> None:
    (first,) = desk.feed(zhang(tax_id=TAX_A))
    (second,) = desk.feed(zhang(made="z2", tax_id=TAX_B))
    a, b = desk.customer(first), desk.customer(second)
    assert a != b
    assert len(desk.rig.rows("contact")) == 1
    desk.act("merge", a, merge_with(b, although=True))
    desk.act("unmerge", a, part(Wish(a)))
    assert (desk.customer(first), desk.customer(second)) == (a, b)
    assert len(desk.rig.rows("contact")) == 1
    assert desk.rig.rows("identifier_status") == []


def test_a_lead_on_its_way_while_its_customer_is_merged_goes_to_the_merged_one(desk: Desk) -> None:
    (first,), (second,) = desk.feed(zhang()), desk.feed(zhang_by_mail())
    a, b = desk.customer(first), desk.customer(second)
    desk.rig.feed([zhang_by_mail(made="late")])
    for stage in (0, 1):
        while desk.rig.step(stage):
            pass
    desk.act("merge", a, merge_with(b))
    assert desk.rig.rows("dead") == []
    assert {row["customer_id"] for row in desk.rig.rows("task") if row["state"] == "open"} == {a}
    assert desk.owner(b) == []


def test_erasing_a_merged_customer_leaves_nothing_of_either(desk: Desk) -> None:
    (first,), (second,) = desk.feed(zhang()), desk.feed(zhang_by_mail())
    desk.feed(
        post(made="o", at_us=MONDAY_10 + 2 * MINUTE, name="李娜", phone="13900000009", email="zw1987@qq.com")
    )
    a, b = desk.customer(first), desk.customer(second)
    (third,) = [row["lead_id"] for row in desk.rig.rows("lead") if "李娜" in row["fields_json"]]
    desk.act("unmerge", b, part(Wish(b, leads=frozenset({third}))))
    assert [row["value"] for row in desk.rig.rows("identifier_status")] == ["zw1987@qq.com"]
    desk.act("merge", a, merge_with(b))
    lina = desk.customer(third)
    with desk.rig.store.read() as connection:
        told = subject(connection, b)
        assert {row["lead_id"] for row in told["leads"]} == {first, second}
        assert told["customer_id"] == a
        assert {row["verb"] for row in told["acts"]} == {"merge", "unmerge"}
        record, _ = golden_of(connection, a)
        assert (record["phone"].value, record["email"].value) == ("+8613812345678", "zw1987@qq.com")
    for customer_id in (b, lina):
        with desk.rig.store.read() as connection:
            erasure = find_erasure(connection, f"act_{customer_id}", customer_id)
        desk.act("erase", customer_id, erase_customer(erasure))
    everything = repr({name: rows for name, rows in desk.rig.state().items() if name != "person"})
    for plain in ("13812345678", "zw1987@qq.com", "张伟", "13900000009", "李娜"):
        assert plain not in everything, plain
    with pytest.raises(ActRefused) as refused:
        desk.act("unmerge", a, part(Wish(a)))
    assert refused.value.code == "without_owner"


def test_a_side_whose_owner_has_left_stays_with_who_had_the_whole(desk: Desk) -> None:
    (first,), (second,) = desk.feed(zhang()), desk.feed(zhang_by_mail())
    a, b = desk.customer(first), desk.customer(second)
    desk.hand_to(a, "ann")
    desk.hand_to(b, "bo")
    desk.act("merge", a, merge_with(b))
    with desk.rig.store.write() as connection:
        connection.exec_driver_sql("UPDATE person SET state = 'left' WHERE person_id = 'bo'")
    desk.act("unmerge", a, part(Wish(a)))
    assert (desk.owner(a), desk.owner(b)) == (["ann"], ["ann"])


def test_a_side_that_was_returned_waits_again_for_its_team(desk: Desk) -> None:
    (first,), (second,) = desk.feed(zhang()), desk.feed(zhang_by_mail())
    a, b = desk.customer(first), desk.customer(second)
    (task,) = [row for row in desk.rig.rows("task") if row["lead_id"] == second]
    desk.act("return", task["task_id"], give_back(), actor=desk.owner(b)[0])
    desk.act("merge", a, merge_with(b))
    (owner,) = desk.owner(a)
    desk.act("unmerge", a, part(Wish(a)))
    assert (desk.owner(a), desk.owner(b)) == ([owner], ["east"])
    desk.rig.fire(desk.at_us + HOUR)
    assert desk.owner(b)[0] in PEOPLE, "its queue is drained as ever"


def test_whoever_takes_a_waiting_side_keeps_it(desk: Desk) -> None:
    (first,), (second,) = desk.feed(zhang()), desk.feed(zhang_by_mail())
    a, b = desk.customer(first), desk.customer(second)
    (task,) = [row for row in desk.rig.rows("task") if row["lead_id"] == second]
    desk.act("return", task["task_id"], give_back(), actor=desk.owner(b)[0])
    desk.act("take", task["task_id"], take(), actor="chen")
    desk.act("merge", a, merge_with(b))
    desk.act("unmerge", a, part(Wish(a)))
    assert desk.owner(b) == ["chen"]
