"""A customer is found on a phone, by keyboard and by thumb, with nothing to push sideways; and none of others'."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live
from tests.browser.test_access import link_for
from tests.browser.test_accessible import complaints
from tests.browser.test_pages import HOSTILE, PHONE, send, tab

WORDS = {
    "zh-CN": ("找到 1 个客户", "没有符合的", "显示全部", "查找登记", "查找"),
    "en-GB": ("1 customer found.", "None of the customers you see fits.", "Show all", "Find or add", "Find"),
}


@pytest.mark.parametrize("language", WORDS)
def test_a_customer_is_found_on_a_phone(browser: Browser, live: Live, language: str) -> None:
    found, nobody, everybody, desk, find = WORDS[language]
    send(live, name="王芳", phone="138 1234 5678", message="要两台叉车")
    send(live, name=HOSTILE[1], phone="139 8765 4321", message="要两台叉车")
    live.wait_for("holding", lambda _row: len(owners(live)) == 2)
    holder = owners(live)["王芳"]
    with tab(browser, language, viewport=PHONE) as page:
        page.goto(link_for(live, holder))
        page.get_by_role("button").first.click()
        page.goto(f"{live.from_elsewhere}/customers")
        box = page.locator("#q")
        box.fill("wf 5678")
        box.press("Enter")
        expect(page.get_by_role("status").first).to_contain_text(found)
        expect(page.get_by_role("heading", name="王芳")).to_be_visible()
        expect(box).to_have_value("wf 5678")
        assert "q=wf" in page.url, "to be sent to a colleague, and found again by going back"
        assert complaints(page) == []
        for what in ("5679", *HOSTILE):
            box.fill(what)
            page.get_by_role("main").get_by_role("button", name=find, exact=True).click()
            expect(box).to_have_value(what)
            assert page.evaluate("window.pwned") is None
            assert complaints(page) == []
        box.fill("5679")
        box.press("Enter")
        expect(page.get_by_role("main")).to_contain_text(nobody)
        expect(page.get_by_role("main").get_by_role("link", name=desk)).to_be_visible()
        page.get_by_role("link", name=everybody).click()
        expect(page.get_by_role("heading", name="王芳")).to_be_visible()
        page.get_by_role("heading", name="王芳").get_by_role("link").click()
        expect(page.locator('[href="tel:+8613812345678"]').first).to_be_visible()


def owners(live: Live) -> dict[str, str]:
    """Return who has each customer that a person has, by the name that its first lead gave."""
    given = {row["lead_id"]: row["fields_json"] for row in live.rows("lead")}
    held = {
        row["customer_id"]: row["holder_id"]
        for row in live.rows("holding")
        if row["to_us"] is None and row["holder_kind"] == "person"
    }
    return {
        "王芳" if "王芳" in given[row["born_lead"]] else "another": held[row["customer_id"]]
        for row in live.rows("customer")
        if row["customer_id"] in held
    }
