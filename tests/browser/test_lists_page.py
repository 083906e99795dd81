"""A list in a real browser: brought, its columns chosen, run, the refused rows corrected and brought again, taken back."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live, live_server
from tests.browser.test_accessible import DESKTOP, complaints
from tests.browser.test_pages import HOSTILE, PHONE, send, tab
from tests.support.lists import company_of_lists

ROWS = 5_000


@pytest.fixture
def lists(tmp_path: Path) -> Iterator[Live]:
    with live_server(tmp_path / "data", company_of_lists()) as running:
        yield running


def write(path: Path, rows: int) -> None:
    """Write a list with every fortieth number rounded, and hostile words in the others."""
    lines = ["客户名称,联系人,手机,业务员,需求说明"]
    for n in range(rows):
        phone = "1.39E+10" if n % 40 == 7 else f"1390{n:07}"
        words = HOSTILE[n % len(HOSTILE)].replace('"', '""')
        lines.append(f'公司{n},联系人{n},{phone},bo,"{words}"')
    path.write_text("\n".join(lines) + "\n", "utf-8-sig")


@pytest.mark.timeout(300)
def test_a_list_with_errors_is_brought_corrected_and_taken_back(
    lists: Live, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "客户.csv"
    write(file, ROWS)
    with tab(browser, "en") as page:
        page.goto(f"{lists.url}/import")
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("heading", name="What will happen")).to_be_visible(timeout=30_000)
        expect(page.get_by_label("Tell nobody")).to_be_checked()
        page.get_by_label("is read as: 需求说明").select_option("message")
        page.get_by_role("button", name="Look again").click()
        expect(page.get_by_label("is read as: 需求说明")).to_have_value("message")
        page.get_by_role("button", name="Run it").click()
        expect(page.locator("#progress strong")).to_have_text("Done", timeout=120_000)
        with page.expect_download() as download:
            page.get_by_role("link", name="CSV").click()
        errors = tmp_path / "errors.csv"
        errors.write_bytes(download.value.path().read_bytes())
        text = errors.read_text("utf-8-sig")
        assert text.count("phone_cut") == ROWS // 40
        corrected = "\n".join(
            line.replace("1.39E+10", f"1381111{n:04}") for n, line in enumerate(text.splitlines())
        )
        errors.write_text(corrected, "utf-8-sig")
        first = page.url
        page.goto(f"{lists.url}/import")
        page.get_by_label("File").set_input_files(errors)
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Run it").click(timeout=30_000)
        expect(page.locator("#progress strong")).to_have_text("Done", timeout=120_000)
        lists.wait_for("customer", lambda _row: len(lists.rows("customer")) == ROWS)
        page.goto(first)
        page.get_by_label("Reason").fill("wrong list")
        page.get_by_role("button", name="Take it back").click()
        expect(page.locator("#progress strong")).to_have_text("Taken back", timeout=120_000)
        assert page.evaluate("window.pwned") is None
    states = [row["state"] for row in lists.rows("customer")]
    assert (states.count("closed"), states.count("open")) == (ROWS - ROWS // 40, ROWS // 40)


def test_on_a_phone_nothing_runs_over_the_edge(lists: Live, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    write(file, 30)
    with tab(browser, viewport=PHONE) as page:
        page.goto(f"{lists.url}/import")
        page.get_by_label("文件").set_input_files(file)
        page.get_by_role("button", name="预览").click()
        expect(page.get_by_role("heading", name="会发生什么")).to_be_visible(timeout=30_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


@pytest.mark.parametrize(("language", "viewport"), [("zh-CN", PHONE), ("en-GB", DESKTOP)])
def test_a_list_whose_headings_nobody_knows_is_mapped_and_its_cost_counts_with_a_campaign(
    lists: Live, browser: Browser, tmp_path: Path, language: str, viewport: dict[str, int]
) -> None:
    file, is_zh = tmp_path / "展会.csv", language == "zh-CN"
    file.write_text(f"甲,乙\n李娜,13900000001\n王芳,{HOSTILE[0].replace(',', ' ')}\n", "utf-8-sig")
    with tab(browser, language, viewport=viewport) as page:
        page.goto(f"{lists.url}/import")
        page.get_by_label("文件" if is_zh else "File").set_input_files(file)
        page.get_by_role("button", name="预览" if is_zh else "Preview").click()
        expect(page.locator('[name="map:甲"]')).to_be_visible(timeout=30_000)
        assert complaints(page) == []
        page.locator('[name="map:甲"]').select_option("full_name")
        page.locator('[name="map:乙"]').select_option("phone")
        page.locator("form button").first.click()
        expect(
            page.get_by_role("heading", name="会发生什么" if is_zh else "What will happen")
        ).to_be_visible()
        page.locator('[name="campaign"]').select_option("fair")
        page.locator('[name="cost"]').fill("12000")
        assert complaints(page) == []
        page.get_by_role("button", name="开始导入" if is_zh else "Run it", exact=True).click()
        expect(page.locator("#progress strong")).to_have_text("已完成" if is_zh else "Done", timeout=60_000)
        expect(page.locator("#progress")).to_contain_text("12,000.00 CNY")
        assert complaints(page) == []
        page.goto(f"{lists.url}/campaigns")
        expect(page.locator("table")).to_contain_text("12,000.00")


def test_a_draft_is_thrown_away(lists: Live, browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    write(file, 5)
    with tab(browser, "en") as page:
        page.goto(f"{lists.url}/import")
        page.get_by_label("File").set_input_files(file)
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("button", name="Discard it").click()
        expect(page).to_have_url(f"{lists.url}/import")
        expect(page.get_by_role("row", name="list.csv")).to_contain_text("Discarded")


@pytest.mark.parametrize(("language", "viewport"), [("zh-CN", PHONE), ("en-GB", DESKTOP)])
def test_a_file_of_spend_says_row_by_row_what_was_refused(
    lists: Live, browser: Browser, tmp_path: Path, language: str, viewport: dict[str, int]
) -> None:
    file, is_zh = tmp_path / "花费.csv", language == "zh-CN"
    # The company's day, not the machine's.
    today = datetime.fromtimestamp(time.time(), ZoneInfo("Asia/Shanghai")).date().isoformat()
    rows = "".join(f'展会,{today},"{words}"\n' for words in ('5<img src=x onerror="window.pwned=1">', ""))
    file.write_text(f"市场活动,日期,金额\n展会,{today},1234.5\n{rows}", "utf-8-sig")
    with tab(browser, language, viewport=viewport) as page:
        page.goto(f"{lists.url}/campaigns")
        assert complaints(page) == []
        form = page.locator('form[action="/campaigns/file"]')
        form.locator('[name="file"]').set_input_files(file)
        form.locator('[name="actor"]').select_option("ann")
        form.get_by_role("button", name="导入" if is_zh else "Upload").click()
        expect(page.get_by_role("status")).to_have_text(
            "新增：1 被拒绝：2" if is_zh else "Added: 1 Refused: 2"
        )
        expect(page.locator("#took ~ .wide tbody tr")).to_have_count(2)
        expect(page.locator("#table")).to_contain_text("1,234.50")
        assert complaints(page) == []
        assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize(("language", "viewport"), [("zh-CN", PHONE), ("en-GB", DESKTOP)])
def test_an_order_of_nobody_is_assigned_by_the_end_of_a_number(
    lists: Live, browser: Browser, tmp_path: Path, language: str, viewport: dict[str, int]
) -> None:
    send(lists, name=f"张伟 {HOSTILE[0]}", phone="138 1234 5678", company="大恒")
    lists.wait_for("find_key", lambda row: row["key"].startswith("t8765"))
    file, is_zh = tmp_path / "订单.csv", language == "zh-CN"
    file.write_text("订单号,日期,金额,公司名称\nA1,2026-11-03,86000,大恒\n", "utf-8-sig")
    with tab(browser, language, viewport=viewport) as page:
        page.goto(f"{lists.url}/campaigns")
        form = page.locator('form[action="/campaigns/file"]')
        form.locator('[value="orders"]').check()
        form.locator('[name="file"]').set_input_files(file)
        form.locator('[name="actor"]').select_option("ann")
        form.get_by_role("button", name="导入" if is_zh else "Upload").click()
        nobodys = page.locator("section", has=page.locator("#nobodys"))
        nobodys.get_by_label("客户" if is_zh else "Customer").fill("5678")
        nobodys.get_by_role("button", name="归入" if is_zh else "Assign").click()
        expect(page.locator("#whose li")).to_have_count(1)
        expect(page.locator("#whose li")).to_contain_text("张伟")
        page.locator("#whose").scroll_into_view_if_needed()
        assert complaints(page) == []
        page.locator("#whose li button").click()
        expect(nobodys).to_have_count(0)
        assert page.evaluate("window.pwned") is None
    assert [row["matched_by"] for row in lists.rows("sale_order") if row["to_us"] is None] == ["hand"]
