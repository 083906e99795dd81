"""While somebody is away, who stands in for them sees and does what is theirs; nobody else, not before, and not a moment longer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from schemas.company import Absence, Company, Member, Unit
from store.company import company_version, load_company, replace_company
from tests.e2e.test_access import PAGE, House
from tests.e2e.test_console_pages import text_of
from tests.support.host import host_of
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

BEGIN, END = MONDAY_10 + HOUR, MONDAY_10 + 3 * DAY


def unit(unit_id: str, manager: str) -> Unit:
    return Unit(
        unit_id=unit_id,
        parent_id="company",
        kind="team",
        name_zh=unit_id,
        name_en=unit_id,
        calendar_id="day",
        manager_id=manager,
    )


def two_teams(*absences: Absence) -> Company:
    """Ann of East, which Bo manages, and Chen of West, who manages it."""
    small = small_company()
    return small_company(
        units={**small.units, "east": unit("east", "bo"), "west": unit("west", "chen")},
        members=(
            Member(unit_id="east", person_id="ann", from_us=0, share=1),
            Member(unit_id="west", person_id="chen", from_us=0, share=0),
        ),
        absences=absences,
    )


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """Ann of East, with one customer and her task, is away for two days from 11 on; Chen of West stands in."""
    company = two_teams(Absence(person_id="ann", from_us=BEGIN, to_us=END, stand_in_id="chen"))
    rig = Rig(tmp_path, company=company)
    rig.feed([post(made="1", name="张伟", phone="13812345678")])
    rig.run()
    yield House(rig, now_us=MONDAY_10 + 2 * HOUR, host=host_of(rig))
    rig.close()


def client(house: House, person: str, role: str | None = None) -> TestClient:
    made = house.client(house.grant(person, role=role), language="zh")
    made.headers |= PAGE
    return made


def ids(house: House) -> tuple[str, str, str]:
    (customer,), (lead,) = house.rig.rows("customer"), house.rig.rows("lead")
    (task,) = (row for row in house.rig.rows("task") if row["state"] == "open")
    assert task["holder_id"] == "ann"
    return str(customer["customer_id"]), str(lead["lead_id"]), str(task["task_id"])


def pages(house: House) -> list[str]:
    customer_id, lead_id, _ = ids(house)
    theirs = (f"customer/{customer_id}", f"story/{lead_id}", "inbox/ann")
    api = (f"customers/{customer_id}", f"stories/{lead_id}", "inbox/ann")
    return [*(f"/{one}" for one in theirs), *(f"/api/{one}" for one in api)]


def sees_nothing(house: House, who: TestClient) -> None:
    _, _, task_id = ids(house)
    for page in pages(house):
        assert who.get(page).status_code == 403, page
    said = {"code": "interested", "key": "k", "back": "/day"}
    assert who.post(f"/inbox/ann/{task_id}/outcome", data=said).status_code == 403
    assert who.post(f"/api/tasks/{task_id}/outcome", json={"code": "interested"}).status_code == 403
    for page in ("/day", "/customers", "/api/customers"):
        assert "张伟" not in who.get(page).text, page
        assert ids(house)[0] not in who.get(page).text, page
    assert house.rig.rows("outcome") == []


def test_the_stand_in_sees_customer_story_and_tasks_with_the_number_to_call(house: House) -> None:
    chen = client(house, "chen", "representative")
    for page in pages(house):
        told = chen.get(page)
        assert told.status_code == 200, page
        assert "张伟" in told.text, page
        assert "13812345678" in told.text, page
    day = text_of(chen.get("/day").text)
    assert "代 安 跟进（请假中）" in day
    assert "张伟" in day
    assert "退回团队" not in day, "to give it away is not theirs"
    assert "张伟" in chen.get("/customers").text
    assert "张伟" in text_of(chen.get("/pop?phone=13812345678").text)


def test_they_record_an_outcome_as_themselves_and_the_next_step_stays_the_owners(house: House) -> None:
    _, _, task_id = ids(house)
    chen = client(house, "chen")
    said = {"code": "no_answer", "key": "k", "actor": "ann", "back": "/day"}
    done = chen.post(f"/inbox/ann/{task_id}/outcome", data=said)
    assert (done.status_code, done.headers["location"]) == (303, "/day?done=outcome")
    (outcome,) = house.rig.rows("outcome")
    assert outcome["person_id"] == "chen"
    (act,) = (row for row in house.rig.rows("act") if row["verb"] == "outcome")
    assert act["actor"] == "chen"
    (following,) = (row for row in house.rig.rows("task") if row["state"] == "open")
    assert following["holder_id"] == "ann"
    assert "代 安 跟进" in text_of(chen.get("/day").text)


@pytest.mark.parametrize("at_us", [BEGIN - MINUTE, END, END + DAY])
def test_before_and_after_they_see_nothing(house: House, at_us: int) -> None:
    house.now_us = at_us
    sees_nothing(house, client(house, "chen", "representative"))


def test_the_leave_ends_at_once_when_she_is_back(house: House) -> None:
    chen = client(house, "chen", "representative")
    assert chen.get(pages(house)[0]).status_code == 200
    ann = client(house, "ann")
    assert ann.post("/day/back", data={"key": "b"}).status_code == 303
    sees_nothing(house, chen)


def test_somebody_else_sees_nothing_and_neither_does_who_stands_in_for_another(house: House) -> None:
    people = small_company().people
    more = {"dora": people["ann"].model_copy(update={"person_id": "dora", "name": "朵拉"})}
    house.change(
        people={**people, **more},
        absences=(
            Absence(person_id="ann", from_us=BEGIN, to_us=END, stand_in_id="chen"),
            Absence(person_id="chen", from_us=BEGIN, to_us=END, stand_in_id="dora"),
        ),
    )
    sees_nothing(house, client(house, "dora"))


@pytest.mark.parametrize("role", ["front_desk", "marketing"])
def test_a_token_for_another_role_stands_in_for_nobody(house: House, role: str) -> None:
    chen = client(house, "chen", role)
    _, _, task_id = ids(house)
    said = {"code": "interested", "key": "k"}
    assert chen.get("/inbox/ann").status_code == 403
    assert chen.post(f"/inbox/ann/{task_id}/outcome", data=said).status_code == 403
    assert chen.post(f"/api/tasks/{task_id}/outcome", json=said).status_code == 403


def test_who_stands_in_gives_nothing_away_even_as_a_manager_of_others(house: House) -> None:
    customer_id, _, task_id = ids(house)
    chen = client(house, "chen")
    refused = chen.post(f"/inbox/ann/{task_id}/return", data={"reason": "busy", "key": "r", "back": "/day"})
    assert refused.status_code == 409
    away = chen.post(f"/api/customers/{customer_id}/release", json={"reason": "busy"})
    assert (away.status_code, away.json()["code"]) == (409, "not_yours")
    looked = chen.post("/api/moves/preview", json={"customers": [customer_id], "to": "chen"})
    assert looked.json()["stays"] == [{"code": "not_below", "count": 1}]
    assert chen.get(f"/parting/{customer_id}").status_code == 403
    assert chen.post("/team/calendar/back", data={"person": "ann", "key": "c"}).status_code == 409
    owner = [row["holder_id"] for row in house.rig.rows("holding") if row["to_us"] is None]
    assert owner == ["ann"]


def test_who_stands_in_for_a_manager_sees_the_managers_own_alone(house: House) -> None:
    with house.rig.store.write() as connection:
        company = load_company(connection, company_version(connection))
        bo = Absence(person_id="bo", from_us=BEGIN, to_us=END, stand_in_id="chen")
        replace_company(connection, company, company.model_copy(update={"absences": (bo,)}), BEGIN, "act_a")
    chen = client(house, "chen")
    for page in pages(house):
        assert chen.get(page).status_code == 403, page
    assert chen.get("/inbox/bo").status_code == 200
    assert chen.get("/inbox/east").status_code == 403
