"""The ledger: what is credited back, what adds up, and what the commands say of it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from console.view import View
from router.fairness import Line, entry_of, lines_of
from router.office import office_of
from sales.outcomes import Said, record_outcome
from schemas.company import Company, Member, Person
from schemas.outcomes import OutcomeCode
from schemas.shares import LEAD
from schemas.work import Reason
from store import tables
from store.bulk import insert_ignore
from store.views import given_by, ledger_entries
from tests.e2e.test_eligibility import do, lead, with_people
from tests.property.test_one_state import IN_MEMORY, thorough
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

TWO = with_people(ann={}, bo={})


def lines(rig: Rig) -> list[Line]:
    """Everything of the ledger, added up from the decisions."""
    with rig.store.read() as connection:
        return lines_of(map(entry_of, ledger_entries(connection, 0, MONDAY_10 + 400 * DAY)))


def assert_sums(rig: Rig) -> None:
    """What turns go by is what the decisions add up to, and as much is entitled to as was received."""
    kept = Counter[tuple[str, str, str]]()
    entitled = Counter[tuple[str, str, str]]()
    for row in rig.rows("ledger_total"):
        key = (row["team_id"], row["grade"], row["person_id"])
        kept[key] += row["received"]
        entitled[key] += row["entitled"]
    found = lines(rig)
    assert kept == Counter({(one.team_id, one.grade, one.person_id): one.received for one in found})
    assert entitled == Counter({(one.team_id, one.grade, one.person_id): one.parts for one in found})
    assert sum(entitled.values()) == sum(kept.values()) * LEAD


def outcome(rig: Rig, code: OutcomeCode, number: int = 0, reason: str | None = None) -> str:
    """Record the outcome of the n-th task; return whose it was."""
    task = sorted(rig.rows("task"), key=lambda row: row["created_us"])[number]
    plan = record_outcome(Said(code, reason=reason), TWO, office_of(TWO).due)
    do(rig, "outcome", plan, task["task_id"], MONDAY_10 + HOUR + number * MINUTE, actor=task["holder_id"])
    return str(task["holder_id"])


@pytest.mark.parametrize(("code", "reason"), [("not_a_lead", "nonsense"), ("wrong_number", None)])
def test_what_was_no_lead_is_credited_and_the_next_turn_makes_up_for_it(
    tmp_path: Path, code: OutcomeCode, reason: str | None
) -> None:
    rig = Rig(tmp_path, company=TWO)
    for number in range(4):
        lead(rig, number)
    rig.run()
    unlucky = outcome(rig, code, 0, reason)
    (credit,) = (row for row in rig.rows("ledger") if row["delta"] < 0)
    assert (credit["person_id"], credit["kind"]) == (unlucky, "invalid")
    assert credit["act_id"] in {row["act_id"] for row in rig.rows("act")}
    assert_sums(rig)
    found = {one.person_id: (one.received, one.entitled, one.credited) for one in lines(rig)}
    other = next(key for key in found if key != unlucky)
    assert found == {unlucky: (1, 1.5, 1), other: (2, 1.5, 0)}
    lead(rig, 9, MONDAY_10 + 2 * HOUR)
    rig.run()
    newest = max(rig.rows("ledger"), key=lambda row: row["at_us"])
    assert newest["person_id"] == unlucky


def test_what_is_known_of_an_earlier_lead_stays_when_a_later_one_is_none(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=TWO)
    lead(rig, 1)
    rig.run()
    outcome(rig, "interested")
    rig.feed([post(made="again", phone="13812345601", at_us=MONDAY_10 + 3 * HOUR)])
    rig.run()
    outcome(rig, "not_a_lead", 2, "nonsense")
    assert [row["delta"] for row in rig.rows("ledger")] == [1]


def test_the_database_allows_one_credit_of_a_decision(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=TWO)
    lead(rig, 1)
    rig.run()
    outcome(rig, "wrong_number")
    credit = next(row for row in rig.rows("ledger") if row["delta"] < 0)
    with rig.store.write() as connection:
        assert insert_ignore(connection, tables.ledger, [{**credit, "kind": "moved"}]) == 0
    with pytest.raises(IntegrityError), rig.store.write() as connection:
        connection.execute(tables.ledger.insert().values(**{**credit, "decision_id": "x", "delta": 1}))


def shared(shares: list[int]) -> Company:
    people = {f"p{number}": share for number, share in enumerate(shares)}
    return small_company(
        people={key: Person(person_id=key, name=key) for key in people},
        members=tuple(
            Member(unit_id="east", person_id=key, from_us=0, share=one) for key, one in people.items()
        ),
        absences=(),
    )


@thorough
@given(data=st.data(), shares=st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_nobody_is_a_lead_from_their_share_of_any_grade_however_the_stream_is_cut(
    data: st.DataObject, shares: list[int]
) -> None:
    batch = data.draw(st.sampled_from([1, 2, 3, 1_000]))
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        rig = Rig(Path(folder), company=shared(shares), batch_max=batch)
        for number in range(data.draw(st.integers(1, 14))):
            more: dict[str, str] = data.draw(
                st.sampled_from(
                    [{}, {"name": "张伟", "company": "上海大恒信息技术有限公司", "email": "w@daheng-it.cn"}]
                )
            )
            if more:
                more = {
                    **more,
                    "email": f"w{number}@daheng{number}-it.cn",
                    "company": f"上海大恒{number}信息技术有限公司",
                }
            lead(rig, number, fields=more)
        rig.run()
        assert max(abs(one.difference) for one in lines(rig)) <= 1
        assert_sums(rig)
        rig.close()


def said(rig: Rig, person_id: str, company: Company) -> dict[str, str]:
    """Why somebody did not get the newest lead, in both languages."""
    newest = max(rig.rows("lead"), key=lambda row: row["accepted_us"])
    with rig.store.read() as connection:
        found = given_by(connection, newest["lead_id"])
    assert found is not None
    reason = Reason.model_validate(orjson.loads(found["reason_json"]))
    return {
        language: View(language, company, MONDAY_10).teller.why_not(reason, found["holder_id"], person_id)
        for language in ("zh", "en")
    }


def test_why_not_answers_in_one_sentence_in_both_languages(tmp_path: Path) -> None:
    company = with_people(ann={}, bo={}, chen={"open_cap": 0})
    rig = Rig(tmp_path, company=company)
    for number in range(3):
        lead(rig, number)
    rig.run()
    owner = max(rig.rows("decision"), key=lambda row: row["decided_us"])
    winner = next(
        row["holder_id"] for row in rig.rows("holding") if row["decision_id"] == owner["decision_id"]
    )
    loser = "bo" if winner == "ann" else "ann"
    assert said(rig, "chen", company)["zh"].startswith("chen当时不能接（已满额）：")
    assert said(rig, "chen", company)["en"].startswith("chen could not have it (at capacity): ")
    assert "could have had it, with 1 received of 1 entitled to" in said(rig, loser, company)["en"]
    assert "应分 1，已得 1" in said(rig, loser, company)["zh"]
    assert said(rig, winner, company)["en"].startswith(f"{winner} did get it")


def test_why_not_of_what_waited_tells_who_got_it_in_the_end(tmp_path: Path) -> None:
    company = small_company()
    rig = Rig(tmp_path, company=company)
    lead(rig, 1, MONDAY_10 + 10 * HOUR)
    rig.run()
    assert said(rig, "ann", company)["en"].startswith("安 could not have it (off shift)")
    rig.fire(MONDAY_10 + DAY)
    assert "taken out of the waiting queue" in said(rig, "ann", company)["en"]
