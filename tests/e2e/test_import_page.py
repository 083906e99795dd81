"""The page of lists, over a running host: brought, looked at, run, corrected, taken back; and what it refuses."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from leadflow.embedded import Embedded, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from store.company import put_company
from tests.support.lists import company_of_lists

LIST = "客户名称,联系人,手机,业务员,<b>x</b>\n大恒,李娜,13900000001,bo,=1\n海天,<script>alert(1)</script>,1.39E+10,张三,\n"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    files = open_files(tmp_path / "data")
    with files.store.write() as connection:
        put_company(connection, company_of_lists(), 0)
    settings = Settings(data=tmp_path / "data", list_upload_mb=1)
    app = make_app(Embedded(files), settings)
    with TestClient(
        app, base_url="http://127.0.0.1", follow_redirects=False, client=("127.0.0.1", 5)
    ) as made:
        yield made


def bring(client: TestClient, body: bytes, name: str = "old.csv") -> object:
    return client.post(
        "/import", data={"source": "lists", "kind": "customers"}, files={"file": (name, body, "text/csv")}
    )


def until(client: TestClient, address: str, words: str) -> str:
    for _ in range(200):
        text = client.get(address, headers={"accept-language": "en"}).text
        if words in text:
            return text
        time.sleep(0.05)
    raise AssertionError(f"{words!r} did not come: {text[-2000:]}")


def test_from_a_file_to_customers_and_back(client: TestClient) -> None:
    assert "Lists" in client.get("/import", headers={"accept-language": "en"}).text
    brought = bring(client, LIST.encode())
    assert brought.status_code == 303  # type: ignore[attr-defined]
    address = brought.headers["location"]  # type: ignore[attr-defined]
    draft = until(client, address, "What will happen")
    assert "<script>alert(1)" not in draft
    assert 'name="map:手机"' in draft
    assert re.search(r"Refused: 1", draft)
    looked = client.post(
        f"{address}/look", data={"map:<b>x</b>": "message", "no_route": "on", "no_notify": "on"}
    )
    assert looked.status_code == 200
    assert "checked" in looked.text
    ran = client.post(f"{address}/run", data={"map:<b>x</b>": "message", "no_route": "on", "no_notify": "on"})
    assert (ran.status_code, ran.headers["location"]) == (303, address)
    done = until(client, f"{address}/progress", "Done")
    assert "every 2s" not in done
    errors = client.get(f"{address}/errors.csv")
    assert errors.headers["content-disposition"].startswith("attachment")
    assert b"phone_cut" in errors.content
    assert client.get(f"{address}/errors.xlsx").content.startswith(b"PK")
    assert client.get(f"{address}/errors.exe").status_code == 404
    assert client.post(f"{address}/revert", data={}).status_code == 409
    assert client.post(f"{address}/revert", data={"reason": "wrong"}).status_code == 303
    until(client, f"{address}/progress", "Taken back")


def test_what_is_chosen_on_the_page_is_remembered_and_nothing_else(client: TestClient) -> None:
    address = bring(client, "姓名,手机,备注,甲\na,13900000001,x,y\n".encode()).headers["location"]  # type: ignore[attr-defined]
    until(client, address, "What will happen")
    chosen = {"map:姓名": "full_name", "map:手机": "phone", "map:备注": "other", "map:甲": "message"}
    assert client.post(f"{address}/run", data=chosen).status_code == 303
    until(client, f"{address}/progress", "Done")
    again = bring(client, "姓名,手机,备注,甲\nb,13900000002,x,y\n".encode()).headers["location"]  # type: ignore[attr-defined]
    draft = until(client, again, "What will happen")
    assert re.search(r'name="map:甲".*?value="message" selected', draft, re.DOTALL)
    assert re.search(
        r'name="map:备注"[^>]*><option value="other">[^<]*</option>(?:(?!</select>).)*</select>',
        draft,
        re.DOTALL,
    )
    assert "selected" not in draft.partition('name="map:备注"')[2].partition("</select>")[0]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"MZ\x90\x00" + b"\x00" * 100, "not_a_list"),
        (b"PK\x03\x04" + b"x" * 100, "damaged_list"),
        (b" \n", "empty_list"),
    ],
)
def test_what_is_no_list_is_refused_on_the_page(client: TestClient, body: bytes, code: str) -> None:
    refused = bring(client, body)
    assert refused.status_code == 422  # type: ignore[attr-defined]
    assert code in refused.text  # type: ignore[attr-defined]


def test_a_file_that_is_too_large_is_refused(client: TestClient) -> None:
    assert bring(client, b"name,phone\n" + b"x" * (2 * 1024 * 1024)).status_code == 413  # type: ignore[attr-defined]


def test_another_site_brings_nothing(client: TestClient) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    for address in ("/import", "/import/imp_x/run", "/import/imp_x/revert"):
        assert client.post(address, data={"reason": "x"}, headers=headers).status_code == 403


def test_an_unknown_list_is_told_and_an_unknown_act_refused(client: TestClient) -> None:
    assert client.get("/import/imp_none").status_code == 404
    assert client.post("/import/imp_none/revert", data={"reason": "x"}).status_code == 404
    assert client.get("/import/imp_none/progress").status_code == 404
