"""The chart of the campaigns: as long as its numbers, in the house's colours, on paper too, and without any script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, expect

from schemas.company import Alias, Campaign
from tests.browser.live import Live, live_server
from tests.browser.test_accessible import DESKTOP, complaints
from tests.browser.test_pages import PHONE, send, tab
from tests.support.rig import small_company

LONG = "亚洲物流展 CeMAT Asia 2026 上海国际博览中心现场登记与扫码名单第二批"
COUNTS = {"bd": 8, "fair": 2}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Eight came by Baidu, of whom one is won and one more wants something; two by a fair with a long name."""
    company = small_company(absences=())
    company.units["east"] = company.units["east"].model_copy(update={"calendar_id": None})
    campaigns = {
        key: Campaign(campaign_id=key, name_zh=name, name_en=name, aliases=(Alias(kind="utm", value=key),))
        for key, name in (("bd", "Baidu"), ("fair", LONG))
    }
    with live_server(tmp_path, company.model_copy(update={"campaigns": campaigns})) as running:
        for campaign, count in COUNTS.items():
            for number in range(count):
                phone = f"139{len(campaign)}000{number:04}"
                send(running, name=f"客户{number}", phone=phone, utm_campaign=campaign)
        running.wait_for("task", lambda _row: len(running.rows("task")) == sum(COUNTS.values()))
        yield running


def acted(browser: Browser, live: Live, code: str, number: int) -> None:
    """Have the owner of one of Baidu's customers record an outcome."""
    lead = next(row for row in live.rows("lead") if f"1392000{number:04}" in row["fields_json"])
    task = next(row for row in live.rows("task") if row["lead_id"] == lead["lead_id"])
    with tab(browser, "en-GB") as page:
        page.goto(f"{live.url}/inbox/{task['holder_id']}")
        form = page.locator(
            f"form[action*='{task['task_id']}'][action$='/outcome']", has=page.locator("[name=note]")
        )
        form.evaluate("(one) => { one.closest('details').open = true }")
        form.locator("[name=code]").select_option(code)
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("status").first).to_contain_text("Outcome recorded")


def widths(row: Locator) -> list[float]:
    """Return how wide each part of a bar is, in pixels."""
    return [
        float(one.evaluate("(part) => part.getBoundingClientRect().width")) for one in row.locator("td").all()
    ]


@pytest.mark.parametrize(("language", "viewport"), [("zh-CN", PHONE), ("en-GB", DESKTOP)])
def test_bars_are_as_long_as_the_numbers_of_the_table(
    browser: Browser, live: Live, language: str, viewport: dict[str, int]
) -> None:
    acted(browser, live, "won", 0)
    acted(browser, live, "interested", 1)
    with tab(browser, language, viewport=viewport) as page:
        page.goto(f"{live.url}/campaigns")
        chart = page.locator("table.chart")
        chart.scroll_into_view_if_needed()
        baidu, fair = chart.locator("tbody tr").all()
        assert baidu.locator("td").all_text_contents() == ["1", "2", "8", "8"]
        won, wanted, valid, rest = widths(baidu)
        whole = won + wanted + valid + rest
        assert [round(one / whole, 2) for one in (won, wanted, valid, rest)] == [0.12, 0.12, 0.75, 0.0]
        assert sum(widths(fair)) == pytest.approx(whole / 4, abs=2)
        expect(baidu.locator(".won")).to_have_css("background-color", "rgb(11, 110, 79)")
        expect(baidu.locator(".won")).to_have_css("print-color-adjust", "exact")
        name = fair.locator("bdi").evaluate("(one) => one.getBoundingClientRect().height")
        assert name <= fair.evaluate("(one) => one.getBoundingClientRect().height"), (
            "no name runs into the next row"
        )
        assert complaints(page) == []
    with tab(browser, language, viewport=viewport, java_script_enabled=False) as page:
        page.goto(f"{live.url}/campaigns")
        expect(page.locator("table.chart tbody tr").first.locator(".won")).to_have_css(
            "background-color", "rgb(11, 110, 79)"
        )
