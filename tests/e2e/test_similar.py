"""Leads that no identifier recognises: whom the model finds, whom it leaves alone, and what stays of it, on both stores."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.capture import Capture
from store.acts_erase import erase_rows, find_erasure
from store.database import Database
from tests.support.rig import DAY, MONDAY_10, Rig, post, small_company


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=small_company(matching="join"))
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def who(rig: Rig, *captures: Capture, at_once: bool = False) -> list[tuple[str, str]]:
    """Feed captures and return (contact, customer) of each lead in the order in which they came."""
    for group in [captures] if at_once else [(one,) for one in captures]:
        rig.feed(list(group))
        rig.run()
    leads = sorted(rig.rows("lead"), key=lambda row: row["accepted_us"])
    present = {row["lead_id"]: row for row in rig.rows("membership") if row["to_us"] is None}
    return [(present[row["lead_id"]]["contact_id"], present[row["lead_id"]]["customer_id"]) for row in leads]


def form(number: int, **fields: str) -> Capture:
    return post(made=str(number), at_us=MONDAY_10 + number * DAY, **fields)


OUYANG = {"name": "欧阳静怡", "phone": "13812345678", "company": "北京大恒信息技术有限公司", "city": "北京"}


@pytest.mark.parametrize("at_once", [False, True])
def test_the_same_person_with_another_number_is_the_same_customer_and_the_story_says_why(
    rig: Rig, at_once: bool
) -> None:
    again = {"name": "歐陽靜怡", "phone": "13987654321", "company": "大恒信息", "city": "北京市"}
    first, second = who(rig, form(1, **OUYANG), form(2, **again), at_once=at_once)
    assert first == second
    (evidence,) = (row for row in rig.rows("evidence") if row["kind"] == "similar")
    assert evidence["pointed_at"] == first[0]
    assert float(evidence["value"]) > 6.6
    assert evidence["used"]


def test_where_a_person_decides_everybody_found_is_listed_and_nobody_joined(tmp_path: Path) -> None:
    again = {"name": "歐陽靜怡", "phone": "13987654321", "company": "大恒信息", "city": "北京市"}
    rig = Rig(tmp_path, company=small_company(matching="review"))
    first, second = who(rig, form(1, **OUYANG), form(2, **again))
    assert first[0] != second[0]
    (review,) = rig.rows("review")
    assert {review["a"], review["b"]} == {first[1], second[1]}
    (tmp_path / "off").mkdir()
    off = Rig(tmp_path / "off", company=small_company(matching="off"))
    who(off, form(1, **OUYANG), form(2, **again))
    assert off.rows("review") == off.rows("match_record") == []
    for one in (rig, off):
        one.files.doors.close()
        one.files.store.close()


def test_a_mistyped_number_under_the_same_rare_name_is_the_same_person(rig: Rig) -> None:
    first, second = who(
        rig,
        form(1, name="欧阳静怡", phone="13812345678", email="jingyi.ouyang@qq.com"),
        form(2, name="欧阳静怡", phone="13812345687", email="jingyi.ouyang@163.com"),
    )
    assert first == second


def test_whether_a_colleague_buys_for_the_same_company_is_asked(rig: Rig) -> None:
    one = {**OUYANG, "company": "大恒信息技术有限公司"}
    first, second = who(rig, form(1, **one), form(2, **{**one, "name": "王建国", "phone": "13900001111"}))
    assert first[0] != second[0]
    (review,) = rig.rows("review")
    assert {review["a"], review["b"]} == {first[1], second[1]}
    assert (review["why"], review["state"]) == ("alike", "open")
    assert review["millibits"] > 0


def test_colleagues_of_one_surname_stay_two(rig: Rig) -> None:
    one = {"company": "北京大恒信息技术有限公司", "city": "北京"}
    first, second = who(
        rig,
        form(1, name="王建国", phone="13812345678", email="jianguo@daheng-it.cn", **one),
        form(2, name="王丽", phone="13900001111", email="li@daheng-it.cn", **one),
    )
    assert first[0] != second[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"name": "张伟", "phone": "13812345678"}, {"name": "张伟", "phone": "13900001111"}),
        (
            {"name": "张伟", "phone": "13812345678", "city": "北京"},
            {"name": "张伟", "phone": "13900001111", "city": "广州"},
        ),
        ({"phone": "13812345678", "name": "王先生"}, {"phone": "13812345679", "name": "李小姐"}),
        (
            {"name": "李娜", "phone": "13812345678", "company": "科技有限公司"},
            {"name": "王强", "phone": "13900001111", "company": "科技有限公司"},
        ),
        ({"name": "null", "phone": "13812345678"}, {"name": "null", "phone": "13900001111"}),
    ],
)
def test_a_name_alone_joins_nobody(rig: Rig, one: dict[str, str], other: dict[str, str]) -> None:
    first, second = who(rig, form(1, **one), form(2, **other))
    assert first[0] != second[0]
    assert first[1] != second[1]


def test_among_sixty_of_one_company_each_is_found_again(rig: Rig) -> None:
    surnames, given = "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗", ("建国", "静怡", "晓明")
    staff = [
        form(number, name=surnames[number % 20] + given[number // 20], phone=f"139{number:08d}",
             company="北京大恒信息技术有限公司", city="北京")
        for number in range(60)
    ]  # fmt: skip
    found = who(rig, *staff, at_once=True)
    assert len({contact for contact, _ in found}) == 60
    keys = Counter(row["number"] for row in rig.rows("match_key"))
    assert max(keys.values()) == 50, "a full key takes no more"
    again = who(rig, form(100, name="罗晓明", phone="13711112222", company="大恒信息", city="北京"))[-1]
    assert again == found[59], "found under a refinement of the full key"


def test_what_is_compared_goes_with_an_erasure(rig: Rig) -> None:
    who(rig, form(1, **OUYANG))
    assert rig.rows("match_record")
    (customer,) = rig.rows("customer")
    with rig.store.write() as connection:
        erasure = find_erasure(connection, "act_1", str(customer["customer_id"]))
        erase_rows(connection, erasure, MONDAY_10 + 2 * DAY)
    assert rig.rows("match_record") == rig.rows("match_key") == []


def test_a_whole_registered_name_is_the_same_customer_by_itself_unless_something_conflicts(rig: Rig) -> None:
    whole = "北京大恒信息技术有限公司"
    found = who(
        rig,
        form(1, name="王建国", phone="13812345678", company=whole),
        form(2, name="李晓明", phone="13987654321", company=whole),
        form(3, name="赵静怡", phone="13711112222", company="大恒信息技术有限公司"),
        form(4, name="周文", phone="13511112222", company="大恒（上海）信息技术有限公司"),
    )
    assert len({contact for contact, _ in found}) == 4
    customers = [customer for _, customer in found]
    assert customers[0] == customers[1]
    assert customers[0] not in customers[2:], (
        "without the region others have that name, too; in another they do"
    )
