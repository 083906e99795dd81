"""What nobody has told yet is a question where people work: at the task, in the story, in `explain`, in both languages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from console.view import View
from leadflow.explain import explain
from sales.segments import customers_of
from tests.e2e.test_console_pages import client_of, text_of
from tests.e2e.test_known_again import refuse
from tests.support.rig import MONDAY_10, Rig, post, small_company


def test_gaps_are_asked_for_and_go_when_they_are_told(tmp_path: Path) -> None:
    company = small_company(required=("full_name", "phone", "company", "city"))
    desk = Rig(tmp_path, company=company)
    desk.feed([post(made="1", name="李娜", phone="13812345678")])
    desk.run()
    (lead,) = desk.rows("lead")
    told = "\n".join(explain(desk.files, lead["lead_id"], "zh"))
    assert "请询问： 公司" in told
    assert "Ask for: company" in "\n".join(explain(desk.files, lead["lead_id"], "en")).replace(
        "Company", "company"
    )
    desk.feed(
        [post(made="2", phone="13812345678", company="大恒信息", city="苏州", address="江苏省苏州市园区1号")]
    )
    desk.run()
    assert "请询问" not in "\n".join(explain(desk.files, lead["lead_id"], "zh"))
    (customer,) = {row["customer_id"] for row in desk.rows("customer")}
    with desk.store.read() as connection:
        (found,) = customers_of(connection, company, MONDAY_10, [customer])
        assert list(customers_of(connection, company, MONDAY_10, ["cus_nobody"])) == []
    assert found.facts["complete"] == "100"
    assert any("苏州" in one for one in View("zh", company, MONDAY_10).profile(found.facts))
    desk.close()


@pytest.fixture
def three(tmp_path: Path) -> Iterator[Rig]:
    """Three customers: two of Shanghai, one of Suzhou, of which one withdrew."""
    table = "segment,province,name_zh,name_en\nsh,上海,沪上,Shanghai ones\n"
    desk = Rig(tmp_path, company=small_company(segments_csv=table, required=("full_name", "company")))
    places = ("上海市浦东新区1号", "上海市黄浦区2号", "江苏省苏州市园区3号")
    desk.feed(
        post(made=str(number), name=name, phone=f"1381234567{number}", address=place)
        for number, (name, place) in enumerate(zip(("王甲", "李乙", "赵丙"), places, strict=True))
    )
    desk.run()
    yield desk
    desk.close()


def test_customers_are_counted_by_a_fact_and_listed_by_what_the_address_says(three: Rig) -> None:
    client = client_of(three)
    page = client.get("/customers?lang=en").text
    told = text_of(page)
    assert "上海 2" in told
    assert "江苏 1" in told
    assert "Shanghai ones 2" in told
    narrowed = text_of(client.get("/customers?by=province&value=江苏&lang=en").text)
    assert ("赵丙" in narrowed, "王甲" in narrowed) == (True, False)
    segment = text_of(client.get("/customers?segment=sh&lang=zh").text)
    assert ("赵丙" in segment, "王甲" in segment) == (False, True)
    assert "请询问： 公司" in segment
    assert "赵丙" in client.get("/customers?by=nonsense&segment=none").text, (
        "what does not exist is not chosen"
    )


def test_a_task_says_what_the_customer_does_not_agree_to(three: Rig) -> None:
    (task, *_) = three.rows("task")
    page = f"/inbox/{task['holder_id']}?lang=zh"
    assert "不同意" not in client_of(three).get(page).text
    refuse(three, task["customer_id"], MONDAY_10)
    assert "不同意： 被联系" in text_of(client_of(three).get(page).text)
    assert "不同意： 被联系" in "\n".join(explain(three.files, task["lead_id"], "zh"))
