"""Two put the same customer right: the second sees what the first put there, keeps what they typed, and may save it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.live import Live
from tests.browser.test_day import only
from tests.browser.test_forms_kept import signed_in
from tests.browser.test_pages import PHONE, send, tab

WORDS = {
    "zh-CN": ("更正客户资料", "姓名", "电话", "保存", "其他人已先行更正", "现在的内容：", "已记录。", "更正"),
    "en-GB": (
        "Correct what is known",
        "Name",
        "Phone",
        "Save",
        "Somebody else has put this right meanwhile",
        "Stands there now:",
        "Recorded.",
        "Correction",
    ),
}


@pytest.mark.parametrize("language", WORDS)
def test_two_put_the_same_name_right(browser: Browser, live: Live, language: str) -> None:
    open_form, name, phone, save, told, now, recorded, heading = WORDS[language]
    only(live, "ann")
    send(live, name="王方", phone="138 1234 5678")
    customer = str(live.wait_for("task", lambda row: row["holder_id"] == "ann")["customer_id"])
    with tab(browser, language, viewport=PHONE) as page:
        signed_in(live, page)
        page.goto(f"{live.from_elsewhere}/customer/{customer}")
        page.get_by_role("button", name=open_form).or_(page.get_by_text(open_form)).first.click()
        expect(page.get_by_label(name, exact=True)).to_have_value("王方")
        expect(page.get_by_label(phone, exact=True)).to_have_value("138 1234 5678")
        page.get_by_label(name, exact=True).fill("王舫")
        with tab(browser, language) as other:
            signed_in(live, other)
            other.goto(f"{live.from_elsewhere}/customer/{customer}")
            other.get_by_text(open_form).click()
            other.get_by_label(name, exact=True).fill("王芳")
            other.get_by_role("button", name=save).last.click()
            expect(other.get_by_role("status").filter(has_text=recorded)).to_be_visible()
            expect(other.get_by_role("heading", level=1)).to_contain_text("王芳")
            expect(other.get_by_role("heading", name=heading)).to_be_visible()
        page.get_by_role("button", name=save).last.click()
        expect(page.get_by_role("alert").filter(has_text=told)).to_be_visible()
        expect(page.get_by_text(now)).to_contain_text("王芳")
        expect(page.get_by_label(name, exact=True)).to_have_value("王舫")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]

        page.get_by_role("button", name=save).last.click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("王舫")

    assert [row["code"] for row in live.rows("outcome")] == []
    assert len(live.rows("customer")) == 1
