"""Who is eligible is data: language, line, territory, skill, caps, the edges of a shift; and what frees a queue."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from router.eligible import CAP_LOOK_US
from router.office import office_of
from sales.apply import publish
from sales.away import come_back, go_away
from sales.outcomes import Said, record_outcome
from schemas.company import Company, Member, Person, ProductLine, Territory, book_version
from store.acts import ActRefused, Command, Plan, perform
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company


def with_people(book: str = "rule,then_team\neverything,east\n", **people: dict[str, Any]) -> Company:
    """A company whose team east is these people, who are always there."""
    return small_company(
        people={key: Person(person_id=key, name=key, **more) for key, more in people.items()},
        members=tuple(Member(unit_id="east", person_id=key, from_us=0) for key in people),
        absences=(),
        book_csv=book,
        book_version=book_version(book),
        lines={"forklift": ProductLine(line_id="forklift", name_zh="叉车", name_en="Forklifts")},
        territories={
            "east": Territory(
                territory_id="east", name_zh="东", name_en="East", places=({"province": "上海"},)
            )
        },
    )


def opened(tmp_path: Path, company: Company, batch_max: int = 1_000) -> Rig:
    return Rig(tmp_path, company=company, batch_max=batch_max)


def lead(rig: Rig, number: int, at_us: int = MONDAY_10, fields: Mapping[str, str] | None = None) -> None:
    told = {"phone": f"138123456{number:02}", **(fields or {})}
    rig.feed([post(made=str(number), at_us=at_us + number * SECOND, **told)])


def owners(rig: Rig) -> list[str]:
    """Who has which customer now, in the order in which they came."""
    held = {row["customer_id"]: row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}
    born = sorted(rig.rows("customer"), key=lambda row: (row["born_us"], row["customer_id"]))
    return [held[row["customer_id"]] for row in born]


def why_nots(rig: Rig) -> dict[str, str]:
    """What the newest decision says of those passed over."""
    last = max(rig.rows("decision"), key=lambda row: row["decided_us"])
    return dict(orjson.loads(last["reason_json"])["passed_over"])


def do(rig: Rig, verb: str, plan: Plan, scope: str, now_us: int, *, actor: str = "operator") -> None:
    """Have an act done, and what follows."""
    command = Command(verb, actor, f"{verb}-{scope}-{now_us}", scope)
    perform(rig.store, command, plan, now_us, rig.files.store_log.append)
    rig.run()


@pytest.mark.parametrize(
    ("without", "fields", "why"),
    [
        ({"languages": ("en",)}, {"message": "请问叉车多少钱，想买两台"}, "lacks_language"),
        ({"lines": ("crane",)}, {"product": "叉车"}, "other_line"),
        ({"territories": ("west",)}, {"city": "上海"}, "other_territory"),
        ({"open_cap": 0}, {}, "at_cap"),
        ({"day_cap": 0}, {}, "at_day_cap"),
    ],
)
def test_who_cannot_have_it_is_passed_over_with_the_reason(
    tmp_path: Path, without: dict[str, Any], fields: dict[str, str], why: str
) -> None:
    rig = opened(tmp_path, with_people(ann={}, bo=without))
    for number in range(4):
        lead(rig, number, fields=fields)
    rig.run()
    assert owners(rig) == ["ann"] * 4
    assert why_nots(rig) == {"bo": why}


def test_the_edges_of_a_shift_are_kept_free(tmp_path: Path) -> None:
    company = with_people(ann={"opening_minutes": 30}, bo={"closing_minutes": 30})
    office = office_of(company)
    begins, ends = MONDAY_10 - HOUR, MONDAY_10 + 8 * HOUR

    def able(at_us: int) -> list[str]:
        return [one.person_id for one in office.could_take("east", at_us)[0]]

    assert able(begins) == ["bo"]
    assert able(begins + 30 * MINUTE) == ["ann", "bo"]
    assert able(ends - 30 * MINUTE) == ["ann", "bo"]
    assert able(ends - 29 * MINUTE) == ["ann"]
    assert dict(office.could_take("east", ends - MINUTE)[1]) == {"bo": "closing"}
    only_ann = office_of(with_people(ann={"opening_minutes": 30}))
    assert only_ann.opens("east", begins - HOUR) == begins + 30 * MINUTE


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("batch_max", [1, 2, 1_000])
def test_a_cap_counts_on_within_a_batch_and_a_closed_customer_lets_the_oldest_in(
    request: pytest.FixtureRequest, tmp_path: Path, batch_max: int, database: str
) -> None:
    company = with_people(ann={"open_cap": 2, "day_cap": 9})
    store = request.getfixturevalue("clean_postgres") if database == "postgresql" else None
    rig = Rig(tmp_path, store, company, batch_max)
    for number in range(4):
        lead(rig, number)
    rig.run()
    assert owners(rig) == ["ann", "ann", "east", "east"]
    task = next(row for row in rig.rows("task") if row["holder_id"] == "ann")
    plan = record_outcome(Said("no_need", reason="price"), company, office_of(company).due)
    do(rig, "outcome", plan, task["task_id"], MONDAY_10 + MINUTE, actor="ann")
    assert owners(rig) == ["ann", "ann", "ann", "east"], "the oldest that waits, and one only"


def test_whatever_else_frees_somebody_is_seen_soon(tmp_path: Path) -> None:
    rig = opened(tmp_path, with_people(ann={"open_cap": 1}))
    lead(rig, 1)
    lead(rig, 2)
    rig.run()
    (timer,) = (row for row in rig.rows("timer") if row["kind"] == "queue_opens")
    assert MONDAY_10 < timer["due_us"] <= MONDAY_10 + MINUTE + CAP_LOOK_US


def test_a_cap_of_the_day_ends_with_the_local_day(tmp_path: Path) -> None:
    rig = opened(tmp_path, with_people(ann={"day_cap": 2}))
    for number in range(5):
        lead(rig, number)
    rig.run()
    assert owners(rig) == ["ann", "ann", "east", "east", "east"]
    rig.fire(MONDAY_10 + 13 * HOUR)
    assert owners(rig).count("ann") == 2
    tuesday_9 = MONDAY_10 + 23 * HOUR
    rig.fire(tuesday_9 + MINUTE)
    assert owners(rig) == ["ann", "ann", "ann", "ann", "east"]


def test_a_raised_cap_lets_the_oldest_in(tmp_path: Path) -> None:
    rig = opened(tmp_path, with_people(ann={"open_cap": 1}))
    for number in range(3):
        lead(rig, number)
    rig.run()
    do(rig, "publish", publish(with_people(ann={"open_cap": 2})), "company", MONDAY_10 + HOUR)
    assert owners(rig) == ["ann", "ann", "east"]


def test_back_from_leave_takes_what_waits_and_only_some_may_say_so(tmp_path: Path) -> None:
    rig = opened(tmp_path, with_people(ann={}, bo={"languages": ("en",)}))
    do(rig, "away", go_away(MONDAY_10 - HOUR, MONDAY_10 + 5 * DAY), "ann", MONDAY_10 - HOUR, actor="ann")
    lead(rig, 1, fields={"message": "请问叉车多少钱，想买两台"})
    rig.run()
    assert owners(rig) == ["east"]
    with pytest.raises(ActRefused) as refused:
        do(rig, "back", come_back(), "ann", MONDAY_10 + HOUR, actor="bo")
    assert refused.value.code == "not_above"
    do(rig, "back", come_back(), "ann", MONDAY_10 + HOUR, actor="ann")
    assert owners(rig) == ["ann"]
    assert [row["to_us"] for row in rig.rows("absence")] == [MONDAY_10 + HOUR]


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_what_nobody_there_can_take_does_not_hold_up_what_waits_behind_it(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at_once: int,
    database: str,
) -> None:
    monkeypatch.setattr("router.gateway.DRAIN_AT_ONCE", at_once)
    store = request.getfixturevalue("clean_postgres") if database == "postgresql" else None
    rig = Rig(tmp_path, store, with_people(ann={"lines": ("crane",)}))
    do(rig, "away", go_away(MONDAY_10 - HOUR, MONDAY_10 + HOUR), "ann", MONDAY_10 - HOUR)
    for number, product in enumerate(("叉车", "forklifts", "其他")):
        lead(rig, number, fields={"product": product})
    rig.run()
    assert owners(rig) == ["east"] * 3
    rig.fire(MONDAY_10 + 2 * HOUR)
    assert owners(rig) == ["east", "east", "ann"]


CHOICES = {
    "least_loaded": ["ann", "bo", "ann", "bo"],
    "least_recent": ["ann", "bo", "ann", "bo"],
    "fixed:bo": ["bo"] * 4,
}


@pytest.mark.parametrize("strategy", CHOICES)
def test_a_rule_says_how_one_is_chosen(tmp_path: Path, strategy: str) -> None:
    rig = opened(
        tmp_path, with_people(f"rule,then_team,then_strategy\nall,east,{strategy}\n", ann={}, bo={}), 2
    )
    for number in range(4):
        lead(rig, number)
    rig.run()
    found = owners(rig)
    if strategy.startswith("fixed"):
        assert found == CHOICES[strategy]
    else:
        assert found[0] != found[1]
        assert found[2] != found[3], "whichever was first by the hash, they alternate"
    decided = orjson.loads(rig.rows("decision")[-1]["reason_json"])
    assert (decided["code"], decided["strategy"]) == (strategy.partition(":")[0], strategy)


def test_the_best_match_is_whoever_knows_most_of_it(tmp_path: Path) -> None:
    book = "rule,then_team,then_strategy\nall,east,best_match\n"
    rig = opened(tmp_path, with_people(book, ann={"skills": ("forklift",)}, bo={}))
    lead(rig, 1, fields={"product": "叉车"})
    lead(rig, 2, fields={"product": "叉车"})
    rig.run()
    assert owners(rig) == ["ann", "ann"]
    assert why_nots(rig) == {"bo": "lacks_skill"}


def test_a_named_person_who_is_away_is_waited_for_and_the_queue_remembers_the_name(tmp_path: Path) -> None:
    rig = opened(tmp_path, with_people("rule,then_team,then_strategy\nall,east,fixed:ann\n", ann={}, bo={}))
    do(rig, "away", go_away(MONDAY_10 - HOUR, MONDAY_10 + 30 * HOUR), "ann", MONDAY_10 - HOUR)
    lead(rig, 1)
    rig.run()
    assert owners(rig) == ["east"]
    assert why_nots(rig) == {"ann": "away", "bo": "not_named"}
    rig.fire(MONDAY_10 + 29 * HOUR)
    assert owners(rig) == ["east"]
    rig.fire(MONDAY_10 + 31 * HOUR)
    assert owners(rig) == ["ann"]


def test_an_unknown_strategy_is_refused_with_those_there_are() -> None:
    with pytest.raises(
        ValueError, match=r"line 2, column then_strategy \(C2\): 'by_lot' is no strategy; there are"
    ):
        office_of(with_people("rule,then_team,then_strategy\nall,east,by_lot\n", ann={}))
