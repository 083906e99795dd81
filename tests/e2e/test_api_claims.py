"""Whose a customer is and who wants it, by the API: the blind check counts, claims wait for who is above both sides."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from enrich.taken import AN_HOUR
from leadflow.clock import wall_clock_us
from tests.e2e.test_access import House
from tests.e2e.test_api import _pages
from tests.e2e.test_moves import LATER, of, owners, rig
from tests.support.host import host_of
from tests.support.rig import DAY, HOUR, Rig

__all__ = ["rig"]
KEY = {"idempotency-key": "k"}


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, now_us=LATER, host=host_of(rig))


def _client(house: House, person: str, role: str | None = None) -> TestClient:
    return house.client(house.grant(person, role=role))


def test_the_blind_check_tells_no_more_than_the_page_and_is_on_record(rig: Rig, house: House) -> None:
    owner = owners(rig)[_first(rig)]
    asked = {"asked": " 138 0000 0011 "}
    answer = _client(house, "wei").post("/api/taken", json=asked)
    (one,) = answer.json()["taken"]
    assert one == {
        "unit_id": "east",
        "since_us": one["since_us"],
        "ask": "mia",
        "yours": False,
        "closed": False,
    }
    assert owner not in answer.text
    assert _first(rig) not in answer.text
    assert _client(house, owner).post("/api/taken", json=asked).json()["taken"][0]["yours"]
    nobody = _client(house, "wei", "front_desk").post("/api/taken", json={"asked": "13987654321"})
    assert nobody.json() == {"taken": []}
    acts = [(row["actor"], row["scope_id"]) for row in rig.rows("act") if row["verb"] == "ask_taken"]
    assert sorted(acts) == sorted([("wei", _first(rig)), (owner, _first(rig)), ("wei", "nobody")])
    short = _client(house, "wei").post("/api/taken", json={"asked": "138"})
    assert (short.status_code, short.json()["code"]) == (422, "not_a_number")
    assert _client(house, "wei", "marketing").post("/api/taken", json=asked).status_code == 403


def test_page_and_api_count_together_and_a_key_saves_no_question(rig: Rig, house: House) -> None:
    wei = _client(house, "wei")
    said = {"asked": "13987654321"}  # nobody's: each question counts, of a customer the first
    for _ in range(AN_HOUR // 2):
        assert wei.post("/api/taken", json=said, headers=KEY).status_code == 200
        assert wei.post("/taken", data=said).status_code == 200
    late = wei.post("/api/taken", json={"asked": "13800000011"}, headers=KEY)
    assert (late.status_code, late.json()["code"]) == (409, "asked_too_often")
    house.now_us += HOUR
    assert wei.post("/api/taken", json={"asked": "13800000011"}).status_code == 200


def _first(rig: Rig) -> str:
    lead = next(row["lead_id"] for row in rig.rows("lead") if "13800000011" in row["fields_json"])
    return next(str(row["customer_id"]) for row in rig.rows("membership") if row["lead_id"] == lead)


def test_a_registered_customer_waits_for_who_is_above_both_sides(rig: Rig, house: House) -> None:
    mine, until_us = of(rig, "bo"), wall_clock_us() + 30 * DAY
    wei, zoe, mia = (_client(house, one) for one in ("wei", "zoe", "mia"))
    said = {"for_id": "wei", "until_us": until_us, "reason": "met them"}
    done = wei.post(f"/api/customers/{mine[0]}/register", json=said, headers=KEY).json()
    assert (done["has_it"], done["repeated"]) == (False, False)
    assert wei.post(f"/api/customers/{mine[0]}/register", json=said, headers=KEY).json() == {
        **done,
        "repeated": True,
    }
    other = wei.post(f"/api/customers/{mine[1]}/register", json={**said, "for_id": "ann"})
    assert (other.status_code, other.json()["code"]) == (409, "not_below")
    own = _client(house, "bo").post(
        f"/api/customers/{mine[1]}/register",
        json={**said, "for_id": "bo"},
        headers={"idempotency-key": "own"},
    )
    assert own.json()["has_it"]
    again = _client(house, "bo").post(
        f"/api/customers/{mine[1]}/register",
        json={**said, "for_id": "bo"},
        headers={"idempotency-key": "own"},
    )
    assert again.json() == {**own.json(), "repeated": True}, "told the same, also that they have it"
    zoe.post(f"/api/customers/{mine[2]}/register", json={**said, "for_id": "west"})
    for client in (mia, zoe):
        listed = _pages(client, "/api/claims", "claims", 1)
        assert [(one["customer_id"], one["claimant_id"], one["holder_id"]) for one in listed] == [
            (mine[0], "wei", "bo"),
            (mine[2], "west", "bo"),
        ]
    assert _client(house, "ann").get("/api/claims").json()["claims"] == []
    decided = {"owner": "wei", "beside": ["bo"], "reason": "talks"}
    for client in (mia, zoe):
        answer = client.post(f"/api/customers/{mine[0]}/decide", json=decided)
        assert (answer.status_code, answer.json()["code"]) == (409, "not_below")
    assert wei.post(f"/api/customers/{mine[0]}/decide", json=decided).status_code == 403


def test_who_is_above_both_decides_once(rig: Rig, house: House) -> None:
    mine, until_us = of(rig, "bo"), wall_clock_us() + 30 * DAY
    said = {"for_id": "ann", "until_us": until_us, "reason": "met them"}
    mia = _client(house, "mia")
    assert not mia.post(f"/api/customers/{mine[0]}/register", json=said).json()["has_it"]
    place, decided = f"/api/customers/{mine[0]}/decide", {"owner": "ann", "beside": ["bo"], "reason": "talks"}
    unsaid = mia.post(place, json={**decided, "reason": ""})
    assert (unsaid.status_code, unsaid.json()["code"]) == (422, "reason_missing")
    done = mia.post(place, json=decided, headers=KEY).json()
    assert owners(rig)[mine[0]] == "ann"
    assert mia.get("/api/claims").json() == {"claims": [], "next": None}
    assert mia.post(place, json=decided, headers=KEY).json() == {**done, "repeated": True}
    late = mia.post(place, json=decided)
    assert (late.status_code, late.json()["code"]) == (409, "no_claim")
