"""The list of campaigns by the API: added once, changed whole, read by cursor; nobody's change is overwritten unseen."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sales.campaign_list import ALIASES
from schemas.company import Alias, Campaign, Role
from store.access import grant
from store.acts import Command
from tests.e2e.test_access import House
from tests.e2e.test_campaign_list import came, campaigns_of, company_of, names
from tests.support.rig import DAY, HOUR, MONDAY_10

KEY = {"idempotency-key": "k"}
LIVE = {"campaign": "autumn-live", "name_zh": "秋季直播", "aliases": [{"kind": "utm", "value": "xhs"}]}


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    rig = came(tmp_path)
    yield House(rig, now_us=MONDAY_10 + 5 * HOUR)
    rig.close()


def _client(house: House, role: Role = "marketing") -> TestClient:
    return house.client(house.grant("ann", role=role))


def _narrow(house: House, scope: str) -> TestClient:
    house.do(Command("grant", "operator", scope, "ann"), grant("token", scope, DAY, "marketing", (scope,)))
    return house.client(scope)


def _state(client: TestClient, code: str) -> dict[str, Any]:
    """Return what the list says of a campaign."""
    found: list[dict[str, Any]] = client.get("/api/campaigns/listed").json()["campaigns"]
    return next(one for one in found if one["campaign"] == code)


def test_a_campaign_is_added_once_and_answered_the_same(house: House) -> None:
    client = _client(house)
    first = client.post("/api/campaigns", json=LIVE, headers=KEY).json()
    assert (first["leads"], first["repeated"]) == (2, False)
    assert client.post("/api/campaigns", json=LIVE, headers=KEY).json() == {**first, "repeated": True}
    other = client.post("/api/campaigns", json={**LIVE, "name_zh": "其他"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    again = client.post("/api/campaigns", json=LIVE)
    assert (again.status_code, again.json()["code"]) == (409, "campaign_taken")
    assert campaigns_of(house.rig) == ["autumn-live", "autumn-live", "None", "baidu"]
    assert client.get("/api/campaigns?from=2026-11-01&to=2026-11-30").json()["rows"]
    (act,) = [one for one in house.rig.rows("act") if one["verb"] == "add_campaign"]
    assert (act["actor"], act["scope_id"]) == ("ann", "autumn-live")


@pytest.mark.parametrize(
    ("body", "refused"),
    [
        ({"campaign": "Autumn"}, (422, "bad_body")),
        ({"name_zh": " "}, (422, "campaign_name_missing")),
        ({"name_zh": "长" * 201}, (422, "bad_body")),
        ({"aliases": [{"kind": "utm", "value": "BD"}]}, (409, "alias_taken")),
        ({"aliases": [{"kind": "utm", "value": " "}]}, (409, "unknown_alias")),
        ({"aliases": [{"kind": "place", "value": "x"}]}, (422, "bad_body")),
        ({"aliases": [{"kind": "utm", "value": "x", "from": 1}]}, (422, "bad_body")),
        ({"aliases": [{"kind": "utm", "value": f"{n}"} for n in range(ALIASES + 1)]}, (422, "bad_body")),
        ({"budget": 5}, (422, "bad_body")),
    ],
)
def test_what_makes_no_campaign_is_refused(
    house: House, body: dict[str, Any], refused: tuple[int, str]
) -> None:
    before = company_of(house.rig)
    answer = _client(house).post("/api/campaigns", json={**LIVE, **body})
    assert (answer.status_code, answer.json()["code"]) == refused
    assert company_of(house.rig) == before


def test_a_campaign_is_changed_whole_and_who_read_it_before_is_told(house: House) -> None:
    client, place = _client(house), "/api/campaigns/baidu"
    read = _state(client, "baidu")
    assert (read["name_en"], read["aliases"]) == ("Baidu", [{"kind": "utm", "value": "bd"}])
    said = {"name_zh": "百度推广", "aliases": [{"kind": "utm", "value": "XHS"}], "was": read["state"]}
    first = client.put(place, json=said, headers=KEY).json()
    assert (first["leads"], first["repeated"]) == (2, False)
    assert client.put(place, json=said, headers=KEY).json() == {**first, "repeated": True}
    late = client.put(place, json={**said, "name_zh": "百度"})
    assert (late.status_code, late.json()["code"]) == (409, "campaign_changed")
    assert names(house.rig, "baidu") == [("utm", "XHS")]
    now = _state(client, "baidu")
    assert (now["name_en"], now["state"] == read["state"]) == ("百度推广", False)
    assert client.put(place, json={"name_zh": "百度"}).status_code == 200, "whatever stands, if asked so"
    assert names(house.rig, "baidu") == []
    gone = client.put("/api/campaigns/gone", json={"name_zh": "x"})
    assert (gone.status_code, gone.json()["code"]) == (409, "unknown_campaign")


def test_the_list_is_read_by_cursor_and_shows_what_the_files_brought(house: House) -> None:
    long = Campaign(
        campaign_id="a-1", name_zh="长", name_en="x" * 300, aliases=(Alias(kind="utm", value="u" * 3_000),)
    )
    house.change(campaigns={"a-1": long})
    client, found, cursor = _client(house), list[str](), ""
    while True:
        page = client.get(f"/api/campaigns/listed?limit=1&cursor={cursor}").json()
        found += [one["campaign"] for one in page["campaigns"]]
        if (cursor := page["next"]) is None:
            break
    assert found == ["a-1", "baidu", "fair"]


@pytest.mark.parametrize(
    ("role", "reads", "writes"),
    [
        ("representative", False, False),
        ("manager", False, False),
        ("marketing", True, True),
        ("front_desk", False, False),
        ("operations", True, True),
        ("auditor", True, False),
    ],
)
def test_the_list_is_marketing_s(house: House, role: Role, reads: bool, writes: bool) -> None:
    client = _client(house, role)
    assert client.get("/api/campaigns/listed").status_code == (200 if reads else 403)
    assert client.post("/api/campaigns", json=LIVE).status_code == (200 if writes else 403)
    changed = client.put("/api/campaigns/baidu", json={"name_zh": "百度"})
    assert changed.status_code == (200 if writes else 403)
    assert ("autumn-live" in company_of(house.rig).campaigns) == writes


def test_a_token_s_scope_opens_it(house: House) -> None:
    narrow = _narrow(house, "campaigns:read")
    assert narrow.get("/api/campaigns/listed").status_code == 200
    refused = narrow.put("/api/campaigns/baidu", json={"name_zh": "百度"})
    assert (refused.status_code, refused.json()["code"]) == (403, "out_of_scope")
    wide = _narrow(house, "campaigns:write")
    assert wide.put("/api/campaigns/baidu", json={"name_zh": "百度"}).status_code == 200
