"""A customer's name, number and place are put right on their page; what was received stays, and nothing is decided on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from console import correct
from console.known import with_what_is_known
from enrich.golden import golden_of
from leadflow import export_tables, operate_correct
from sales.segments import customers_of
from store import views
from store.views import balance
from tests.e2e.test_access import HERE, House
from tests.support.host import host_of
from tests.support.rig import HOUR, MONDAY_10, Rig, post, small_company


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(correct, "_WAIT_S", 0.0)  # here the stages run when the test says so
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made="1", name="王方", phone="138 0000 0001", company="海川")])
    rig.run()
    yield House(rig, now_us=MONDAY_10 + HOUR, host=host_of(rig))
    rig.close()


def first(house: House) -> tuple[str, str]:
    """Return who has the one customer, and the customer."""
    (customer,) = house.rig.rows("customer")
    (holding,) = [row for row in house.rig.rows("holding") if row["to_us"] is None and row["role"] == "owner"]
    return holding["holder_id"], customer["customer_id"]


def known(house: House, customer_id: str) -> dict[str, str]:
    with house.rig.store.read() as connection:
        return {name: kept.value for name, kept in golden_of(connection, customer_id)[0].items()}


FORM = {
    "key": "k1",
    "full_name": "王芳",
    "was_full_name": "王方",
    "phone": "138 0000 0001",
    "was_phone": "+8613800000001",
    "city": "苏州",
    "was_city": "",
}


def test_a_name_is_put_right_and_found_and_nothing_else_happens(house: House) -> None:
    owner, customer_id = first(house)
    client = house.client(house.grant(owner, role="representative"))
    place = f"/customer/{customer_id}"
    assert "Correct what is known" in client.get(place).text
    decided, told = len(house.rig.rows("decision")), len(house.rig.rows("task"))
    for _ in range(2):
        done = client.post(f"{place}/correct", data=FORM, follow_redirects=False)
        assert (done.status_code, done.headers["location"]) == (303, f"{place}?done=correct")
    house.rig.run()
    assert known(house, customer_id) == {
        "full_name": "王芳", "phone": "+8613800000001", "company": "海川", "city": "苏州",
    }  # fmt: skip
    (correction,) = [row for row in house.rig.rows("lead") if row["kind"] == "correction"]
    assert (correction["province"], correction["city"]) == ("江苏", "苏州")
    assert "phone" not in correction["fields_json"], "what was the same is not said again"
    assert (len(house.rig.rows("decision")), len(house.rig.rows("task"))) == (decided, told)
    assert len(house.rig.rows("customer")) == len(house.rig.rows("contact")) == 1
    page = client.get(f"{place}?done=correct").text
    assert "王芳" in page
    assert "Correction" in page
    assert "王方" not in page.split('<ol class="story">')[0]
    day = client.get("/day").text
    assert "王芳" in day, "who has them reads the right name wherever they are to be called"
    assert "王方" not in day
    by_api = client.get("/api/customers", params={"q": "王芳"}).json()["customers"]
    assert [one["customer_id"] for one in by_api] == [customer_id]
    (facts,) = [one for one in house.rig.rows("act") if one["verb"] == "correct"]
    assert (facts["actor"], facts["scope_id"]) == (owner, customer_id)
    assert "王芳" not in str(facts), "what is known of somebody is where it can be erased"


def test_what_the_browser_fills_in_for_years_does_not_come_back_and_what_is_new_does(house: House) -> None:
    owner, customer_id = first(house)
    client = house.client(house.grant(owner, role="representative"))
    client.post(f"/customer/{customer_id}/correct", data={**FORM, "phone": "139 0000 0002"})
    house.rig.run()
    house.rig.feed([
        post(made=str(n), at_us=MONDAY_10 + n * HOUR, name="王方", phone="138 0000 0001") for n in (2, 3, 4)
    ])  # fmt: skip
    house.rig.run()
    assert (known(house, customer_id)["full_name"], known(house, customer_id)["phone"]) == (
        "王芳",
        "+8613900000002",
    )
    house.rig.feed([post(made="5", at_us=2**51, name="王芳芳", phone="139 0000 0002")])
    house.rig.run()
    assert len(house.rig.rows("customer")) == 1, "the number that was put in recognises them"
    assert known(house, customer_id)["full_name"] == "王芳芳"


def test_the_second_of_two_sees_what_stands_there_and_may_save_theirs(house: House) -> None:
    owner, customer_id = first(house)
    client, place = house.client(house.grant(owner, role="representative")), f"/customer/{customer_id}"
    client.post(f"{place}/correct", data=FORM)
    house.rig.run()
    late = client.post(f"{place}/correct", data={"key": "k2", "full_name": "王舫", "was_full_name": "王方"})
    assert late.status_code == 409
    assert "Somebody else has put this right meanwhile" in late.text
    assert 'value="王舫"' in late.text
    assert "Stands there now:" in late.text
    assert 'name="was_full_name" value="王芳"' in late.text
    again = client.post(f"{place}/correct", data={"key": "k3", "full_name": "王舫", "was_full_name": "王芳"})
    assert again.status_code == 303
    house.rig.run()
    assert known(house, customer_id)["full_name"] == "王舫"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"full_name": "王方"}, "nothing_changed"),
        ({"full_name": "", "phone": "13800000001"}, "nothing_changed"),
        ({"phone": "call me"}, "value_unreadable"),
        ({"email": "nobody"}, "value_unreadable"),
        ({"full_name": "x" * 501}, "value_too_long"),
        ({"phone": "137 0000 0003"}, "known_as_anothers"),
    ],
)
def test_what_cannot_be_is_refused_with_what_to_do(house: House, fields: dict[str, str], code: str) -> None:
    owner, customer_id = first(house)
    house.rig.feed([post(made="9", name="李雷", phone="137 0000 0003")])
    house.rig.run()
    client = house.client(house.grant(owner, role="representative"))
    before = house.rig.rows("lead")
    answer = client.post(f"/api/customers/{customer_id}/correct", json={"fields": fields})
    assert (answer.status_code, answer.json()["code"]) == (409, code), answer.text
    page = client.post(f"/customer/{customer_id}/correct", data=fields)
    assert page.status_code == 409
    house.rig.run()
    assert house.rig.rows("lead") == before


def test_by_the_api_once_by_its_key_and_by_nobody_who_may_not(house: House) -> None:
    owner, customer_id = first(house)
    path = f"/api/customers/{customer_id}/correct"
    said: dict[str, Any] = {"fields": {"full_name": "王芳"}, "was": {"full_name": "王方"}}
    other = "ann" if owner != "ann" else "bo"
    for role in ("representative", "auditor", "marketing", "front_desk"):
        stranger = house.client(house.grant(other, role=role))
        assert stranger.post(path, json=said).status_code == 403
        assert stranger.post(f"/customer/{customer_id}/correct", data=FORM).status_code == 403
    client = house.client(house.grant(owner, role="representative"))
    evil = client.post(
        f"/customer/{customer_id}/correct", data=FORM, headers={"origin": "http://evil.example"}
    )
    assert evil.status_code == 403
    for repeated in (False, True):
        answer = client.post(path, json=said, headers={"idempotency-key": "a"})
        assert (answer.status_code, answer.json()["repeated"]) == (200, repeated), answer.text
        house.rig.run()
    assert known(house, customer_id)["full_name"] == "王芳"
    late = client.post(path, json={**said, "fields": {"full_name": "王舫"}})
    assert (late.status_code, late.json()["code"]) == (409, "fact_changed")
    assert client.post(path, json={"fields": {"message": "x"}}).status_code == 422


def test_at_this_machine_whoever_says_who_they_are_is_who_did_it(house: House) -> None:
    _, customer_id = first(house)
    client = house.client(host=HERE)
    nobody = client.post(f"/customer/{customer_id}/correct", data=FORM)
    assert nobody.status_code == 409, "a form of this machine asks who it is"
    client.post(f"/customer/{customer_id}/correct", data={**FORM, "key": "k9", "actor": "ann"})
    house.rig.run()
    assert [row["actor"] for row in house.rig.rows("act") if row["verb"] == "correct"] == ["ann"]
    assert "<bdi>安</bdi>" in client.get(f"/customer/{customer_id}").text


def test_an_erased_customer_takes_the_correction_along(house: House) -> None:
    from leadflow.operate import do_erase

    owner, customer_id = first(house)
    client = house.client(house.grant(owner, role="representative"))
    client.post(f"/customer/{customer_id}/correct", data=FORM)
    house.rig.run()
    do_erase(house.host["operations"].engine, {"id": customer_id, "actor": "operator"})
    assert house.rig.rows("lead") == []
    assert client.get(f"/customer/{customer_id}").status_code in (403, 404)


def test_a_correction_of_somebody_erased_within_the_same_moment_goes_with_them(house: House) -> None:
    from leadflow.operate import do_erase

    owner, customer_id = first(house)
    client = house.client(house.grant(owner, role="representative"))
    assert client.post(f"/customer/{customer_id}/correct", data={**FORM, "phone": ""}).status_code == 303
    do_erase(house.host["operations"].engine, {"id": customer_id, "actor": "operator"})
    house.rig.run()
    for _ in range(10):  # the correction waits for the lead that it continues, a few seconds at most
        house.rig.fire(2**52)
    assert house.rig.rows("lead") == []
    assert "王芳" not in str([house.rig.rows(name) for name in ("lead", "match_record", "find_key")])
    (kept,) = [row for row in house.rig.rows("capture") if row["format"] == "desk.correction"]
    assert (kept["result"], kept["code"]) == ("ignored", "forgotten")
    assert house.rig.rows("key_to_erase")


def test_killed_between_its_bytes_and_its_act_a_correction_is_the_same_one_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, customer_id = first(house)
    client = house.client(house.grant(owner, role="representative"))

    def killed(*_args: object) -> bool:
        raise RuntimeError

    with monkeypatch.context() as within:
        within.setattr(operate_correct, "perform", killed)
        with pytest.raises(RuntimeError):
            client.post(f"/customer/{customer_id}/correct", data=FORM)
    house.rig.run()
    assert [row for row in house.rig.rows("act") if row["verb"] == "correct"] == []
    assert client.post(f"/customer/{customer_id}/correct", data=FORM).status_code == 303
    house.rig.run()
    assert len([row for row in house.rig.rows("act") if row["verb"] == "correct"]) == 1
    assert len([row for row in house.rig.rows("lead") if row["kind"] == "correction"]) == 1
    with house.rig.store.read() as connection:
        sums = balance(connection, MONDAY_10 + HOUR)
    assert (sums.received, sums.owned, sums.adds_up) == (1, 1, True), "nobody sent it in"


def open_of(house: House, name: str) -> list[dict[str, Any]]:
    return [row for row in house.rig.rows(name) if row["to_us"] is None]


def test_a_colleagues_number_renames_no_colleague_and_a_switchboard_moves_nobody(house: House) -> None:
    owner, customer_id = first(house)
    house.rig.feed([post(made="2", at_us=MONDAY_10, name="李蕾", phone="139 0000 0009", company="乙厂")])
    house.rig.run()
    client = house.client(host=HERE)
    for number, one in enumerate(sorted({row["customer_id"] for row in house.rig.rows("customer")})):
        said = {"key": f"s{number}", "actor": owner, "phone": "021-6234 5678"}
        assert client.post(f"/customer/{one}/correct", data=said).status_code == 303
    house.rig.run()
    members = {row["lead_id"]: row for row in open_of(house, "membership")}
    for lead in house.rig.rows("lead"):
        if lead["kind"] == "correction":
            of = members[lead["joined_lead_id"]]
            mine = members[lead["lead_id"]]
            assert (mine["contact_id"], mine["customer_id"]) == (of["contact_id"], of["customer_id"])
    assert len(open_of(house, "contact_customer")) == 2
    house.rig.feed([post(made="7", at_us=MONDAY_10 + HOUR, name="王方", phone="138 0000 0001")])
    house.rig.run()
    newest = max(open_of(house, "membership"), key=lambda row: row["from_us"])
    assert newest["customer_id"] == customer_id


def test_a_second_number_stays_and_the_corrected_one_stands_before_it(house: House) -> None:
    owner, customer_id = first(house)
    only_one = [
        {"name": "phone", "received": "138 0000 0001", "value": "+8613800000001"},
        {"name": "phone", "received": "136 0000 0004", "value": "+8613600000004"},
        {"name": "full_name", "received": "王方", "value": "王方"},
    ]
    client = house.client(house.grant(owner, role="representative"))
    client.post(f"/customer/{customer_id}/correct", data={**FORM, "phone": "137 0000 0033", "full_name": ""})
    house.rig.run()
    (lead,) = [row for row in house.rig.rows("lead") if row["kind"] == "enquiry"]
    row: dict[str, Any] = {"lead_id": lead["lead_id"], "fields": only_one}
    with house.rig.store.read() as connection:
        with_what_is_known(connection, [row])
    numbers = [one["received"] for one in row["fields"] if one["name"] == "phone"]
    assert numbers == ["137 0000 0033", "136 0000 0004"]


def test_a_mask_hides_what_the_form_would_show(house: House) -> None:
    _, customer_id = first(house)
    house.rig.feed(
        [post(made="3", at_us=MONDAY_10, name="13700000003", phone="138 0000 0001", company="厂 13700000003")]
    )
    house.rig.run()
    client = house.client(house.grant("ann", role="operations"))
    page = client.get(f"/customer/{customer_id}").text
    assert "Correct what is known" in page
    assert "13700000003" not in page


def test_whether_a_number_is_somebodys_is_a_question_that_is_kept_and_bounded(house: House) -> None:
    owner, customer_id = first(house)
    house.rig.feed([
        post(made=f"9{n}", name=f"李{n}", phone=f"137 0123 {n + 10:04d}") for n in range(31)
    ])  # fmt: skip
    house.rig.run()
    client = house.client(house.grant(owner, role="representative"))
    codes = []
    for n in range(31):
        said = {"fields": {"phone": f"137 0123 {n + 10:04d}"}}
        answer = client.post(f"/api/customers/{customer_id}/correct", json=said)
        codes.append(answer.json()["code"])
        assert not [row for row in house.rig.rows("customer") if row["customer_id"] in answer.text]
    assert codes == ["known_as_anothers"] * 30 + ["asked_too_often"]
    asked = [row for row in house.rig.rows("act") if row["verb"] == "ask_taken"]
    assert {row["actor"] for row in asked} == {owner}


def test_a_corrected_number_moves_nobody_to_another_place_and_no_export_brings_it_back(house: House) -> None:
    owner, customer_id = first(house)
    client = house.client(house.grant(owner, role="representative"))
    client.post(f"/customer/{customer_id}/correct", data={"key": "a", "city": "苏州"})
    house.rig.run()
    client.post(f"/customer/{customer_id}/correct", data={"key": "b", "phone": "010-6234 5678"})
    house.rig.run()
    company = small_company()
    with house.rig.store.read() as connection:
        (facts,) = customers_of(connection, company, 0, {customer_id})
        told = list(export_tables.leads(connection))
        news = list(views.news(connection, owner, 0))
    assert (facts.facts["province"], facts.facts["city"], facts.facts["leads"]) == ("江苏", "苏州", "1")
    assert len(told) == 1
    assert "correction" not in {one["kind"] for one in news}


def test_of_whom_nothing_is_known_a_name_is_put_in(house: House) -> None:
    house.rig.feed([post(made="4", at_us=MONDAY_10, product="叉车", phone="137 0000 0004")])
    house.rig.run()
    (customer_id,) = {row["customer_id"] for row in house.rig.rows("customer")} - {first_known(house)}
    client = house.client(host=HERE)
    assert "Correct what is known" in client.get(f"/customer/{customer_id}").text
    said = {"key": "n", "actor": "ann", "full_name": "赵敏"}
    assert client.post(f"/customer/{customer_id}/correct", data=said).status_code == 303
    house.rig.run()
    assert known(house, customer_id)["full_name"] == "赵敏"


def first_known(house: House) -> str:
    (lead,) = [row for row in house.rig.rows("lead") if "王方" in row["fields_json"]]
    return str(
        next(row["customer_id"] for row in open_of(house, "membership") if row["lead_id"] == lead["lead_id"])
    )


def test_a_correction_of_the_writing_alone_stands_in_tasks(house: House) -> None:
    owner, customer_id = first(house)
    house.rig.feed([post(made="8", at_us=MONDAY_10, name="li na", phone="138 0000 0001")])
    house.rig.run()
    client = house.client(house.grant(owner, role="representative"))
    client.post(f"/customer/{customer_id}/correct", data={"key": "w", "full_name": "Li Na"})
    house.rig.run()
    (lead,) = [row for row in house.rig.rows("lead") if "li na" in row["fields_json"]]
    row: dict[str, Any] = {"lead_id": lead["lead_id"], "fields": orjson.loads(lead["fields_json"])}
    row["fields"].append({"name": "address", "received": "Road 1", "value": "Road 1"})
    with house.rig.store.read() as connection:
        with_what_is_known(connection, [row])
    named = {one["name"]: one["received"] for one in row["fields"]}
    assert (named["full_name"], named["address"]) == ("Li Na", "Road 1")


def test_each_field_stays_with_the_enquiry_it_stood_in_so_parting_is_exact(house: House) -> None:
    _, customer_id = first(house)
    house.rig.feed([post(made="8", at_us=MONDAY_10, phone="138 0000 0001", email="wang@example.com")])
    house.rig.run()
    client = house.client(host=HERE)
    said = {"key": "e", "actor": "ann", "full_name": "王芳", "email": "wangfang@example.com"}
    assert client.post(f"/customer/{customer_id}/correct", data=said).status_code == 303
    house.rig.run()
    leads = {row["lead_id"]: row for row in house.rig.rows("lead")}
    for row in leads.values():
        if row["kind"] == "correction":
            (name,) = [one["name"] for one in orjson.loads(row["fields_json"])]
            assert f'"{name}"' in leads[row["joined_lead_id"]]["fields_json"]
    assert sum(row["kind"] == "correction" for row in leads.values()) == 2
    assert len([row for row in house.rig.rows("act") if row["verb"] == "correct"]) == 1
