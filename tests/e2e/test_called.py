"""Whoever writes again without a name is shown as whom one knows, on every page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from console.known import with_what_is_known
from tests.e2e.test_access import House
from tests.support.rig import HOUR, MONDAY_10, Rig, post, small_company

NAMED = {"name": "王芳", "phone": "138 0000 0001", "company": "大恒", "email": "wangfang@daheng.example"}
BARE = {"phone": "138 0000 0001", "message": "请回电"}


@pytest.fixture(params=["named first", "named later"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    rig = Rig(tmp_path, company=small_company())
    first: Any
    second: Any
    first, second = (NAMED, BARE) if request.param == "named first" else (BARE, NAMED)
    rig.feed([post(made="1", **first)])
    rig.run()
    rig.feed([post(made="2", at_us=MONDAY_10 + HOUR, **second)])
    rig.run()
    yield House(rig, now_us=MONDAY_10 + 2 * HOUR)
    rig.close()


def test_a_customer_is_called_by_what_is_known_of_them(house: House) -> None:
    (customer,) = house.rig.rows("customer")
    (holding,) = [row for row in house.rig.rows("holding") if row["to_us"] is None and row["role"] == "owner"]
    client = house.client(house.grant(holding["holder_id"], role="representative"))
    page = client.get(f"/customer/{customer['customer_id']}").text
    assert "<h1><bdi>王芳</bdi>" in page
    assert "<bdi>王芳</bdi>" in client.get("/customers").text
    day = client.get("/day").text
    tasks = [row for row in house.rig.rows("task") if row["state"] == "open"]
    assert tasks
    assert day.count("<h2><bdi>王芳</bdi> <small><bdi>大恒</bdi></small></h2>") == len(tasks)
    assert day.count("tel:+8613800000001") == len(tasks), "the number once, though two leads gave it"


def test_two_tasks_of_one_lead_are_both_called_by_name(house: House) -> None:
    (bare,) = [row["lead_id"] for row in house.rig.rows("lead") if "请回电" in row["fields_json"]]
    rows: list[dict[str, Any]] = [{"lead_id": bare, "fields": []} for _ in range(2)]
    with house.rig.store.read() as connection:
        with_what_is_known(connection, rows)
    names = [[field["value"] for field in row["fields"] if field["name"] == "full_name"] for row in rows]
    assert names == [["王芳"], ["王芳"]]


def test_of_two_people_of_a_company_neither_is_called_by_the_other_s_name(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company())
    company: dict[str, Any] = {"company": "北京大恒信息技术有限公司", "tax_id": "91110108102034567X"}
    rig.feed([post(made="1", name="王芳", phone="138 0000 0001", **company)])
    rig.run()
    rig.feed([post(made="2", at_us=MONDAY_10 + HOUR, name="李强", phone="139 0000 0002", **company)])
    rig.run()
    rig.feed([post(made="3", at_us=MONDAY_10 + HOUR, phone="139 0000 0002", message="再问一下")])
    rig.run()
    house = House(rig, now_us=MONDAY_10 + 2 * HOUR)
    (third,) = [row["lead_id"] for row in rig.rows("lead") if "再问一下" in row["fields_json"]]
    tasks = {row["lead_id"]: row for row in rig.rows("task") if row["state"] == "open"}
    holder = tasks[third]["holder_id"]
    page = (
        house.client(house.grant(holder, role="representative"))
        .get(f"/day?task={tasks[third]['task_id']}")
        .text
    )
    article = page[page.index(f'id="{tasks[third]["task_id"]}"') :]
    assert "<h2><bdi>李强</bdi>" in article[: article.index("</h2>") + 5]
    rig.close()


def test_an_auditor_reads_no_number_that_was_added(house: House) -> None:
    (holding,) = [row for row in house.rig.rows("holding") if row["to_us"] is None and row["role"] == "owner"]
    client = house.client(house.grant("ann", role="auditor"))
    page = client.get(f"/inbox/{holding['holder_id']}").text
    assert "王芳" in page
    assert "138 0000 0001" not in page
    assert "13800000001" not in page
