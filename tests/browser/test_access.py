"""A one-time link on a phone: from the mail to one's own tasks, in either language, once."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from leadflow.operate import do_grant
from tests.browser.live import Live
from tests.browser.test_pages import PHONE, send, tab


def link_for(live: Live, person_id: str, role: str | None = None) -> str:
    asked = {"id": person_id, "actor": "operator", "kind": "link", "hours": 1, "role": role}
    return f"{live.from_elsewhere}/enter/{do_grant(live.engine, asked)['secret']}"


WORDS = {
    "zh-CN": ("打开我的待办", "我的一天", "此链接已使用过", "您尚未登录", "退出", "您已退出"),
    "en-GB": (
        "Open my tasks",
        "My day",
        "This link was used already",
        "You are not signed in",
        "Sign out",
        "You are signed out",
    ),
}


@pytest.mark.parametrize("language", WORDS)
def test_a_link_opens_ones_tasks_on_a_phone_and_works_once(
    browser: Browser, live: Live, language: str
) -> None:
    button, tasks, used, out, leave, left = WORDS[language]
    send(live, name="张伟", phone="138 1234 5678", message="要两台叉车")
    task = live.wait_for("task", lambda row: row["state"] == "open")
    link = link_for(live, task["holder_id"])
    with tab(browser, language, java_script_enabled=False, viewport=PHONE) as page:
        page.goto(f"{live.from_elsewhere}/inbox/{task['holder_id']}")
        expect(page.get_by_role("heading", name=out)).to_be_visible()
        page.goto(link)
        page.get_by_role("button", name=button).click()
        expect(page).to_have_url(f"{live.from_elsewhere}/day")
        expect(page.get_by_role("heading", level=1)).to_contain_text(tasks)
        call = page.get_by_role("button", name="138 1234 5678")
        expect(call).to_have_attribute("href", "tel:+8613812345678")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], "nothing to push sideways on a phone"
        page.goto(link)  # the same mail, opened again on the same phone
        expect(page).to_have_url(f"{live.from_elsewhere}/day")
        with tab(browser, language, viewport=PHONE) as other:
            other.goto(link)
            expect(other.get_by_role("heading", name=used)).to_be_visible()
        page.get_by_role("button", name=leave).click()
        expect(page.get_by_role("heading", name=left)).to_be_visible()
        page.goto(f"{live.from_elsewhere}/inbox/{task['holder_id']}")
        expect(page.get_by_role("heading", name=out)).to_be_visible()


def test_what_is_done_on_a_phone_is_done_by_its_person(browser: Browser, live: Live) -> None:
    send(live, name="张伟", phone="138 1234 5678")
    task = live.wait_for("task", lambda row: row["state"] == "open")
    colleague = next(one for one in ("ann", "bo", "chen") if one != task["holder_id"])
    with tab(browser, "en-GB", viewport=PHONE) as page:
        page.goto(link_for(live, task["holder_id"]))
        page.get_by_role("button", name="Open my tasks").click()
        page.get_by_role("link", name="Whole story").click()
        expect(page.get_by_role("heading", name="张伟")).to_be_visible()
        page.goto(f"{live.from_elsewhere}/inbox/{colleague}")
        expect(page.get_by_role("heading", name="This is not for you")).to_be_visible()
        page.get_by_role("button", name="To my page").click()
        page.get_by_text("Record the outcome").click()
        page.get_by_label("Outcome").select_option("won")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status")).to_contain_text("Outcome recorded")
    (outcome,) = live.rows("outcome")
    assert outcome["person_id"] == task["holder_id"]


def test_a_manager_sees_who_is_neglected(browser: Browser, live: Live) -> None:
    with tab(browser, "zh-CN", viewport=PHONE) as page:
        page.goto(link_for(live, "ann", "manager"))
        page.get_by_role("button", name="打开我的待办").click()
        page.get_by_role("navigation").get_by_text("团队", exact=True).click()
        page.get_by_role("link", name="被搁置的客户").click()
        expect(page.get_by_text("没有被搁置的客户。")).to_be_visible()
        expect(page.get_by_role("link", name="总览")).to_have_count(0)
