"""Forms in a browser: sent twice, sent again after Back, without a network, after a session that ended; nothing typed is lost."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from leadflow.operate import do_end_access, do_grant
from tests.browser.live import Live, unanswered
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


def lost(route: Route) -> None:
    """Have what is sent arrive, and its answer not: the browser shows an error page."""
    route.fetch(max_redirects=0)
    route.abort("connectionreset")


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

    with tab(browser, language, viewport=PHONE) as page:
        page.goto(f"{live.url}/inbox/ann")
        page.route("**/outcome", unanswered, times=1)
        with page.expect_event("requestfailed", lambda one: one.method == "POST"):
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


def typed(page: Page, note: str = "rings back on Monday") -> None:
    """Open the form of the outcome, choose one and write a note."""
    page.get_by_text("Record the outcome").click()
    page.locator("select[name=code]").select_option("interested")
    page.locator("textarea[name=note]").fill(note)


def kept(page: Page) -> str:
    """Return all that the tab keeps of what was typed."""
    return str(page.evaluate("JSON.stringify(sessionStorage)"))


OFFLINE = {
    "zh-CN": ("记录跟进结果", "保存", "网络已断开"),
    "en-GB": ("Record the outcome", "Save", "No connection"),
}


@pytest.mark.parametrize("language", OFFLINE)
@pytest.mark.usefixtures("task")
def test_a_form_sent_without_a_network_stays_and_is_sent_again(
    browser: Browser, live: Live, language: str
) -> None:
    record, save, told = OFFLINE[language]
    with tab(browser, language, viewport=PHONE) as page:
        signed_in(live, page)
        page.get_by_text(record).click()
        page.locator("select[name=code]").select_option("interested")
        page.locator("textarea[name=note]").fill("rings back on Monday")
        page.context.set_offline(True)
        page.get_by_role("button", name=save).click()
        expect(page.get_by_role("alert")).to_contain_text(told)
        expect(page.get_by_role("alert")).to_be_in_viewport()
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.context.set_offline(False)
        expect(page.get_by_role("alert")).to_have_count(0)
        page.get_by_role("button", name=save).click()
        page.wait_for_url("**/day?done=outcome")
        assert "Monday" not in kept(page)
    assert [row["note"] for row in live.rows("outcome")] == ["rings back on Monday"]


def test_what_was_sent_and_not_answered_comes_back_under_its_key(browser: Browser, live: Live) -> None:
    with tab(browser, "en-GB") as page:
        page.goto(f"{live.url}/team/calendar?unit=east")
        page.locator("select[name=person]").select_option("ann")
        page.locator("input[name=from]").fill("2099-12-07")
        page.locator("input[name=to]").fill("2099-12-08")
        page.route("**/away", lost, times=1)
        with page.expect_event("requestfailed", lambda one: one.method == "POST"):
            page.get_by_role("button", name="Enter it").click()
        live.wait_for("absence", lambda row: row["person_id"] == "ann")
        page.wait_for_url("chrome-error://**")
        page.go_back()
        expect(page.locator("#typed-back")).to_be_visible()
        page.get_by_role("button", name="Enter it").click()
        expect(page.get_by_text("Noted.")).to_be_visible()
        assert "2099" not in kept(page)
    assert [row["verb"] for row in live.rows("act")] == ["away"]


@pytest.mark.usefixtures("task")
def test_a_page_left_too_early_has_what_was_typed_until_it_is_thrown_away(
    browser: Browser, live: Live
) -> None:
    with tab(browser, "en-GB") as page:
        signed_in(live, page)
        typed(page)
        page.goto(f"{live.from_elsewhere}/customers")
        expect(page.locator("#typed-back")).to_be_hidden()
        page.goto(f"{live.from_elsewhere}/day")
        expect(page.locator("#typed-back")).to_contain_text("What you typed is back")
        expect(page.locator("textarea[name=note]")).to_have_value("rings back on Monday")
        expect(page.locator("textarea[name=note]")).to_be_visible()
        expect(page.locator("select[name=code]")).to_have_value("interested")
        page.get_by_role("button", name="Discard it").click()
        expect(page.locator("textarea[name=note]")).to_have_value("")
        page.reload()
        expect(page.locator("#typed-back")).to_be_hidden()
        assert "Monday" not in kept(page)


def ended(live: Live) -> None:
    """End every session, as after ninety days or a lost telephone."""
    for row in live.rows("access"):
        if row["kind"] == "session" and row["ended_us"] is None:
            do_end_access(live.engine, {"id": row["access_id"], "actor": "operator"})


@pytest.mark.usefixtures("task")
def test_a_session_that_ends_while_one_types_loses_nothing(browser: Browser, live: Live) -> None:
    with tab(browser, "en-GB", viewport=PHONE) as page:
        account(live, page, "ann")
        typed(page)
        ended(live)
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
        come_in(page, "ann")
        page.wait_for_url("**/day")
        expect(page.locator("#typed-back")).to_contain_text("it was not sent")
        page.locator("select[name=code]").select_option("later")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("alert")).to_contain_text("needs the date")
        page.locator("select[name=code]").select_option("interested")
        ended(live)  # again, on the page that refused it
        page.get_by_role("button", name="Save").click()
        come_in(page, "ann")
        page.wait_for_url("**/inbox/ann")
        expect(page.locator("textarea[name=note]")).to_have_value("rings back on Monday")
        page.get_by_role("button", name="Save").click()
        page.wait_for_url("**done=outcome")
    assert [row["note"] for row in live.rows("outcome")] == ["rings back on Monday"]


@pytest.mark.usefixtures("task")
def test_on_a_shared_machine_nobody_else_gets_what_was_typed(browser: Browser, live: Live) -> None:
    with tab(browser, "en-GB") as page:
        account(live, page, "bo")
        page.get_by_role("button", name="Sign out").click()
        account(live, page, "ann")
        for way_out in ("another comes in", "signed out", "signed out in another tab"):
            typed(page)
            assert "Monday" in kept(page)
            if way_out == "another comes in":
                ended(live)
                page.reload()
                come_in(page, "bo")
                page.wait_for_url("**/day")
            elif way_out == "signed out":
                page.get_by_role("button", name="Sign out").click()
            else:
                beside = page.context.new_page()
                beside.goto(f"{live.from_elsewhere}/day")
                beside.get_by_role("button", name="Sign out").click()
                # Chromium may never close a tab that is just leaving a page, and closing has no time-out.
                expect(beside.get_by_role("heading", name="You are signed out")).to_be_visible()
                beside.close()
            assert "Monday" not in kept(page)
            ended(live)
            page.goto(f"{live.from_elsewhere}/day")
            come_in(page, "ann")
            page.wait_for_url("**/day")
            expect(page.locator("textarea[name=note]")).to_have_value("")


def test_no_password_and_no_code_is_kept(browser: Browser, live: Live) -> None:
    with tab(browser, "en-GB") as page:
        account(live, page, "ann")
        page.goto(f"{live.from_elsewhere}/me")
        page.get_by_label("Present password").first.fill(SECRET)
        page.get_by_label("New password").fill("another secret of mine")
        assert "secret" not in kept(page)
        page.get_by_role("button", name="Set it up").click()
        page.get_by_label("Code from your app").fill("123456")
        assert "123456" not in kept(page)
        page.get_by_role("button", name="Sign out").click()
        page.get_by_label("Password").fill(SECRET)
        assert "secret" not in kept(page)


SECRET = "four secret pallets hum"


def account(live: Live, page: Page, person_id: str) -> None:
    """Choose a password by an invitation; one is signed in then."""
    asked = {"id": person_id, "actor": "operator", "kind": "invitation", "hours": 1, "role": None}
    page.goto(f"{live.from_elsewhere}/enter/{do_grant(live.engine, asked)['secret']}")
    page.get_by_label("New password").fill(SECRET)
    page.get_by_role("button").first.click()
    page.wait_for_url("**/day")


def come_in(page: Page, person_id: str) -> None:
    """Sign in."""
    page.get_by_label("staff code").fill(person_id)
    page.get_by_label("Password").fill(SECRET)
    page.get_by_role("button", name="Sign in").click()
