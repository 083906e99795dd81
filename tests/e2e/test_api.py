"""The JSON API: as it describes itself, whatever is sent to it; lists by cursor; what a body must not hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import one_of
from schemathesis.specs.openapi import checks
from starlette.testclient import TestClient

from console.permits import PERMITS, ROLES
from enrich.review import offer_pair
from schemas.company import Role
from store.acts import Command
from tests.e2e.test_access import HERE, House
from tests.e2e.test_marketing import CAMPAIGNS
from tests.support.host import host_of
from tests.support.lists import LISTS
from tests.support.rig import DAY, MONDAY_10, Rig, post, small_company
from tools import export_api

LEADS = 23
LATE = 1_900_000_000_000_000
"""A moment in 2030."""
_NOT_DESCRIBED = ("GET /api/openapi.json", "POST /api/operate/{verb}")
"""The description itself, and the way in of the command line."""


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One team, in which Ann gets everything: 23 customers, and a body that could not be read."""
    rig = Rig(tmp_path_factory.mktemp("api"), company=small_company())
    rig.feed([post(made=f"{n}", name=f"客户{n}", phone=f"138 0000 {n:04}") for n in range(1, LEADS + 1)])
    rig.run()
    made = House(rig)
    yield made
    rig.close()


def _client(house: House, role: str = "operations", person: str = "ann") -> TestClient:
    return house.client(house.grant(person, role=role))


def _pages(client: TestClient, path: str, what: str, limit: int) -> list[Any]:
    found, cursor = [], ""
    while True:
        page = client.get(f"{path}{'&' if '?' in path else '?'}limit={limit}&cursor={cursor}").json()
        found += page[what]
        assert len(page[what]) <= limit
        if not page["next"] or not page[what]:
            return found
        cursor = page["next"]


# --- what it says of itself ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """A house with all of its host, in which something of each kind was done, and waits to be done."""
    company = small_company(campaigns=CAMPAIGNS, sources={**small_company().sources, "lists": LISTS})
    rig = Rig(tmp_path_factory.mktemp("busy"), company=company)
    rig.feed([post(made=f"{n}", name=f"客户{n}", phone=f"138 0000 {n:04}") for n in range(1, LEADS + 1)])
    rig.feed([post(wer="客户", mobil="138 0000 0001")])
    rig.run()
    made = House(rig, host=host_of(rig))
    here, actor = made.client(host=HERE), {"actor": "operator"}
    anns = [row["customer_id"] for row in rig.rows("holding") if row["holder_id"] == "ann"]
    said = {"customers": anns[:1], "to": "bo", "expected": 1, "reason": "workload", **actor}
    assert here.post("/api/moves", json=said).status_code == 200
    over = {"person": "bo", "why": "until", "until": "2027-12-24", "to": "ann", "reason": "away", **actor}
    job_id = here.post("/api/handovers", json=over).json()["handover"]["job_id"]
    assert here.post(f"/api/handovers/{job_id}/undo", json={"reason": "stays", **actor}).status_code == 200
    pair = offer_pair(anns[1], anns[2], "alike", MONDAY_10, millibits=4_200)
    made.do(Command("offer", "leadflow", "offer", anns[1]), lambda *_: [pair])
    said = {"for_id": "bo", "until_us": LATE, "reason": "met them", **actor}
    assert here.post(f"/api/customers/{anns[3]}/register", json=said).status_code == 200
    spent = {"campaign": "fair", "from": "2026-11", "amount": 5, **actor}
    assert here.post("/api/spend", json=spent).status_code == 200
    brought = {"source": "lists", "kind": "leads", "name": "list.csv", **actor}
    assert (
        here.post("/api/imports", params=brought, content="姓名,手机\n李娜,13900000001\n").status_code == 200
    )
    rig.run()
    yield made
    rig.close()


@pytest.fixture(scope="module")
def described(busy: House) -> Any:
    """The API as it describes itself, asked by somebody who operates the house."""
    headers = {"authorization": f"Bearer {busy.grant('ann', role='operations', lasts_us=DAY)}"}
    spec = busy.client().get("/api/openapi.json", headers=headers).json()
    for operations in spec["paths"].values():
        for one in operations.values():
            del one["security"]  # else half of what is sent wrong is sent without a token, and answered alike
    found = schemathesis.openapi.from_dict(spec)
    found.app = busy.app
    return found, headers


CHECKS: list[Callable[..., Any]] = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
    checks.allow_header_conformance,
]


