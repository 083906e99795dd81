"""What a person looks at: identifiers on too many people, what they had made one, pairs; and what an answer does."""

from __future__ import annotations

import pytest

from enrich.crowded import alike, is_on_too_many, merged_alone
from enrich.review import answer, crowded, offer_pair, open_reviews, place_of
from leadflow.crowding import Crowding, look_over
from store.acts import ActRefused, Command, perform
from store.acts_erase import erase_customer, find_erasure
from store.effects import Effect
from tests.support.rig import MINUTE, MONDAY_10, Rig, post

TABLET = "tablet@qq.com"
NOW = MONDAY_10 + 60 * MINUTE
NAMES = ("张伟", "李娜", "王芳", "刘洋", "陈静")


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("张伟", "张 伟", True),
        ("Zhang Wei", "wei zhang", True),
        ("张", "张伟", True),
        ("", "张伟", True),
        ("张伟", "李娜", False),
        ("Anna", "Hanno", False),
    ],
)
def test_names_that_may_be_one_persons(one: str, other: str, same: bool) -> None:
    assert alike(one, other) is same


def test_many_ways_to_write_one_name_are_one_person() -> None:
    assert is_on_too_many(NAMES)
    assert not is_on_too_many(NAMES[:4] * 1_000)
    assert not is_on_too_many(["Zhang Wei", "zhangwei", "Wei Zhang", "WEI ZHANG", "Zhang", ""])
    assert not is_on_too_many([])


def test_leads_that_have_something_else_in_common_are_offered_together() -> None:
    mail, phone = ("email", "t"), ("mobile", "1")
    leads = {"l1": {mail}, "l2": {mail, phone}, "l3": {phone}, "l4": {mail}, "l5": {mail}}
    names = {"l1": "张伟", "l2": "李娜", "l3": "李娜", "l4": "张伟先生", "l5": "王芳"}
    assert merged_alone(leads, mail, "l1", names) == [("l2", "l3"), ("l5",)]


def at_the_tablet(rig: Rig) -> None:
    rig.feed(
        [
            post(at_us=MONDAY_10 + number, made=name, name=name, phone=f"1390000000{number}", email=TABLET)
            for number, name in enumerate(NAMES)
        ]
    )
    rig.feed([post(at_us=MONDAY_10 + 9, made="again", name="李娜", phone="13900000001")])
    rig.run()


def keys() -> str:
    return f"{next(_NUMBERS)}"


_NUMBERS = iter(range(10_000))


def act(rig: Rig, scope: str, said: str) -> None:
    command = Command("review", "boss", keys(), scope, "seen")
    perform(rig.store, command, answer(said), NOW, rig.files.store_log.append)  # type: ignore[arg-type]
    rig.run()


def test_a_tablets_mailbox_is_demoted_and_its_people_are_offered_for_review(rig: Rig) -> None:
    at_the_tablet(rig)
    assert len(rig.rows("customer")) == 1
    assert look_over(rig.store, rig.files.store_log.append, NOW, 0, keys) == 1
    assert look_over(rig.store, rig.files.store_log.append, NOW, 0, keys) == 0
    assert [(row["value"], row["status"]) for row in rig.rows("identifier_status")] == [(TABLET, "demoted")]
    with rig.store.read() as connection:
        offered = open_reviews(connection)
        assert crowded(connection) == []
    assert sorted(len(row["leads"]) for row in offered) == [1, 1, 1, 2]
    lina = next(row for row in offered if len(row["leads"]) == 2)
    act(rig, lina["review_id"], "apart")
    assert len(rig.rows("customer")) == 2
    others = [row for row in offered if row is not lina]
    act(rig, others[0]["review_id"], "same")
    act(rig, others[1]["review_id"], "skip")
    with rig.store.read() as connection:
        assert [row["review_id"] for row in open_reviews(connection)] == [others[2]["review_id"]]
    with pytest.raises(ActRefused, match="skipped"):
        act(rig, others[1]["review_id"], "apart")
    with pytest.raises(ActRefused, match="no review"):
        act(rig, "rev_none", "same")
    rig.feed([post(at_us=NOW + 1, made="new", name="孙悦", email=TABLET)])
    rig.run()
    assert len(rig.rows("customer")) == 3, "the mailbox makes nobody one any more"


def test_the_running_host_looks_at_what_came_since(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("leadflow.crowding.EVERY_S", 0.0)
    crowding = Crowding(rig.store, rig.files.store_log.append)
    assert crowding.turn(MONDAY_10) == 0
    at_the_tablet(rig)
    assert crowding.turn(MONDAY_10 + MINUTE) == 1
    assert crowding.turn(MONDAY_10 + MINUTE) == 0
    assert [row["value"] for row in rig.rows("identifier_status")] == [TABLET]


def test_a_pair_is_merged_or_kept_apart_for_good(rig: Rig) -> None:
    for number in range(3):
        rig.feed([post(made=f"{number}", name=NAMES[number], phone=f"1390000000{number}")])
    rig.run()
    one, two, three = (str(row["customer_id"]) for row in rig.rows("customer"))

    def offer(a: str, b: str, bits: int) -> None:
        def plan(*_: object) -> list[Effect]:
            return [
                offer_pair(a, b, "model", NOW, evidence=[{"name": "phone", "level": "typo"}], millibits=bits)
            ]

        perform(rig.store, Command("offer", "leadflow", keys(), a), plan, NOW, rig.files.store_log.append)

    offer(two, one, 4_200)
    offer(one, two, 4_200)
    offer(one, three, 5_000)
    offer(two, three, 1_000)
    with rig.store.read() as connection:
        offered = open_reviews(connection)
        behind = open_reviews(connection, 1, after=place_of(offered[0]))
        assert behind == [offered[1]]
        assert open_reviews(connection, after=place_of(offered[2])) == []
        assert open_reviews(connection, 2, narrow=lambda rows: rows[1:]) == offered[1:]
    assert [(row["a"], row["b"]) for row in offered] == [(one, three), (one, two), (two, three)]
    act(rig, offered[0]["review_id"], "same")
    with rig.store.read() as connection:
        left = open_reviews(connection)
    assert {(row["a"], row["b"]) for row in left} == {(one, two), (two, one)}, "shown under the present id"
    act(rig, offered[1]["review_id"], "apart")
    with rig.store.read() as connection:
        assert not open_reviews(connection), "the other is about the same two, who are parted now"
    with pytest.raises(ActRefused) as refused:
        act(rig, offered[2]["review_id"], "same")
    assert refused.value.code == "parted_before"


def test_erasing_takes_the_reviews_and_the_identifiers_status_along(rig: Rig) -> None:
    at_the_tablet(rig)
    look_over(rig.store, rig.files.store_log.append, NOW, 0, keys)
    (customer_id,) = (str(row["customer_id"]) for row in rig.rows("customer"))
    assert len(rig.rows("review")) == 4
    with rig.store.read() as connection:
        erasure = find_erasure(connection, "act_erase", customer_id)
    command = Command("erase", "boss", keys(), customer_id)
    perform(rig.store, command, erase_customer(erasure), NOW, rig.files.store_log.append)
    assert (rig.rows("review"), rig.rows("identifier_status")) == ([], [])
    assert TABLET not in repr(rig.state())
