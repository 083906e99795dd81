"""Pages that come of doing something: the demo's stories, a move, a hand-over, a list, a changed rule book. Done once,
with the demo company; then each page has an address, and can be looked at in any size and language."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, expect
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from console.stories_cast import LEAVER
from leadflow.demo.run import demo_company, with_calls
from leadflow.operate import do_ingest
from leadflow.operate_moves import do_move
from tests.browser.live import Live, live_server
from tools.servers import free_port

_WAIT_MS = 30_000
HAS_MOST, HAS_SOME = LEAVER, "gao-feng"
_STORIES = (
    ("One customer by four doors", "", "One customer, four doors."),
    ("Two departments at once", "", "One customer, one owner."),
    ("Somebody resigns", "Hand everything over", "0 left"),
    ("A broken row", "Repair it", "✓ Repaired, it gets an owner"),
)
"""What is pressed for each, and the words at its end."""
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许"
_LIST = "客户名称,联系人,手机,业务员,需求说明\n" + "".join(
    f"{place}仓储有限公司,{place[0]}经理,{phone},,年底前要两台叉车\n"
    for place, phone in (("苏州金桥", "13900001111"), ("无锡汇通", "1.39E+10"), ("昆山永发", "13900003333"))
)


@contextmanager
def demo(folder: Path) -> Iterator[Live]:
    """The demo company with twenty enquiries, at this machine."""
    calls = folder / "switchboard" / "Master.csv"
    calls.parent.mkdir(parents=True)
    calls.touch()
    with live_server(folder / "data", with_calls(demo_company(), calls), free_port(), calls=calls) as live:
        for number, surname in enumerate(_SURNAMES):
            text = f"name={surname}先生&phone=154{number:08}&region=北京&message=要一台叉车"
            asked = {"source": "site", "name": "form", "body": base64.b64encode(text.encode()).decode()}
            do_ingest(live.engine, {**asked, "actor": "operator"})
        live.wait_for("decision", lambda _row: len(live.rows("decision")) == len(_SURNAMES))
        give(live)
        yield live


def give(live: Live) -> None:
    """Give the customers to two people, whatever the hour: at night all would wait in a queue."""
    gives = [
        {
            "customer_id": row["customer_id"],
            "kind": "person",
            "holder_id": HAS_MOST if number % 3 else HAS_SOME,
            "team_id": None,
            "rule_id": None,
            "conditions": [],
        }
        for number, row in enumerate(live.rows("customer"))
    ]
    do_move(
        live.engine, {"id": "", "gives": gives, "actor": "operator", "reason": "晨会分配", "key": "morning"}
    )


def acts(browser: Browser, live: Live, folder: Path) -> Iterator[tuple[str, str]]:
    """Do everything, and yield (name, path) of each page that came of it."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(_WAIT_MS)
    for act in (_stories, _moved, _handed_over, _listed, _sheets, _ruled):
        for name in act(page, live, folder):
            yield name, page.url.removeprefix(live.url)
    context.close()


def _stories(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    told = page.locator("#told")
    for number, (title, press, end) in enumerate(_STORIES, 1):
        page.goto(live.url)
        page.get_by_role("button", name=title).click()
        if press:
            page.get_by_role("button", name=press).click()
        expect(told).to_contain_text(end, timeout=_WAIT_MS)
        yield f"act-story-{number}"
        if title == "Somebody resigns":
            page.get_by_role("button", name="Undo it").click()
            told.get_by_text("is back with all customers").wait_for()


def _moved(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    page.goto(f"{live.url}/move?holder={HAS_MOST}")
    page.locator("main input[name^='c:']").first.check()
    page.get_by_label("To whom").select_option(HAS_SOME)
    page.get_by_label("Reason").fill("他在展会上认识的客户")
    page.get_by_role("button", name="Look at what would happen").click()
    page.get_by_role("button", name=re.compile("^Move 1")).click()
    page.get_by_text("1 moved").wait_for()
    yield "act-moved"


def _handed_over(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    page.goto(f"{live.url}/handover")
    page.get_by_label("Whose customers").select_option(HAS_MOST)
    page.get_by_label("they leave: everything").check()
    page.get_by_label("All else goes to").select_option(HAS_SOME)
    page.get_by_label("Reason").fill("月底离职")
    page.get_by_role("button", name="Look at what would happen").click()
    page.get_by_role("button", name=re.compile("^Hand over ")).wait_for()
    yield "act-plan"
    page.get_by_role("button", name=re.compile("^Hand over ")).click()
    page.get_by_role("button", name="Certificate").wait_for()
    yield "act-handed-over"
    page.get_by_role("button", name="Certificate").click()
    page.get_by_role("heading", name=re.compile("Certificate")).wait_for()
    yield "act-certificate"


def _listed(page: Page, live: Live, folder: Path) -> Iterator[str]:
    file = folder / "去年的客户.csv"
    file.write_text(_LIST, "utf-8-sig")
    page.goto(f"{live.url}/import")
    page.get_by_label("File").set_input_files(file)
    page.get_by_role("button", name="Preview").click()
    page.get_by_role("heading", name="What will happen").wait_for()
    yield "act-list"
    # The same page is another once it has run; whoever takes the pictures looks at each when it is yielded.
    page.get_by_role("button", name="Run it").click()
    page.locator("#progress strong").get_by_text("Done").wait_for()
    yield "act-list-done"


def _sheets(page: Page, live: Live, folder: Path) -> Iterator[str]:
    """A workbook of two sheets whose columns nobody knows yet, looked at, and thrown away."""
    file = folder / "展会.xlsx"
    with Workbook(file) as book:
        book.add_worksheet("说明").write_row(0, 0, ["2026 亚洲物流展，观众登记"])
        sheet = book.add_worksheet("观众")
        sheet.write_row(0, 0, ["单位", "联系人", "联系方式", "想看什么"])
        for number in range(1, 30):
            sheet.write_row(
                number, 0, [f"第{number}物流有限公司", "王经理", f"1390000{number:04}", "电动叉车"]
            )
    page.goto(f"{live.url}/import")
    page.get_by_label("File").set_input_files(file)
    page.get_by_label("new leads").check()
    page.get_by_role("button", name="Preview").click()
    page.get_by_label("Sheet").wait_for()
    yield "act-list-sheets"
    page.get_by_role("button", name="Discard it").click()
    page.wait_for_load_state()
    yield "act-list-away"


def _ruled(page: Page, live: Live, _folder: Path) -> Iterator[str]:
    page.goto(f"{live.url}/rules")
    page.get_by_label("minutes to answer").first.fill("45")
    page.get_by_label("minutes to answer").first.blur()
    page.locator("#state").get_by_text(re.compile("Not published")).wait_for()
    yield "act-rules-draft"
    page.get_by_role("button", name="Simulate").click()
    page.wait_for_url("**/rules/simulate*")
    yield "act-rules-simulate"
    page.goto(f"{live.url}/rules")
    page.get_by_label("What is changed, and why").fill("英文询价放宽到 45 分钟")
    page.get_by_role("button", name="Publish").click()
    page.get_by_text("Published: version 2 is in force.").wait_for()
    page.goto(f"{live.url}/rules/history")
    page.get_by_role("link", name="What changed").first.click()
    page.wait_for_load_state()
    yield "act-rules-history"
