"""What nobody could place, by the API: names on no campaign's list and orders of nobody, listed by cursor and assigned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.e2e.test_access import HERE, House
from tests.e2e.test_marketing import CAMPAIGNS, COMPANY
from tests.support.rig import HOUR, MONDAY_10, Rig, post

KEY = {"idempotency-key": "k"}
LONG = "秋" * 80


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Three people by names that no campaign has, two of them by one."""
    made = Rig(tmp_path, company=COMPANY.model_copy(update={"campaigns": CAMPAIGNS}))
    names = ["XHS", LONG, "xhs"]
    made.feed(
        post(
            made=f"{n}", at_us=MONDAY_10 + n * HOUR, name=f"客户{n}", phone=f"1380000000{n}", utm_campaign=one
        )
        for n, one in enumerate(names)
    )
    made.run()
    yield made
    made.close()


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, now_us=MONDAY_10 + 5 * HOUR)


def _client(house: House, role: str = "marketing") -> TestClient:
    return house.client(house.grant("ann", role=role))


def _all(client: TestClient, path: str, what: str) -> list[Any]:
    found: list[Any] = []
    cursor: str | None = ""
    while cursor is not None:
        page = client.get(f"{path}?limit=1&cursor={cursor}").json()
        found, cursor = found + page[what], page["next"]
    return found


def test_a_name_is_listed_until_it_is_assigned_and_its_leads_count_once(rig: Rig, house: House) -> None:
    client = _client(house)
    names = _all(client, "/api/campaigns/unlisted", "names")
    assert [(one["value"], one["leads"]) for one in names] == [("xhs", 2), (LONG, 1)]
    said = {"kind": "utm", "value": "XHS", "reason": "their autumn advert"}
    place = "/api/campaigns/fair/aliases"
    first = client.post(place, json=said, headers=KEY).json()
    assert (first["leads"], first["repeated"]) == (2, False)
    assert client.post(place, json=said, headers=KEY).json() == {**first, "repeated": True}
    other = client.post(place, json={**said, "value": LONG}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    assert [one["value"] for one in _all(client, "/api/campaigns/unlisted", "names")] == [LONG]
    assert sorted(str(row["campaign_id"]) for row in rig.rows("lead")) == ["None", "fair", "fair"]
    (act,) = [one for one in rig.rows("act") if one["verb"] == "assign_alias"]
    assert (act["actor"], act["scope_id"], act["reason"]) == ("ann", "fair", "their autumn advert")


@pytest.mark.parametrize(
    ("campaign", "said", "refused"),
    [
        ("none", {"kind": "utm", "value": "XHS"}, (409, "unknown_campaign")),
        ("fair", {"kind": "utm", "value": "bd"}, (409, "alias_taken")),
        ("fair", {"kind": "utm", "value": "  "}, (409, "unknown_alias")),
        ("fair", {"kind": "place", "value": "XHS"}, (422, "bad_body")),
        ("fair", {"kind": "utm", "value": "XHS", "campaign": "fair"}, (422, "bad_body")),
    ],
)
def test_a_name_that_cannot_be_assigned_is_refused(
    rig: Rig, house: House, campaign: str, said: dict[str, str], refused: tuple[int, str]
) -> None:
    answer = _client(house).post(f"/api/campaigns/{campaign}/aliases", json=said)
    assert (answer.status_code, answer.json()["code"]) == refused
    assert {row["campaign_id"] for row in rig.rows("lead")} == {None}


def test_an_order_with_a_long_number_is_assigned_as_it_was_listed(rig: Rig, house: House) -> None:
    client = _client(house)
    order = {"order_no": "SO20261130001", "date": "2026-11-30", "amount": "1", "phone": "13611112222"}
    client.post("/api/orders", json={"source": "erp", "orders": [order]})
    (listed,) = client.get("/api/orders/open").json()["orders"]
    assert "11112" not in str(listed["given"]), "marketing calls nobody"
    said = {"order_no": listed["order_no"], "source": listed["source"], "reason": "said so by phone"}
    customer = rig.rows("customer")[0]["customer_id"]
    assert client.post("/api/orders/assign", json={**said, "customer_id": customer}).status_code == 200
    assert client.get("/api/orders/open").json()["orders"] == []


def test_orders_of_nobody_are_listed_by_cursor_and_given_to_a_customer(rig: Rig, house: House) -> None:
    client = _client(house)
    day, number = {"date": "2026-11-30", "amount": "86000"}, "13611112222"
    orders = [{"order_no": f"HC/{n}", "phone": number, **day} for n in range(3)]
    orders.append({"order_no": "old", **day, "date": "2026-11-01"})
    assert client.post("/api/orders", json={"source": "erp", "orders": orders}).status_code == 200
    found = _all(client, "/api/orders/open", "orders")
    assert [one["order_no"] for one in found] == ["HC/0", "HC/1", "HC/2", "old"]
    assert (found[0]["why_open"], found[3]["why_open"]) == ("nobody", "no_reference")
    assert number not in str(found), "marketing calls nobody"
    assert found[0]["given"]["phone"].startswith("136")
    cursor = client.get("/api/orders/open?limit=2").json()["next"]
    (customer, *_) = [row["customer_id"] for row in rig.rows("customer")]
    said = {"order_no": "HC/1", "customer_id": customer, "reason": "said so by phone"}
    first = client.post("/api/orders/assign", json=said, headers=KEY)
    assert (first.status_code, first.json()["repeated"]) == (200, False)
    assert client.post("/api/orders/assign", json=said, headers=KEY).json()["repeated"]
    assert [one["order_no"] for one in _all(client, "/api/orders/open", "orders")] == ["HC/0", "HC/2", "old"]
    after = client.get(f"/api/orders/open?cursor={cursor}").json()["orders"]
    assert [one["order_no"] for one in after] == ["HC/2", "old"], "the place of one that went meanwhile stays"
    owned = [row for row in rig.rows("sale_order") if row["matched_by"] == "hand"]
    assert [row["order_no"] for row in owned] == ["HC/1"]
    for wrong, code in (
        ({**said, "order_no": "none"}, "unknown_order"),
        ({**said, "customer_id": "cus_none"}, "unknown_customer"),
        ({**said, "source": "other"}, "unknown_order"),
    ):
        answer = client.post("/api/orders/assign", json=wrong)
        assert (answer.status_code, answer.json()["code"]) == (409, code)


def test_who_may(rig: Rig, house: House) -> None:
    said = {"kind": "utm", "value": "XHS"}
    for role in ("representative", "manager", "front_desk"):
        assert _client(house, role).get("/api/campaigns/unlisted").status_code == 403
        assert _client(house, role).get("/api/orders/open").status_code == 403
    for role in ("representative", "manager", "front_desk", "auditor"):
        assert _client(house, role).post("/api/campaigns/fair/aliases", json=said).status_code == 403
        assert _client(house, role).post("/api/orders/assign", json={}).status_code == 403
    auditor = _client(house, "auditor")
    assert (
        auditor.get("/api/campaigns/unlisted").status_code
        == auditor.get("/api/orders/open").status_code
        == 200
    )
    here = house.client(host=HERE)
    unnamed = here.post("/api/campaigns/fair/aliases", json=said)
    assert (unnamed.status_code, unnamed.json()["code"]) == (422, "actor_missing")
    assert here.post("/api/campaigns/fair/aliases", json={**said, "actor": "ann"}).json()["leads"] == 2
