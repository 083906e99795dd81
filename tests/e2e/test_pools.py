"""Open pools: what a rule puts there, who may claim how much and when, and what comes back by itself. On both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from leadflow.above import may_give_as
from leadflow.explain import explain
from router.ladder import untouched
from router.office import office_of
from sales.apply import publish
from sales.outcomes import Said, record_outcome
from schemas.company import Company, Member, Person, ProductLine, Unit, book_version
from schemas.pools import Pool
from schemas.work import Assignment, Reason
from sinks.choose import also_told, recipient_of
from store.acts import ActRefused, Command, Plan, perform
from store.acts_move import Give, Moving
from store.acts_pool import claim, release
from store.belongings import Belonging, belongings
from store.certificates import holders
from store.company import company_version, load_company, put_company
from store.database import Database
from store.pools import claimer, counts, entries, lying
from store.views import balance, orphans
from tests.e2e.test_fairness import assert_sums
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

SEA = Pool(pool_id="sea", name_zh="华东公海", name_en="East pool", units=("east",), reclaim="no")
BOOK = "rule,message_length,then_team,then_pool,then_respond_within\nasked,> 3,east,,30\nrest,,,sea,60\n"
BASE = small_company()
PEOPLE = {
    key: Person(person_id=key, name=key, email=f"{key}@haichuan.cn")
    for key in ("ann", "bo", "chen", "mia", "zoe")
}


def office(pool: Pool = SEA, **changes: Any) -> Company:
    """The small company with a pool, into which goes who says little."""
    return small_company(
        people=PEOPLE,
        units={
            **BASE.units,
            "east": BASE.units["east"].model_copy(update={"manager_id": "mia"}),
            "west": Unit(unit_id="west", parent_id="company", kind="team", name_zh="西部", name_en="West"),
        },
        members=(*BASE.members, Member(unit_id="west", person_id="zoe", from_us=0)),
        absences=(),
        pools={pool.pool_id: pool},
        book_csv=BOOK,
        book_version=book_version(BOOK),
        **changes,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=office())
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def arrive(
    rig: Rig, count: int = 1, *, at_us: int = MONDAY_10, message: str = "", start: int = 0
) -> list[str]:
    """Let customers come; return their ids in the order of their arrival."""
    known = {row["customer_id"] for row in rig.rows("customer")}
    for number in range(start, start + count):
        rig.feed([post(at_us=at_us + number, made=f"m{number}", phone=f"138{number:08d}", message=message)])
        rig.run()
    new = [row for row in rig.rows("customer") if row["customer_id"] not in known]
    return [row["customer_id"] for row in sorted(new, key=lambda row: row["born_us"])]


def act(rig: Rig, verb: str, actor: str, scope: str, plan: Plan, **more: Any) -> None:
    at_us = more.pop("at_us", MONDAY_10 + MINUTE)
    command = Command(
        verb, actor, more.pop("key", f"{verb} {actor} {scope} {at_us}"), scope, more.pop("reason", None)
    )
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    rig.run()


def claims(rig: Rig, person: str, customer: str, at_us: int = MONDAY_10 + MINUTE) -> str | None:
    """Claim; return the code of the refusal, None when it worked."""
    try:
        act(rig, "claim", person, customer, claim(office_of(company(rig)).due), at_us=at_us)
    except ActRefused as refused:
        return refused.code
    return None


def company(rig: Rig) -> Company:
    with rig.store.read() as connection:
        return load_company(connection, company_version(connection))


def goes_by(rig: Rig, pool: Pool, at_us: int = MONDAY_10, **changes: Any) -> None:
    """Change the pool."""
    act(rig, "publish", "boss", "company", publish(office(pool, **changes)), at_us=at_us)


def owner(rig: Rig, customer: str) -> tuple[str, str]:
    (found,) = [
        (row["holder_kind"], row["holder_id"])
        for row in rig.rows("holding")
        if (row["customer_id"], row["role"], row["to_us"]) == (customer, "owner", None)
    ]
    return found


def codes(rig: Rig, customer: str) -> list[str]:
    rows = [row for row in rig.rows("decision") if row["subject_id"] == customer]
    return [row["code"] for row in sorted(rows, key=lambda row: row["decided_us"])]


def clock(rig: Rig, at_us: int) -> None:
    """Fire what is due by then, timer by timer at its own time."""
    from stream.timers import next_due

    while (due := next_due(rig.store)) is not None and due <= at_us:
        rig.fire(due)


def test_a_rule_puts_it_into_the_pool_and_a_claim_gives_it_with_its_task(rig: Rig) -> None:
    (customer,) = arrive(rig)
    assert owner(rig, customer) == ("pool", "sea")
    with rig.store.read() as connection:
        (entry,) = lying(connection, "sea")
        assert (entry.customer_id, entry.code) == (customer, "pooled")
        assert counts(connection)["sea"].customers == 1
        assert balance(connection, MONDAY_10).adds_up
    assert claims(rig, "ann", customer) is None
    assert owner(rig, customer) == ("person", "ann")
    (task,) = rig.rows("task")
    assert (task["holder_id"], task["due_us"]) == ("ann", MONDAY_10 + 31 * MINUTE)
    (row,) = rig.rows("ledger")
    assert (row["person_id"], row["team_id"], row["delta"]) == ("ann", "east", 1)
    (total,) = rig.rows("ledger_total")
    assert total["received"] == 1
    assert total["entitled"] > 0, "a claim neither uses up a turn nor earns one"
    assert_sums(rig)
    told = "\n".join(explain(rig.files, rig.rows("lead")[0]["lead_id"], "en"))
    assert "it went into the open pool East pool" in told
    assert "ann claimed it out of the open pool East pool" in told


def test_who_comes_second_is_told_that_it_is_gone(rig: Rig) -> None:
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    assert claims(rig, "bo", customer) == "claimed_already"
    assert claims(rig, "zoe", customer) == "claimed_already"
    assert claims(rig, "nobody", customer) == "unknown_actor"
    assert claims(rig, "ann", "cus_unknown") == "unknown_customer"


def test_only_for_its_units_and_their_managers(rig: Rig) -> None:
    first, second = arrive(rig, 2)
    assert claims(rig, "zoe", first) == "other_pool"
    assert claims(rig, "mia", second) is None


def test_limits_at_once_and_a_day(rig: Rig) -> None:
    goes_by(rig, SEA.model_copy(update={"open_limit": 2, "day_limit": 3}))
    some = arrive(rig, 6)
    assert [claims(rig, "ann", one) for one in some[:3]] == [None, None, "pool_full"]
    for task in [row for row in rig.rows("task") if row["holder_id"] == "ann"]:
        plan = record_outcome(Said("won"), company(rig), office_of(company(rig)).due)
        act(rig, "outcome", "ann", task["task_id"], plan)
    assert [claims(rig, "ann", one) for one in some[2:4]] == [None, "pool_day_full"]
    assert claims(rig, "bo", some[3]) is None, "each has limits of their own"
    assert claims(rig, "ann", some[4], MONDAY_10 + 15 * HOUR) is None, "and tomorrow is another day"


def test_cooling_off_and_the_last_owner_waits_longest(rig: Rig) -> None:
    goes_by(rig, SEA.model_copy(update={"again_days": 2, "owner_days": 10}))
    (customer,) = arrive(rig)
    for number, person in enumerate(("ann", "bo")):
        at_us = MONDAY_10 + (2 * number + 1) * HOUR
        assert claims(rig, person, customer, at_us) is None
        act(rig, "release", person, customer, release(), reason="no time", at_us=at_us + HOUR)
        assert owner(rig, customer) == ("pool", "sea")
    freed = MONDAY_10 + 4 * HOUR
    assert [claims(rig, one, customer, freed + DAY) for one in ("ann", "bo")] == ["was_yours", "was_yours"]
    assert claims(rig, "bo", customer, freed + 9 * DAY) == "was_yours"
    assert claims(rig, "ann", customer, freed + 9 * DAY) is None


def test_what_came_in_is_held_back(rig: Rig) -> None:
    goes_by(rig, SEA.model_copy(update={"hold_hours": 4}))
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer, MONDAY_10 + 3 * HOUR) == "held_back"
    assert claims(rig, "ann", customer, MONDAY_10 + 5 * HOUR) is None


def test_release_needs_a_reason_and_the_owner(rig: Rig) -> None:
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    for actor, reason, code in (("ann", "", "reason_missing"), ("bo", "x", "not_yours")):
        with pytest.raises(ActRefused) as refused:
            act(rig, "release", actor, customer, release(), reason=reason, key=f"{actor}")
        assert refused.value.code == code
    with pytest.raises(ActRefused) as refused:
        act(rig, "release", "ann", customer, release("ocean"), reason="x")
    assert refused.value.code == "unknown_pool"


def test_nobody_releases_into_a_pool_of_other_units(rig: Rig) -> None:
    (customer,) = arrive(rig)
    here, lake = company(rig), SEA.model_copy(update={"pool_id": "lake", "units": ("west",)})
    with rig.store.write() as connection:
        put_company(connection, here.model_copy(update={"pools": {**here.pools, "lake": lake}}), 0)
    assert claims(rig, "ann", customer) is None
    with pytest.raises(ActRefused) as refused:
        act(rig, "release", "ann", customer, release("lake"), reason="x", key="l")
    assert refused.value.code == "other_pool"
    assert owner(rig, customer) == ("person", "ann")
    act(rig, "release", "ann", customer, release("sea"), reason="x", key="s")
    assert owner(rig, customer) == ("pool", "sea")


def test_a_manager_moves_into_the_pool_and_a_pool_with_customers_stays(rig: Rig) -> None:
    (customer,) = arrive(rig, message="两台叉车")
    assert owner(rig, customer)[0] == "person"
    act(
        rig,
        "move",
        "mia",
        customer,
        Moving([Give(customer, "pool", "sea")], may_give_as("mia")),
        reason="idle",
    )
    assert owner(rig, customer) == ("pool", "sea")
    without = small_company(people=PEOPLE)
    with pytest.raises(ActRefused) as refused:
        act(rig, "publish", "boss", "company", publish(without))
    assert refused.value.code == "customers_waiting"


def test_what_a_leaver_claimed_stands_in_the_certificate(rig: Rig) -> None:
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    with rig.store.read() as connection:
        had = belongings(connection, company(rig), "ann", MONDAY_10 + HOUR)
        assert Belonging("pool_claim", customer) in had
    act(
        rig, "move", "mia", customer, Moving([Give(customer, "person", "bo")], may_give_as("mia")), reason="x"
    )
    with rig.store.read() as connection:
        now = holders(connection, company(rig), had)
        assert now[Belonging("pool_claim", customer)] == "bo"
        left = belongings(connection, company(rig), "ann", MONDAY_10 + HOUR)
        assert not {one.kind for one in left} & {"pool_claim", "customer"}


LADDER = SEA.model_copy(update={"reclaim": "yes"})


def test_the_ladder_warns_the_owner_then_the_manager_and_then_takes_back(rig: Rig) -> None:
    goes_by(rig, LADDER)
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    # Monday's task is due at 10:31. Tuesday to Thursday are three days, to Monday five, to Wednesday seven.
    evening = MONDAY_10 + 8 * HOUR
    for days, found in (
        (2, []),
        (3, ["reminded"]),
        (4, []),
        (7, ["copied"]),
        (8, []),
        (9, ["reclaimed"]),
        (30, []),
    ):
        before = codes(rig, customer)
        clock(rig, evening + days * DAY)
        assert codes(rig, customer)[len(before) :] == found, days
    assert owner(rig, customer) == ("pool", "sea")
    (task,) = [row for row in rig.rows("task") if row["state"] == "open"]
    assert (task["holder_kind"], task["holder_id"]) == ("pool", "sea")
    with rig.store.read() as connection:
        assert orphans(connection, evening + 30 * DAY) == []
    told = "\n".join(explain(rig.files, rig.rows("lead")[0]["lead_id"], "zh"))
    assert "已有 7 个工作日" in told


def test_a_touch_begins_the_ladder_anew(rig: Rig) -> None:
    goes_by(rig, LADDER)
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    clock(rig, MONDAY_10 + 8 * DAY)
    assert codes(rig, customer)[-2:] == ["reminded", "copied"]
    (task,) = rig.rows("task")
    plan = record_outcome(Said("no_answer"), company(rig), office_of(company(rig)).due)
    act(rig, "outcome", "ann", task["task_id"], plan, at_us=MONDAY_10 + 8 * DAY + MINUTE)
    clock(rig, MONDAY_10 + 10 * DAY + 12 * HOUR)
    assert codes(rig, customer)[-1] == "copied"
    clock(rig, MONDAY_10 + 11 * DAY + 12 * HOUR)
    assert codes(rig, customer)[-1] == "reminded"


def test_a_step_whose_event_comes_again_is_taken_once(rig: Rig) -> None:
    goes_by(rig, LADDER)
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    clock(rig, MONDAY_10 + 3 * DAY + 12 * HOUR)
    (fired,) = [
        row for row in rig.rows("timer") if row["kind"] == "untouched" and row["fired_us"] is not None
    ]
    before = rig.rows("decision"), rig.rows("holding"), rig.rows("timer")
    topic, event = untouched(customer, fired["due_us"])
    with rig.store.write() as connection:
        rig.files.store_log.append(connection, topic, [event], fired["due_us"])
    rig.run()
    assert (rig.rows("decision"), rig.rows("holding"), rig.rows("timer")) == before


def test_by_default_it_is_offered_and_stays_with_its_owner(rig: Rig) -> None:
    goes_by(rig, SEA.model_copy(update={"reclaim": "offer"}))
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    clock(rig, MONDAY_10 + 40 * DAY)
    assert codes(rig, customer)[-3:] == ["reminded", "copied", "offered"]
    assert owner(rig, customer) == ("person", "ann")


def test_protected_customers_are_not_taken_back(rig: Rig) -> None:
    goes_by(rig, LADDER.model_copy(update={"protected": 2}))
    some = arrive(rig, 3)
    for one in some:
        assert claims(rig, "ann", one) is None
    clock(rig, MONDAY_10 + 30 * DAY)
    assert sorted(owner(rig, one)[0] for one in some) == ["person", "person", "pool"]


def test_a_ladder_that_comes_late_takes_nothing_without_warning(rig: Rig) -> None:
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    late = MONDAY_10 + 28 * DAY
    goes_by(rig, LADDER, at_us=late)
    clock(rig, late + HOUR)
    assert codes(rig, customer)[-1] == "reminded"
    clock(rig, late + 2 * DAY + 10 * HOUR)
    assert codes(rig, customer)[-1] == "copied"
    clock(rig, late + 4 * DAY + 10 * HOUR)
    assert codes(rig, customer)[-1] == "reclaimed"


def test_a_ladder_for_other_lines_or_units_leaves_it_alone(rig: Rig) -> None:
    line = {"agv": ProductLine(line_id="agv", name_zh="AGV", name_en="AGV")}
    goes_by(rig, LADDER.model_copy(update={"lines": ("agv",)}), lines=line)
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    clock(rig, MONDAY_10 + 30 * DAY)
    assert codes(rig, customer)[-1] == "claimed"
    goes_by(rig, LADDER.model_copy(update={"units": ("west",)}), at_us=MONDAY_10 + 30 * DAY)
    clock(rig, MONDAY_10 + 60 * DAY)
    assert codes(rig, customer)[-1] == "claimed"


@pytest.mark.parametrize(
    ("code", "first", "second"),
    [
        ("reminded", "ann", None),
        ("copied", "ann", "mia"),
        ("offered", "ann", "mia"),
        ("reclaimed", "ann", None),
    ],
)
def test_who_is_told(code: Any, first: str, second: str | None) -> None:
    taken = code == "reclaimed"
    assignment = Assignment(
        decision_id="dec_1",
        lead_id=None,
        customer_id="cus_1",
        holder_kind="pool" if taken else "person",
        holder_id="sea" if taken else "ann",
        previous_holder_id="ann",
        reason=Reason(code=code, pool_id="sea", untouched_days=7),
        decided_us=MONDAY_10,
    )
    assert recipient_of(assignment, office()) == first
    assert also_told(assignment, office()) == ([second] if second else [])


def test_owner_and_manager_get_mail_and_a_webhook_hears_all_of_it(rig: Rig) -> None:
    sinks = {
        "crm": {"sink_id": "crm", "kind": "faulty", "name": "crm"},
        "mail": {
            "sink_id": "mail",
            "kind": "mail",
            "name": "mail",
            "relay": "127.0.0.1",
            "sender": "a@haichuan.cn",
        },
    }
    goes_by(rig, LADDER, sinks=sinks)
    (customer,) = arrive(rig)
    assert claims(rig, "ann", customer) is None
    clock(rig, MONDAY_10 + 20 * DAY)
    why = {row["decision_id"]: row["code"] for row in rig.rows("decision")}
    told = sorted((why[row["decision_id"]], row["dest"]) for row in rig.rows("delivery"))
    assert [one for one in told if one[1] != "crm"] == [
        ("copied", "ann"),
        ("copied", "mia"),
        ("reclaimed", "ann"),
        ("reminded", "ann"),
    ]
    assert [code for code, dest in told if dest == "crm"] == [
        "claimed",
        "copied",
        "pooled",
        "reclaimed",
        "reminded",
    ]


def test_what_the_pool_says_names_nobody(rig: Rig) -> None:
    rig.feed(
        [post(made="x", name="李娜", phone="13900001111", company="大恒信息", email="li@daheng.example")]
    )
    rig.run()
    with rig.store.read() as connection:
        (entry,) = lying(connection, "sea")
        past = entries(connection, {entry.customer_id: entry.since_us}, "ann")[entry.customer_id]
        who = claimer(connection, company(rig), SEA, "ann", MONDAY_10)
    said = f"{entry} {past} {who}"
    assert not any(word in said for word in ("李娜", "13900001111", "大恒", "daheng"))
