"""What people do in a real browser: write to us, work an inbox, watch the first page; and what must not work."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Dialog, Page, expect

from tests.browser.live import Live

PHONE = {"width": 390, "height": 844}
PAWNED = "window.pwned = 1"
HOSTILE = (
    f"<script>{PAWNED}</script>",
    f'"><img src=x onerror="{PAWNED}">',
    f"'><svg onload='{PAWNED}'>",
    f"</textarea></title></style><script>{PAWNED}</script>",
    f"javascript:{PAWNED}",
    f"{{{{constructor.constructor('{PAWNED}')()}}}}",
    f'" hx-get="/" hx-trigger="load" onfocus="{PAWNED}" autofocus x="',
)


@contextmanager
def tab(browser: Browser, language: str = "zh-CN", **options: object) -> Iterator[Page]:
    """A fresh tab that remembers what the page complained of."""
    context = browser.new_context(locale=language, **options)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def refuse(dialog: Dialog) -> None:
        complaints.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    page.on("dialog", refuse)
    yield page
    context.close()
    # What is answered 403, 404 or 422 by design, the browser reports as a failed load.
    assert [one for one in complaints if not one.startswith("Failed to load resource")] == []


def send(live: Live, **fields: str) -> None:
    """Post a form as a program would."""
    urlopen(Request(f"{live.url}/in/web/site", urlencode(fields).encode(), method="POST")).read()


def sum_on(page: Page) -> dict[str, int]:
    return {
        str(one.get_attribute("data-sum")): int((one.text_content() or "").replace(",", ""))
        for one in page.locator("[data-sum]").all()
    }


def test_a_form_sent_without_javascript_ends_in_an_inbox(browser: Browser, live: Live) -> None:
    with tab(browser, java_script_enabled=False, viewport=PHONE) as page:
        page.goto(f"{live.url}/f/site")
        page.get_by_label("姓名").fill("张伟")
        page.get_by_label("电话").fill("138 1234 5678")
        page.get_by_label("您需要什么？").fill("要两台叉车")
        page.get_by_role("button", name="提交").click()
        expect(page).to_have_url(re.compile(r"/thanks/site\?lang=zh$"))
        expect(page.get_by_role("heading")).to_have_text("谢谢")

        task = live.wait_for("task", lambda row: row["state"] == "open")
        page.goto(f"{live.url}/inbox/{task['holder_id']}")
        expect(page.get_by_role("heading", name="张伟")).to_be_visible()
        expect(page.get_by_role("button", name="138 1234 5678")).to_have_attribute(
            "href", "tel:+8613812345678"
        )


def test_a_visitor_s_mistake_is_told_beside_the_field_in_chinese(browser: Browser, live: Live) -> None:
    with tab(browser, java_script_enabled=False, viewport=PHONE) as page:
        page.goto(f"{live.url}/f/site")
        page.get_by_label("姓名").fill("李娜")
        page.get_by_label("电话").fill("1381234567")
        page.get_by_label("您需要什么？").fill("多行\n留言")
        page.get_by_role("button", name="提交").click()
        expect(page.get_by_role("alert")).to_contain_text("您填写的内容都还在")
        phone = page.locator("[name=phone]")
        expect(phone).to_have_attribute("aria-invalid", "true")
        expect(page.locator(f"#{phone.get_attribute('aria-describedby')}")).to_contain_text(
            "这个号码无法识别"
        )
        expect(page.locator("[name=message]")).to_have_value("多行\n留言")

        capture = live.wait_for("capture", lambda row: row["code"] == "incomplete_form")
        assert '"phone"' in capture["detail_json"]
        phone.fill("13812345678")
        page.get_by_role("button", name="提交").click()
        expect(page.get_by_role("heading")).to_have_text("谢谢")
        live.wait_for("task", lambda row: True)
        assert len(live.rows("lead")) == 1


def test_an_outcome_is_recorded_with_a_few_taps(browser: Browser, live: Live) -> None:
    send(live, name="张伟", phone="13812345678", message="要两台叉车")
    task = live.wait_for("task", lambda row: row["holder_kind"] == "person")
    with tab(browser, viewport=PHONE) as page:
        page.goto(f"{live.url}/inbox")
        page.locator("li", has_text="1 条待处理").get_by_role("link").click()
        page.get_by_text("记录跟进结果").click()
        page.get_by_label("跟进结果").select_option(label="有意向")
        page.get_by_label("备注").fill("下周来看车")
        page.get_by_role("button", name="保存").click()
        expect(page.get_by_role("status").last).to_have_text("跟进结果已记录。")
        expect(page.get_by_text("计划跟进")).to_be_visible()
        expect(page.locator(".last")).to_contain_text("有意向 · 下周来看车")
    (outcome,) = live.rows("outcome")
    assert (outcome["code"], outcome["note"], outcome["person_id"]) == (
        "interested", "下周来看车", task["holder_id"],
    )  # fmt: skip


def test_the_sum_adds_up_and_the_feed_moves_by_itself(browser: Browser, live: Live) -> None:
    send(live, name="第一位", phone="13812345678")
    live.wait_for("task", lambda row: True)
    with tab(browser) as page:
        page.goto(f"{live.url}/")
        expect(page.locator(".feed li")).to_have_count(1)
        page.evaluate("window.untouched = true")
        send(live, name="第二位", phone="13912345678")
        send(live, unknown="x")
        expect(page.locator(".feed li")).to_have_count(2, timeout=10_000)
        expect(page.locator("[data-sum=received]")).to_have_text("3", timeout=10_000)
        expect(page.locator(".feed li").first).to_contain_text("第二位")
        expect(page.locator(".feed li").first.locator(".why")).to_contain_text("轮到")
        found = sum_on(page)
        assert found.pop("received") == sum(found.values()) == 3
        assert found["to_repair"] == 1
        assert page.evaluate("window.untouched"), "the page was not loaded anew"


def test_what_is_in_hand_stays_while_the_first_page_refreshes(browser: Browser, live: Live) -> None:
    with tab(browser) as page:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{live.url}/")
        link = page.get_by_role("link", name="像访客一样填写表单")
        link.focus()
        send(live, name="张伟", phone="13812345678")
        expect(page.locator(".feed li")).to_have_count(1, timeout=30_000)
        expect(link).to_be_focused()
        live.wait_for("task", lambda row: True)

        # The feed may come once more for the sum, which is counted a moment later, and once for the minute.
        page.wait_for_timeout(4_000)
        many = len(asked)
        page.wait_for_timeout(4_000)
        assert len(asked) - many <= 1, "nothing is fetched anew while nothing happens"

        page.evaluate("getSelection().selectAllChildren(document.querySelector('.feed .who a'))")
        send(live, name="李娜", phone="13912345678")
        more = page.get_by_role("button", name="有新变化")
        expect(more).to_be_visible(timeout=30_000)
        assert page.evaluate("getSelection().toString()") == "张伟"
        more.click()
        expect(page.locator(".feed li")).to_have_count(2)
        expect(page.locator("[data-sum=received]")).to_have_text("2", timeout=30_000)


@pytest.mark.parametrize("payload", HOSTILE)
def test_received_text_is_shown_and_never_run(browser: Browser, live: Live, payload: str) -> None:
    send(live, name=payload, company=payload, email="a@b.cn", phone="13812345678", message=payload,
         product=payload, city=payload, utm_campaign=payload, **{payload: payload})  # fmt: skip
    send(live, phone=payload, email=payload)
    send(live, **{payload: payload})
    live.wait_for("dead", lambda row: True)
    live.wait_for("task", lambda row: len(live.rows("task")) == 2)
    lead = next(row for row in live.rows("lead") if "13812345678" in row["fields_json"])
    paths = [
        "/",
        "/needs-repair",
        f"/story/{lead['lead_id']}",
        *(f"/inbox/{one}" for one in ("ann", "bo", "chen")),
    ]
    with tab(browser) as page:
        seen = ""
        for path in paths:
            page.goto(live.url + path)
            page.wait_for_load_state("load")
            seen += page.inner_text("body")
            assert page.evaluate("window.pwned") is None
            assert (
                page.locator("main [onerror], main [onload], main [onfocus], main svg, main script").count()
                == 0
            )
            assert page.locator('main a[href^="javascript:" i]').count() == 0
        assert payload in seen
        page.goto(f"{live.url}/")
        page.wait_for_timeout(2_500)  # one refresh by htmx
        assert page.evaluate("window.pwned") is None

        page.goto(f"{live.url}/f/site")
        for name in ("name", "company", "phone", "email", "message"):
            page.fill(f"[name={name}]", payload)
        page.get_by_role("button", name="提交").click()
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("[name=name]")).to_have_value(payload)
        assert page.evaluate("window.pwned") is None


@pytest.mark.parametrize("language", ["zh-CN", "en-GB"])
def test_every_page_fits_a_phone(browser: Browser, live: Live, language: str) -> None:
    send(live, name="长名字" * 60, company="Long" * 80, phone="13812345678", email="a" * 60 + "@daheng.cn",
         message="无空格" * 300)  # fmt: skip
    send(live, **{"x" * 300: "y"})
    task = live.wait_for("task", lambda row: True)
    dead = live.wait_for("dead", lambda row: True)
    paths = [
        "/", "/inbox", f"/inbox/{task['holder_id']}", f"/story/{task['lead_id']}", f"/story/{dead['dead_id']}",
        "/needs-repair", "/story/none", "/f/site", "/f/site/html", "/thanks/site",
    ]  # fmt: skip
    with tab(browser, language, viewport=PHONE) as page:
        for path in paths:
            page.goto(live.url + path)
            width = page.evaluate("document.documentElement.scrollWidth")
            assert width <= PHONE["width"], f"{path} is {width} px wide"
            assert page.locator("html").get_attribute("lang") == ("zh-CN" if language == "zh-CN" else "en")


def test_a_page_of_another_site_cannot_act_for_somebody(browser: Browser, live: Live) -> None:
    send(live, name="张伟", phone="13812345678")
    task = live.wait_for("task", lambda row: True)
    # Another port is another origin; what it serves does not matter, the post is its own.
    elsewhere = live.url.replace("127.0.0.1", "localhost")
    with tab(browser) as page:
        page.goto(f"{elsewhere}/healthz")
        status = page.evaluate(
            """async ([url, actor]) => {
                const body = new URLSearchParams({actor, code: "won", key: "k"});
                await fetch(url, {method: "POST", mode: "no-cors", body});
                return "sent";
            }""",
            [f"{live.url}/inbox/{task['holder_id']}/{task['task_id']}/outcome", task["holder_id"]],
        )
        assert status == "sent"
    assert live.rows("outcome") == []
