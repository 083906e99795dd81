"""Who is put aside stays in sight of who had them last, on every page and list, and of nobody else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from router.office import office_of
from sales.outcomes import Said, record_outcome
from schemas.company import Choice, Member
from store.acts import Command
from store.acts_inbox import give_back, take
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import text_of
from tests.support.host import host_of
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

UNTIL = MONDAY_10 + 40 * DAY
CADENCE = Choice(list="nurture", code="east", name_zh="季度", name_en="Quarter", wake_days=(90,))
"""Called as a team is: that team has nothing to do with it."""
TOGETHER = tuple(Member(unit_id="east", person_id=one, from_us=0, share=0) for one in ("ann", "chen"))


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[House]:
    """Ann of East, which Bo manages, put her customer aside; Chen of West has nothing to do with it."""
    store = request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None
    company = small_company(
        absences=(),
        members=(
            Member(unit_id="east", person_id="ann", from_us=0, share=1),
            Member(unit_id="west", person_id="chen", from_us=0, share=0),
        ),
        responsible_id="chen",
        choices=(CADENCE,),
    )
    east = company.units["east"]
    company.units["east"] = east.model_copy(update={"manager_id": "bo"})
    company.units["west"] = east.model_copy(update={"unit_id": "west", "name_en": "West", "name_zh": "华西"})
    rig = Rig(tmp_path, store=store, company=company)
    rig.feed([post(made="1", name="张伟", phone="13812345678")])
    rig.run()
    made = House(rig, now_us=MONDAY_10 + MINUTE, host=host_of(rig))
    (task,) = rig.rows("task")
    plan = record_outcome(Said("nurture", next_us=UNTIL, reason="east"), company, office_of(company).due)
    made.do(Command("outcome", "ann", "aside", str(task["task_id"])), plan)
    made.now_us += HOUR
    yield made
    rig.files.doors.close()
    if store is None:
        rig.files.store.close()


def client(house: House, person: str, role: str | None = None) -> TestClient:
    return house.client(house.grant(person, role=role), language="zh")


def ids(house: House) -> tuple[str, str]:
    (customer,), (lead, *_) = house.rig.rows("customer"), house.rig.rows("lead")
    return str(customer["customer_id"]), str(lead["lead_id"])


@pytest.mark.parametrize("person", ["ann", "bo"])
def test_who_had_it_last_and_their_manager_see_it_and_until_when(house: House, person: str) -> None:
    customer_id, lead_id = ids(house)
    seen = client(house, person)
    for page in (f"/customer/{customer_id}", f"/story/{lead_id}", "/customers"):
        told = text_of(seen.get(page).text)
        assert "张伟" in told, page
        assert "培育至 2027-01-02" in told, page
        assert "到期后仍由 安 跟进" in told, page
    assert "跟进中" not in text_of(seen.get("/customers").text), "nobody works on it meanwhile"
    assert "13812345678" in seen.get(f"/customer/{customer_id}").text, "theirs to call"
    (row,) = seen.get("/api/customers").json()["customers"]
    assert row["customer_id"] == customer_id
    assert row["holder"]["kind"] == "nurture"
    assert row["put_aside"] == {"person_id": "ann", "until_us": UNTIL}
    assert seen.get("/api/customers?holder=ann").json()["customers"] == [row]
    assert seen.get("/api/customers?q=zhangwei").json()["customers"] == [row]
    assert "<bdi>张伟</bdi>" in seen.get("/customers?q=5678").text
    assert seen.get(f"/api/customers/{customer_id}").json()["put_aside"] == row["put_aside"]
    found = text_of(seen.get("/pop?phone=13812345678").text)
    assert "张伟" in found
    assert "培育至 2027-01-02" in found


def test_nobody_else_does_even_of_a_unit_that_is_called_as_the_cadence(house: House) -> None:
    customer_id, lead_id = ids(house)
    house.change(members=TOGETHER)
    chen = client(house, "chen")
    for page in (f"/customer/{customer_id}", f"/story/{lead_id}", f"/api/customers/{customer_id}"):
        assert chen.get(page).status_code == 403, page
    assert chen.get("/api/customers").json()["customers"] == []
    assert chen.get("/api/customers?q=zhangwei").json()["customers"] == []
    assert "张伟" not in chen.get("/customers").text
    assert chen.post(f"/api/customers/{customer_id}/stage", json={"stage": "won"}).status_code == 403
    pop = text_of(chen.get("/pop?phone=13812345678").text)
    assert "已有人负责" in pop
    assert "张伟" not in pop


def test_who_had_it_before_somebody_else_sees_it_no_more(house: House) -> None:
    house.rig.feed([post(made="2", at_us=MONDAY_10 + 2 * HOUR, name="张伟", phone="13812345678")])
    house.rig.run()  # it wakes, and Ann has it
    house.now_us = MONDAY_10 + 3 * HOUR
    (task,) = (str(row["task_id"]) for row in house.rig.rows("task") if row["state"] == "open")
    house.change(members=TOGETHER)
    house.do(Command("return", "ann", "back", task, "not mine"), give_back())
    house.do(Command("take", "chen", "taken", task), take())
    company = small_company(choices=(CADENCE,))
    plan = record_outcome(Said("nurture", next_us=UNTIL, reason="east"), company, office_of(company).due)
    house.do(Command("outcome", "chen", "aside again", task), plan)
    customer_id, lead_id = ids(house)
    for page in (f"/customer/{customer_id}", f"/story/{lead_id}"):
        assert client(house, "ann").get(page).status_code == 403, page
        assert client(house, "chen").get(page).status_code == 200, page
    assert client(house, "ann").get("/api/customers").json()["customers"] == []
    assert len(client(house, "chen").get("/api/customers").json()["customers"]) == 1


def test_the_blind_check_names_who_had_it_to_ask(house: House) -> None:
    asked = {"asked": "13812345678"}
    (one,) = client(house, "chen").post("/api/taken", json=asked).json()["taken"]
    assert (one["unit_id"], one["ask"], one["yours"]) == ("east", "ann", False)
    told = text_of(client(house, "chen").post("/taken", data=asked).text)
    assert "华东" in told
    assert "安" in told
    assert "培育" not in told, "not more than of others"
    (mine,) = client(house, "ann").post("/api/taken", json=asked).json()["taken"]
    assert mine["yours"]
    assert "培育至 2027-01-02" in text_of(client(house, "ann").post("/taken", data=asked).text)


def test_of_somebody_who_left_it_names_who_answers_for_their_team(house: House) -> None:
    people = small_company().people
    house.change(people={**people, "ann": people["ann"].model_copy(update={"state": "left"})})
    (one,) = client(house, "chen").post("/api/taken", json={"asked": "13812345678"}).json()["taken"]
    assert (one["unit_id"], one["ask"]) == ("east", "bo")
    customer_id, _ = ids(house)
    assert "到期后仍由" not in client(house, "bo").get(f"/customer/{customer_id}").text
