"""Hand-overs by the API: the preview is what happens, whose one sees, the certificate holds, and back."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from console.api.paging import cursor_of
from store.certificates import Certificate, verify
from tests.e2e.test_access import HERE, House
from tests.e2e.test_api import _pages
from tests.e2e.test_handover_page import begun
from tests.e2e.test_moves import LATER, move, of, rig, to
from tests.support.host import host_of
from tests.support.rig import Rig

__all__ = ["rig"]
ASKED = {"person": "bo", "why": "leaving", "parts": [{"filter": "province=江苏*", "to": "chen"}], "to": "ann"}
REASON = {"reason": "leaves"}
KEY = {"idempotency-key": "k"}


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, now_us=LATER, host=host_of(rig))


def _client(house: House, person: str = "mia") -> TestClient:
    return house.client(house.grant(person))


def test_what_the_preview_says_happens_with_a_certificate_and_a_way_back(rig: Rig, house: House) -> None:
    mine, mia = of(rig, "bo"), _client(house)
    looked = mia.post("/api/handovers/preview", json=ASKED).json()
    assert (looked["moves"], looked["left"], looked["under_way"]) == (len(mine), 0, None)
    assert {one["holder_id"] for one in looked["receivers"]} == {"ann", "chen"}
    assert of(rig, "bo") == mine, "a look changes nothing"
    body = {**ASKED, **REASON, "confirm": looked["confirm"]}
    done = mia.post("/api/handovers", json=body, headers=KEY).json()
    assert (done["repeated"], done["resumed"]) == (False, False)
    assert (done["handover"]["state"], done["handover"]["given"]) == ("done", len(mine))
    assert of(rig, "bo") == []
    again = mia.post("/api/handovers", json=body, headers=KEY)
    assert again.json() == {**done, "repeated": True}
    other = mia.post("/api/handovers", json={**body, "to": "chen"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    job_id = done["handover"]["job_id"]
    place = f"/api/handovers/{job_id}"
    assert mia.get(place).json() == done["handover"]
    rows = _pages(mia, f"{place}/rows", "rows", 2)
    assert sorted(row["customer_id"] for row in rows) == mine
    made_up = cursor_of(2**62)
    assert mia.get(f"{place}/rows?cursor={made_up}").json() == {"rows": [], "next": None}
    assert {row["customer_id"]: row["holder_id"] for row in rows} == {
        row["customer_id"]: row["to_id"] for row in looked["rows"]
    }
    held = Certificate(**mia.get(f"{place}/certificate").json())
    with rig.store.read() as connection:
        assert verify(connection, held, LATER).wrong == ()
    assert mia.get(f"{place}/undo").json()["back"] == len(mine)
    back = mia.post(f"{place}/undo", json={"reason": "stays"}).json()
    assert (back["handover"]["state"], back["repeated"]) == ("undone", False)
    assert of(rig, "bo") == mine
    assert mia.post(f"{place}/undo", json={"reason": "stays"}).json() == {**back, "repeated": True}


def test_a_day_beyond_ten_years_is_refused_and_the_list_stays_readable(rig: Rig, house: House) -> None:
    mine, mia = of(rig, "bo"), _client(house)
    body = {**ASKED, **REASON, "why": "until", "until": "2999-12-31"}
    answer = mia.post("/api/handovers", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_date")
    assert of(rig, "bo") == mine
    assert mia.get("/api/handovers").json()["handovers"] == []


def test_a_leaver_s_is_answered_again_to_who_was_above_them(rig: Rig, house: House) -> None:
    mia = _client(house)
    done = mia.post("/api/handovers", json={**ASKED, **REASON}, headers=KEY).json()
    later = House(rig, now_us=LATER + 60_000_000, host=host_of(rig))
    again = _client(later).post("/api/handovers", json={**ASKED, **REASON}, headers=KEY)
    assert again.json() == {**done, "repeated": True}


def test_whose_they_see_and_nobody_elses(rig: Rig, house: House) -> None:
    """Of a leaver also who was above them: operations began it here."""
    body = {**ASKED, **REASON, "actor": "operator"}
    job_id = house.client(host=HERE).post("/api/handovers", json=body).json()["handover"]["job_id"]
    mia, zoe = _client(house), _client(house, "zoe")
    assert [one["job_id"] for one in _pages(mia, "/api/handovers", "handovers", 1)] == [job_id]
    assert zoe.get("/api/handovers").json()["handovers"] == []
    for path in ("", "/rows", "/certificate", "/undo"):
        assert mia.get(f"/api/handovers/{job_id}{path}").status_code == 200
        assert zoe.get(f"/api/handovers/{job_id}{path}").status_code == 404
    assert zoe.post(f"/api/handovers/{job_id}/undo", json=REASON).json()["code"] == "unknown_job"
    for path in ("/preview", ""):
        answer = zoe.post(f"/api/handovers{path}", json=ASKED)
        assert (answer.status_code, answer.json()["code"]) == (409, "unknown_person")
    assert _client(house, "ann").get("/api/handovers").status_code == 403


def test_hand_overs_come_in_pages(rig: Rig, house: House) -> None:
    mia = _client(house)
    for person in ("ann", "bo", "chen"):
        said = {"person": person, "why": "transfer", "to": "mia", **REASON}
        assert mia.post("/api/handovers", json=said).status_code == 200
    listed = _pages(mia, "/api/handovers", "handovers", 2)
    assert sorted(one["person_id"] for one in listed) == ["ann", "bo", "chen"]


def test_a_second_one_says_that_the_first_goes_on(rig: Rig, house: House) -> None:
    under_way, mia = begun(rig, "=> chen"), _client(house)
    assert mia.post("/api/handovers/preview", json=ASKED).json()["under_way"] == under_way
    done = mia.post("/api/handovers", json={**ASKED, **REASON}, headers=KEY).json()
    assert (done["resumed"], done["handover"]["job_id"]) == (True, under_way)
    assert done["handover"]["actor"] == "operator"
    assert of(rig, "bo") == []


def test_what_would_happen_by_now_must_be_what_was_looked_at(rig: Rig, house: House) -> None:
    mia = _client(house)
    confirm = mia.post("/api/handovers/preview", json=ASKED).json()["confirm"]
    move(rig, to("bo", of(rig, "ann")[:1]), actor="operator")
    answer = mia.post("/api/handovers", json={**ASKED, **REASON, "confirm": confirm})
    assert (answer.status_code, answer.json()["code"]) == (409, "preview_differs")
    assert rig.rows("job") == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"why": "holiday"}, "bad_body"),
        ({"to": None, "parts": []}, "choice"),
        ({"to": "nobody"}, "choice"),
        ({"parts": [{"filter": "shoe=42", "to": "ann"}]}, "choice"),
        ({"parts": [{"filtre": "", "to": "ann"}]}, "bad_body"),
        ({"why": "until"}, "bad_date"),
        ({"why": "until", "until": "2001-01-01"}, "past_date"),
        ({"reason": " "}, "reason_missing"),
    ],
)
def test_what_makes_no_sense_is_refused(rig: Rig, house: House, body: dict[str, Any], code: str) -> None:
    answer = _client(house).post("/api/handovers", json={**ASKED, **REASON, **body})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert rig.rows("job") == []
