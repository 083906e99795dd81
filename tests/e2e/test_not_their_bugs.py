"""Bugs of other systems that we do not have, each by the number under which it was reported there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from leadflow.above import may_give_as
from router.office import office_of
from sales.away import go_away
from sales.outcomes import Said, record_outcome
from schemas.company import Absence, Member
from store.acts import Command, perform
from store.acts_move import Give, Moving
from tests.e2e.test_eligibility import do, lead, owners, why_nots, with_people
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company


def by_owner(rig: Rig) -> Counter[str]:
    return Counter(owners(rig))


def test_odoo_118156_all_shares_zero_leave_no_lead_lying(tmp_path: Path) -> None:
    """Quotas that all fell to zero stopped the assignment without a word: here they wait, and the reason says why."""
    company = small_company(
        members=tuple(Member(unit_id="east", person_id=key, from_us=0, share=0) for key in ("ann", "bo"))
    )
    rig = Rig(tmp_path, company=company)
    lead(rig, 1)
    rig.run()
    assert owners(rig) == ["east"]
    assert why_nots(rig) == {"ann": "no_share", "bo": "no_share"}


@pytest.mark.parametrize("number", ["odoo 98863", "SuiteCRM 8935"])
def test_whoever_has_left_gets_nothing(tmp_path: Path, number: str) -> None:
    """Archived (odoo) and terminated (SuiteCRM) users went on getting leads."""
    people = small_company().people
    left = {**people, "bo": people["bo"].model_copy(update={"state": "left"})}
    rig = Rig(tmp_path, company=small_company(people=left))
    for count in range(6):
        lead(rig, count)
    rig.run()
    assert by_owner(rig) == {"ann": 6}, number
    assert why_nots(rig)["bo"] == "left"


def test_odoo_259324_ties_do_not_always_go_to_the_same_one(tmp_path: Path) -> None:
    """Of members equally due the oldest always came first: at one lead a month that is all of them."""
    first = Counter[str]()
    for number in range(24):
        folder = tmp_path / str(number)
        folder.mkdir()
        rig = Rig(folder, company=with_people(ann={}, bo={}))
        lead(rig, number)
        rig.run()
        first.update(owners(rig))
        rig.close()
    assert min(first["ann"], first["bo"]) >= 4


def test_odoo_185529_a_lead_older_than_a_week_is_not_skipped(tmp_path: Path) -> None:
    """Leads that had waited for more than seven days were never assigned."""
    company = with_people(ann={})
    rig = Rig(tmp_path, company=company)
    do(rig, "away", go_away(MONDAY_10 - HOUR, MONDAY_10 + 30 * DAY), "ann", MONDAY_10 - HOUR)
    lead(rig, 1)
    rig.run()
    rig.fire(MONDAY_10 + 29 * DAY)
    assert owners(rig) == ["east"]
    rig.fire(MONDAY_10 + 32 * DAY)
    assert owners(rig) == ["ann"]


def test_odoo_68475_what_one_is_entitled_to_counts_the_days_one_was_there(tmp_path: Path) -> None:
    """Capacity was reckoned for the whole month, days off included: back from leave, one got it all at once."""
    company = with_people(ann={}, bo={}).model_copy(
        update={"absences": (Absence(person_id="bo", from_us=0, to_us=MONDAY_10 + HOUR),)}
    )
    rig = Rig(tmp_path, company=company)
    for number in range(10):
        lead(rig, number)
    for number in range(10, 20):
        lead(rig, number, MONDAY_10 + 2 * HOUR)
    rig.run()
    assert by_owner(rig) == {"ann": 15, "bo": 5}
    assert Counter(owners(rig)[10:]) == {"ann": 5, "bo": 5}


def test_salesforce_round_robin_21_a_bulk_insert_does_not_go_to_one_person(tmp_path: Path) -> None:
    """What came in one transaction was all counted before anything of it, and went to one person."""
    rig = Rig(tmp_path, company=with_people(ann={}, bo={}, chen={}))
    rig.feed([post(made=str(number), phone=f"138123456{number:02}", at_us=MONDAY_10) for number in range(30)])
    rig.run()
    assert by_owner(rig) == {"ann": 10, "bo": 10, "chen": 10}


@pytest.mark.parametrize("number", ["chatwoot 10376", "chatwoot 7204"])
def test_what_waited_longest_is_served_first(tmp_path: Path, number: str) -> None:
    """Whoever became free got what had come last."""
    company = with_people(ann={"open_cap": 1})
    rig = Rig(tmp_path, company=company)
    for count in range(4):
        lead(rig, count)
    rig.run()
    for served in range(3):
        task = next(row for row in rig.rows("task") if (row["holder_id"], row["state"]) == ("ann", "open"))
        plan = record_outcome(Said("no_need", reason="price"), company, office_of(company).due)
        do(rig, "outcome", plan, task["task_id"], MONDAY_10 + (served + 1) * MINUTE, actor="ann")
        assert owners(rig) == ["ann"] * (served + 2) + ["east"] * (2 - served)


def covered(tmp_path: Path) -> Rig:
    """A customer of ann's, who is then away with bo standing in."""
    rig = Rig(
        tmp_path, company=with_people("rule,then_team,then_strategy\nall,east,fixed:ann\n", ann={}, bo={})
    )
    lead(rig, 1)
    rig.run()
    do(
        rig,
        "away",
        go_away(MONDAY_10 + MINUTE, MONDAY_10 + 2 * DAY, "bo"),
        "ann",
        MONDAY_10 + MINUTE,
        actor="ann",
    )
    return rig


