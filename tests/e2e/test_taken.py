"""The blind check: what a colleague is told of a customer, what not, how often, and what its owner sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from enrich.acts_merge import merge_with
from enrich.taken import AN_HOUR, NOBODY, Taken, asking, look_up, questions_about
from router.office import office_of
from sales.outcomes import Said, record_outcome
from schemas.company import Unit
from schemas.outcomes import OutcomeCode
from schemas.work import ASKED
from store.acts import ActRefused, Command, perform
from store.acts_erase import erase, find_erasure
from store.company import company_version, load_company
from store.database import Database
from store.ended import Ended
from tests.e2e.test_console_pages import client_of, text_of
from tests.e2e.test_match_commands import posted
from tests.e2e.test_operate import leadflow
from tests.support.live import Live
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig, post, small_company

NAME = "北京大恒信息技术有限公司"


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=small_company(responsible_id="chen"))
    made.feed(
        [
            post(made="a", name="李娜", phone="13812345678", company=NAME),
            post(at_us=MONDAY_10 + 1, made="b", name="王芳", phone="13987654321"),
        ]
    )
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def asked(rig: Rig, what: str, actor: str = "bo") -> list[Taken]:
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
        return look_up(connection, company, what, actor)


def owner_of(rig: Rig, made: str) -> str:
    """Return the owner of the customer of the first ("a") or second ("b") post."""
    owned = sorted(
        (row["from_us"], row["holder_id"])
        for row in rig.rows("holding")
        if row["to_us"] is None and row["holder_kind"] == "person"
    )
    return str(owned["ab".index(made)][1])


@pytest.mark.parametrize("what", ["138 1234 5678", "+86 13812345678", NAME, "大恒信息", "Daheng Info"])
def test_a_whole_number_or_name_says_whose_department_it_is_since_when_and_whom_to_ask(
    rig: Rig, what: str
) -> None:
    (one,) = asked(rig, what, "nobody")
    with rig.store.read() as connection:
        company = load_company(connection, company_version(connection))
    units = {each.unit_id for each in company.members if each.person_id == owner_of(rig, "a")}
    assert one.unit_id in units
    assert one.since_us >= MONDAY_10
    assert one.ask in ("chen", *(unit.manager_id for unit in company.units.values()))
    assert not one.yours
    assert asked(rig, what, owner_of(rig, "a"))[0].yours


@pytest.mark.parametrize("what", ["13812345679", "13711112222", "上海海川搬运设备有限公司"])
def test_whom_nobody_has_is_not_taken(rig: Rig, what: str) -> None:
    assert asked(rig, what) == []


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("5678", "not_a_number"),
        ("138123456", "not_a_number"),
        ("13800138000", "not_a_number"),
        ("", "not_a_number"),
        ("科技有限公司", "not_a_name"),
        ("none", "not_a_name"),
    ],
)
def test_less_than_a_whole_one_is_refused(rig: Rig, what: str, code: str) -> None:
    with pytest.raises(ActRefused) as refused:
        asked(rig, what)
    assert refused.value.code == code


def test_a_name_that_many_have_lists_nobody(rig: Rig) -> None:
    rig.feed(
        post(
            at_us=MONDAY_10 + MINUTE + n,
            made=f"m{n}",
            name=f"客{n}",
            phone=f"1360000{n:04d}",
            company=f"{city}海川机械有限公司",
        )
        for n, city in enumerate(("上海", "广州", "深圳", "武汉", "成都", "西安"))
    )
    rig.run()
    with pytest.raises(ActRefused) as refused:
        asked(rig, "海川机械")
    assert refused.value.code == "name_fits_many"
    assert len(asked(rig, "广州海川机械有限公司")) == 1


def test_each_question_is_kept_and_an_hour_has_room_for_so_many(rig: Rig) -> None:
    (one,) = asked(rig, "13812345678")

    def ask(number: int, at_us: int, actor: str = "bo", about: str = one.customer_id) -> None:
        command = Command(ASKED, actor, f"k{number}", about)
        perform(rig.store, command, asking(), at_us, rig.files.store_log.append)

    for number in range(AN_HOUR):
        ask(number, MONDAY_10 + number)
        ask(number + 200, MONDAY_10 + number, about=NOBODY if number else one.customer_id)
    with pytest.raises(ActRefused, match="30 customers"):
        ask(100, MONDAY_10 + MINUTE, about=NOBODY)
    ask(103, MONDAY_10 + MINUTE)  # about the same again
    ask(101, MONDAY_10 + MINUTE, "ann")
    ask(102, MONDAY_10 + HOUR + MINUTE)
    with rig.store.read() as connection:
        found = questions_about(connection, [one.customer_id])
    assert found == {one.customer_id: (("bo", MONDAY_10 + HOUR + MINUTE), ("ann", MONDAY_10 + MINUTE))}


def close(rig: Rig, made: str, code: OutcomeCode, at_us: int = MONDAY_10 + MINUTE) -> str:
    """Record an outcome that ends the work on the customer of a post; return whose it was."""
    person = owner_of(rig, made)
    lead = sorted(rig.rows("lead"), key=lambda row: row["accepted_us"])["ab".index(made)]
    (task,) = (
        row for row in rig.rows("task") if row["lead_id"] == lead["lead_id"] and row["state"] == "open"
    )
    company = small_company(responsible_id="chen")
    plan = record_outcome(Said(code, reason="price"), company, office_of(company).due)
    command = Command("outcome", person, f"{code} {made}", str(task["task_id"]))
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)
    return person


@pytest.mark.parametrize("code", ["won", "no_need"])
@pytest.mark.parametrize("what", ["13812345678", NAME])
def test_whose_work_has_ended_is_still_somebodys_and_comes_back_to_them(
    rig: Rig, what: str, code: OutcomeCode
) -> None:
    before = asked(rig, what, "nobody")[0]
    person = close(rig, "a", code)
    (one,) = asked(rig, what, "nobody")
    assert one == replace(before, ended=Ended(code, MONDAY_10 + MINUTE)), "as before, and closed"
    assert one.holder_id == person
    assert asked(rig, what, person)[0].yours
    rig.feed([post(at_us=MONDAY_10 + HOUR, made="again", phone="13812345678", product="叉车")])
    rig.run()
    assert asked(rig, what, "nobody") == [before], "whoever had it has it again"


def test_a_customer_closed_before_it_was_merged_into_another_is_known(rig: Rig) -> None:
    close(rig, "a", "won")
    close(rig, "b", "no_need", MONDAY_10 + 2 * MINUTE)
    first, other = (asked(rig, number)[0].customer_id for number in ("13812345678", "13987654321"))
    command = Command("merge", "operator", "m", first, "one")
    perform(rig.store, command, merge_with(other), MONDAY_10 + HOUR, rig.files.store_log.append)
    (one,) = asked(rig, "13812345678")
    assert asked(rig, "13987654321") == [one]
    assert one.ended == Ended("no_need", MONDAY_10 + 2 * MINUTE), "the last outcome of both"


def test_a_buyer_that_was_erased_is_nobodys(rig: Rig) -> None:
    close(rig, "a", "won")
    (one,) = asked(rig, "13812345678")
    with rig.store.read() as connection:
        erasure = find_erasure(connection, "act_x", one.customer_id)
    command = Command("erase", "operator", "e", one.customer_id, "asked for")
    perform(rig.store, command, erase(erasure), MONDAY_10 + HOUR, rig.files.store_log.append)
    assert asked(rig, "13812345678") == []
    assert asked(rig, NAME) == []


def test_the_page_says_that_it_is_closed_and_to_others_not_how(rig: Rig) -> None:
    close(rig, "a", "won")
    with client_of(rig, MONDAY_10 + HOUR) as client:
        told = text_of(client.post("/taken", data={"asked": "13812345678"}).text)
    assert "已关闭，最后负责：" in told
    assert "成交" not in told
    assert "无人负责" not in told


def test_the_page_answers_and_the_owner_sees_who_asked(rig: Rig) -> None:
    with client_of(rig, MONDAY_10 + MINUTE) as client:
        answer = client.post("/taken", data={"asked": "13812345678"})
        assert answer.status_code == 200
        assert "已有人负责" in answer.text
        assert "李娜" not in answer.text, "no name"
        assert "无人负责" in client.post("/taken", data={"asked": "13711112222"}).text
        refused = client.post("/taken", data={"asked": "5678"})
        assert refused.status_code == 409
        assert "请写完整的电话号码" in refused.text
        story = client.get(f"/story/{rig.rows('lead')[0]['lead_id']}").text
    assert "查询过该客户" in story


def test_the_command_on_a_running_installation(tmp_path: Path) -> None:
    unit = Unit(unit_id="sales", kind="department", name_zh="销售部", name_en="Sales", manager_id="chen")
    units = {key: one.model_copy(update={"calendar_id": None}) for key, one in small_company().units.items()}
    live = Live(tmp_path / "data", small_company(units={**units, "sales": unit}, calendars={}))
    live.start()
    posted(live, name="李娜", phone="13812345678")
    assert "taken: " in leadflow(live.folder, "taken", "13812345678")
    assert leadflow(live.folder, "taken", "13711112222").strip() == "not taken"
    assert "whole telephone number" in leadflow(live.folder, "taken", "5678", code=2)
    ((task, holder),) = live.query("SELECT task_id, holder_id FROM task")
    form = {"content-type": "application/x-www-form-urlencoded"}
    said = urlencode({"code": "won", "actor": holder, "key": "k"}).encode()
    live.post(f"/inbox/{holder}/{task}/outcome", said, form)
    assert "closed: last with " in leadflow(live.folder, "taken", "13812345678")
    assert "yours, since" in (told := leadflow(live.folder, "taken", "13812345678", "--actor", holder))
    assert told.strip().endswith(", closed")
    live.stop()
