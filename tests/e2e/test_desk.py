"""The front desk: who is found, what each role is told of it, and that a merge, a parting and an erasure count at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.desk_found import Answer, find
from console.may import AT_THIS_MACHINE, Visitor
from enrich.acts_merge import merge_with
from enrich.acts_part import Wish, part
from enrich.taken import NOBODY
from router.office import office_of
from sales.outcomes import Said, record_outcome
from store.acts import Command, perform
from store.acts_erase import erase, find_erasure
from store.company import company_version, load_company
from store.database import Database
from store.ended import Ended
from tests.e2e.test_console_pages import client_of, text_of
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post, small_company

DESK = Visitor("chen", frozenset({"front_desk"}), frozenset({"chen"}))


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=small_company(responsible_id="chen"))
    made.feed(
        [
            post(made="a", name="王芳", phone="13812345678", company="北京大恒信息技术有限公司"),
            post(at_us=MONDAY_10 + 1, made="b", name="吴凡", phone="13987655678"),
        ]
    )
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def asked(rig: Rig, what: str, who: Visitor = DESK) -> Answer:
    with rig.store.read() as connection:
        office = office_of(load_company(connection, company_version(connection)))
        return find(connection, office, what, who, MONDAY_10 + MINUTE)


def customers(rig: Rig) -> dict[str, str]:
    """Return the customer of each lead's name."""
    return {one.name: one.taken.customer_id for one in asked(rig, "5678", AT_THIS_MACHINE).hits}


def act(rig: Rig, verb: str, scope: str, plan: object, at_us: int = MONDAY_10 + HOUR) -> None:
    command = Command(verb, "operator", f"{verb} {scope}", scope, "why")
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)  # type: ignore[arg-type]


def test_the_desk_is_told_who_has_them_and_sees_no_name_and_no_number(rig: Rig) -> None:
    found = asked(rig, "5678")
    assert len(found.hits) == 2
    assert {one.name for one in found.hits} == {"王••", "吴••"}
    for one in found.hits:
        assert one.taken.holder_id in ("ann", "bo")
        assert not one.is_seen
        assert one.company == ""
        assert all("•" in number and tel is None for number, tel in one.phones)
    assert set(found.questions) == {one.taken.customer_id for one in found.hits}


@pytest.mark.parametrize(
    "what", ["wf 345678", "wangfang", "王芳", "大恒", "138 1234 5678", "王芳 5678", "daheng"]
)
def test_one_more_word_finds_the_one(rig: Rig, what: str) -> None:
    (one,) = asked(rig, what).hits
    assert one.taken.customer_id == customers(rig)["王芳"]


def test_initials_find_both_and_nobody_is_a_question_too(rig: Rig) -> None:
    assert len(asked(rig, "wf").hits) == 2
    assert asked(rig, "9999").questions == (NOBODY,)
    assert asked(rig, "99").too_little
    assert asked(rig, "99").questions == ()


def test_more_than_a_handful_are_not_listed(rig: Rig) -> None:
    rig.feed(
        post(at_us=MONDAY_10 + MINUTE + n, made=f"m{n}", name="王芳", phone=f"1360000{n:04d}")
        for n in range(6)
    )
    rig.run()
    found = asked(rig, "wf")
    assert found.many
    assert found.hits == () == found.questions
    assert len(asked(rig, "wf 0003").hits) == 1


def test_a_representative_finds_their_own_and_of_others_what_the_blind_check_says(rig: Rig) -> None:
    holder = next(one.taken.holder_id for one in asked(rig, "王芳").hits)
    mine = Visitor(holder, frozenset({"representative"}), frozenset({holder}))
    (one,) = asked(rig, "wf 1234 5678", mine).hits
    assert (one.name, one.phones[0][1], one.is_seen) == ("王芳", "tel:+8613812345678", True)
    assert asked(rig, "王芳", mine).questions == ()
    other = Visitor("zoe", frozenset({"representative"}), frozenset({"zoe"}))
    for little in ("5678", "wf", "王芳 5678"):
        told = asked(rig, little, other)
        assert (told.hits, told.blind) == ((), ()), "not by pieces"
    told = asked(rig, "13812345678", other)
    assert told.hits == ()
    assert len(told.blind) == 1
    assert told.questions == (customers(rig)["王芳"],)


def test_a_merge_a_parting_and_an_erasure_count_at_once(rig: Rig) -> None:
    one, other = customers(rig).values()
    act(rig, "merge", one, merge_with(other))
    (both,) = asked(rig, "5678").hits
    assert asked(rig, "王芳").hits[0].taken == asked(rig, "吴凡").hits[0].taken == both.taken
    act(rig, "unmerge", one, part(Wish(one)), MONDAY_10 + 2 * HOUR)
    assert len(asked(rig, "5678").hits) == 2
    with rig.store.read() as connection:
        erasure = find_erasure(connection, "act_x", customers(rig)["王芳"])
    act(rig, "erase", erasure.customers[0], erase(erasure), MONDAY_10 + 3 * HOUR)
    assert list(customers(rig)) == ["吴凡"]
    assert {row["key"][0] for row in rig.rows("find_key")} == {"t", "n", "y", "i"}, "no company left"
    assert len({row["lead_id"] for row in rig.rows("find_key")}) == 1


def test_a_buyer_is_found_and_marked_as_such(rig: Rig) -> None:
    task = next(row for row in rig.rows("task") if row["customer_id"] == customers(rig)["王芳"])
    holder, company = str(task["holder_id"]), small_company()
    won = record_outcome(Said("won"), company, office_of(company).due)
    act(rig, "outcome", str(task["task_id"]), won, MONDAY_10 + MINUTE)
    mine = Visitor(holder, frozenset({"representative"}), frozenset({holder}))
    (one,) = asked(rig, "王芳", mine).hits
    assert (one.is_seen, one.taken.yours, one.taken.ended) == (True, True, Ended("won", MONDAY_10 + MINUTE))
    (told,) = asked(rig, "王芳").hits
    assert (told.is_seen, told.name, told.taken.holder_id) == (False, "王••", holder)
    assert len(asked(rig, "5678").hits) == 2, "beside who is open"
    other = Visitor("zoe", frozenset({"representative"}), frozenset({"zoe"}))
    assert asked(rig, "王芳", other).hits == (), "not by pieces"
    assert [each.customer_id for each in asked(rig, "13812345678", other).blind] == [one.taken.customer_id]
    with client_of(rig, MONDAY_10 + HOUR) as client:
        shown = text_of(client.get("/pop?phone=13812345678").text)
    assert "2026-11-23 成交" in shown
    assert "无人" not in shown


def test_a_probe_is_not_found(rig: Rig) -> None:
    rig.feed([post(at_us=MONDAY_10 + 5, made="p", purpose="probe", name="探针", phone="13511112222")])
    rig.run()
    assert asked(rig, "13511112222").hits == ()
