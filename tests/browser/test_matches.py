"""Match review in a browser: a pair is joined by the evidence and parted again, and a wrong merge is parted after a preview."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from leadflow.operate import do_merge
from tests.browser.live import Live
from tests.browser.test_pages import PHONE, send, tab

ONE = {"name": "李娜", "email": "lina.daheng@gmail.com", "company": "北京大恒信息技术有限公司"}
OTHER = {"name": "Na Li", "email": "lina.daheng@gmial.com", "company": "大恒信息"}

WORDS = {
    "zh-CN": {
        "join": "合并",
        "apart": "不是同一个",
        "after": "改为合并",
        "again": "重新拆分……",
        "part": "执行拆分",
        "why": "理由（与您的姓名一同保存）",
        "joined": "已合并。",
        "parted": "已拆分",
        "name": "姓名",
        "two": "其实是两个客户？拆分",
    },
    "en-GB": {
        "join": "Join",
        "apart": "Keep apart",
        "after": "Join after all",
        "again": "Part again …",
        "part": "Part them",
        "why": "Why (kept with your name)",
        "joined": "Joined. It can",
        "parted": "Parted.",
        "name": "name",
        "two": "Two people? Part again",
    },
}


def customers(live: Live) -> list[str]:
    """Return the customers that are open."""
    return [row["customer_id"] for row in live.rows("customer") if row["state"] == "open"]


@pytest.mark.parametrize("language", WORDS)
def test_a_pair_is_joined_by_the_evidence_and_parted_again(
    browser: Browser, live: Live, language: str
) -> None:
    said = WORDS[language]
    send(live, **ONE)
    live.wait_for("holding", lambda row: row["holder_kind"] == "person")
    send(live, **OTHER)
    review = live.wait_for("review", lambda row: row["state"] == "open")
    with tab(browser, language, viewport=PHONE) as page:
        page.goto(f"{live.url}/matches")
        case = page.locator(f"#{review['review_id']}")
        expect(case.locator("tr", has_text=said["name"]).first).to_contain_text("李娜")
        expect(case.locator("tr").last).to_contain_text("%")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE["width"], "nothing to push sideways on a phone"
        case.get_by_label(said["why"]).fill("same voice")
        case.get_by_role("button", name=said["join"], exact=True).click()
        expect(page.get_by_role("status")).to_contain_text(said["joined"])
        assert len(customers(live)) == 1
        expect(page.locator("article.match")).to_contain_text("same voice")
        page.get_by_role("button", name=said["again"]).or_(
            page.get_by_role("link", name=said["again"])
        ).click()
        expect(page.locator("main")).to_contain_text("Na Li")
        page.get_by_label(said["why"]).fill("two sisters")
        page.get_by_role("button", name=said["part"]).click()
        expect(page.get_by_role("status")).to_contain_text(said["parted"])
    assert len(customers(live)) == 2
    assert {row["verb"] for row in live.rows("act")} >= {"review", "unmerge"}


def test_a_pair_is_kept_apart_and_joined_after_all(browser: Browser, live: Live) -> None:
    said = WORDS["en-GB"]
    send(live, **ONE)
    live.wait_for("holding", lambda row: row["holder_kind"] == "person")
    send(live, **OTHER)
    live.wait_for("review", lambda row: row["state"] == "open")
    with tab(browser, "en-GB") as page:
        page.goto(f"{live.url}/matches")
        page.get_by_role("button", name=said["apart"]).click()
        expect(page.get_by_role("status")).to_contain_text("Kept apart")
        page.get_by_label("Why are they one after all?").fill("she told me")
        page.get_by_role("button", name=said["after"]).click()
        expect(page.get_by_role("status")).to_contain_text("Joined after all")
    assert len(customers(live)) == 1


@pytest.mark.parametrize("language", WORDS)
def test_a_wrong_merge_is_parted_after_a_preview(browser: Browser, live: Live, language: str) -> None:
    said = WORDS[language]
    send(live, name="王芳", phone="13812345678")
    send(live, name="吴凡", phone="13987654321")
    live.wait_for("holding", lambda row: row["holder_kind"] == "person")
    while len([row for row in live.rows("holding") if row["holder_kind"] == "person"]) < 2:
        pass
    before = {row["customer_id"]: row["holder_id"] for row in live.rows("holding") if row["to_us"] is None}
    one, other = customers(live)
    do_merge(live.engine, {"id": one, "other": other, "actor": "operator"})
    (whole,) = customers(live)
    with tab(browser, language) as page:
        page.goto(f"{live.url}/customer/{whole}")
        page.get_by_role("link", name=said["two"]).click()
        sides = page.locator(".sides .side")
        expect(sides).to_have_count(2)
        expect(sides.filter(has_text="王芳")).to_have_count(1)
        expect(sides.filter(has_text="吴凡")).to_have_count(1)
        assert len(customers(live)) == 1, "a preview does nothing"
        page.get_by_label(said["why"]).fill("two people")
        page.get_by_role("button", name=said["part"]).click()
        expect(page.get_by_role("status")).to_contain_text(said["parted"])
    after = {row["customer_id"]: row["holder_id"] for row in live.rows("holding") if row["to_us"] is None}
    assert after == before, "each has whoever its own enquiries had been given to"
