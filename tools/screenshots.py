"""Take a screenshot of every page, on a phone and a desktop, in Chinese and English.

    python -m tools.screenshots FOLDER    every page, to be looked at
    python -m tools.screenshots           first page and inbox only, into docs/screenshots

Runs a Leadflow of its own in a temporary folder, with an invented company, and feeds it through its doors'
log. Needs a Chromium and a Chinese font (Debian: chromium, fonts-wqy-microhei).
"""

from __future__ import annotations

import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen
from zoneinfo import ZoneInfo

from playwright.sync_api import Browser, Page, expect
from sqlalchemy import update

from leadflow.operate import do_away, do_grant
from leadflow.operate_marketing import do_take_orders, do_take_spend
from leadflow.operate_pools import do_release
from schemas.capture import Capture, capture_of
from schemas.company import Campaign, Company, Member, Person, Unit, book_version
from schemas.pools import Pool
from store import tables
from tests.browser.live import Live, chromium, find_chromium, live_server, unanswered
from tools.screenshot_acts import acts, demo

SIZES = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1280, "height": 700}}
LANGUAGES = {"zh": "zh-CN", "en": "en-GB"}
KEPT = ("first", "inbox")
"""Pages whose pictures are part of the repository."""
MAX_BYTES = 150_000
SMTP_PORT = 12525
"""Shown on the first page."""
_MINUTE_US = 60_000_000
_DAY_US = 86_400_000_000

BOOK = (
    "rule,channel,language,then_team,then_respond_within\n"
    "英文线索,web,en,overseas,15\n"
    "官网华东,web,zh,east,30\n"
    "来电优先,cti,,east,10\n"
    "邮件夜班,email,,night,60\n"
)


