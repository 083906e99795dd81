"""Files of spend and orders on the page of campaigns: taken as the commands take them, refused row by row, twice without harm."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter  # type: ignore[import-untyped]
from starlette.testclient import TestClient

from leadflow.clock import new_id, wall_clock_us
from leadflow.embedded import Embedded, Files, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from sales.orders import open_orders
from sales.spend import entries
from schemas.company import Campaign, Role
from store.access import grant
from store.acts import Command, perform
from store.company import put_company
from tests.e2e.test_access import AWAY
from tests.e2e.test_console_pages import text_of
from tests.support.lists import company_of_lists
from tests.support.rig import DAY

EN = {"accept-language": "en"}
CAMPAIGNS = {
    "fair": Campaign(campaign_id="fair", name_zh="展会", name_en="Fair"),
    "baidu": Campaign(campaign_id="baidu", name_zh="百度", name_en="Baidu"),
}
SPEND = (
    "市场活动,开始日期,结束日期,金额,备注\n"
    "展会,2026-11-01,,3000,\n"
    "百度,2026-11,,1.2万,十一月\n"
    "抖音,2026-11-01,,5,\n"
    "百度,gestern,,5,\n"
    "百度,2026-11-02,,<b>viel</b>,\n"
)
ORDERS = (
    "订单号,日期,金额,电话,状态\n"
    "A1,2026-11-03,86000,13900000001,\n"
    "A2,2026-11-04,100,,\n"
    "A2,2026-11-04,zwölf,,\n"
    "A3,2026-11-05,9,13900000002,vielleicht\n"
)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    made = open_files(tmp_path / "data")
    with made.store.write() as connection:
        put_company(connection, company_of_lists(campaigns=CAMPAIGNS), 0)
    return made


@pytest.fixture
def client(files: Files, tmp_path: Path) -> Iterator[TestClient]:
    app = make_app(Embedded(files), Settings(data=tmp_path / "data", list_upload_mb=1))
    address = ("127.0.0.1", 5)
    with TestClient(app, "http://127.0.0.1", follow_redirects=False, client=address) as made:
        yield made


def bring(client: TestClient, kind: str, body: bytes | str, name: str = "十一月.csv", **more: str) -> Any:
    data = {"kind": kind, "currency": "CNY", "actor": "ann", "source": "", **more}
    sent = body.encode() if isinstance(body, str) else body
    return client.post("/campaigns/file", data=data, files={"file": (name, sent, "text/csv")}, headers=EN)


def spent(files: Files) -> list[tuple[str, str, str, int, str]]:
    with files.store.read() as connection:
        found = entries(connection, date(2026, 1, 1), date(2026, 12, 31))
    return sorted(
        (one["campaign_id"], one["from_day"], one["to_day"], one["amount_minor"], one["source"])
        for one in found
    )


def test_spend_comes_in_and_each_refused_row_is_told_with_its_place(client: TestClient, files: Files) -> None:
    taken = bring(client, "spend", SPEND)
    assert taken.status_code == 200
    shown = text_of(taken.text)
    assert "十一月.csv Added: 2 Refused: 3" in shown
    assert "4 campaign 抖音 is no campaign of campaigns.csv" in shown
    assert "5 from gestern is no day such as 2026-11-30" in shown
    assert "6 amount <b>viel</b> is no amount such as 1234.50" in shown
    assert "<b>viel" not in taken.text
    assert spent(files) == [
        ("baidu", "2026-11-01", "2026-11-30", 1_200_000, "十一月"),
        ("fair", "2026-11-01", "2026-11-01", 300_000, "十一月"),
    ]
    assert 'name="source"' in taken.text
    assert re.search(r'name="source"[^>]*value="十一月"', taken.text), "the next one counts as the same"
    chinese = client.post(
        "/campaigns/file",
        data={"kind": "spend", "currency": "CNY", "actor": "ann"},
        files={"file": ("十一月.csv", SPEND.encode(), "text/csv")},
    )
    assert "5 开始日期 gestern 不是 2026-11-30 这样的日期" in text_of(chinese.text)
    assert "已有：2" in text_of(chinese.text)


def test_a_file_again_changes_nothing_and_a_corrected_one_counts_once(
    client: TestClient, files: Files
) -> None:
    bring(client, "spend", SPEND)
    before = spent(files)
    assert "There already: 2" in text_of(bring(client, "spend", SPEND).text)
    assert spent(files) == before
    better = SPEND.replace("抖音", "fair").replace("gestern", "2026/11/5").replace("<b>viel</b>", "7.50")
    shown = text_of(bring(client, "spend", better.replace("3000", "3100"), "fixed.csv", source="十一月").text)
    assert "fixed.csv Added: 3 Corrected: 1 There already: 1" in shown
    assert sum(amount for *_, amount, _ in spent(files)) == 1_200_000 + 310_000 + 500 + 500 + 750
    assert {source for *_, source in spent(files)} == {"十一月"}


def test_orders_come_in_and_half_an_order_does_not(client: TestClient, files: Files) -> None:
    shown = text_of(bring(client, "orders", ORDERS).text)
    assert "Added: 1 Refused: 3" in shown
    assert "Belongs to nobody yet: 1 order." in shown
    assert "4 amount zwölf is no amount" in shown
    assert "5 status vielleicht is neither placed nor cancelled" in shown
    with files.store.read() as connection:
        assert [one["order_no"] for one in open_orders(connection)] == ["A1"]
    assert "There already: 1" in text_of(bring(client, "orders", ORDERS).text)
    cancelled = ORDERS.replace("13900000001,", "13900000001,已取消")
    assert "Cancelled: 1" in text_of(bring(client, "orders", cancelled).text)


def test_a_workbook_s_dates_and_numbers_are_read_as_they_are_meant(client: TestClient, files: Files) -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ["campaign", "from", "amount", "currency"])
        sheet.write_row(1, 0, ["fair"])
        sheet.write_datetime(1, 1, datetime(2026, 11, 7), book.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write_number(1, 2, 120.5)
        sheet.write(1, 3, "EUR")
    assert "Added: 1" in text_of(bring(client, "spend", out.getvalue(), "fair.xlsx").text)
    assert spent(files) == [("fair", "2026-11-07", "2026-11-07", 12_050, "fair")]


def bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b" " * (80 * 1024**2))
    return out.getvalue()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"MZ\x90\x00" + b"\x00" * 100, "This file is no table"),
        (b"PK\x03\x04" + b"x" * 100, "The workbook is damaged"),
        (bomb(), "unpacks to far more"),
        (b" \n", "nothing in this file"),
        (b"name,phone\na,1\n", "the column campaign (市场活动) is missing"),
        (b'campaign,from,amount\n"fair,' + b"x" * 200_000, "cannot be read as a spreadsheet"),
    ],
)
def test_what_is_no_such_table_is_refused_and_nothing_of_it_taken(
    client: TestClient, files: Files, body: bytes, told: str
) -> None:
    refused = bring(client, "spend", body)
    assert refused.status_code == 422
    assert told in text_of(refused.text)
    assert spent(files) == []


@pytest.mark.parametrize(
    ("more", "status", "told"),
    [
        ({"actor": "nobody"}, 409, "choose a person who works here"),
        ({"currency": "??"}, 409, "This is no currency"),
        ({"source": "hand"}, 409, "By that name goes what is typed in"),
        ({"kind": "people"}, 409, "unknown_verb"),
    ],
)
def test_what_was_said_of_a_file_is_checked(
    client: TestClient, files: Files, more: dict[str, str], status: int, told: str
) -> None:
    refused = bring(client, **{"kind": "spend", "body": SPEND, **more})
    assert (refused.status_code, told in refused.text) == (status, True)
    assert spent(files) == []


def test_a_file_too_large_a_cell_too_long_and_another_site_are_refused(
    client: TestClient, files: Files
) -> None:
    assert bring(client, "spend", b"campaign,from,amount\n" + b"x" * (2 * 1024**2)).status_code == 413
    blank = "\n" * 5_000  # so that the NUL stands beyond what is looked at first
    long = f"campaign,from,amount,note\nfair,2026-11-01,5,{'x' * 501}\n{blank}fair,2026-11-02,6,a\x00b\n"
    shown = text_of(bring(client, "spend", long).text)
    assert "Added: 1 Refused: 1" in shown
    assert "is longer than 500 signs" in shown
    assert spent(files) == [("fair", "2026-11-02", "2026-11-02", 600, "十一月")]
    headers = {"sec-fetch-site": "cross-site"}
    assert client.post("/campaigns/file", data={"kind": "spend"}, headers=headers).status_code == 403
    assert client.post("/campaigns/file", data={"kind": "spend", "actor": "ann"}).status_code == 422


def test_only_so_many_refused_rows_are_shown(client: TestClient) -> None:
    rows = "".join(f"none,2026-11-01,{number}\n" for number in range(1_000))
    taken = bring(client, "spend", "campaign,from,amount\n" + rows)
    assert "Refused: 1000" in text_of(taken.text)
    assert "And 800 more." in text_of(taken.text)


def away_as(client: TestClient, files: Files, role: Role) -> TestClient:
    """Return somebody in this role, from elsewhere."""
    command = Command("grant", "operator", new_id(), "ann")
    plan = grant("token", f"secret-{role}", DAY, role)
    perform(files.store, command, plan, wall_clock_us(), files.store_log.append)
    headers = {"authorization": f"Bearer secret-{role}", "origin": f"http://{AWAY}", **EN}
    return TestClient(client.app, f"http://{AWAY}", headers=headers, follow_redirects=False)


@pytest.mark.parametrize(
    ("role", "brings"),
    [
        ("marketing", True),
        ("operations", True),
        ("manager", False),
        ("representative", False),
        ("auditor", False),
    ],
)
def test_whoever_may_not_enter_spend_sees_nothing_of_it(
    client: TestClient, files: Files, role: Role, brings: bool
) -> None:
    away = away_as(client, files, role)
    assert ("/campaigns/file" in away.get("/campaigns").text) == brings
    sent = bring(away, "spend", SPEND)
    assert (sent.status_code, len(spent(files))) == ((200, 2) if brings else (403, 0))


def test_marketing_finds_whose_an_order_is_by_a_number_and_assigns_it(
    client: TestClient, files: Files
) -> None:
    client.post("/in/web/site", data={"name": "张伟", "phone": "138 1234 5678"})
    bring(client, "orders", ORDERS)
    away = away_as(client, files, "marketing")
    for _ in range(600):
        asked = away.post("/campaigns/order", data={"order_no": "A1", "source": "十一月", "customer": "5678"})
        if found := re.search(r'name="customer" value="(cus_\w+)"', asked.text):
            break
        time.sleep(0.05)
    assert found, text_of(asked.text)
    assert "张伟" in text_of(asked.text)
    chosen = {"order_no": "A1", "source": "十一月", "customer": found[1]}
    assert away.post("/campaigns/order", data=chosen).status_code == 303
    with files.store.read() as connection:
        assert open_orders(connection) == []
    manager = away_as(client, files, "manager")
    assert manager.post("/campaigns/order", data={**chosen, "customer": "5678"}).status_code == 403
