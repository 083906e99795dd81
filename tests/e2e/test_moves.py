"""A manager gives customers to others: who may, what follows, who is told, and what taking it back gives back."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadflow.above import may_give_as
from leadflow.choosing import Part, chosen_of, read_filter, read_part, read_plan, share_out
from router.share_out import TargetError, read_target
from sales.segments import gaps_for
from schemas.company import Member, Person, Unit
from sinks.read import gather, tell
from store.acts import ActRefused, Command, perform
from store.acts_move import Give, Moving, judge, owned_by
from store.acts_undo import Undo, plan_undo
from store.company import company_version, load_company, put_company
from store.database import Database
from store.views import orphans
from tests.e2e.test_fairness import assert_sums
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, post, small_company

PEOPLE = {
    key: Person(person_id=key, name=key, email=f"{key}@haichuan.cn")
    for key in ("ann", "bo", "chen", "mia", "wei", "zoe")
}
BASE = small_company()
COMPANY = small_company(
    people=PEOPLE,
    units={
        **BASE.units,
        "east": BASE.units["east"].model_copy(update={"manager_id": "mia"}),
        "west": Unit(
            unit_id="west", parent_id="company", kind="team", name_zh="西部", name_en="West", manager_id="zoe"
        ),
    },
    members=(*BASE.members, Member(unit_id="west", person_id="wei", from_us=0, share=1)),
    absences=(),
    sinks={
        "book": {"sink_id": "book", "kind": "faulty", "name": "book"},
        "mail": {
            "sink_id": "mail",
            "kind": "mail",
            "name": "mail",
            "relay": "127.0.0.1",
            "sender": "leadflow@haichuan.cn",
        },
    },
)
LATER = MONDAY_10 + HOUR


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Twelve customers of the east team."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=COMPANY)
    made.feed(
        [
            post(
                made=f"m{number}",
                name=f"客{number}",
                phone=f"138{number:08d}",
                region="江苏" if number % 2 else "四川",
            )
            for number in range(12)
        ]
    )
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def owners(rig: Rig) -> dict[str, str]:
    rows = [row for row in rig.rows("holding") if (row["role"], row["to_us"]) == ("owner", None)]
    return {row["customer_id"]: row["holder_id"] for row in rows}


def of(rig: Rig, person_id: str) -> list[str]:
    with rig.store.read() as connection:
        return owned_by(connection, person_id)


def move(
    rig: Rig,
    gives: list[Give],
    *,
    actor: str = "mia",
    key: str = "k",
    reason: str = "workload",
    at_us: int = LATER,
) -> Moving:
    plan = Moving(gives, may_give_as(actor))
    command = Command("move", actor, key, "set_x", reason)
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()
    return plan


def undo(rig: Rig, key: str, *, actor: str = "mia", at_us: int = LATER + HOUR) -> Undo:
    act_id = Command("move", actor, key, "set_x").act_id
    plan = Undo(may_give_as(actor))
    command = Command("undo", actor, f"undo:{key}", act_id, None, act_id)
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()
    return plan


def to(person_id: str, customers: list[str]) -> list[Give]:
    return [Give(one, "person", person_id) for one in customers]


def test_a_set_moves_as_one_act_with_tasks_and_limits(rig: Rig) -> None:
    before = {row["task_id"]: row for row in rig.rows("task")}
    mine = of(rig, "bo")
    assert len(mine) > 2
    move(rig, to("ann", mine))
    assert of(rig, "bo") == []
    assert set(mine) <= set(of(rig, "ann"))
    decisions = [row for row in rig.rows("decision") if row["code"] == "moved"]
    assert len(decisions) == len(mine)
    assert len([row for row in rig.rows("act") if row["verb"] == "move"]) == 1
    for row in rig.rows("task"):
        assert row["holder_id"] == owners(rig)[row["customer_id"]]
        assert row["due_us"] == before[row["task_id"]]["due_us"], "a limit that runs goes on"
    with rig.store.read() as connection:
        assert orphans(connection, LATER + DAY) == []


def received(rig: Rig) -> dict[str, int]:
    return {row["person_id"]: row["received"] for row in rig.rows("ledger_total")}


def sums(rig: Rig) -> list[tuple[object, ...]]:
    return [
        (row["team_id"], row["grade"], row["person_id"], row["received"], row["entitled"])
        for row in rig.rows("ledger_total")
    ]


def test_what_a_manager_takes_away_is_credited_and_an_undo_enters_it_again(rig: Rig) -> None:
    before, mine = sums(rig), of(rig, "bo")
    got = received(rig)
    move(rig, to("ann", mine))
    after = received(rig)
    assert (after["bo"], after["ann"]) == (0, got["ann"]), "one less for each; whoever got them had no turn"
    credits = [row for row in rig.rows("ledger") if row["kind"] == "moved"]
    assert {row["person_id"] for row in credits} == {"bo"}
    assert len(credits) == len(mine) == got["bo"]
    assert_sums(rig)
    undo(rig, "k")
    assert sums(rig) == before
    assert_sums(rig)
    move(rig, to("ann", mine[:1]), key="again", at_us=LATER + 2 * HOUR)
    assert received(rig)["bo"] == got["bo"] - 1


def test_customers_of_earlier_months_give_nobody_turns(rig: Rig) -> None:
    before = sums(rig)
    move(rig, to("ann", of(rig, "bo")), at_us=MONDAY_10 + 40 * DAY)
    assert sums(rig) == before


def test_done_twice_under_one_key_it_happens_once(rig: Rig) -> None:
    mine = of(rig, "bo")
    move(rig, to("ann", mine))
    state = rig.state()
    move(rig, to("ann", mine))
    assert rig.state() == state


def test_both_sides_get_one_mail_for_the_whole_set(rig: Rig) -> None:
    mine = of(rig, "bo")
    known = {row["delivery_id"] for row in rig.rows("delivery")}
    move(rig, to("ann", mine))
    new = [row for row in rig.rows("delivery") if row["delivery_id"] not in known]
    mails = [row for row in new if row["sink_id"] == "mail"]
    assert sorted(row["dest"] for row in mails) == ["ann", "bo"]
    assert len([row for row in new if row["sink_id"] == "book"]) == len(mine), "systems hear of each"
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        told = tell(mails[0], gather(connection, company, mails, gaps_for), company, None)
    assert told is not None
    assert told.together == len(mine)


def test_a_row_that_cannot_move_says_why_and_the_others_do(rig: Rig) -> None:
    mine = of(rig, "bo")
    plan = move(rig, [*to("ann", [*mine, "cus_none"]), *to("ann", of(rig, "ann")[:1])])
    assert {str(one.refused) for one in plan.judged} == {"None", "unknown_customer", "there_already"}
    assert of(rig, "bo") == []


def test_only_who_is_above_both_sides_may(rig: Rig) -> None:
    mine = of(rig, "bo")
    for actor, target, code in (
        ("zoe", "wei", "not_below"),
        ("mia", "wei", "target_not_below"),
        ("bo", "ann", "target_not_below"),
    ):
        with pytest.raises(ActRefused, match=code) as refused:
            move(rig, to(target, mine), actor=actor, key=actor)
        assert refused.value.code == "nothing_to_move"
    with pytest.raises(ActRefused, match="why they are moved"):
        move(rig, to("ann", mine), reason=" ")
    move(rig, to("wei", mine), actor="operator")
    assert of(rig, "wei") == mine


def test_a_refusal_tells_nobody_who_has_what_is_not_below_them(rig: Rig) -> None:
    """Who guesses the owner of a customer of another team is answered as who guesses wrong."""
    mine = of(rig, "bo")
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        seen = (company, may_give_as("zoe")(company, LATER))
        for target in ("bo", "ann", "wei", "nobody"):
            assert {one.refused for one in judge(connection, to(target, mine), seen)} == {"not_below"}


def test_to_a_queue_it_is_drained_at_once(rig: Rig) -> None:
    mine = of(rig, "bo")[:1]
    move(rig, [Give(mine[0], "queue", "west")], actor="operator")
    assert owners(rig)[mine[0]] == "west"
    rig.fire(LATER)
    assert owners(rig)[mine[0]] == "wei"


def test_undone_it_is_as_it_was_but_for_what_went_on_since(rig: Rig) -> None:
    mine, before = of(rig, "bo"), owners(rig)
    tasks = {row["task_id"]: row for row in rig.rows("task")}
    move(rig, to("ann", mine))
    move(rig, to("chen", mine[:1]), key="on", at_us=LATER + 1)
    plan = undo(rig, "k")
    assert plan.undoing is not None
    assert plan.undoing.left == ((mine[0], "moved_on"),)
    assert owners(rig) == {**before, mine[0]: "chen"}
    for row in rig.rows("task"):
        if row["customer_id"] != mine[0]:
            assert row == tasks[row["task_id"]]
    with pytest.raises(ActRefused) as refused, rig.store.read() as connection:
        plan_undo(connection, Command("move", "mia", "k", "x").act_id, may_give_as("mia"), LATER)
    assert refused.value.code == "undone_already"


def test_an_undo_is_undone_in_its_turn(rig: Rig) -> None:
    mine = of(rig, "bo")
    move(rig, to("ann", mine))
    after = owners(rig)
    first = undo(rig, "k")
    assert first.undoing is not None
    act_id = Command("undo", "mia", "undo:k", "x").act_id
    again = Undo(may_give_as("mia"))
    perform(
        rig.store,
        Command("undo", "mia", "again", act_id, None, act_id),
        again,
        LATER + 2 * HOUR,
        rig.files.store_log.append,
    )
    assert owners(rig) == after


def test_what_was_sent_is_listed_and_it_is_refused_once_too_old(rig: Rig) -> None:
    mine = of(rig, "bo")
    move(rig, to("ann", mine))
    sent = next(
        row for row in rig.rows("delivery") if row["holder_id"] == "ann" and row["customer_id"] == mine[0]
    )
    with rig.store.write() as connection:
        connection.exec_driver_sql("UPDATE delivery SET state = 'sent'")
    act_id = Command("move", "mia", "k", "x").act_id
    with rig.store.read() as connection:
        found = plan_undo(connection, act_id, may_give_as("mia"), LATER + HOUR)
        assert sent["delivery_id"] in {row["delivery_id"] for row in found.sent}
        assert len(found.sent) == len(mine) + 2, "systems hear of each customer, two people once"
        with pytest.raises(ActRefused) as refused:
            plan_undo(connection, act_id, may_give_as("mia"), LATER + 73 * HOUR)
    assert refused.value.code == "undo_too_late"


def test_who_has_left_gets_nothing_back(rig: Rig) -> None:
    mine = of(rig, "bo")
    move(rig, to("ann", mine))
    with rig.store.write() as connection:
        connection.exec_driver_sql("UPDATE person SET state = 'left' WHERE person_id = 'bo'")
        connection.exec_driver_sql("UPDATE config_version SET version = version + 1")
    plan = undo(rig, "k")
    assert plan.undoing is not None
    assert {why for _, why in plan.undoing.left} == {"holder_gone"}
    assert set(mine) <= set(of(rig, "ann"))


def test_filters_and_targets_are_read_as_a_person_writes_them(rig: Rig) -> None:
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        segment = read_filter("province=江苏*; leads=1", company)
        assert segment is not None
        assert len(chosen_of(connection, company, segment, None, LATER)) == 6
        mine = owned_by(connection, "bo")
        parts = [read_part("province=江苏* => ann:2, chen", company), read_part("=> by-rules", company)]
        gives, left = share_out(connection, company, mine, parts, LATER, without="bo")
        assert left == []
        assert {one.holder_id for one in gives} <= {"ann", "chen"}
        assert {one.rule_id for one in gives} == {None, "everything"}
        named = read_plan(f"customer,to\n{mine[0]},chen\n", company)
        assert share_out(connection, company, mine, named, LATER) == (to("chen", mine[:1]), mine[1:])
        for wrong in ("nobody", "ann:0", "ann:00", "east,ann", f"ann:{'9' * 5_000}"):
            with pytest.raises(TargetError, match=r"nobody who works|weight 0|5000 digits"):
                read_target(wrong, company)
        late = read_part("days_silent=>= 60 => ann", company)
        assert (late.target.people, late.segment) == (
            (("ann", 1),),
            read_filter("days_silent=>= 60", company),
        )
        for wrong in ("colour=red", "segment=none", "score=>= x"):
            with pytest.raises(ValueError, match=r"no filter|no segment|x"):
                read_filter(wrong, company)


def test_by_weight_nobody_is_more_than_one_off(rig: Rig) -> None:
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        many = [f"cus_{number:03}" for number in range(100)]
        gives, _ = share_out(connection, company, many, [Part(read_target("ann:3,bo:1", company))], LATER)
    counts = [len([one for one in gives if one.holder_id == person]) for person in ("ann", "bo")]
    assert abs(counts[0] - 75) <= 1
    assert sum(counts) == 100


@pytest.mark.parametrize("seed", range(8))
def test_undoing_gives_back_exactly_what_nobody_touched_since(rig: Rig, seed: int) -> None:
    dice, people = random.Random(seed), ("ann", "bo", "chen", "wei")
    everybody = sorted(owners(rig))
    for play in range(3):
        at_us = LATER + play * HOUR
        gives = [
            Give(one, "person", dice.choice(people)) for one in dice.sample(everybody, dice.randint(1, 12))
        ]
        before = owners(rig)
        moved = {one.customer_id for one in gives if before[one.customer_id] != one.holder_id}
        if not moved:
            continue
        move(rig, gives, actor="operator", key=f"a{play}", at_us=at_us)
        on = [Give(one, "person", dice.choice(people)) for one in dice.sample(everybody, dice.randint(0, 12))]
        middle = owners(rig)
        touched = {one.customer_id: one.holder_id for one in on if middle[one.customer_id] != one.holder_id}
        if touched:
            move(rig, on, actor="operator", key=f"b{play}", at_us=at_us + 1)
        undo(rig, f"a{play}", actor="operator", at_us=at_us + 2)
        expected = middle | touched | {one: before[one] for one in moved - touched.keys()}
        assert owners(rig) == expected
        assert all(row["holder_id"] == expected[row["customer_id"]] for row in rig.rows("task"))


def test_a_move_makes_room_under_a_cap_and_the_oldest_that_waits_comes_in(rig: Rig) -> None:
    mine = of(rig, "bo")
    full = {key: one.model_copy(update={"open_cap": len(of(rig, key))}) for key, one in PEOPLE.items()}
    with rig.store.write() as connection:
        put_company(connection, COMPANY.model_copy(update={"people": full}), LATER)
    rig.feed([post(at_us=LATER + 1, made="more", name="新客", phone="13700000001")])
    rig.run()
    (waits,) = [name for name, holder in owners(rig).items() if holder == "east"]
    move(rig, to("wei", mine[:1]), actor="operator", at_us=LATER + HOUR)
    assert owners(rig)[waits] == "bo"