def company(now_us: int) -> Company:
    """海川搬运设备 with three teams; the night team begins some hours after now, whenever that is."""
    people = {
        "zhou": ("周敏", "Zhou Min"),
        "wang": ("王磊", "Wang Lei"),
        "lin": ("林晓", "Lin Xiao"),
        "xu": ("徐佳", "Xu Jia"),
        "he": ("何川", "He Chuan"),
    }
    teams = {"east": ("华东", "East"), "overseas": ("海外", "Overseas"), "night": ("夜班", "Night shift")}
    units = {
        key: Unit(unit_id=key, parent_id="company", kind="team", name_zh=zh, name_en=en)
        for key, (zh, en) in teams.items()
    }
    units["company"] = Unit(unit_id="company", kind="company", name_zh="海川", name_en="Haichuan")
    units["default"] = Unit(
        unit_id="default", parent_id="company", kind="team", name_zh="默认", name_en="Default"
    )
    hour = (time.gmtime(now_us // 1_000_000).tm_hour + 3) % 23
    week = {
        day: [f"{hour:02d}:00-{hour + 1:02d}:00"] for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    }
    units["night"] = units["night"].model_copy(update={"calendar_id": "later"})
    sources = (
        {"source_id": "site", "channel": "web", "format": "web.form", "name": "官网", "consent_version": "2026-01"},
        {"source_id": "mail", "channel": "email", "format": "email.message", "name": "销售邮箱", "addresses": ["sales@haichuan.example"]},
        {"source_id": "pbx", "channel": "cti", "format": "cti.asterisk", "name": "总机", "files": ["/srv/haichuan/Master.csv"], "own_numbers": ["02155550101"]},
        {"source_id": "desk", "channel": "counter", "format": "counter.visit", "name": "展厅"},
    )  # fmt: skip
    return Company(
        version=0,
        name="海川搬运设备",
        units=units,
        people={key: Person(person_id=key, name=zh, name_en=en) for key, (zh, en) in people.items()},
        members=(
            Member(unit_id="east", person_id="zhou", from_us=0, share=2),
            Member(unit_id="east", person_id="wang", from_us=0, share=1),
            Member(unit_id="overseas", person_id="lin", from_us=0, share=1),
            Member(unit_id="overseas", person_id="xu", from_us=0, share=0),
            Member(unit_id="night", person_id="he", from_us=0, share=1),
        ),
        pools={
            "sea": Pool(pool_id="sea", name_zh="华东公海", name_en="East pool", day_limit=3, reclaim="no")
        },
        campaigns={
            "baidu": Campaign(campaign_id="baidu", name_zh="百度关键词", name_en="Baidu keywords"),
            "fair": Campaign(campaign_id="fair", name_zh="亚洲物流展", name_en="CeMAT Asia"),
        },
        calendars={"later": {"zone": "UTC", "country": None, "week": week}},
        sources={str(one["source_id"]): {**one, "purpose": "demo"} for one in sources},
        book_csv=BOOK,
        book_version=book_version(BOOK),
    )


ENQUIRIES = (
    {"name": "张伟", "company": "上海大恒信息技术有限公司", "phone": "138 1234 5678", "message": "要两台 2 吨电动叉车，下周能看车吗？"},
    {"name": "李娜", "phone": "139-1234-5678", "email": "li.na@huayi.example", "message": "手动搬运车多少钱", "utm_campaign": "xhs-2026"},
    {"name": "Maria Keller", "company": "Keller Logistik GmbH", "email": "m.keller@keller.example", "phone": "+49 30 1234567", "message": "We need three pallet trucks for our warehouse in Hamburg.\nPlease quote CIF.", "lang": "en"},
    {"name": "王芳", "company": "苏州精密制造有限公司", "phone": "0512-66778899转801", "message": "求报价：\n1. 电动堆高车 3 台\n2. 高空作业平台 1 台\n交期要求年底前。"},
    {"name": "<script>alert('x')</script>", "company": "<b>Bobby Tables</b>", "phone": "13700001234", "message": "<img src=x onerror=alert(1)>"},
    {"name": "陈静", "phone": "13600002345", "message": "叉车租赁"},
    {"name": "James O’Neil", "company": "Northern Freight", "email": "james@northern.example", "message": "Do you ship spare parts to Ireland?", "lang": "en"},
    {"name": "赵强", "phone": "15800003456", "message": "之前买的堆高车要加一台"},
    {"phone": "13800138000", "message": "联系我"},
    {"name": "张伟", "phone": "13812345678", "message": "再问一下，有现货吗？"},
)  # fmt: skip

MAIL = (
    "From: =?utf-8?b?5YiY5rSL?= <liu.yang@xinda.example>\r\nTo: sales@haichuan.example\r\nSubject: =?utf-8?b?"
    "6K+i5Lu377yaNeWQqOWPiei9pg==?=\r\nMessage-ID: <1@xinda.example>\r\nMIME-Version: 1.0\r\n"
    "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    "您好，\r\n想了解 5 吨叉车的价格和交期。\r\n\r\n刘洋\r\n信达物流\r\n13500004567\r\n"
)


def captures(now_us: int, hostile: bool) -> Iterator[Capture]:
    """What comes in: forms in two languages, one of them hostile, a mail, forms that nobody can read, a robot."""
    numbers = itertools.count(1)

    def one(source_id: str, channel: str, form: str, body: bytes, content_type: str = "") -> Capture:
        number = next(numbers)
        return capture_of(
            source_id=source_id,
            channel=channel,  # type: ignore[arg-type]
            format=form,
            body=body,
            accepted_us=now_us - (30 - number) * 20_000_000,
            trace_id=f"{number:032x}",
            made_key=str(number),
            purpose="demo",
            meta={"content_type": content_type} if content_type else {},
        )

    urlencoded = "application/x-www-form-urlencoded"
    for fields in ENQUIRIES:
        if "<" in fields.get("name", "") and not hostile:
            continue
        yield one("site", "web", "web.form", urlencode({"consent": "yes", **fields}).encode(), urlencoded)
    yield one("mail", "email", "email.message", MAIL.encode())
    yield one("site", "web", "web.form", urlencode({"xingming": "孙丽", "dianhua": "1"}).encode(), urlencoded)
    yield one("site", "web", "web.form", b'{"name": "broken', "application/json")
    yield one("site", "web", "web.form", urlencode({"name": "x", "website_hp": "y"}).encode(), urlencoded)


def pages(live: Live) -> Iterator[tuple[str, str]]:
    """Yield (name, path) of every page."""
    leads = {row["fields_json"]: row["lead_id"] for row in live.rows("lead")}
    first = next(lead_id for fields, lead_id in leads.items() if "大恒" in fields)
    capture = next(row["capture_id"] for row in live.rows("lead") if row["lead_id"] == first)
    dead = live.rows("dead")[0]["dead_id"]
    yield "first", "/"
    yield "inboxes", "/inbox"
    yield "inbox", "/inbox/zhou"
    yield "queue", "/inbox/night"
    yield "story", f"/story/{first}"
    yield "story-dead", f"/story/{dead}"
    yield "needs-repair", "/needs-repair"
    yield "neglected", "/neglected"
    yield "team", "/team"
    yield "team-calendar", "/team/calendar"
    yield "team-open", "/team/open"
    yield "move", "/move"
    yield "handover", "/handover"
    yield "why-not", f"/why-not?lead={first}"
    yield "pools", "/pools?by=wang"
    yield "campaigns", "/campaigns"
    yield "forms", "/forms"
    customer = live.rows("customer")[0]["customer_id"]
    yield "customers", "/customers"
    yield "timeline", f"/customer/{customer}"
    yield "original", f"/original/{capture}"
    yield "collisions", "/collisions"
    yield "taken", "/taken"
    yield "desk", "/desk"
    yield "pop", "/pop?phone=13812345678"
    yield "pop-closed", "/pop?phone=15800003456"
    yield "matches", "/matches"
    yield "parting", f"/parting/{customer}"
    yield "calls", "/calls"
    yield "ask", "/ask"
    yield "away", "/away"
    yield "import", "/import"
    yield "doors", "/doors"
    yield "door", "/doors/site"
    yield "repair", f"/needs-repair/{dead}"
    yield "rules", "/rules"
    yield "alarms", "/alarms"
    yield "backups", "/backups"
    yield "audit", "/audit"
    yield "people", "/access"
    yield "unknown", "/story/nothing"
    yield "form", "/f/site"
    yield "snippet", "/f/site/html"
    yield "thanks", "/thanks/site"


def prepare(live: Live, hostile: bool) -> None:
    """Feed everything, let it settle, and make the first task overdue."""
    now_us = time.time_ns() // 1_000
    all_of_it = list(captures(now_us, hostile))
    for capture in all_of_it:
        live.engine.door.append([capture]).result(10)
    live.wait_for("capture", lambda row: row["capture_id"] == all_of_it[-1].capture_id)
    deadline = time.monotonic() + 10
    while any(host.backlog() for host in live.engine.hosts):
        if time.monotonic() > deadline:
            raise SystemExit("the stages did not catch up")
        time.sleep(0.05)
    end_two(live)
    release_two(live)
    spend(live)
    leaves(live, now_us)
    task = tables.task
    with live.engine.files.store.write() as connection:
        first = task_of(live, "大恒")["task_id"]
        connection.execute(
            update(task).where(task.c.task_id == first).values(due_us=now_us - 12 * _MINUTE_US)
        )


def release_two(live: Live) -> None:
    """Have whoever got these two put them into the pool."""
    for told in ("李娜", "13800138000"):
        task = task_of(live, told)
        asked = {"id": task["customer_id"], "actor": task["holder_id"], "reason": "不在我的片区", "key": told}
        do_release(live.engine, asked)


def task_of(live: Live, told: str) -> dict[str, Any]:
    """Return the first task of the lead that tells this of itself."""
    lead = next(row["lead_id"] for row in live.rows("lead") if told in row["fields_json"])
    return next(row for row in live.rows("task") if row["lead_id"] == lead)


def end_two(live: Live) -> None:
    """Have one customer want nothing any more, and one be put aside."""
    said = {
        "赵强": {"code": "no_need", "reason": "price", "note": "价格高出预算一倍"},
        "陈静": {"code": "nurture", "reason": "next_budget", "note": "明年一月再谈"},
    }
    for name, outcome in said.items():
        task = task_of(live, name)
        entered = {"actor": task["holder_id"], "key": name, **outcome}
        path = f"{live.url}/inbox/{task['holder_id']}/{task['task_id']}/outcome"
        with urlopen(Request(path, urlencode(entered).encode(), {"Origin": live.url})):  # noqa: S310  # our own
            pass


def today() -> date:
    """Return the company's day."""
    return datetime.now(ZoneInfo("Asia/Shanghai")).date()


def leaves(live: Live, now_us: int) -> None:
    """Have Wang Lei be away, Zhou Min stand in for him, and go on leave herself in a week."""
    for person, stand_in, begin, days in (("wang", "zhou", 0, 3), ("zhou", "lin", 7, 2)):
        span = {"from_us": now_us + begin * _DAY_US, "to_us": now_us + (begin + days) * _DAY_US}
        asked = {"id": person, "actor": person, "reason": "年假", "key": f"leave {person}", **span}
        do_away(live.engine, {**asked, "stand_in": stand_in})


def spend(live: Live) -> None:
    """Have the campaigns cost something, and an order come that fits nobody."""
    day = today()
    days = {"from_day": day.replace(day=1).isoformat(), "to_day": day.isoformat(), "currency": "CNY"}
    for campaign_id, minor in (("baidu", 480_000), ("fair", 6_800_000)):
        entry = {**days, "campaign_id": campaign_id, "amount_minor": minor}
        do_take_spend(
            live.engine, {"id": campaign_id, "actor": "zhou", "entries": [entry], "key": campaign_id}
        )
    order = {"order_no": "HC-2026-118", "ordered_us": time.time_ns() // 1_000, "amount_minor": 9_600_000}
    buyer = {"company": "华东仓储有限公司", "phone": "13955556666"}
    orders = [{**order, "currency": "CNY", "buyer": buyer}]
    do_take_orders(live.engine, {"source": "erp", "actor": "zhou", "orders": orders, "key": "orders"})


def _taken(tab: Page, folder: Path, suffix: str, name: str, *, whole: bool = True) -> Path:
    file = folder / f"{name}-{suffix}.png"
    tab.screenshot(path=file, full_page=whole)
    return file


def shoot(browser: Browser, live: Live, folder: Path, names: tuple[str, ...] | None) -> Iterator[Path]:
    """Yield the file of each screenshot taken; `names` are the pages, None for all of them."""
    for (size, viewport), (language, locale) in itertools.product(SIZES.items(), LANGUAGES.items()):
        context = browser.new_context(viewport=viewport, locale=locale, device_scale_factor=1)  # type: ignore[arg-type]
        tab = context.new_page()
        taken = partial(_taken, tab, folder, f"{size}-{language}")
        for name, path in pages(live):
            if names is not None and name not in names:
                continue
            tab.goto(live.url + path)
            # What is dear is counted beside the page, which then asks for it once more.
            expect(tab.locator("[hx-trigger^='load delay']")).to_have_count(0)
            yield taken(name, whole=names is None)
        if names is None:
            for acted in (_worked, _sent_twice, _from_elsewhere):
                yield from acted(tab, live, taken)
        context.close()


def _worked(tab: Page, live: Live, taken: Callable[..., Path]) -> Iterator[Path]:
    """Pages that come after doing something: a wrong form, an open outcome."""
    tab.goto(live.url + "/f/site")
    tab.fill("[name=name]", "张伟")
    tab.fill("[name=phone]", "1381234567")
    tab.click("button[type=submit]")
    yield taken("form-wrong")
    tab.goto(live.url + "/inbox/zhou")
    tab.locator("main details summary").first.click()
    yield taken("inbox-outcome", whole=False)
    asked = (
        ("/desk", "5678", "text=张伟", "desk-found"),
        ("/desk", "2345", "text=陈静", "desk-aside"),
        ("/taken", "13600002345", "main section[role=status]", "taken-aside"),
    )
    for path, about, answer, name in asked:
        tab.goto(live.url + path)
        tab.fill("[name=asked]", about)
        tab.keyboard.press("Enter")
        tab.locator(answer).first.wait_for()
        yield taken(name)
    tab.goto(live.url + "/counter/desk")
    yield taken("counter")
    tab.fill("[name=name]", "张伟")
    tab.fill("[name=phone]", "138 1234 5678")
    tab.click("button[type=submit]")
    tab.get_by_text(re.compile("周敏|Zhou Min|王磊|Wang Lei")).first.wait_for()
    yield taken("counter-answer")


def _sent_twice(tab: Page, live: Live, taken: Callable[..., Path]) -> Iterator[Path]:
    """Forms whose answer did not come, sent again with something else; and what is typed on a page that was left."""

    tab.goto(live.url + "/inbox/lin")
    tab.route("**/outcome", unanswered, times=1)
    with tab.expect_event("requestfailed", lambda one: one.method == "POST"):
        tab.locator("button[value=no_answer]").first.click()
    tab.locator("button[value=interested]").first.click()
    tab.get_by_role("alert").wait_for()
    yield taken("second")
    tab.goto(live.url + "/campaigns")
    form = tab.locator("form[action='/campaigns/spend']")
    form.locator("[name=actor]").select_option("zhou")
    form.locator("[name=campaign]").select_option("fair")
    for name in ("from", "to"):
        form.locator(f"[name={name}]").fill(today().isoformat())
    form.locator("[name=amount]").fill("1200")
    form.locator("[name=note]").fill("展台")
    tab.route("**/campaigns/spend", unanswered, times=1)
    with tab.expect_event("requestfailed", lambda one: one.method == "POST"):
        form.locator("button").click()
    form.locator("[name=amount]").fill("2100")
    form.locator("button").click()
    tab.get_by_role("alert").wait_for()
    yield taken("used")
    closed = next(row["customer_id"] for row in live.rows("outcome") if row["code"] == "no_need")
    tab.goto(f"{live.url}/customer/{closed}")
    tab.locator("main details summary").first.click()
    tab.locator("form[action$='/contact'] textarea").fill("她说下周二来看车")
    yield taken("contact")
    tab.reload()
    yield taken("typed-back")


def _from_elsewhere(tab: Page, live: Live, taken: Callable[..., Path]) -> Iterator[Path]:
    """What somebody sees who is not at this machine: out, the link, their own inbox, and what is not theirs."""
    asked = {"id": "zhou", "actor": "operator", "kind": "link", "hours": 1}
    link = f"{live.from_elsewhere}/enter/{do_grant(live.engine, asked)['secret']}"
    tab.goto(live.from_elsewhere + "/inbox/zhou")
    yield taken("access-out")
    tab.goto(link)
    yield taken("access-link")
    tab.click("button")
    yield taken("access-inbox")
    for name in ("day", "me"):
        tab.goto(f"{live.from_elsewhere}/{name}")
        yield taken(f"own-{name}")
    tab.goto(live.from_elsewhere + "/inbox/lin")
    yield taken("access-not-allowed")
    tab.goto(live.from_elsewhere + "/inbox/zhou")
    tab.click(".leave button")
    yield taken("access-left")
    tab.goto(link)
    yield taken("access-used")


def shoot_acts(browser: Browser, folder: Path) -> Iterator[Path]:
    """Yield the file of each screenshot of what comes of doing something."""
    with TemporaryDirectory() as data, demo(Path(data)) as live:
        tabs = {
            f"{size}-{language}": browser.new_context(viewport=viewport, locale=locale).new_page()  # type: ignore[arg-type]
            for (size, viewport), (language, locale) in itertools.product(SIZES.items(), LANGUAGES.items())
        }
        for name, path in acts(browser, live, Path(data)):
            for suffix, tab in tabs.items():
                tab.goto(live.url + path)
                yield _taken(tab, folder, suffix, name)
        for tab in tabs.values():
            tab.context.close()


def main() -> None:
    """Take them."""
    executable = find_chromium()
    if executable is None:
        raise SystemExit("There is no Chromium. Fix: apt-get install chromium fonts-wqy-microhei")
    every = len(sys.argv) > 1
    folder = Path(sys.argv[1]) if every else Path(__file__).parents[1] / "docs" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    with (
        TemporaryDirectory() as data,
        live_server(Path(data), company(time.time_ns() // 1_000), SMTP_PORT) as live,
        chromium(executable) as browser,
    ):
        prepare(live, hostile=every)
        for file in shoot(browser, live, folder, None if every else KEPT):
            size = file.stat().st_size
            print(f"{file}  {size / 1000:.0f} kB")
            if not every and size > MAX_BYTES:
                raise SystemExit(f"{file} is over {MAX_BYTES / 1000:.0f} kB: too much for the repository")
        for file in shoot_acts(browser, folder) if every else ():
            print(f"{file}  {file.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
