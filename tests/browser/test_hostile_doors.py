"""Markup in every field of every door, then every page that shows it: nothing runs, nothing becomes part of a page, all stays readable."""

from __future__ import annotations

import csv
import io
import smtplib
import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

import orjson
import pytest
from playwright.sync_api import Browser, Page, expect

from schemas.company import Campaign, Person
from tests.browser.live import Live, live_server
from tests.browser.test_access import link_for
from tests.browser.test_pages import send, tab
from tests.support.rig import small_company
from tools.servers import free_port

BECAME = "img, main script, [onerror]"
"""What stands on none of the pages looked at unless something received became part of one."""
SHOWN = (
    "campaign-zh",
    "campaign-en",
    "form-name",
    "form-company",
    "form-message",
    "form-product",
    "form-campaign",
    "form-label",
    "form-other",
    "broken-label",
    "broken-value",
    "hook-id",
    "hook-name",
    "hook-company",
    "hook-message",
    "hook-other",
    "hook-campaign",
    "visit-name",
    "visit-company",
    "visit-product",
    "visit-note",
    "visit-heard",
    "mail-from",
    "mail-subject",
    "mail-body",
    "mail-html",
    "mail-file",
    "call-name",
    "call-agent",
    "call-data",
    "call-field",
    "list-company",
    "list-name",
    "list-owner",
    "list-message",
    "list-column",
    "order-no",
    "order-company",
    "order-name",
    "order-date",
    "order-source",
    "spend-note",
)
"""Where markup comes in, and is read on some page as it came."""
FILE = "list-file<img src=x onerror=pwned=1>.csv"
"""A browser sends a quotation mark in a name as %22."""
MAIL = "sales@haichuan.example"


def bad(told: str) -> str:
    """Return a text that names where it came in, and would run if any page took it for markup."""
    assert told in SHOWN
    return f'{told}"><img src=x onerror=pwned=1>'


def sources(calls: Path) -> dict[str, dict[str, Any]]:
    made = (
        {"source_id": "hook", "channel": "web", "format": "web.mapped", "name": "飞鱼", "proof": "none", "key": "id",
         "fields": {"full_name": "who", "phone": "tel", "company": "firm", "message": "says"}, "others": {"预算": "budget"},
         "hints": {"utm": "plan"}},
        {"source_id": "mail", "channel": "email", "format": "email.message", "name": "邮箱", "addresses": [MAIL]},
        {"source_id": "pbx", "channel": "cti", "format": "cti.asterisk", "name": "总机", "files": [str(calls)],
         "own_numbers": ["02155550101"], "trunks": ["ct-trunk"], "settle_s": 0.2, "caller_names": True},
        {"source_id": "hall", "channel": "counter", "format": "counter.visit", "name": "展厅"},
        {"source_id": "lists", "channel": "list", "format": "list.row", "name": "名单"},
    )  # fmt: skip
    return {str(one["source_id"]): {"language": "zh", **one} for one in made}


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    """Ann gets everything; one campaign is called by markup."""
    calls, port = tmp_path / "Master.csv", free_port()
    calls.touch()
    company = small_company(absences=())
    company.units["east"] = company.units["east"].model_copy(
        update={"calendar_id": None, "manager_id": "mia"}
    )
    company.people["mia"] = Person(person_id="mia", name="米")
    company = company.model_copy(
        update={
            "sources": {**company.sources, **sources(calls)},
            "members": tuple(
                one.model_copy(update={"share": int(one.person_id == "ann")}) for one in company.members
            ),
            "campaigns": {
                "fair": Campaign(campaign_id="fair", name_zh=bad("campaign-zh"), name_en=bad("campaign-en"))
            },
        }
    )
    with live_server(tmp_path / "data", company, port) as running:
        sent_to_every_door(running, calls, port)
        yield running


