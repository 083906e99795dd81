"""The page of lists, over a running host: brought, looked at, run, corrected, taken back; and what it refuses."""

from __future__ import annotations

import csv
import io
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from starlette.testclient import TestClient

from leadflow.embedded import Embedded, Files, open_files
from leadflow.imports import work
from leadflow.server import make_app
from leadflow.settings import Settings
from sales.campaigns import asked_period, campaigns_table
from store.company import put_company
from store.imports import Run, read_run
from tests.support.lists import company_of_lists

EN = {"accept-language": "en"}
LIST = "客户名称,联系人,手机,业务员,<b>x</b>\n大恒,李娜,13900000001,bo,=1\n海天,<script>alert(1)</script>,1.39E+10,张三,\n"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return open_files(tmp_path / "data")


@pytest.fixture
def client(files: Files, tmp_path: Path) -> Iterator[TestClient]:
    with files.store.write() as connection:
        put_company(connection, company_of_lists(), 0)
    settings = Settings(data=tmp_path / "data", list_upload_mb=1)
    app = make_app(Embedded(files), settings)
    with TestClient(
        app, base_url="http://127.0.0.1", follow_redirects=False, client=("127.0.0.1", 5)
    ) as made:
        yield made


def bring(client: TestClient, body: bytes, name: str = "old.csv") -> Any:
    return client.post(
        "/import", data={"source": "lists", "kind": "customers"}, files={"file": (name, body, "text/csv")}
    )


def draft_of(client: TestClient, body: bytes, name: str = "old.csv") -> str:
    """Bring a file; return the address of its draft, once its file is there to be looked at."""
    address = str(bring(client, body, name).headers["location"])
    for _ in range(600):
        if "The file is being kept" not in client.get(address, headers=EN).text:
            return address
        time.sleep(0.05)
    raise AssertionError("the file did not come")


def run_of(files: Files, address: str) -> Run:
    with files.store.read() as connection:
        return read_run(connection, address.rpartition("/")[2])


def workbook(**sheets: list[list[str]]) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return out.getvalue()


def until(client: TestClient, address: str, words: str) -> str:
    for _ in range(600):
        text = client.get(address, headers=EN).text
        if words in text:
            return text
        time.sleep(0.05)
    raise AssertionError(f"{words!r} did not come: {text[-2000:]}")


def test_from_a_file_to_customers_and_back(client: TestClient) -> None:
    assert "Lists" in client.get("/import", headers=EN).text
    brought = bring(client, LIST.encode())
    assert brought.status_code == 303
    address = brought.headers["location"]
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
    address = bring(client, "姓名,手机,备注,甲\na,13900000001,x,y\n".encode()).headers["location"]
    until(client, address, "What will happen")
    chosen = {"map:姓名": "full_name", "map:手机": "phone", "map:备注": "other", "map:甲": "message"}
    assert client.post(f"{address}/run", data=chosen).status_code == 303
    until(client, f"{address}/progress", "Done")
    again = bring(client, "姓名,手机,备注,甲\nb,13900000002,x,y\n".encode()).headers["location"]
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
    assert refused.status_code == 422
    assert code in refused.text


def test_a_file_that_is_too_large_is_refused(client: TestClient) -> None:
    assert bring(client, b"name,phone\n" + b"x" * (2 * 1024 * 1024)).status_code == 413


def test_another_site_brings_nothing(client: TestClient) -> None:
    headers = {"sec-fetch-site": "cross-site"}
    for address in ("/import", "/import/imp_x/run", "/import/imp_x/revert"):
        assert client.post(address, data={"reason": "x"}, headers=headers).status_code == 403


def test_an_unknown_list_is_told_and_an_unknown_act_refused(client: TestClient) -> None:
    assert client.get("/import/imp_none").status_code == 404
    assert client.post("/import/imp_none/revert", data={"reason": "x"}).status_code == 404
    assert client.get("/import/imp_none/progress").status_code == 404


def test_the_list_s_cost_counts_with_its_campaign(client: TestClient, files: Files) -> None:
    address = draft_of(client, "姓名,手机\na,13900000001\n".encode())
    assert 'name="campaign"' in client.get(address).text
    cost = {"campaign": "fair", "cost": "1.2万", "currency": "CNY"}
    for wrong, told in (
        ({**cost, "cost": "viel"}, "This is no amount"),
        ({**cost, "currency": "??"}, "This is no currency"),
        ({**cost, "campaign": ""}, "Choose a campaign"),
        ({**cost, "campaign": "none"}, "Choose a campaign"),
    ):
        refused = client.post(f"{address}/run", data=wrong, headers=EN)
        assert (refused.status_code, run_of(files, address).state) == (409, "draft")
        assert told in refused.text
        assert f'value="{wrong["cost"]}"' in refused.text, "what was typed stays"
    assert client.post(f"{address}/run", data=cost).status_code == 303
    assert "12,000.00 CNY" in until(client, f"{address}/progress", "Done")
    run = run_of(files, address)
    assert (run.campaign_id, run.cost_minor, run.currency) == ("fair", 1_200_000, "CNY")
    with files.store.read() as connection:
        period = asked_period("", "", "UTC", run.at_us + 1)
        (line,) = [one for one in campaigns_table(connection, period, "campaign") if one.key == "fair"]
    assert line.spend == {"CNY": 1_200_000}


