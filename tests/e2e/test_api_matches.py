"""Matches by the API: what somebody may answer, page by page, answered once; and parting again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert
from starlette.testclient import TestClient

from store import tables
from store.database import Database
from tests.e2e.test_api import _pages
from tests.e2e.test_matches_page import alike, client_of, manager
from tests.support.rig import Rig, small_company

KEY = {"idempotency-key": "k"}


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """Two customers who may be one."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=small_company())
    alike(made)
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


@pytest.fixture
def theirs(rig: Rig) -> TestClient:
    """A manager of both sides."""
    return client_of(rig, manager(*_holders(rig)))


def _holders(rig: Rig) -> set[str]:
    return {row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}


def _now(rig: Rig) -> set[str]:
    return {row["customer_id"] for row in rig.rows("holding") if row["to_us"] is None}


def test_a_pair_is_shown_with_what_speaks_for_it_joined_once_and_parted_again(
    rig: Rig, theirs: TestClient
) -> None:
    two = _now(rig)
    (match,) = theirs.get("/api/matches").json()["matches"]
    assert {side["customer_id"] for side in match["sides"]} == two
    assert {lead["fields"][0]["value"] for side in match["sides"] for lead in side["leads"]} == {
        "李娜",
        "Na Li",
    }
    total = sum(one["bits"] for one in match["evidence"])
    assert 2**total / (1 + 2**total) == pytest.approx(match["probability"], abs=0.01)
    place, said = f"/api/matches/{match['review_id']}/answer", {"answer": "same", "reason": "same voice"}
    done = theirs.post(place, json=said, headers=KEY).json()
    assert theirs.post(place, json=said, headers=KEY).json() == {**done, "repeated": True}
    other = theirs.post(place, json={**said, "answer": "apart"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    late = theirs.post(place, json={"answer": "apart"})
    assert (late.status_code, late.json()["code"]) == (409, "answered_already")
    assert theirs.get("/api/matches").json() == {"matches": [], "next": None}
    (one,) = _now(rig)
    looked = theirs.get(f"/api/customers/{one}/parting").json()
    assert {side["customer_id"] for side in looked["sides"]} == two
    assert looked["undone"] == [done["act_id"]]
    assert _now(rig) == {one}, "a look changes nothing"
    parting = {"reason": "two people", "act": done["act_id"]}
    place_of_it = f"/api/customers/{one}/parting"
    refused = theirs.post(place_of_it, json=parting, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (409, "key_reused")
    other_key = {"idempotency-key": "p"}
    parted = theirs.post(place_of_it, json=parting, headers=other_key).json()
    assert {side["customer_id"] for side in parted["customers"]} == two == _now(rig)
    again = theirs.post(place_of_it, json=parting, headers=other_key).json()
    assert again == {**parted, "repeated": True}
    joined = theirs.post(
        place, json={"answer": "join", "reason": "one after all"}, headers={"idempotency-key": "j"}
    )
    assert joined.status_code == 200
    assert len(_now(rig)) == 1


def test_who_sees_one_side_alone_sees_and_does_nothing(rig: Rig) -> None:
    (review,) = rig.rows("review")
    stranger = client_of(rig, manager())
    assert stranger.get("/api/matches").json()["matches"] == []
    for said in ("same", "apart", "skip", "join"):
        answer = stranger.post(f"/api/matches/{review['review_id']}/answer", json={"answer": said})
        assert (answer.status_code, answer.json()["code"]) == (409, "unknown_review"), said
    answer = stranger.post(f"/api/customers/{review['a']}/parting", json={"reason": "mine"})
    assert (answer.status_code, answer.json()["code"]) == (409, "not_below")
    assert rig.rows("review")[0]["state"] == "open"


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_each_is_on_one_page_also_behind_many_of_others(rig: Rig, theirs: TestClient, limit: int) -> None:
    (mine,) = rig.rows("review")
    likely = [5_000, 5_000, -200, None]
    rows = [
        {**mine, "review_id": f"rev_{n}", "why": f"w{n}", "millibits": bits} for n, bits in enumerate(likely)
    ]
    others = [
        {**mine, "review_id": f"rev_o{n:03}", "a": f"cus_a{n}", "b": f"cus_b{n}", "millibits": 3_000}
        for n in range(700)
    ]
    with rig.store.write() as connection:
        connection.execute(insert(tables.review), [*rows, *others])
    found = [one["review_id"] for one in _pages(theirs, "/api/matches", "matches", limit)]
    assert sorted(found) == sorted([mine["review_id"], *(row["review_id"] for row in rows)])
    assert found[-2:] == ["rev_3", "rev_2"], "what speaks against stands last"


@pytest.mark.parametrize("body", [{"answer": "maybe"}, {}, {"answer": "same", "b": "cus_x"}])
def test_what_makes_no_sense_is_refused(rig: Rig, theirs: TestClient, body: dict[str, Any]) -> None:
    (review,) = rig.rows("review")
    answer = theirs.post(f"/api/matches/{review['review_id']}/answer", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "bad_body")
    assert rig.rows("review")[0]["state"] == "open"
