"""A customer with whom nothing is to be done can be called all the same, and what came of it is recorded on their page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_access import House
from tests.support.rig import HOUR, MONDAY_10, Rig, post, small_company


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    rig = Rig(tmp_path, company=small_company())
    rig.feed([post(made="1", name="王芳", phone="138 0000 0001")])
    rig.run()
    yield House(rig, now_us=MONDAY_10 + HOUR)
    rig.close()


def owner_and_page(house: House) -> tuple[str, str]:
    (customer,) = house.rig.rows("customer")
    (holding,) = [row for row in house.rig.rows("holding") if row["to_us"] is None and row["role"] == "owner"]
    return holding["holder_id"], f"/customer/{customer['customer_id']}"


def won(house: House, client: Any) -> None:
    (task,) = house.rig.rows("task")
    assert client.post(f"/api/tasks/{task['task_id']}/outcome", json={"code": "won"}).status_code == 200


def test_an_open_task_is_shown_and_without_one_a_contact_is_recorded(house: House) -> None:
    owner, place = owner_and_page(house)
    client = house.client(house.grant(owner, role="representative"))
    page = client.get(place).text
    assert "To the task" in page
    assert "Record a contact" not in page
    assert client.post(f"{place}/contact", data={"code": "interested"}).status_code == 409
    won(house, client)
    page = client.get(place).text
    assert "Record a contact" in page
    wrong = client.post(f"{place}/contact", data={"code": "later", "note": "call in spring", "key": "k1"})
    assert wrong.status_code == 409
    assert "call in spring" in wrong.text, "what was typed stays"
    form = {"code": "later", "note": "call in spring", "next": "2099-03-01T09:00", "key": "k2"}
    for _ in range(2):
        done = client.post(f"{place}/contact", data=form, follow_redirects=False)
        assert (done.status_code, done.headers["location"]) == (303, f"{place}?done=contact")
    other = client.post(f"{place}/contact", data={**form, "code": "interested"})
    assert other.status_code == 409, "another act under the same form's key"
    page = client.get(place).text
    assert "call in spring" in page
    assert "To the task" in page
    assert len(house.rig.rows("outcome")) == 2


def test_by_the_api_too_and_by_nobody_who_may_not(house: House) -> None:
    owner, place = owner_and_page(house)
    client = house.client(house.grant(owner, role="representative"))
    won(house, client)
    path = f"/api/customers/{place.rpartition('/')[2]}/contact"
    other = "ann" if owner != "ann" else "bo"
    for role, status in (("representative", 403), ("auditor", 403), ("marketing", 403)):
        stranger = house.client(house.grant(other, role=role))
        assert stranger.post(path, json={"code": "interested"}).status_code == status
        assert stranger.post(f"{place}/contact", data={"code": "interested"}).status_code == status
    evil = client.post(
        f"{place}/contact", data={"code": "interested"}, headers={"origin": "http://evil.example"}
    )
    assert evil.status_code == 403
    answer = client.post(path, json={"code": "interested"}, headers={"idempotency-key": "a"})
    assert answer.status_code == 200, answer.text
    again = client.post(path, json={"code": "interested"}, headers={"idempotency-key": "b"})
    assert (again.status_code, again.json()["code"]) == (409, "task_open")
