"""A manager's pages in a real browser, on a phone and in both languages; and that one who is no manager has none of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live, live_server
from tests.browser.test_access import link_for
from tests.browser.test_move import as_manager, company_with_managers, filled
from tests.browser.test_pages import PHONE, send, tab

PAGES = ("/team", "/team/calendar", "/team/open", "/move", "/handover", "/why-not")


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """All that comes is Ann's, below Mia."""
    with live_server(tmp_path, company_with_managers()) as running:
        yield running


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_on_a_phone_nothing_runs_over_the_edge(browser: Browser, live: Live, language: str) -> None:
    filled(live, 3)
    with tab(browser, language, viewport=PHONE) as page:
        as_manager(page, live)
        expect(page).to_have_url(f"{live.from_elsewhere}/team")
        for path in PAGES:
            answer = page.goto(live.from_elsewhere + path)
            assert answer is not None
            assert answer.status == 200
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
            assert "Project-Id-Version" not in page.content(), path


def test_what_comes_changes_the_numbers_while_a_form_is_half_filled(browser: Browser, live: Live) -> None:
    filled(live, 2)
    with tab(browser, "zh-CN", viewport=PHONE) as page:
        as_manager(page, live)
        expect(page.get_by_role("link", name="2 跟进中的客户")).to_be_visible()
        page.evaluate("window.untouched = true")
        asked: list[str] = []
        page.on("request", lambda one: asked.append(one.url) if one.resource_type == "fetch" else None)
        page.locator("footer input[name=id]").fill("lead_half")
        send(live, name="孙丽", phone="139 7777 0001")
        expect(page.get_by_role("link", name="3 跟进中的客户")).to_be_visible(timeout=30_000)
        expect(page.locator("footer input[name=id]")).to_have_value("lead_half")
        expect(page.locator("footer input[name=id]")).to_be_focused()
        assert page.evaluate("window.untouched"), "the page was not loaded anew"
        many = len(asked)
        page.wait_for_timeout(4_000)
        assert len(asked) == many, "nothing is counted anew while nothing happens"
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        page.evaluate("getSelection().selectAllChildren(document.querySelector('#team .whom strong'))")
        send(live, name="周强", phone="139 7777 0002")
        expect(page.get_by_role("button", name="有新变化")).to_be_visible(timeout=30_000)
        assert page.evaluate("getSelection().toString()") == "安"
        page.get_by_role("button", name="有新变化").click()
        expect(page.get_by_role("link", name="4 跟进中的客户")).to_be_visible()


def test_a_tab_that_nobody_sees_asks_nothing_and_catches_up(browser: Browser, live: Live) -> None:
    filled(live, 1)
    hide = """(is) => {
        Object.defineProperty(document, "hidden", {configurable: true, get: () => is});
        document.dispatchEvent(new Event("visibilitychange"));
    }"""
    with tab(browser, "en-GB") as page:
        as_manager(page, live)
        page.evaluate(hide, True)
        send(live, name="孙丽", phone="139 7777 0001")
        live.wait_for("task", lambda _row: len(live.rows("task")) == 2)
        page.wait_for_timeout(4_000)
        expect(page.get_by_role("link", name="1 open customers")).to_be_visible()
        page.evaluate(hide, False)
        expect(page.get_by_role("link", name="2 open customers")).to_be_visible(timeout=30_000)


def test_from_the_team_to_leave_with_a_stand_in_and_to_why_not(browser: Browser, live: Live) -> None:
    filled(live, 2)
    with tab(browser, "en-GB") as page:
        as_manager(page, live)
        page.get_by_role("link", name="2 open customers").click()
        expect(page.get_by_text("2 match.")).to_be_visible()
        page.goto(f"{live.from_elsewhere}/team")
        page.get_by_role("link", name="Calendar").click()
        page.locator("select[name=person]").select_option("ann")
        page.get_by_label("First day").fill("2099-01-05")
        page.get_by_label("Last day").fill("2099-01-06")
        page.get_by_label("Who stands in").select_option("bo")
        page.get_by_role("button", name="Enter it").click()
        expect(page.get_by_role("status")).to_contain_text("Noted.")
        expect(page.get_by_text("薄 stands in")).to_be_visible()
        page.get_by_role("link", name="Customers to a stand-in").click()
        expect(page.get_by_label("All else goes to")).to_have_value("bo")
        page.go_back()
        page.get_by_role("button", name="Cancel this leave").click()
        expect(page.get_by_text("Nobody is away.")).to_be_visible()
        page.goto(f"{live.from_elsewhere}/why-not")
        page.get_by_role("link", name="Why not?").first.click()
        page.locator("select[name=person]").select_option("bo")
        page.get_by_role("button", name="Why not?").click()
        expect(page.get_by_role("status")).to_contain_text("薄 could not have it (share 0)")


def test_a_representative_asks_about_themselves_and_has_no_manager_s_page(
    browser: Browser, live: Live
) -> None:
    filled(live, 1)
    with tab(browser, "en-GB", viewport=PHONE) as page:
        page.goto(link_for(live, "bo"))
        page.get_by_role("button").first.click()
        expect(page).to_have_url(f"{live.from_elsewhere}/day")
        page.get_by_role("link", name="Why did I not get that lead?").click()
        page.get_by_role("link", name="Why not?").first.click()
        expect(page.get_by_role("status")).to_contain_text("薄 could not have it")
        for path in ("/team", "/team/calendar", "/team/open", "/move", "/handover"):
            answer = page.goto(live.from_elsewhere + path)
            assert answer is not None
            assert answer.status == 403, path