def test_a_file_whose_headings_nobody_knows_is_read_by_what_is_said_on_the_page(
    client: TestClient, files: Files
) -> None:
    body = "客户名单\n甲,乙\n李娜,13900000001\n<i>王芳</i>,13900000002\n".encode()
    address = draft_of(client, body)
    page = client.get(address, headers=EN).text
    assert "Nobody knows these headings" in page
    assert "--map" not in page
    assert 'name="map:甲"' in page
    assert "李娜" in page, "some values of each column stand beside it"
    assert "&lt;i&gt;王芳" in page
    assert f'formaction="{address}/look"' in page
    assert "Run it" not in page, "what cannot be read cannot be run"
    assert client.post(f"{address}/run", data={"map:甲": "other"}).status_code == 409
    assert run_of(files, address).state == "draft"
    half = client.post(f"{address}/look", data={"map:甲": "message", "no_route": "on"}, headers=EN).text
    assert re.search(r'name="map:甲".*?value="message" selected', half, re.DOTALL), "it stays chosen"
    assert "Nobody knows these headings" in half
    said = {"map:甲": "full_name", "map:乙": "phone", "no_route": "on"}
    looked = client.post(f"{address}/look", data=said, headers=EN).text
    assert "Rows: 2" in looked
    assert "Header in row 2" in looked
    assert client.post(f"{address}/run", data=said).status_code == 303
    until(client, f"{address}/progress", "Done")
    assert run_of(files, address).taken == 2
    again = draft_of(client, "甲,乙\n赵云,13900000003\n".encode())
    assert "What will happen" in client.get(again, headers=EN).text, "it is remembered for the sender"


def test_a_workbook_s_sheet_is_chosen_and_nothing_runs_from_one_that_was_not_looked_at(
    client: TestClient, files: Files
) -> None:
    people = [["姓名", "手机"], ["a", "13900000001"], ["b", "13900000002"]]
    address = draft_of(
        client,
        workbook(封面=[["二〇二六年客户", ""], ["内部资料", ""]], 一月=people[:2], 二月=people, 空=[]),
        "list.xlsx",
    )
    page = client.get(address, headers=EN).text
    assert "Nobody knows these headings" in page, "the first sheet is a cover"
    assert re.findall(r'<option value="([^"]+)"[^>]*>\1<', page.partition('name="sheet"')[2])[:4] == [
        "封面",
        "一月",
        "二月",
        "空",
    ]
    assert "nothing in this sheet" in client.post(f"{address}/look", data={"sheet": "空"}, headers=EN).text
    looked = client.post(f"{address}/look", data={"sheet": "一月"}, headers=EN).text
    assert "Rows: 1" in looked
    other = client.post(f"{address}/run", data={"sheet": "二月", "seen_sheet": "一月"}, headers=EN)
    assert (other.status_code, run_of(files, address).state) == (200, "draft")
    assert "Rows: 2" in other.text
    assert client.post(f"{address}/run", data={"sheet": "none", "seen_sheet": "none"}).status_code == 409
    seen = {"sheet": "二月", "seen_sheet": "二月"}
    assert client.post(f"{address}/run", data=seen).status_code == 303
    until(client, f"{address}/progress", "Done")
    assert run_of(files, address).taken == 2


def test_a_list_that_stopped_half_way_goes_on_where_it_was(
    client: TestClient, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work, "BATCH", 20)
    rows = "".join(f"k{n},139000000{n},x\n" for n in range(10, 50))
    body = f"姓名,手机,备注\n{rows}k5,13900000005,{'x' * 200_000}\nk6,13900000006,y\n".encode()
    address = draft_of(client, body)
    chosen = {"no_route": "on", "campaign": "fair", "cost": "5", "currency": "EUR"}
    assert client.post(f"{address}/go-on").status_code == 303
    assert run_of(files, address).state == "draft", "what was not begun does not go on"
    assert client.post(f"{address}/run", data=chosen).status_code == 303
    until(client, f"{address}/progress", "Stopped")
    stopped = run_of(files, address)
    assert (stopped.code, stopped.taken) == ("broken_table", 40)
    page = client.get(address, headers=EN).text
    assert "a quotation mark may be missing" in page
    assert f'action="{address}/go-on"' in page
    before = csv.field_size_limit(10**6)  # as if the reader had learnt to read it
    try:
        assert client.post(f"{address}/go-on", data={"actor": "ann"}).status_code == 303
        until(client, f"{address}/progress", "Done")
    finally:
        csv.field_size_limit(before)
    done = run_of(files, address)
    assert (done.taken, done.refused) == (42, 0)
    assert (done.campaign_id, done.cost_minor, done.currency) == ("fair", 500, "EUR")
    assert done.spec["route"] is False
    assert client.post(f"{address}/go-on").status_code == 303
    assert run_of(files, address).state == "done"


def test_a_draft_is_thrown_away_and_its_file_may_be_brought_again(client: TestClient, files: Files) -> None:
    address = draft_of(client, LIST.encode())
    assert client.post(f"{address}/throw-away", data={"actor": "ann"}).headers["location"] == "/import"
    assert client.post(f"{address}/throw-away").status_code == 303, "a second click changes nothing"
    assert "Discarded" in client.get("/import", headers=EN).text
    gone = client.get(address, headers=EN).text
    assert "Discarded" in gone
    assert "/run" not in gone
    assert client.post(f"{address}/run", data={"no_route": "on"}).status_code == 303
    assert run_of(files, address).taken == 0
    again = draft_of(client, LIST.encode())
    assert again != address
    assert client.post(f"{again}/run", data={"no_route": "on"}).status_code == 303
    until(client, f"{again}/progress", "Done")
    refused = client.post(f"{again}/throw-away", headers=EN)
    assert (refused.status_code, "take it back instead" in refused.text) == (409, True)
