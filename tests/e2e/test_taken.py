"""The blind check: what a colleague is told of a customer, what not, how often, and what its owner sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from enrich.taken import AN_HOUR, NOBODY, Taken, asking, look_up, questions_about
from schemas.company import Unit
from schemas.work import ASKED
from store.acts import ActRefused, Command, perform
from store.company import company_version, load_company
from store.database import Database
from tests.e2e.test_console_pages import client_of
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
    live = Live(tmp_path / "data", small_company(units={**small_company().units, "sales": unit}))
    live.start()
    posted(live, name="李娜", phone="13812345678")
    assert "taken: " in leadflow(live.folder, "taken", "13812345678", "--actor", "bo")
    assert leadflow(live.folder, "taken", "13711112222").strip() == "not taken"
    assert "whole telephone number" in leadflow(live.folder, "taken", "5678", code=2)
    live.stop()
