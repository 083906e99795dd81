"""A token narrower than a role: it opens the parts of the API that it names, of what its person may, and nothing else."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from console.permits import ANY_SCOPE, PERMITS, SCOPES, scope_of
from store.access import grant
from store.acts import Command
from tests.e2e.test_access import House
from tests.support.host import host_of
from tests.support.rig import DAY, Rig, post, small_company

PAGE = {"accept": "text/html"}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made="1", name="张伟", phone="13812345678")])
    rig.run()
    yield House(rig, host=host_of(rig))
    rig.close()


def _client(house: House, *scopes: str, role: Any = "operations", person: str = "ann") -> TestClient:
    secret = next(house.ids)
    command = Command("grant", "operator", next(house.ids), person)
    house.do(command, grant("token", secret, DAY, role, scopes))
    return house.client(secret)


def test_a_narrow_token_opens_its_scopes_and_says_so_elsewhere(house: House) -> None:
    client = _client(house, "leads:read", "orders:write")
    assert client.get("/api/leads").status_code == 200
    assert client.get("/api/me").json()["scopes"] == ["leads:read", "orders:write"]
    assert client.get("/api/openapi.json").status_code == 200
    order = {"order_no": "1", "date": "2026-11-30", "amount": "1"}
    assert client.post("/api/orders", json={"source": "erp", "orders": [order]}).status_code == 200
    refused = client.get("/api/orders/open")
    assert (refused.status_code, refused.json()["code"]) == (403, "out_of_scope")
    assert (
        refused.json()["detail"] == "This token does not open orders:read; it opens leads:read, orders:write."
    )
    for path in (
        "/api/customers",
        "/api/leads/x",
        "/api/operate/who",
        "/metrics",
        "/",
        "/customers",
        "/leave",
    ):
        assert client.get(path, headers=PAGE).status_code != 200
        assert client.post(path, headers=PAGE).json()["code"] == "out_of_scope"
    assert _client(house).get("/api/me").json()["scopes"] is None


def test_each_route_is_opened_by_its_own_scope_alone(house: House) -> None:
    """Every route of the API, with all scopes and with all but its own."""
    clients = {one: _client(house, *(other for other in SCOPES if other != one)) for one in SCOPES}
    wide = _client(house, *SCOPES)
    for key in PERMITS:
        method, _, path = key.partition(" ")
        scope = scope_of(method, path)
        if scope is None:
            continue
        address = path.replace("{", "").replace("}", "")
        # A body that is none: what passes the gate is refused behind it, and nothing is done.
        sent: dict[str, Any] = (
            {"content": b"{", "headers": {"content-type": "application/json"}} if method == "POST" else {}
        )
        told = wide.request(method, address, **sent)
        assert told.status_code != 403, key
        narrow = clients[scope].request(method, address, **sent)
        assert (narrow.status_code, narrow.json()["code"]) == (403, "out_of_scope"), key


def test_every_route_of_the_api_has_a_scope_but_these() -> None:
    without = {key for key in PERMITS if " /api/" in key and scope_of(*key.split(" ", 1)) is None}
    assert without == {"POST /api/operate/{verb}", *(f"GET {path}" for path in ANY_SCOPE)}


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "/api/leads", "leads:read"),
        ("HEAD", "/api/leads", "leads:read"),
        ("DELETE", "/api/leads", "leads:write"),
        ("POST", "/api/orders/assign", "orders:write"),
        ("GET", "/metrics", "metrics:read"),
        ("GET", "/customers", None),
        ("POST", "/api/operate/erase", None),
        ("GET", "/api/me", None),
    ],
)
def test_a_scope_follows_from_the_address(method: str, path: str, scope: str | None) -> None:
    assert scope_of(method, path) == scope


def test_a_scope_widens_no_role(house: House) -> None:
    for person, role in itertools.product(("ann", "bo"), ("representative", None)):
        client = _client(house, *SCOPES, role=role, person=person)
        assert client.get("/api/tally").json()["code"] == "not_allowed"
    holders = [row["holder_id"] for row in house.rig.rows("holding") if row["to_us"] is None]
    other = next(one for one in ("ann", "bo") if one not in holders)
    seen = _client(house, "customers:read", role=None, person=other).get("/api/customers").json()
    assert seen["customers"] == []
