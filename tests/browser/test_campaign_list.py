"""A campaign put on the list on a phone, in Chinese: its leads count at once, and who changes it second sees what stands now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.live import Live, live_server
from tests.browser.test_accessible import complaints
from tests.browser.test_pages import PHONE, send, tab
from tests.support.rig import small_company


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """A company without any campaign, and a lead that came by a name."""
    with live_server(tmp_path, small_company(absences=(), campaigns={})) as running:
        send(running, name="王芳", phone="13700000003", utm_campaign="xhs")
        running.wait_for("unlisted", lambda row: bool(row["value"] == "xhs"))
        yield running


def fits(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def change(page: Page, live: Live, alias: str) -> None:
    """Begin to write a further name into the campaign."""
    page.goto(f"{live.url}/campaigns?change=spring-fair")
    form = page.locator("form[action^='/campaigns/change']")
    form.locator("[name=actor]").select_option("ann")
    form.get_by_label("网址中的活动").fill(f"xhs\n{alias}")


def test_marketing_adds_a_campaign_on_a_phone_and_who_is_second_sees_the_first(
    browser: Browser, live: Live
) -> None:
    with tab(browser, "zh-CN", viewport=PHONE) as page, tab(browser, "zh-CN", viewport=PHONE) as other:
        page.goto(f"{live.url}/campaigns")
        page.get_by_role("link", name="还没有市场活动，请先新增一个。").first.click()
        form = page.locator("form[action^='/campaigns/add']")
        expect(form).to_be_in_viewport()
        form.locator("[name=actor]").select_option("ann")
        form.get_by_label("代码").fill("Spring Fair")
        form.get_by_label("中文名称").fill("春季展会")
        form.get_by_label("网址中的活动").fill("xhs\nfair_2026")
        form.get_by_role("button", name="保存").click()
        assert form.get_by_label("代码").evaluate("(one) => one.validity.patternMismatch"), (
            "the browser says what a code is"
        )
        form.get_by_label("代码").fill("spring-fair")
        form.get_by_role("button", name="保存").click()
        expect(page.get_by_role("status").filter(has_text="已保存")).to_be_in_viewport()
        expect(page.locator("#table tbody tr").first).to_contain_text("春季展会")
        assert page.get_by_text("未收录的名称").count() == 0
        assert [row["campaign_id"] for row in live.rows("lead")] == ["spring-fair"]

        change(page, live, "fair_b")
        change(other, live, "fair_c")
        assert fits(page)
        assert complaints(page) == []
        page.get_by_role("button", name="保存").locator("visible=true").click()
        expect(page.get_by_role("status").filter(has_text="已保存")).to_be_visible()
        other.get_by_role("button", name="保存").locator("visible=true").click()
        expect(other.get_by_role("alert").filter(has_text="已被他人修改")).to_be_in_viewport()
        expect(other.get_by_text("现在的内容：").locator("..")).to_contain_text("fair_b")
        mine = other.locator("form[action^='/campaigns/change'] [name=alias_utm]")
        expect(mine).to_have_value("xhs\nfair_c")
        assert fits(other)
        assert complaints(other) == []
        mine.fill("xhs\nfair_b\nfair_c")
        other.get_by_role("button", name="保存").locator("visible=true").click()
        expect(other.get_by_role("status").filter(has_text="已保存")).to_be_visible()
        names = [row["value"] for row in live.rows("campaign_alias")]
        assert sorted(names) == ["fair_b", "fair_c", "xhs"]
