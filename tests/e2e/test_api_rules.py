"""The rule book by the API: read, checked with its mistakes, simulated, published over what was read, taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from console.rules import MOST_CHECKED
from sales.book_files import BookText
from schemas.company import Member, Unit
from store.company import company_version, load_company
from tests.e2e.test_access import HERE, House
from tests.support.host import host_of
from tests.support.rig import Rig, post, small_company

WEST = Unit(unit_id="west", parent_id="company", kind="team", name_zh="华西", name_en="West")
OLD = small_company().book_csv
NEW = "rule,province,then_team,then_respond_within\njiangsu,江苏,west,60\neverything,,east,30\n"
WRONG = "rule,province,then_team,then_respond_within\neverything,,nowhere,30\n"
BOTH_FIT = "rule,channel,province,then_team\nsite,web,,east\njiangsu,,江苏,west\nrest,,,east\n"
KEY = {"idempotency-key": "k"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    small = small_company()
    members = (*small.members, Member(unit_id="west", person_id="chen", from_us=0, share=1))
    company = small_company(units={**small.units, "west": WEST}, members=members)
    made = Rig(tmp_path, company=company)
    made.feed([post(made="1", name="张伟", phone="13812345678")])
    made.run()
    yield made
    made.close()


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, host=host_of(rig))


@pytest.fixture
def client(house: House) -> TestClient:
    return _client(house)


def _client(house: House, role: str = "operations") -> TestClient:
    return house.client(house.grant("ann", role=role))


def _in_force(rig: Rig) -> str | None:
    with rig.store.read() as connection:
        return load_company(connection, company_version(connection)).book_csv


def test_read_checked_published_and_taken_back(rig: Rig, client: TestClient) -> None:
    first = client.get("/api/rules").json()
    assert (first["csv"], first["tables"], first["examples"]) == (OLD, {}, None)
    checked = client.post("/api/rules/check", json={"csv": NEW}).json()
    assert checked["may_be_published"]
    assert any("jiangsu" in one for one in checked["changes"])
    assert _in_force(rig) == OLD
    said = {"csv": NEW, "over": first["number"], "reason": "West has its own team now"}
    done = client.post("/api/rules/publish", json=said, headers=KEY).json()
    assert (done["number"], done["repeated"]) == (first["number"] + 1, False)
    assert _in_force(rig) == NEW
    late = client.post("/api/rules/publish", json={**said, "csv": OLD})
    assert (late.status_code, late.json()["code"]) == (409, "book_replaced")
    back = client.post("/api/rules/rollback", json={"number": first["number"], "reason": "too early"}).json()
    assert (back["number"], _in_force(rig)) == (done["number"] + 1, OLD)
    again = client.post("/api/rules/publish", json=said, headers=KEY).json()
    assert again == {**done, "repeated": True}, "the number of then, whatever is in force now"
    assert _in_force(rig) == OLD
    other = client.post("/api/rules/publish", json={**said, "csv": OLD}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    acts = [one for one in rig.rows("act") if one["verb"] in ("publish_book", "roll_back_book")]
    assert {(one["actor"], one["reason"]) for one in acts} == {
        ("ann", "West has its own team now"),
        ("ann", "too early"),
    }


def test_every_version_is_listed_by_cursor_and_can_be_read(client: TestClient) -> None:
    first = client.get("/api/rules").json()
    said = {"csv": NEW, "over": first["number"], "reason": "new team"}
    number = client.post("/api/rules/publish", json=said).json()["number"]
    page = client.get("/api/rules/versions?limit=1").json()
    (newest,) = page["versions"]
    assert (newest["number"], newest["actor"], newest["reason"]) == (number, "ann", "new team")
    rest = client.get(f"/api/rules/versions?cursor={page['next']}").json()
    assert [one["number"] for one in rest["versions"]] == list(range(number - 1, 0, -1))
    assert rest["next"] is None
    assert client.get(f"/api/rules/versions/{number}").json()["csv"] == NEW
    assert client.get(f"/api/rules/versions/{number}").json()["version"] == newest["version"]
    missing = client.get(f"/api/rules/versions/{number + 1}")
    assert (missing.status_code, missing.json()["code"]) == (404, "unknown_book")


def test_mistakes_are_told_with_their_place_in_the_reader_s_language(
    house: House, client: TestClient
) -> None:
    checked = client.post("/api/rules/check", json={"csv": WRONG}).json()
    (wrong,) = [one for one in checked["problems"] if one["severity"] == "error"]
    assert not checked["may_be_published"]
    assert (wrong["file"], wrong["line"]) == ("rules.csv", 2)
    assert wrong["column"].startswith("then_team")
    assert "nowhere" in wrong["message"]
    assert wrong["fix"]
    zh = client.post("/api/rules/check", json={"csv": WRONG}, headers={"accept-language": "zh"}).json()
    assert zh["problems"][0]["message"] != checked["problems"][0]["message"]
    overlap = client.post("/api/rules/check", json={"csv": BOTH_FIT}).json()
    assert "rule_overlap" in {one["code"] for one in overlap["problems"]}
    assert overlap["overlaps_looked_for"]
    rows = "".join(f"r{n},江苏,west,60\n" for n in range(1_001))
    large = client.post("/api/rules/check", json={"csv": f"{NEW.splitlines()[0]}\n{rows}"}).json()
    assert not large["overlaps_looked_for"]


def test_a_book_with_the_line_ends_of_an_old_mac_is_published_as_any_other(
    rig: Rig, client: TestClient
) -> None:
    book = NEW.replace("\n", "\r")
    assert client.post("/api/rules/check", json={"csv": book}).json()["may_be_published"]
    over = client.get("/api/rules").json()["number"]
    long = book.split("\r")[0] + "\r" + "jiangsu,江苏,west,60\r" * (MOST_CHECKED + 1)
    assert not client.post("/api/rules/check", json={"csv": long}).json()["overlaps_looked_for"]
    said = {"csv": book, "over": over, "reason": "from an old machine"}
    assert client.post("/api/rules/publish", json=said).status_code == 200
    assert _in_force(rig) == book


def test_a_simulation_says_who_would_have_had_the_leads(rig: Rig, client: TestClient) -> None:
    found = client.post("/api/rules/simulate", json={"csv": NEW, "days": 30})
    assert found.status_code == 200
    assert found.json()["orphans"] == 0
    assert {"leads", "same", "changed", "moves", "by_rule"} <= found.json().keys()
    assert found.json()["book_version"] == BookText(NEW, {}, None).version
    refused = client.post("/api/rules/simulate", json={"csv": WRONG})
    assert (refused.status_code, refused.json()["code"]) == (409, "book_refused")
    assert _in_force(rig) == OLD


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"csv": WRONG}, 409, "book_refused"),
        ({"reason": " "}, 422, "publish_reason_missing"),
        ({"over": None}, 422, "bad_body"),
        ({"tables": {"examples": "rule\n"}}, 422, "bad_body"),
        ({"tables": {"../x": "rule\n"}}, 422, "bad_body"),
        ({"csv": "rule\0"}, 422, "bad_body"),
        ({"note": "x"}, 422, "bad_body"),
    ],
)
def test_what_cannot_be_in_force_is_refused(
    rig: Rig, client: TestClient, changes: dict[str, Any], status: int, code: str
) -> None:
    over = client.get("/api/rules").json()["number"]
    said = {"csv": NEW, "over": over, "reason": "new team", **changes}
    answer = client.post("/api/rules/publish", json=said)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert _in_force(rig) == OLD


def test_who_may(rig: Rig, house: House) -> None:
    said = {"csv": NEW, "over": 1, "reason": "x"}
    auditor = _client(house, "auditor")
    assert auditor.get("/api/rules").status_code == auditor.get("/api/rules/versions").status_code == 200
    for role in ("representative", "manager", "marketing", "front_desk"):
        assert _client(house, role).get("/api/rules").status_code == 403
    for role in ("representative", "manager", "marketing", "front_desk", "auditor"):
        for what in ("check", "simulate", "publish", "rollback"):
            assert _client(house, role).post(f"/api/rules/{what}", json=said).status_code == 403
    unnamed = house.client(host=HERE).post("/api/rules/publish", json=said)
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "actor_missing")
    assert _in_force(rig) == OLD
