"""Lists by the API, over a running host: brought, looked at, begun, watched, mended, taken back; and what is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from leadflow.clock import new_id, wall_clock_us
from leadflow.embedded import Embedded, Files, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from store.access import grant
from store.acts import Command, perform
from store.company import put_company
from tests.e2e.test_access import AWAY
from tests.support.lists import company_of_lists
from tests.support.rig import DAY

LIST = "客户名称,联系人,手机,业务员,备忘\n大恒,李娜,13900000001,bo,a\n海天,王芳,1.39E+10,张三,b\n"
QUIET = {"route": False, "notify": False}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return open_files(tmp_path / "data")


@pytest.fixture
def app(files: Files, tmp_path: Path) -> Any:
    with files.store.write() as connection:
        put_company(connection, company_of_lists(), 0)
    return make_app(Embedded(files), Settings(data=tmp_path / "data", list_upload_mb=1))


@pytest.fixture
def client(app: Any, files: Files) -> Iterator[TestClient]:
    """Ann, of marketing, with the host running."""
    with TestClient(app, f"http://{AWAY}", headers=_token(files, "ann", "marketing")) as made:
        yield made


def _token(files: Files, person: str, role: Any) -> dict[str, str]:
    secret = new_id()
    command = Command("grant", "operator", new_id(), person)
    plan = grant("token", secret, DAY, role)
    perform(files.store, command, plan, wall_clock_us(), files.store_log.append)
    return {"authorization": f"Bearer {secret}", "accept-language": "en"}


def _bring(
    client: TestClient, body: str | bytes | Iterator[bytes] = LIST, kind: str = "customers", **more: str
) -> Any:
    said = {"source": "lists", "kind": kind, "name": "old.csv", **more}
    return client.post("/api/imports", params=said, content=body)


def _draft(client: TestClient, body: str | bytes = LIST) -> str:
    """Bring a file; return its address, once it is there to be looked at."""
    place = f"/api/imports/{_bring(client, body).json()['import_id']}"
    for _ in range(600):
        if client.post(f"{place}/preview", json=QUIET).json()["is_kept"]:
            return place
        time.sleep(0.05)
    raise AssertionError("the file did not come")


def _until(client: TestClient, place: str, state: str) -> Any:
    for _ in range(600):
        found = client.get(place).json()
        decided = sum(count for what, count in found["became"].items() if what.startswith("decided "))
        if found["state"] == state and found["taken"] == decided:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{state} did not come: {found}")


def test_from_a_file_to_customers_and_back(client: TestClient) -> None:
    place = _draft(client)
    found = client.post(f"{place}/preview", json={**QUIET, "columns": {"备忘": "message"}}).json()
    assert [(one["name"], one["target"]) for one in found["columns"]][1:] == [
        ("联系人", "full_name"),
        ("手机", "phone"),
        ("业务员", "owner"),
        ("备忘", "message"),
    ]
    would = found["would"]
    assert (would["new"], would["refused"], would["is_whole"]) == (1, {"phone_cut": 1}, True)
    assert [one["refused"] and one["refused"]["code"] for one in would["shown"]] == [None, "phone_cut"]
    assert {"name": "phone", "value": "+8613900000001"} in would["shown"][0]["fields"], (
        "who brought it reads it"
    )
    assert client.get(place).json()["state"] == "draft"
    begun = client.post(f"{place}/begin", json={**QUIET, "columns": {"备忘": "message"}})
    assert begun.status_code == 200
    done = _until(client, place, "done")
    assert (done["taken"], done["refused"], done["refused_by"]) == (1, 1, {"phone_cut": 1})
    assert (done["became"]["new"], done["route"], done["actor"]) == (1, False, "ann")
    assert done["columns"]["备忘"] == "message"
    again = client.post(f"{place}/begin", json={**QUIET, "route": True}).json()
    assert (again["state"], again["route"]) == ("done", False), "what is begun stays as it was"
    same = _bring(client).json()
    assert (f"/api/imports/{same['import_id']}", same["state"]) == (place, "done")
    errors = client.get(f"{place}/errors")
    assert errors.headers["content-type"].startswith("text/csv")
    assert "phone_cut" in errors.text
    assert "1.39E+10" in errors.text
    unsaid = client.post(f"{place}/revert", json={"reason": " "})
    assert (unsaid.status_code, unsaid.json()["code"]) == (422, "reason_missing")
    assert client.post(f"{place}/revert", json={"reason": "wrong list"}).status_code == 200
    back = _until(client, place, "reverted")
    assert (back["reverted_rows"]["out"], back["discarded"]) == (1, False)


def test_the_mended_rows_come_back_as_a_list_of_their_own(client: TestClient) -> None:
    place = _draft(client)
    client.post(f"{place}/begin", json=QUIET)
    _until(client, place, "done")
    mended = client.get(f"{place}/errors").text.replace("1.39E+10", "13900000002")
    second = _draft(client, mended)
    assert second != place
    client.post(f"{second}/begin", json=QUIET)
    assert _until(client, second, "done")["taken"] == 1


def test_columns_that_nobody_knows_are_shown_to_be_said(client: TestClient) -> None:
    place = _draft(client, "甲,乙\n李娜,13900000001\n")
    unread = client.post(f"{place}/preview", json=QUIET).json()
    assert unread["would"] is None
    assert [(one["name"], one["samples"]) for one in unread["columns"]] == [
        ("甲", ["李娜"]),
        ("乙", ["13900000001"]),
    ]
    blind = client.post(f"{place}/begin", json=QUIET)
    assert (blind.status_code, blind.json()["code"]) == (422, "no_header")
    said = {"甲": "full_name", "乙": "phone"}
    assert client.post(f"{place}/preview", json={**QUIET, "columns": said}).json()["would"]["new"] == 1
    misspelt = client.post(f"{place}/preview", json={**QUIET, "columns": {"甲": "fullname"}})
    assert (misspelt.status_code, misspelt.json()["field"]) == (422, "columns.甲")
    client.post(f"{place}/begin", json={**QUIET, "columns": said})
    assert _until(client, place, "done")["taken"] == 1


def test_the_cost_counts_with_its_campaign(client: TestClient) -> None:
    place = _draft(client)
    for wrong, status, code in (
        ({"cost": 5}, 409, "unknown_campaign"),
        ({"campaign": "none", "cost": 5}, 409, "unknown_campaign"),
        ({"campaign": "fair", "cost": "viel"}, 422, "amount_form"),
    ):
        refused = client.post(f"{place}/begin", json={**QUIET, **wrong})
        assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert client.get(place).json()["state"] == "draft"
    client.post(f"{place}/begin", json={**QUIET, "campaign": "fair", "cost": "1.2万"})
    done = _until(client, place, "done")
    assert (done["campaign"], done["cost_minor"], done["currency"]) == ("fair", 1_200_000, "CNY")


def test_a_draft_is_given_up_and_its_file_is_another_list_then(client: TestClient) -> None:
    place = _draft(client)
    for _ in range(2):
        gone = client.post(f"{place}/discard", json={}).json()
        assert (gone["state"], gone["discarded"]) == ("reverted", True)
    late = client.post(f"{place}/preview", json=QUIET)
    assert (late.status_code, late.json()["code"]) == (409, "list_begun")
    second = _draft(client)
    assert second != place
    client.post(f"{second}/begin", json=QUIET)
    _until(client, second, "done")
    refused = client.post(f"{second}/discard", json={})
    assert (refused.status_code, refused.json()["code"]) == (409, "list_begun")
    assert client.post(f"{second}/go-on", json={}).json()["state"] == "done", "nothing stopped it"
    first = client.get("/api/imports?limit=1").json()
    more = client.get(f"/api/imports?limit=1&cursor={first['next']}").json()
    listed = [f"/api/imports/{one['import_id']}" for one in (*first["lists"], *more["lists"])]
    assert (listed, more["next"]) == ([second, place], None)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"MZ\x90\x00" + b"\x00" * 100, 422, "not_a_list"),
        (b"PK\x03\x04" + b"x" * 100, 422, "damaged_list"),
        (b"", 422, "empty_list"),
        (b"name,phone\n" + b"x" * (1024 * 1024), 413, "too_large_list"),
    ],
)
def test_what_is_no_list_is_refused(client: TestClient, body: bytes, status: int, code: str) -> None:
    refused = _bring(client, body)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert client.get("/api/imports").json()["lists"] == []


def test_a_file_that_comes_in_pieces_is_cut_off_where_it_is_too_large(client: TestClient) -> None:
    refused = _bring(client, (b"x" * 65_536 for _ in range(64)))
    assert (refused.status_code, refused.json()["code"]) == (413, "too_large_list")


def test_what_is_said_of_a_list_is_checked(client: TestClient) -> None:
    unknown = _bring(client, source="none")
    assert (unknown.status_code, unknown.json()["code"]) == (409, "unknown_source")
    assert _bring(client, kind="people").status_code == 422
    assert client.get("/api/imports/imp_none").status_code == 404
    assert client.get("/api/imports/imp_none/errors").status_code == 404
    assert client.post("/api/imports/imp_none/begin", json=QUIET).json()["code"] == "unknown_list"
    place = _draft(client)
    for said in ({}, {"route": False}, {**QUIET, "horizon_days": 0}, {**QUIET, "heaps": "x"}):
        assert client.post(f"{place}/begin", json=said).json()["code"] == "bad_body"
    heap = client.post(f"{place}/begin", json={**QUIET, "heap": "queue:none"})
    assert (heap.status_code, heap.json()["code"]) == (409, "unknown_heap")


def test_who_may(app: Any, client: TestClient, files: Files) -> None:
    place = _draft(client)
    for role in ("representative", "manager", "front_desk", "auditor"):
        other = TestClient(app, f"http://{AWAY}", headers=_token(files, "bo", role))
        assert other.get("/api/imports").status_code == (200 if role == "auditor" else 403)
        assert other.get(place).status_code == 403
        assert _bring(other).status_code == 403
        assert other.post(f"{place}/begin", json=QUIET).status_code == 403
    colleague = TestClient(app, f"http://{AWAY}", headers=_token(files, "bo", "marketing"))
    seen = colleague.post(f"{place}/preview", json=QUIET).text
    assert "13900000001" not in seen, "who did not bring it does not call them"
    assert "李娜" in seen
    here = TestClient(app, "http://127.0.0.1", client=("127.0.0.1", 5))
    assert _bring(here).json()["code"] == "actor_missing"
    assert _bring(here, actor="ann").status_code == 200
