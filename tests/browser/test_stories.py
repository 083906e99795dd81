"""The four stories of the demo's first page, each begun by one click and followed to its end in a browser."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from console.stories_cast import LEAVER
from leadflow.demo.run import demo_company, with_calls
from leadflow.operate import do_ingest
from leadflow.operate_moves import do_move
from tests.browser.live import Live, live_server
from tests.browser.test_pages import PHONE, tab
from tools.servers import free_port

STORY_MS = 25_000
"""A missed call is put together for some seconds before it is a lead."""


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Live]:
    """The demo company without its history."""
    calls = tmp_path / "switchboard" / "Master.csv"
    calls.parent.mkdir()
    calls.touch()
    with live_server(
        tmp_path / "data", with_calls(demo_company(), calls), free_port(), calls=calls
    ) as running:
        yield running


LANGUAGES = ("zh-CN", "en-GB")
TITLES = {
    "four_doors": ("一个客户，四个入口", "One customer by four doors"),
    "two_departments": ("两个部门同时接待", "Two departments at once"),
    "leaver": ("有人离职", "Somebody resigns"),
    "broken_row": ("一条坏数据", "A broken row"),
}


def begin(page: Page, live: Live, story: str, language: str) -> None:
    page.goto(f"{live.url}/")
    page.get_by_role("button", name=TITLES[story][LANGUAGES.index(language)]).click()
    expect(page.locator("#told")).to_be_visible()
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= page.viewport_size["width"], "nothing to push sideways"  # type: ignore[index]


@pytest.mark.parametrize("language", LANGUAGES)
def test_four_doors_are_one_customer_and_can_be_parted(browser: Browser, demo: Live, language: str) -> None:
    with tab(browser, language, viewport=PHONE) as page:
        begin(page, demo, "four_doors", language)
        told = page.locator("#told")
        end = ("四个入口，一个客户。", "One customer, four doors.")[LANGUAGES.index(language)]
        expect(told).to_contain_text(end, timeout=STORY_MS)
        assert sorted(row["channel"] for row in demo.rows("lead")) == ["counter", "cti", "email", "web"]
        assert len(demo.rows("customer")) == 1
        assert told.locator(".evidence strong").count() >= 3, "what decided it, for each but the first"
        page.get_by_role("button", name=("重新拆分……", "Part again …")[LANGUAGES.index(language)]).or_(
            page.get_by_role("link", name=("重新拆分……", "Part again …")[LANGUAGES.index(language)])
        ).click()
        expect(page.locator(".sides .side")).to_have_count(2)


def test_two_departments_at_once_are_one_owner(browser: Browser, demo: Live) -> None:
    with tab(browser, "en-GB") as page:
        begin(page, demo, "two_departments", "en-GB")
        expect(page.locator("#told")).to_contain_text("One customer, one owner.", timeout=STORY_MS)
    assert len(demo.rows("customer")) == 1
    assert len([row for row in demo.rows("holding") if row["to_us"] is None and row["role"] == "owner"]) == 1


def test_a_broken_row_is_repaired_and_assigned(browser: Browser, demo: Live) -> None:
    with tab(browser, "zh-CN") as page:
        begin(page, demo, "broken_row", "zh-CN")
        page.get_by_role("button", name="修复：补发正确字段").click(timeout=STORY_MS)
        expect(page.locator("#told")).to_contain_text("✓ 修复后分配负责人", timeout=STORY_MS)
    (lead,) = demo.rows("lead")
    refused, repaired = sorted(demo.rows("capture"), key=lambda row: row["accepted_us"])
    assert (repaired["parent_id"], lead["capture_id"]) == (refused["capture_id"], repaired["capture_id"])


def test_a_leavers_customers_go_with_a_certificate_and_come_back(browser: Browser, demo: Live) -> None:
    for name, phone in (("张伟", "15498012345"), ("李雷", "15498778899"), ("韩梅梅", "15498334412")):
        body = base64.b64encode(f"name={name}&phone={phone}&region=北京".encode()).decode()
        do_ingest(demo.engine, {"source": "site", "name": "form", "body": body, "actor": "operator"})
    deadline = time.monotonic() + 10
    while len(demo.rows("decision")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    gives = [
        {
            "customer_id": row["customer_id"],
            "kind": "person",
            "holder_id": LEAVER,
            "team_id": None,
            "rule_id": None,
            "conditions": [],
        }
        for row in demo.rows("customer")
    ]
    asked = {"id": "", "gives": gives, "actor": "operator", "reason": "test", "key": "test"}
    do_move(demo.engine, asked)

    def held() -> int:
        return len(
            [row for row in demo.rows("holding") if row["to_us"] is None and row["holder_id"] == LEAVER]
        )

    assert held() == 3, "in office hours the rules have given some of them already"
    with tab(browser, "en-GB") as page:
        begin(page, demo, "leaver", "en-GB")
        assert held() == 3, "a preview does nothing"
        page.get_by_role("button", name="Hand everything over").click()
        expect(page.locator("#told")).to_contain_text("0 left", timeout=STORY_MS)
        assert held() == 0
        page.get_by_role("button", name="Undo it").click()
        expect(page.locator("#told")).to_contain_text("is back with all customers", timeout=STORY_MS)
    assert held() == 3