def sent_to_every_door(live: Live, calls: Path, smtp_port: int) -> None:
    """A form, a webhook, a mail, a call that nobody answered, a visit: each as its sender sends it."""
    send(live, name=bad("form-name"), company=bad("form-company"), phone="13812345671", message=bad("form-message"),
         product=bad("form-product"), utm_campaign=bad("form-campaign"), **{bad("form-label"): bad("form-other")})  # fmt: skip
    send(live, **{bad("broken-label"): bad("broken-value")})
    hook = {"id": bad("hook-id"), "who": bad("hook-name"), "tel": "13812345672", "firm": bad("hook-company"),
            "says": bad("hook-message"), "budget": bad("hook-other"), "plan": bad("hook-campaign")}  # fmt: skip
    visit = {"visit_no": "visit-0001", "name": bad("visit-name"), "phone": "13812345673", "company": bad("visit-company"),
             "product": bad("visit-product"), "note": bad("visit-note"), "heard_of_us": bad("visit-heard")}  # fmt: skip
    for path, body in (("web/hook", hook), ("counter/hall", visit)):
        headers = {"content-type": "application/json"}
        urlopen(Request(f"{live.url}/in/{path}", orjson.dumps(body), headers)).read()
    mail = EmailMessage(policy=SMTP)
    mail["From"] = f'"{bad("mail-from").replace(chr(34), chr(92) + chr(34))}" <a.b@daheng.example>'
    mail["To"], mail["Subject"], mail["Message-ID"] = MAIL, bad("mail-subject"), "<1@daheng.example>"
    mail.set_content(f"{bad('mail-body')}\n电话：13812345674\n")
    mail.add_alternative(f"<p>{bad('mail-html')}</p><script>pwned=1</script>", subtype="html")
    mail.add_attachment(b"x", "text", "plain", filename=bad("mail-file"))
    with smtplib.SMTP("127.0.0.1", smtp_port, timeout=10) as door:
        door.sendmail("a.b@daheng.example", [MAIL], mail.as_bytes())
    begin = datetime.fromtimestamp(time.time(), ZoneInfo("Asia/Shanghai")) - timedelta(seconds=60)
    end, out = begin + timedelta(seconds=20), io.StringIO()
    csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerow(
        ["", "13812345675", "02155550101", "from-trunk", f'"{bad("call-name")}" <13812345675>', "PJSIP/ct-trunk-00000001",
         f"PJSIP/{bad('call-agent')}-00000002", "Dial", bad("call-data"), f"{begin:%Y-%m-%d %H:%M:%S}", "",
         f"{end:%Y-%m-%d %H:%M:%S}", 20, 0, "NO ANSWER", "DOCUMENTATION", f"{int(begin.timestamp())}.1", bad("call-field")]
    )  # fmt: skip
    with calls.open("a") as file:
        file.write(out.getvalue())
    for number in range(1, 6):
        live.wait_for("lead_identifier", lambda row, n=number: str(row["value"]).endswith(f"1381234567{n}"))  # type: ignore[misc]
    live.wait_for("task", lambda _row: len(live.rows("task")) >= 5)
    live.wait_for("dead", lambda _row: True)


