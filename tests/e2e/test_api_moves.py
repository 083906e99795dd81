"""Moves by the API: the preview is what happens, the number and the preview are held, rows by page, and back."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from store.company import company_version, load_company, put_company
from tests.e2e.test_access import House
from tests.e2e.test_api import _pages
from tests.e2e.test_moves import LATER, move, of, rig, to
from tests.support.host import host_of
from tests.support.rig import Rig

__all__ = ["rig"]
REASON = {"reason": "workload"}


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, now_us=LATER, host=host_of(rig))


def _client(house: House, person: str = "mia") -> TestClient:
    return house.client(house.grant(person))


def test_what_the_preview_says_happens_and_can_be_taken_back(rig: Rig, house: House) -> None:
    mine, theirs, mia = of(rig, "bo"), of(rig, "ann")[:1], _client(house)
    asked = {"customers": [*mine, *theirs, "cus_none"], "to": "ann"}
    looked = mia.post("/api/moves/preview", json=asked).json()
    assert (looked["chosen"], looked["moves"]) == (len(mine) + 2, len(mine))
    assert looked["receivers"] == [{"holder_id": "ann", "count": len(mine)}]
    assert {one["code"] for one in looked["stays"]} == {"there_already", "unknown_customer"}
    assert {row["before_id"] for row in looked["rows"] if row["code"] is None} == {"bo"}
    assert of(rig, "bo") == mine, "a look changes nothing"
    body = {**asked, **REASON, "expected": looked["chosen"], "confirm": looked["confirm"]}
    done = mia.post("/api/moves", json=body, headers={"idempotency-key": "k"})
    assert done.status_code == 200, done.text
    assert done.json()["gave"] == [{"holder_id": "ann", "count": len(mine)}]
    again = mia.post("/api/moves", json=body, headers={"idempotency-key": "k"})
    assert again.json() == {**done.json(), "repeated": True}
    other = mia.post("/api/moves", json={**body, "to": "chen"}, headers={"idempotency-key": "k"})
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    place = f"/api/moves/{done.json()['act_id']}"
    state = mia.get(place).json()
    assert (state["actor"], state["undone_by"], state["undo"]["back"]) == ("mia", None, len(mine))
    rows = _pages(mia, f"{place}/rows", "rows", 2)
    assert {(row["customer_id"], row["before_id"], row["code"]) for row in rows} == {
        *((one, "bo", None) for one in mine),
        (theirs[0], None, "there_already"),
    }
    back = mia.post(f"{place}/undo", json={"reason": "sorry"}).json()
    assert of(rig, "bo") == mine
    assert mia.post(f"{place}/undo", json={}).json() == {**back, "repeated": True}
    state = mia.get(place).json()
    assert (state["undone_by"], state["cannot"]) == (back["act_id"], "undone_already")


def test_all_of_a_filter_go_only_if_they_are_as_many_as_is_said(rig: Rig, house: House) -> None:
    mine, mia = of(rig, "bo"), _client(house)
    asked = {"filter": {"holder": "bo", "state": "open"}, "to": "ann:2,chen:1"}
    looked = mia.post("/api/moves/preview", json=asked).json()
    assert looked["chosen"] == len(mine)
    for wrong in (len(mine) + 1, 1):
        answer = mia.post("/api/moves", json={**asked, **REASON, "expected": wrong})
        assert (answer.status_code, answer.json()["code"]) == (409, "count_differs")
    assert of(rig, "bo") == mine
    move(rig, to("bo", of(rig, "ann")[:1]), actor="operator")
    move(rig, to("ann", mine[:1]), actor="operator", key="on")
    body = {**asked, **REASON, "expected": len(mine)}
    answer = mia.post("/api/moves", json={**body, "confirm": looked["confirm"]})
    assert (answer.status_code, answer.json()["code"]) == (409, "preview_differs"), "as many, and others"
    answer = mia.post("/api/moves", json=body, headers={"idempotency-key": "all"})
    assert answer.status_code == 200
    assert of(rig, "bo") == []
    again = mia.post("/api/moves", json=body, headers={"idempotency-key": "all"})
    assert again.json()["repeated"], "although nobody matches any more"


def test_what_is_not_below_is_neither_moved_nor_told_of(rig: Rig, house: House) -> None:
    mine, zoe = of(rig, "bo"), _client(house, "zoe")
    for target in ("bo", "wei"):
        looked = zoe.post("/api/moves/preview", json={"customers": mine, "to": target}).json()
        assert looked["stays"] == [{"code": "not_below", "count": len(mine)}]
        assert {row["before_id"] for row in looked["rows"]} == {None}
    asked = {"customers": mine, "to": "wei", "expected": len(mine), **REASON}
    answer = zoe.post("/api/moves", json=asked)
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_move")
    answer = zoe.post("/api/moves/preview", json={"filter": {"holder": "bo"}, "to": "wei"})
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_chosen")
    body = {**asked, "to": "ann"}
    act_id = _client(house).post("/api/moves", json=body).json()["act_id"]
    for path in ("", "/rows"):
        assert zoe.get(f"/api/moves/{act_id}{path}").status_code == 404
    assert zoe.post(f"/api/moves/{act_id}/undo", json=REASON).json()["code"] == "unknown_act"
    assert _client(house, "ann").post("/api/moves/preview", json=asked).status_code == 403


def test_a_token_of_one_role_moves_no_more_than_that_role_may(rig: Rig, house: House) -> None:
    """Zoe operates the house, too; what she gave a script is for her own team."""
    with rig.store.write() as connection:
        company = load_company(connection, company_version(connection))
        zoe = company.people["zoe"].model_copy(update={"roles": ("manager", "operations")})
        put_company(connection, company.model_copy(update={"people": {**company.people, "zoe": zoe}}), LATER)
    mine = of(rig, "bo")
    asked = {"customers": mine, "to": "wei", "expected": len(mine), **REASON}
    script = house.client(house.grant("zoe", role="manager"))
    looked = script.post("/api/moves/preview", json={"customers": mine, "to": "wei"}).json()
    assert looked["stays"] == [{"code": "not_below", "count": len(mine)}]
    assert script.post("/api/moves", json=asked).json()["code"] == "nothing_to_move"
    form = {**{f"c:{one}": "on" for one in mine}, "to": "wei", "reason": "mine now"}
    assert script.post("/move/apply", data=form).status_code == 409
    assert of(rig, "bo") == mine
    done = _client(house, "zoe").post("/api/moves", json=asked).json()
    assert of(rig, "wei") == mine
    answer = script.post(f"/api/moves/{done['act_id']}/undo", json=REASON)
    assert (answer.status_code, answer.json()["code"]) == (409, "not_below")
    operates = house.client(house.grant("zoe", role="operations"))
    assert operates.post(f"/api/moves/{done['act_id']}/undo", json=REASON).status_code == 200
    assert of(rig, "bo") == mine


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"customers": ["cus_x"]}, "bad_body"),
        ({"to": "ann"}, "bad_body"),
        ({"to": "ann", "customers": ["cus_x"], "filter": {}}, "bad_body"),
        ({"to": "ann", "filter": {"holer": "bo"}}, "bad_body"),
        ({"to": "nobody", "filter": {}}, "choice"),
        ({"to": f"ann:{'9' * 290}", "filter": {}}, "choice"),
        ({"to": "ann", "filter": {}, "reason": " "}, "reason_missing"),
        ({"to": "ann", "filter": {}, "confirm": "<b>"}, "bad_body"),
    ],
)
def test_what_makes_no_sense_is_refused(rig: Rig, house: House, body: dict[str, Any], code: str) -> None:
    before = rig.rows("holding")
    answer = _client(house).post("/api/moves", json={"expected": 12, **REASON, **body})
    assert (answer.status_code, answer.json()["code"]) == (422, code), answer.text
    assert rig.rows("holding") == before
