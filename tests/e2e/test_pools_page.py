"""The page of open pools: whose pools one sees, what it says of customers, and that claiming and releasing work there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.pools import Pool
from tests.e2e.test_access import House
from tests.e2e.test_console_pages import client_of, text_of
from tests.e2e.test_pools import SEA, arrive, claims, goes_by, office, owner
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post

WEST = Pool(pool_id="lake", name_zh="西部公海", name_en="West pool", units=("west",), reclaim="no")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    company = office(SEA.model_copy(update={"open_limit": 3, "hold_hours": 1}))
    made = Rig(tmp_path, company=company.model_copy(update={"pools": {**company.pools, "lake": WEST}}))
    made.feed([post(made="x", name="李娜", phone="13900001111", region="江苏", message="好")])
    made.run()
    yield made
    made.close()


def test_it_names_nobody_and_says_what_waits_and_what_is_left(rig: Rig) -> None:
    page = (
        client_of(rig, MONDAY_10 + MINUTE)
        .get("/pools?pool=sea&by=ann", headers={"accept-language": "en"})
        .text
    )
    said = text_of(page)
    assert "East pool 1 customer ·" in said
    assert "At once: 3 of 3 left" in said
    assert "江苏" in said
    assert "Held back for a time" in said
    assert not any(word in page for word in ("李娜", "13900001111", "好"))
    assert "/claim" not in page, "no button for what cannot be claimed"


def test_claimed_on_the_page_it_is_in_the_tasks_and_goes_back_from_there(rig: Rig) -> None:
    (row,) = rig.rows("customer")
    customer = row["customer_id"]
    client = client_of(rig, MONDAY_10 + 2 * HOUR)
    assert f"/pools/{customer}/claim" in client.get("/pools?pool=sea&by=ann").text
    done = client.post(f"/pools/{customer}/claim", data={"actor": "ann", "pool": "sea", "key": "k1"})
    assert (done.status_code, done.headers["location"]) == (303, "/pools?pool=sea&by=ann&done=claim")
    rig.run()
    inbox = client.get("/inbox/ann").text
    assert "李娜" in inbox, "whoever has it sees who it is"
    refused = client.post(f"/pools/{customer}/claim", data={"actor": "bo", "pool": "sea"})
    assert refused.status_code == 409
    assert "同事先一步" in refused.text or "faster" in refused.text
    done = client.post(
        f"/pools/{customer}/release", data={"actor": "ann", "pool": "sea", "reason": "不是我的"}
    )
    assert done.status_code == 303
    assert owner(rig, customer) == ("pool", "sea")
    assert client.get("/inbox/sea").headers["location"] == "/pools?pool=sea", "its tasks are nobody's to read"


def test_no_other_site_can_claim_for_somebody(rig: Rig) -> None:
    (row,) = rig.rows("customer")
    headers = {"sec-fetch-site": "cross-site"}
    client = client_of(rig, MONDAY_10 + 2 * HOUR)
    answer = client.post(f"/pools/{row['customer_id']}/claim", data={"actor": "ann"}, headers=headers)
    assert answer.status_code == 403
    assert owner(rig, row["customer_id"])[0] == "pool"


def test_from_elsewhere_each_sees_and_claims_for_themselves_what_is_for_them(rig: Rig) -> None:
    house = House(rig)
    house.now_us = MONDAY_10 + 2 * HOUR
    (row,) = rig.rows("customer")
    customer = row["customer_id"]
    ann, zoe = (house.client(house.grant(one)) for one in ("ann", "zoe"))
    assert "East pool" in ann.get("/pools").text
    assert "West pool" not in ann.get("/pools").text
    assert "East pool" not in zoe.get("/pools?pool=sea").text
    same = {"origin": "http://leads.haichuan.cn", "sec-fetch-site": "same-origin"}
    assert zoe.post(f"/pools/{customer}/claim", data={"actor": "ann"}, headers=same).status_code == 409
    assert ann.post(f"/pools/{customer}/claim", data={"actor": "bo"}, headers=same).status_code == 303
    assert owner(rig, customer) == ("person", "ann"), "whatever name was sent"


def test_what_lies_too_long_is_neglected(tmp_path: Path) -> None:
    made = Rig(tmp_path, company=office())
    goes_by(made, SEA.model_copy(update={"old_days": 2}))
    (customer,) = arrive(made)
    assert "Waiting too long" not in client_of(made, MONDAY_10 + 2 * DAY).get("/neglected?lang=en").text
    page = client_of(made, MONDAY_10 + 2 * DAY + 9 * HOUR).get("/neglected?lang=en").text
    assert "Waiting too long" in page
    assert "East pool" in page
    assert claims(made, "ann", customer) is None
    page = client_of(made, MONDAY_10 + 3 * DAY).get("/neglected?lang=en").text
    assert "Waiting too long" not in page
    made.close()
