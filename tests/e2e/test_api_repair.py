"""One dead letter by the API: masked until it is shown with a reason, corrected field by field, read again once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.e2e.test_access import HERE, House
from tests.support.host import host_of
from tests.support.rig import Rig, post, small_company

FIELDS = [{"name": "name", "value": "张伟"}, {"name": "phone", "value": "13812345678"}]
KEY = {"idempotency-key": "k"}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """A form whose fields nobody knows."""
    made = Rig(tmp_path, company=small_company())
    made.feed([post(made="1", wer="张伟", mobil="13812345678")])
    made.run()
    yield made
    made.close()


@pytest.fixture
def house(rig: Rig) -> House:
    return House(rig, host=host_of(rig))


def _client(house: House, role: str = "operations") -> TestClient:
    return house.client(house.grant("ann", role=role))


def _dead(rig: Rig) -> tuple[str, str]:
    (row,) = rig.rows("dead")
    return row["dead_id"], row["state"]


def test_masked_until_somebody_says_why_then_corrected_and_read_again(rig: Rig, house: House) -> None:
    dead_id, _ = _dead(rig)
    client, place = _client(house), f"/api/dead/{dead_id}"
    seen = client.get(place)
    assert "13812345678" not in seen.text
    assert seen.json()["received"]["masked"]
    assert [one["name"] for one in seen.json()["received"]["fields"]] == ["wer", "mobil"]
    blind = client.post(f"{place}/repair", json={"fields": FIELDS})
    assert (blind.status_code, blind.json()["code"]) == (409, "numbers_masked")
    unsaid = client.post(f"/api/reveal/{dead_id}", json={})
    assert (unsaid.status_code, unsaid.json()["code"]) == (422, "why_missing")
    assert client.post(f"/api/reveal/{dead_id}", json={"reason": "field names"}).status_code == 200
    shown = client.get(place).json()["received"]
    assert {"name": "mobil", "value": "13812345678"} in shown["fields"]
    assert not shown["masked"]
    done = client.post(f"{place}/repair", json={"fields": FIELDS, "reason": "names"}, headers=KEY).json()
    rig.run()
    assert _dead(rig) == (dead_id, "repaired")
    again = client.post(f"{place}/repair", json={"fields": FIELDS, "reason": "names"}, headers=KEY).json()
    assert again == {**done, "repeated": True, "capture_id": None}
    other = client.post(f"{place}/repair", json={"fields": FIELDS[:1], "reason": "names"}, headers=KEY)
    assert (other.status_code, other.json()["code"]) == (409, "key_reused")
    late = client.post(f"{place}/repair", json={"fields": FIELDS})
    assert (late.status_code, late.json()["code"]) == (409, "dead_letter_ended")
    (lead,) = rig.rows("lead")
    told = client.get(place).json()
    assert (told["settled"]["verb"], told["settled"]["actor"]) == ("repair", "ann")
    assert told["became"]["customers"] == [rig.rows("customer")[0]["customer_id"]]
    assert "13812345678" in lead["fields_json"]


def test_an_auditor_reads_it_masked_and_others_do_not(rig: Rig, house: House) -> None:
    dead_id, _ = _dead(rig)
    auditor = _client(house, "auditor")
    seen = auditor.get(f"/api/dead/{dead_id}")
    assert seen.status_code == 200
    assert "13812345678" not in seen.text
    assert auditor.post(f"/api/dead/{dead_id}/repair", json={"fields": FIELDS}).status_code == 403
    assert auditor.post(f"/api/reveal/{dead_id}", json={"reason": "x"}).status_code == 403
    for role in ("representative", "manager", "marketing", "front_desk"):
        assert _client(house, role).get(f"/api/dead/{dead_id}").status_code == 403
    assert house.client(host=HERE).get("/api/dead/dead_none").status_code == 404
    assert _dead(rig) == (dead_id, "open")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "bad_body"),
        ({"fields": FIELDS, "text": "x"}, 422, "bad_body"),
        ({"text": "name=x"}, 422, "bad_body"),
        ({"fields": [{"name": "phone", "wert": "1"}]}, 422, "bad_body"),
        ({"fields": FIELDS * 50}, 422, "bad_body"),
    ],
)
def test_what_makes_no_sense_is_refused(
    rig: Rig, house: House, body: dict[str, Any], status: int, code: str
) -> None:
    dead_id, _ = _dead(rig)
    answer = house.client(host=HERE).post(f"/api/dead/{dead_id}/repair", json={**body, "actor": "operator"})
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
    assert _dead(rig) == (dead_id, "open")


def test_what_is_no_text_is_not_corrected_here(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made="1", x="1").model_copy(update={"body": b"\xff\xfe\x00\x01" * 10})])
    rig.run()
    try:
        dead_id, _ = _dead(rig)
        client = House(rig, host=host_of(rig)).client(host=HERE)
        assert client.get(f"/api/dead/{dead_id}").json()["received"]["kind"] == "none"
        said = {"text": "x", "actor": "operator"}
        answer = client.post(f"/api/dead/{dead_id}/repair", json=said)
        assert (answer.status_code, answer.json()["code"]) == (409, "not_text")
    finally:
        rig.close()
