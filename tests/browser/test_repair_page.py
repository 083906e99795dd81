"""What could not be read, repaired in a real browser until somebody has it; and two people at the same letter."""

from __future__ import annotations

from playwright.sync_api import Browser, expect

from tests.browser.live import Live
from tests.browser.test_pages import HOSTILE, PHONE, send, tab


def broken(live: Live, **fields: str) -> str:
    """Send a form whose names no source knows, and return its dead letter."""
    send(live, **fields)
    return str(live.wait_for("dead", lambda row: row["state"] == "open")["dead_id"])


def test_a_broken_form_is_repaired_on_the_page_and_assigned(browser: Browser, live: Live) -> None:
    dead_id = broken(live, wer="张伟", mobil="13812345678", was=HOSTILE[0])
    with tab(browser, "en", viewport=PHONE) as page:
        page.goto(f"{live.url}/needs-repair")
        page.get_by_role("button", name="Repair").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("No field has a name")
        page.get_by_label("Name of field 1").fill("name")
        page.get_by_label("Name of field 2").fill("phone")
        page.get_by_label("mobil").fill("13812345670")
        page.get_by_label("Name of field 3").fill("message")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        page.get_by_role("button", name="Repair and replay").click()
        expect(page.locator("#became")).to_contain_text("It is a lead now, and assigned", timeout=10_000)
        expect(page.locator(".facts")).to_contain_text("repaired")
        assert page.evaluate("window.pwned") is None
    task = live.wait_for("task", lambda row: row["state"] == "open")
    (lead,) = live.rows("lead_identifier")
    assert (lead["value"], task["holder_kind"]) == ("+8613812345670", "person")
    assert [(one["dead_id"], one["state"]) for one in live.rows("dead")] == [(dead_id, "repaired")]
    assert [one["verb"] for one in live.rows("act")] == ["repair"]


def test_the_second_of_two_sees_what_the_first_made_of_it(browser: Browser, live: Live) -> None:
    dead_id = broken(live, wer="张伟", mobil="13812345678")
    with tab(browser, "en") as first, tab(browser, "en") as second:
        for page in (first, second):
            page.goto(f"{live.url}/needs-repair/{dead_id}")
            page.get_by_label("Name of field 2").fill("phone")
        second.get_by_label("mobil").fill("13812345699")
        first.get_by_role("button", name="Repair and replay").click()
        expect(first.locator("#became")).to_contain_text("assigned", timeout=10_000)
        second.get_by_role("button", name="Repair and replay").click()
        expect(second.get_by_role("alert")).to_contain_text("Somebody has settled this meanwhile")
        expect(second.locator(".both")).to_contain_text("phone=13812345678")
        expect(second.locator(".both")).to_contain_text("phone=13812345699")
    assert [one["value"] for one in live.rows("lead_identifier")] == ["+8613812345678"]


def test_a_selection_is_replayed_by_its_number_and_one_is_discarded(browser: Browser, live: Live) -> None:
    for n in range(3):
        send(live, wer=f"1381234567{n}")
    live.wait_for("dead", lambda _row: len(live.rows("dead")) == 3)
    with tab(browser) as page:
        page.goto(f"{live.url}/needs-repair?source=site&code=no_known_field")
        page.get_by_text("重新处理以上全部 3 条").click()
        page.get_by_label("输入数字 3 以确认").fill("2")
        page.get_by_role("button", name="重新处理", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("条数不符")
        assert [one["state"] for one in live.rows("dead")] == ["open"] * 3
        page.get_by_text("重新处理以上全部 3 条").click()
        page.get_by_label("输入数字 3 以确认").fill("3")
        page.get_by_role("button", name="重新处理", exact=True).click()
        expect(page.get_by_role("status").first).to_contain_text("已重新处理：3 条")
        live.wait_for("dead", lambda _row: len(live.rows("dead")) == 6)
        again = next(one for one in live.rows("dead") if one["state"] == "open")
        page.goto(f"{live.url}/needs-repair/{again['dead_id']}")
        page.get_by_label("不需要处理。原因？").fill("测试数据")
        page.get_by_role("button", name="放弃").click()
        expect(page.locator(".facts")).to_contain_text("已放弃")
        expect(page.locator(".facts")).to_contain_text("测试数据")