def bring(page: Page, live: Live, folder: Path) -> tuple[str, str]:
    """Bring a list, an order, spend and a correction by the pages, as marketing and operations do; return the list's address, and what was read meanwhile."""
    file = folder / FILE
    cells = (bad("list-company"), bad("list-name"), "13812345676", bad("list-owner"), bad("list-message"))
    out = io.StringIO()
    csv.writer(out).writerows(
        [["客户名称", "联系人", "手机", "业务员", bad("list-column")], cells, [*cells[:2], "1.39E+10"]]
    )
    file.write_text(out.getvalue(), "utf-8-sig")
    page.goto(f"{live.url}/import")
    page.locator("[name=file]").set_input_files(file)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible()
    seen = held(page)
    page.get_by_role("button", name="Run it").click()
    expect(page.locator("#progress strong")).to_have_text("Done")
    address = page.url
    orders = folder / "orders.csv"
    buyer = ["A1" + bad("order-no"), "2026-11-03", "86000", bad("order-company"), bad("order-name")]
    out = io.StringIO()
    csv.writer(out).writerows(
        [["订单号", "日期", "金额", "公司名称", "姓名"], buyer, ["A2", bad("order-date"), "1", "", ""]]
    )
    orders.write_text(out.getvalue(), "utf-8-sig")
    page.goto(f"{live.url}/campaigns")
    form = page.locator("form[action='/campaigns/file']")
    form.locator("[value=orders]").check()
    form.locator("[name=file]").set_input_files(orders)
    form.locator("[name=source]").fill(bad("order-source"))
    form.locator("[name=actor]").select_option("ann")
    form.get_by_role("button", name="Upload").click()
    expect(page.locator("#took ~ .wide tbody tr")).to_have_count(1)
    seen += held(page)
    form = page.locator("form[action='/campaigns/spend']")
    form.locator("[name=campaign]").select_option("fair")
    form.locator("[name=actor]").select_option("ann")
    for name in ("from", "to"):
        form.locator(f"[name={name}]").fill(datetime.now(ZoneInfo("Asia/Shanghai")).date().isoformat())
    form.locator("[name=amount]").fill("1200")
    form.locator("[name=note]").fill(bad("spend-note"))
    form.get_by_role("button", name="Enter").click()
    expect(page.get_by_role("status").first).to_be_visible()
    return address, seen


def held(page: Page) -> str:
    """Return what is read on a page, with everything on it opened, after looking that nothing of it ran or became part of it."""
    page.locator("details:not([open])").evaluate_all("all => all.forEach((one) => { one.open = true })")
    assert page.evaluate("window.pwned") is None, page.url
    assert page.locator(BECAME).count() == 0, page.url
    fields = page.locator("main input:visible, main textarea:visible").evaluate_all(
        "all => all.map((one) => one.value).join(' ')"
    )
    return f"{page.inner_text('body')} {fields}"


@pytest.mark.timeout(180)
def test_what_came_by_any_door_is_shown_as_it_came_and_never_runs(
    browser: Browser, live: Live, tmp_path: Path
) -> None:
    with tab(browser, "en-GB") as page:
        brought, seen = bring(page, live, tmp_path)
        live.wait_for("lead", lambda _row: len(live.rows("lead")) >= 6)
        dead = live.rows("dead")[0]["dead_id"]
        leads = live.rows("lead")
        paths = [
            "/", "/inbox", "/inbox/ann", "/calls", "/team", "/team/open", "/move", "/campaigns", "/needs-repair",
            f"/needs-repair/{dead}", "/customers", "/neglected", "/collisions", "/matches", "/audit", "/doors",
            *(f"/doors/{one}" for one in ("site", "hook", "mail", "pbx", "hall", "lists")), "/forms",
            *(f"/story/{one['lead_id']}" for one in leads), *(f"/original/{one['capture_id']}" for one in leads),
            *(f"/customer/{one['customer_id']}" for one in live.rows("customer")),
            *(f"/pop?phone=1381234567{n}" for n in range(1, 7)),
        ]  # fmt: skip
        for path in (brought.removeprefix(live.url), *paths):
            page.goto(live.url + path)
            seen += held(page)
        page.goto(f"{live.url}/desk")
        page.locator("[name=asked]").fill("5673")
        page.keyboard.press("Enter")
        expect(page.locator("#found")).to_contain_text("visit-name")
        seen += held(page)
    with tab(browser, "zh-CN") as page:
        page.goto(link_for(live, "ann", "representative"))
        page.get_by_role("button").first.click()
        seen += held(page)
        for path in ("/move", "/campaigns"):
            page.goto(live.url + path)
            seen += held(page)
    read = seen.replace('""', '"')  # a row of a file is shown with its quotes doubled
    assert [one for one in SHOWN if bad(one) not in read] == []
    assert FILE in read
