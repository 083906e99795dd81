"""Forms in a browser: sent twice, sent again after Back, without a network, after a session that ended; nothing typed is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.live import Live
from tests.browser.test_access import link_for
from tests.browser.test_day import only
from tests.browser.test_pages import PHONE, send, tab


def signed_in(live: Live, page: Page, person_id: str = "ann") -> None:
    """Come in by a link, to one's own day."""
    page.goto(link_for(live, person_id))
    page.get_by_role("button").first.click()
    page.wait_for_url("**/day")


@pytest.fixture
def task(live: Live) -> str:
    """The one task of Ann's."""
    only(live, "ann")
    send(live, name="张伟", phone="138 1234 5678")
    return str(live.wait_for("task", lambda row: row["holder_id"] == "ann")["task_id"])


BACK = {
    "zh-CN": ("无人接听", "有意向", "此表单之前已提交过别的内容", "此前已记录： 无人接听"),
    "en-GB": (
        "No answer",
        "Interested",
        "This form recorded something else before",
        "Recorded before: No answer",
    ),
}


@pytest.mark.parametrize("language", BACK)
@pytest.mark.usefixtures("task")
def test_something_else_by_a_form_whose_answer_did_not_arrive_is_told(
    browser: Browser, live: Live, language: str
) -> None:
    first, second, told, before = BACK[language]

    def lost(route: Route) -> None:
        route.fetch(max_redirects=0)
        route.abort("aborted")

    with tab(browser, language, viewport=PHONE) as page:
        page.goto(f"{live.url}/inbox/ann")
        page.route("**/outcome", lost, times=1)
        page.get_by_role("button", name=first).click()
        live.wait_for("outcome", lambda row: row["code"] == "no_answer")
        page.get_by_role("button", name=second).click()
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(page.locator("main")).to_contain_text(before)
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert [row["code"] for row in live.rows("outcome")] == ["no_answer"]


@pytest.mark.usefixtures("task")
def test_back_and_something_else_loses_neither(browser: Browser, live: Live) -> None:
    with tab(browser, "en-GB", viewport=PHONE) as page:
        signed_in(live, page)
        page.get_by_role("button", name="No answer").click()
        page.wait_for_url("**/day?done=outcome")
        page.go_back()
        page.get_by_role("button", name="Interested").click()
        expect(page.get_by_role("status")).to_contain_text("Outcome recorded")
    assert sorted(row["code"] for row in live.rows("outcome")) == ["interested", "no_answer"]


@pytest.mark.usefixtures("task")
def test_a_double_click_is_one_act_and_looks_like_one(browser: Browser, live: Live) -> None:
    with tab(browser, "en-GB") as page:
        signed_in(live, page)
        page.get_by_role("button", name="Interested").dblclick()
        expect(page.get_by_role("status")).to_contain_text("Outcome recorded")
        expect(page.get_by_role("alert")).to_have_count(0)
    assert [row["code"] for row in live.rows("outcome")] == ["interested"]


RECORD = {"zh-CN": ("记录跟进结果", "保存"), "en-GB": ("Record the outcome", "Save")}


@pytest.mark.parametrize("language", RECORD)
def test_two_record_an_outcome_and_the_second_saves_theirs_with_what_follows(
    browser: Browser, live: Live, task: str, language: str
) -> None:
    open_form, save = RECORD[language]
    with tab(browser, language, viewport=PHONE) as page:
        signed_in(live, page)
        page.get_by_text(open_form).click()
        page.locator("select[name=code]").select_option("interested")
        page.locator("textarea[name=note]").fill("rings back on Monday")
        with tab(browser, "en-GB") as other:
            other.goto(f"{live.url}/inbox/ann")
            other.get_by_role("button", name="No answer").click()
            expect(other.get_by_role("status")).to_contain_text("Outcome recorded")
        page.get_by_role("button", name=save).click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("#second")).to_contain_text("安")
        expect(page.locator("textarea[name=note]")).to_have_value("rings back on Monday")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("button", name=save).click()
        page.wait_for_url("**/day?done=outcome")
    assert sorted((row["code"], row["note"]) for row in live.rows("outcome")) == [
        ("interested", "rings back on Monday"), ("no_answer", None),
    ]  # fmt: skip
    assert {row["task_id"] for row in live.rows("outcome")} > {task}


@pytest.mark.usefixtures("task")
def test_the_other_language_after_a_refused_form_leads_to_the_form_s_page(
    browser: Browser, live: Live
) -> None:
    with tab(browser, "en-GB", viewport=PHONE) as page:
        signed_in(live, page)
        page.get_by_text("Record the outcome").click()
        page.locator("select[name=code]").select_option("later")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("needs the date")
        page.get_by_role("link", name="中文").click()
        expect(page).to_have_url(f"{live.from_elsewhere}/day?lang=zh")
        expect(page.get_by_role("heading", level=1)).to_contain_text("我的一天")