def holder_of_newest_task(rig: Rig) -> str:
    return str(max(rig.rows("task"), key=lambda row: row["created_us"])["holder_id"])


def test_suitecrm_9463_a_double_click_makes_one(tmp_path: Path) -> None:
    """Saved by a double click, one round made several assignments: here both are one act, and one post is one lead."""
    rig = Rig(tmp_path, company=with_people(ann={}, bo={}))
    twice = post(made="a", phone="13812345601", key="the form's own")
    again = post(made="b", phone="13812345601", key="the form's own")
    rig.feed([twice, again])
    rig.run()
    assert len(rig.rows("lead")) == len(rig.rows("task")) == len(rig.rows("ledger")) == 1
    (task,) = rig.rows("task")
    other = "bo" if task["holder_id"] == "ann" else "ann"
    command = Command("move", "operator", "one key", task["customer_id"], "workload")
    plan = Moving([Give(task["customer_id"], "person", other)], may_give_as("operator"))
    done = [
        perform(rig.store, command, plan, MONDAY_10 + HOUR, rig.files.store_log.append) for _click in range(2)
    ]
    rig.run()
    assert done == [True, False]
    assert owners(rig) == [other]
    assert [row["code"] for row in rig.rows("decision")].count("moved") == 1


@pytest.mark.parametrize("number", ["chatwoot 7204", "chatwoot 4158"])
def test_a_customer_who_comes_back_does_not_wait_for_somebody_who_is_away(
    tmp_path: Path, number: str
) -> None:
    """Customers who came back were given to their last agent, there or not, and nobody answered."""
    rig = covered(tmp_path)
    rig.feed([post(made="again", phone="13812345601", at_us=MONDAY_10 + HOUR)])
    rig.run()
    assert holder_of_newest_task(rig) == "bo", number
    assert owners(rig) == ["ann"], "ownership stays"
    rig.feed([post(made="later", phone="13812345601", at_us=MONDAY_10 + 3 * DAY)])
    rig.run()
    assert holder_of_newest_task(rig) == "ann", "and so does what comes after the return"


def test_the_next_step_goes_back_to_an_owner_who_is_back(tmp_path: Path) -> None:
    rig = covered(tmp_path)
    rig.feed([post(made="again", phone="13812345601", at_us=MONDAY_10 + HOUR)])
    rig.run()
    task = next(row for row in rig.rows("task") if row["holder_id"] == "bo")
    company = with_people(ann={}, bo={}).model_copy(update={"absences": (Absence(**rig.rows("absence")[0]),)})
    plan = record_outcome(Said("interested"), company, office_of(company).due)
    do(rig, "outcome", plan, task["task_id"], MONDAY_10 + 3 * DAY, actor="bo")
    assert holder_of_newest_task(rig) == "ann"