@pytest.mark.parametrize(
    "operation", [key for key in PERMITS if " /api/" in key and key not in _NOT_DESCRIBED]
)
def test_whatever_is_sent_the_answer_is_one_that_is_described(
    operation: str, described: Any, busy: House
) -> None:
    schema, headers = described
    method, path = operation.split(" ")
    known = _known_ids(busy)

    def of_something(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
        case.path_parameters |= {name: known[name] for name in case.path_parameters if name in known}
        return case

    described_as = schema[path.removeprefix("/api")][method]
    good, bad = (described_as.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode)

    @given(case=one_of(good, good.map(of_something), bad))
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    ask()


@pytest.mark.parametrize("role", ROLES)
def test_the_description_is_for_everybody(busy: House, role: Role) -> None:
    spec = _client(busy, role).get("/api/openapi.json").json()
    listed = {
        f"{method.upper()} /api{path}" for path, operations in spec["paths"].items() for method in operations
    }
    assert listed == {key for key in PERMITS if " /api/" in key} - set(_NOT_DESCRIBED)
    assert spec["servers"] == [{"url": "/api"}]


def test_the_description_in_the_docs_is_the_present_one() -> None:
    """Also the page's list of operations; a change of the API so shows as a change of a file."""
    spec = export_api.described()
    assert export_api.as_json(spec) == export_api.SPEC.read_bytes(), "run: python -m tools.export_api"
    text = export_api.PAGE.read_text("utf-8")
    assert export_api.with_table(text, spec) == text, "run: python -m tools.export_api"


def _known_ids(house: House) -> dict[str, str]:
    row = house.rig.rows("task")[0]
    return {
        "task_id": row["task_id"],
        "customer_id": row["customer_id"],
        "any_id": house.rig.rows("dead")[0]["dead_id"],
        "dead_id": house.rig.rows("dead")[0]["dead_id"],
        "holder_id": row["holder_id"],
        "person_id": "bo",
        "review_id": house.rig.rows("review")[0]["review_id"],
        "spend_id": house.rig.rows("spend")[0]["spend_id"],
        "job_id": house.rig.rows("job")[0]["job_id"],
        "import_id": house.rig.rows("import_run")[0]["import_id"],
        "campaign_id": "fair",
        "act_id": next(one["act_id"] for one in house.rig.rows("act") if one["verb"] == "move"),
    }


# --- lists ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 7, LEADS, 200])
def test_each_customer_and_lead_is_on_one_page_whatever_its_length(house: House, limit: int) -> None:
    client = _client(house)
    customers = [row["customer_id"] for row in _pages(client, "/api/customers", "customers", limit)]
    leads = [row["lead_id"] for row in _pages(client, "/api/leads", "leads", limit)]
    assert sorted(customers) == sorted(row["customer_id"] for row in house.rig.rows("customer"))
    assert sorted(leads) == sorted(row["lead_id"] for row in house.rig.rows("lead"))
    assert len(set(customers)) == len(set(leads)) == LEADS


def test_who_follows_the_leads_gets_what_came_since(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company())
    try:
        rig.feed([post(made="1", name="客户1", phone="138 0000 0001")])
        rig.run()
        client = _client(House(rig, now_us=MONDAY_10 + 2 * DAY))
        first = client.get("/api/leads").json()
        assert len(first["leads"]) == 1
        again = client.get(f"/api/leads?cursor={first['next']}").json()
        assert (again["leads"], again["next"]) == ([], first["next"])
        rig.feed([post(made="2", name="客户2", phone="138 0000 0002", at_us=MONDAY_10 + DAY)])
        rig.run()
        (new,) = client.get(f"/api/leads?cursor={again['next']}").json()["leads"]
        assert [one["value"] for one in new["fields"] if one["name"] == "full_name"] == ["客户2"]
    finally:
        rig.close()


def test_a_list_holds_what_its_reader_may_see_and_a_filter_widens_nothing(house: House) -> None:
    held = {row["customer_id"]: row["holder_id"] for row in house.rig.rows("holding") if row["to_us"] is None}
    ann = [one for one, holder in held.items() if holder == "ann"]
    bo = [one for one, holder in held.items() if holder == "bo"]
    assert ann
    assert bo
    client = _client(house, "representative")
    mine = client.get("/api/customers?limit=200").json()["customers"]
    assert sorted(row["customer_id"] for row in mine) == sorted(ann)
    assert client.get("/api/customers?holder=bo").json()["customers"] == []
    assert client.get(f"/api/customers/{bo[0]}").status_code == 403
    whole = client.get(f"/api/customers/{ann[0]}").json()
    assert whole["holder"]["id"] == "ann"
    assert {one["kind"] for one in whole["history"]} == {"touch", "owner"}
    assert [one["state"] for one in whole["tasks"]] == ["open"]


def test_a_misspelt_filter_or_field_is_refused_rather_than_passed_over(house: House) -> None:
    client = _client(house)
    answer = client.get("/api/customers?holer=ann")
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (
        422,
        "bad_parameter",
        "holer",
    )
    task = house.rig.rows("task")[0]["task_id"]
    answer = client.post(f"/api/tasks/{task}/outcome", json={"code": "later", "next": 1})
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "bad_body", "next")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("cursor", ["x", "W10", "WzFd", "WyJhIiwiYiJd", "bnVsbA", "WzEsMl0", "Wy0xLCJhIl0"])
def test_a_cursor_that_is_none_of_this_list_is_refused(house: House, cursor: str) -> None:
    answer = _client(house).get(f"/api/leads?cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_cursor")


def test_numbers_go_out_masked_to_whoever_does_not_call_them(house: House) -> None:
    text = _client(house, "marketing").get("/api/leads?limit=200").text
    assert "客户7" in text
    assert "138 ••••" in text
    assert "138 0000" not in text
    assert "+86138" not in text


def test_a_key_with_another_body_is_refused_and_not_taken_for_a_repetition(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=small_company())
    try:
        rig.feed([post(made="1", name="客户1", phone="138 0000 0001")])
        rig.run()
        (task,) = rig.rows("task")
        client, place = _client(House(rig), person=task["holder_id"]), f"/api/tasks/{task['task_id']}/outcome"
        said, key = {"code": "no_answer", "next_us": MONDAY_10 + DAY}, {"idempotency-key": "k"}
        first = client.post(place, json=said, headers=key)
        again = client.post(place, json=said, headers=key)
        other = client.post(place, json={**said, "code": "no_need"}, headers=key)
        assert (first.status_code, again.json()) == (200, {**first.json(), "repeated": True})
        assert (other.status_code, other.json()["code"]) == (409, "key_reused")
        assert [row["code"] for row in rig.rows("outcome")] == ["no_answer"]
    finally:
        rig.close()
