"""Customers that are one although their leads did not see each other: offered, joined, left to a person; on both stores."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from enrich.acts_part import Wish, part
from enrich.acts_second_look import sure_pairs
from enrich.near import Neighbourhood
from leadflow.second_look import SecondLook
from schemas.capture import Capture
from store import tables
from store.acts import Command, perform
from store.database import Database
from tests.support.rig import HOUR, MONDAY_10, SECOND, Rig, post, small_company

OUYANG = {"name": "欧阳静怡", "phone": "13812345678", "company": "北京大恒信息技术有限公司", "city": "北京"}
AGAIN = {"name": "歐陽靜怡", "phone": "13987654321", "company": "大恒信息", "city": "北京市"}


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Database | None:
    return request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None


@pytest.fixture
def rig(store: Database | None, tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, store=store, company=small_company(matching="join"))
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


@pytest.fixture
def blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees whom another worker has not committed yet: here, nobody at all."""
    monkeypatch.setattr(Neighbourhood, "read", lambda *_: None)


def look(rig: Rig, at_us: int = MONDAY_10 + HOUR, **how: bool) -> SecondLook:
    """Look until nothing is left to look at."""
    second = SecondLook(rig.store, rig.files.store_log.append, several=how.get("several", True))
    while second.look(at_us):
        pass
    rig.run()
    return second


def form(number: int, **fields: str) -> Capture:
    return post(made=str(number), at_us=MONDAY_10 + number * SECOND, **fields)


def one_by_one(rig: Rig, *captures: Capture) -> None:
    """Each in a batch of its own, so that none is in the other's memory."""
    for one in captures:
        rig.feed([one])
        rig.run()


@pytest.mark.usefixtures("blind")
def test_two_that_did_not_see_each_other_are_one_customer_a_moment_later(rig: Rig) -> None:
    one_by_one(rig, form(1, **OUYANG), form(2, **AGAIN))
    first, second = sorted(rig.rows("customer"), key=lambda row: row["born_us"])
    assert not rig.rows("alias")
    look(rig)
    now = {row["old_id"]: row["now_id"] for row in rig.rows("alias")}
    assert now[second["customer_id"]] == first["customer_id"]
    contacts = sorted(rig.rows("contact"), key=lambda row: row["born_us"])
    assert now[contacts[1]["contact_id"]] == contacts[0]["contact_id"]
    assert {row["rank"] for row in rig.rows("joined")} == {1}, "the machine's word"
    (review,) = rig.rows("review")
    assert review["state"] == "same"
    (act,) = (row for row in rig.rows("act") if row["verb"] == "merge")
    assert (act["actor"], act["act_id"]) == ("leadflow", review["act_id"])
    states = {row["customer_id"]: row["state"] for row in rig.rows("customer")}
    assert states == {first["customer_id"]: "open", second["customer_id"]: "merged"}
    held = [row for row in rig.rows("holding") if row["to_us"] is None and row["role"] == "owner"]
    assert [row["customer_id"] for row in held] == [first["customer_id"]]


@pytest.mark.usefixtures("blind")
def test_a_pair_that_is_erased_while_it_is_looked_at_stops_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*asked: Any) -> list[tuple[str, str]]:
        pairs = sure_pairs(*asked)
        with rig.store.write() as connection:
            connection.execute(delete(tables.review))
        return pairs

    one_by_one(rig, form(1, **OUYANG), form(2, **AGAIN))
    monkeypatch.setattr("leadflow.second_look.sure_pairs", gone)
    look(rig)
    assert not rig.rows("review")
    assert not [row for row in rig.rows("act") if row["verb"] == "merge"]


@pytest.mark.usefixtures("blind")
def test_what_a_person_parts_stays_apart(rig: Rig) -> None:
    one_by_one(rig, form(1, **OUYANG), form(2, **AGAIN))
    look(rig)
    (act,) = (row for row in rig.rows("act") if row["verb"] == "merge")
    (name,) = (row["now_id"] for row in rig.rows("alias") if row["now_id"].startswith("cus_"))
    command = Command("unmerge", "ann", "k1", name, "two people")
    perform(
        rig.store,
        command,
        part(Wish(name, act_id=act["act_id"])),
        MONDAY_10 + 2 * HOUR,
        rig.files.store_log.append,
    )
    rig.run()
    assert not rig.rows("alias")
    look(rig, MONDAY_10 + 3 * HOUR)
    assert not rig.rows("alias")


@pytest.mark.usefixtures("blind")
def test_two_who_only_may_be_one_are_asked_about(rig: Rig) -> None:
    place = {"company": "大恒信息", "city": "北京"}
    one_by_one(
        rig,
        form(1, name="王静怡", phone="13812345678", **place),
        form(2, name="王静", phone="13900001111", **place),
    )
    look(rig)
    assert not rig.rows("alias")
    assert [(row["state"], row["why"]) for row in rig.rows("review")] == [("open", "alike")]


@pytest.mark.usefixtures("blind")
def test_where_a_person_decides_the_pair_is_listed_and_nobody_joined(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company(matching="review"))
    one_by_one(rig, form(1, **OUYANG), form(2, **AGAIN))
    look(rig)
    (review,) = rig.rows("review")
    assert (review["state"], review["looked_us"]) == ("open", None)
    assert review["millibits"] > 6_600
    assert not rig.rows("alias")
    rig.files.doors.close()
    rig.store.close()


@pytest.mark.usefixtures("blind")
def test_two_valid_tax_numbers_are_two_companies_however_alike(rig: Rig) -> None:
    one_by_one(
        rig,
        form(1, **OUYANG, tax_id="91350100M000100Y43"),
        form(2, **{**AGAIN, "phone": "13987654321"}, tax_id="91110108551385082Q"),
    )
    customers = {row["customer_id"] for row in rig.rows("customer")}
    assert len(customers) == 2
    look(rig)
    assert not {row["old_id"] for row in rig.rows("alias")} & customers


def test_a_third_lead_shows_that_two_are_one(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two came at once; who looks for that was away. A third resembles both, and they it and each other."""
    with monkeypatch.context() as blinded:
        blinded.setattr(Neighbourhood, "read", lambda *_: None)
        one_by_one(rig, form(1, **OUYANG), form(2, **AGAIN))
    one_by_one(rig, form(3, **{**OUYANG, "phone": "13700001111"}))
    assert len(rig.rows("customer")) == 2
    look(rig, several=False)
    assert len({row["old_id"] for row in rig.rows("alias")}) == 2, "a contact and a customer"


def test_one_lead_with_identifiers_of_two_is_shown_to_a_person_and_merges_nobody(rig: Rig) -> None:
    one_by_one(
        rig,
        form(1, name="李娜", phone="13812345678"),
        form(2, name="李娜", email="lina1987@qq.com"),
        form(3, name="李娜", phone="13812345678", email="lina1987@qq.com"),
    )
    look(rig, several=False)
    (review,) = rig.rows("review")
    assert (review["why"], review["state"]) == ("conflict", "open")
    assert {review["a"], review["b"]} == {row["customer_id"] for row in rig.rows("customer")}
    assert not rig.rows("alias")
