"""Who may answer a pair: a manager of both holders, and nobody by a forged address."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert, update
from starlette.applications import Starlette
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from console.app import console_routes
from console.may import Visitor
from store import tables
from tests.support.rig import MINUTE, MONDAY_10, Rig, post, small_company


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, company=small_company())
    alike(made)
    yield made
    made.close()


def alike(rig: Rig) -> None:
    """Let two come who may be one."""
    company, email = "北京大恒信息技术有限公司", "lina.daheng@gmail.com"
    rig.feed([post(made="a", name="李娜", email=email, company=company)])
    rig.run()
    later = MONDAY_10 + MINUTE
    rig.feed([post(at_us=later, made="b", name="Na Li", email="lina.daheng@gmial.com", company="大恒信息")])
    rig.run()


def client_of(rig: Rig, who: Visitor) -> TestClient:
    ids = (f"{number:032x}" for number in itertools.count(1))
    append = rig.files.store_log.append
    app = Starlette(
        routes=console_routes(rig.store, lambda: MONDAY_10 + 2 * MINUTE, lambda: next(ids), append)
    )

    async def seen(scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["visitor"] = who
        await app(scope, receive, send)

    return TestClient(seen, follow_redirects=False)


def manager(*holders: str) -> Visitor:
    return Visitor("boss", frozenset({"manager"}), frozenset({"boss", *holders}))


def test_a_manager_of_one_side_alone_sees_and_answers_nothing(rig: Rig) -> None:
    (review,) = rig.rows("review")
    holders = {row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}
    stranger = client_of(rig, manager())
    assert review["review_id"] not in stranger.get("/matches").text
    for verb in ("same", "apart", "skip", "join"):
        answer = stranger.post(f"/matches/{review['review_id']}/{verb}", data={"reason": "mine"})
        assert answer.status_code == 409, verb
    assert rig.rows("review")[0]["state"] == "open"
    theirs = client_of(rig, manager(*holders))
    assert review["review_id"] in theirs.get("/matches").text
    key = {"key": "k1", "reason": "same voice"}
    assert theirs.post(f"/matches/{review['review_id']}/same", data=key).status_code == 303
    assert theirs.post(f"/matches/{review['review_id']}/same", data=key).status_code == 303, "a double click"
    assert rig.rows("review")[0]["state"] == "same"
    late = theirs.post(f"/matches/{review['review_id']}/apart", data={"key": "k2"})
    assert late.status_code == 409, "a stale tab"
    assert "已有人判断过" in late.text


def test_joining_after_all_is_answered_twice_alike_and_another_reason_is_told(rig: Rig) -> None:
    (review,) = rig.rows("review")
    holders = {row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}
    theirs, path = client_of(rig, manager(*holders)), f"/matches/{review['review_id']}"
    assert theirs.post(f"{path}/apart", data={"key": "k1"}).status_code == 303
    same = {"key": "k2", "reason": "same voice"}
    for _ in range(2):  # the second finds one customer, under one id
        assert theirs.post(f"{path}/join", data=same).status_code == 303
    other = theirs.post(
        f"{path}/join", data={**same, "reason": "same car"}, headers={"accept-language": "en"}
    )
    assert (other.status_code, "made two customers one" in other.text) == (409, True)
    assert "same car" in other.text, "what was typed"
    assert [row["verb"] for row in rig.rows("act")].count("merge") == 1


def test_theirs_show_however_many_of_others_are_likelier_or_were_answered_since(rig: Rig) -> None:
    (mine,) = rig.rows("review")
    holders = {row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None}
    theirs = client_of(rig, manager(*holders))
    with rig.store.write() as connection:
        rows = [
            {**mine, "review_id": f"rev_{n:04}", "a": f"cus_a{n}", "b": f"cus_b{n}", "millibits": 90_000}
            for n in range(1_100)
        ]
        connection.execute(insert(tables.review), rows)
    assert mine["review_id"] in theirs.get("/matches").text
    assert rows[0]["review_id"] not in theirs.get("/matches").text
    reason = {"key": "k1", "reason": "two people"}
    assert theirs.post(f"/matches/{mine['review_id']}/apart", data=reason).status_code == 303
    (done,) = [row for row in rig.rows("review") if row["state"] == "apart"]
    later = {"state": "apart", "act_id": done["act_id"], "answered_us": done["answered_us"] + 1}
    with rig.store.write() as connection:
        connection.execute(update(tables.review).where(tables.review.c.state == "open").values(**later))
    assert "two people" in theirs.get("/matches?view=answered").text
