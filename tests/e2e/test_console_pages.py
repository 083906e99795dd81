"""The console's pages over a real store: what they show, in which language, and what they refuse."""

from __future__ import annotations

import html
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from console.app import console_routes
from schemas.company import Absence
from stream.breaker import Policy
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company
from tests.support.senders import bad, good, senders

NOW = MONDAY_10 + MINUTE


def client_of(rig: Rig, now_us: int = NOW) -> TestClient:
    ids = (f"{number:032x}" for number in itertools.count(1))
    routes = console_routes(rig.store, lambda: now_us, lambda: next(ids), rig.files.store_log.append)
    return TestClient(Starlette(routes=routes), follow_redirects=False)


def text_of(page: str) -> str:
    """Return what a reader sees in the main part of a page: no tags, one line."""
    page = page[page.find("<main") :]
    page = re.sub(r"<(script|style|title)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


@pytest.fixture
def worked(tmp_path: Path) -> Iterator[Rig]:
    """A rig with a rule on the channel, a lead that somebody has, and a dead letter."""
    rig = Rig(
        tmp_path,
        company=small_company(
            book_csv="rule,channel,then_team,then_respond_within\n网页归华东,web,east,30\n",
            book_version="b1",
        ),
    )
    rig.feed(
        [
            post(
                made="1",
                name="张伟",
                company="大恒",
                phone="138 1234 5678",
                email="zw@daheng.cn",
                message="要两台叉车",
            ),
            post(made="2", wer="13812345678").model_copy(update={"trace_id": "f" * 32}),
        ]
    )
    rig.run()
    yield rig
    rig.close()


def ids(rig: Rig) -> dict[str, str]:
    (lead,) = rig.rows("lead")
    (task,) = rig.rows("task")
    (dead,) = rig.rows("dead")
    return {
        "lead": lead["lead_id"],
        "capture": lead["capture_id"],
        "task": task["task_id"],
        "owner": task["holder_id"],
        "dead": dead["dead_id"],
        "bad_capture": dead["capture_id"],
    }


def test_the_first_page_shows_the_sum_and_who_has_whom_and_why(worked: Rig) -> None:
    owner = {"ann": "安", "bo": "薄"}[ids(worked)["owner"]]
    share = {"安": 1, "薄": 2}[owner]
    seen = text_of(client_of(worked).get("/?lang=zh").text)
    assert "2 收到 = 1 有负责人 + 0 待分配 + 0 不是线索 + 1 待修复" in seen
    assert "无主客户 0" in seen
    assert f"规则「网页归华东」命中：来源方式=网页；轮到{owner}（当月至今已得 1，份额 {share}）" in seen
    english = text_of(client_of(worked).get("/?lang=en").text)
    assert "2 received = 1 owned + 0 waiting + 0 not leads + 1 to repair" in english
    assert "Rule “网页归华东” matched: channel = Web; it was" in english


def test_the_feed_explains_a_wait_and_then_whose_turn_it_was(tmp_path: Path) -> None:
    away = tuple(Absence(person_id=one, from_us=0, to_us=MONDAY_10 + HOUR) for one in ("ann", "bo", "chen"))
    rig = Rig(tmp_path, company=small_company(absences=away))
    rig.feed([post(made="1", name="张伟", phone="13812345678")])
    rig.run()
    seen = text_of(client_of(rig).get("/?lang=zh").text)
    assert "「华东」现在没有人能接，先待分配（请假 3 人）" in seen
    assert "最久已等 1分钟" in seen
    rig.fire(MONDAY_10 + HOUR)
    seen = text_of(client_of(rig, MONDAY_10 + HOUR + SECOND).get("/?lang=zh").text)
    assert "从「华东」待分配取出；轮到" in seen
    assert "没有人在等" in seen
    rig.close()


def test_the_demo_says_so_on_every_page_and_only_the_demo(worked: Rig, tmp_path: Path) -> None:
    assert "DEMO" not in client_of(worked).get("/").text
    company = small_company()
    company.sources["site"]["purpose"] = "demo"
    (tmp_path / "demo").mkdir()
    rig = Rig(tmp_path / "demo", company=company)
    for path in ("/", "/inbox", "/inbox/ann", "/needs-repair", "/story/none"):
        assert "DEMO" in client_of(rig).get(path).text
    rig.close()


def test_an_inbox_is_sorted_by_urgency_and_marks_what_is_overdue(worked: Rig) -> None:
    worked.feed([post(made="3", name="李娜", phone="13912345678", at_us=MONDAY_10 + 20 * MINUTE)])
    worked.run()
    later = client_of(worked, MONDAY_10 + 45 * MINUTE)
    for person in ("ann", "bo"):
        page = later.get(f"/inbox/{person}?lang=zh").text
        positions = [page.find(name) for name in ("张伟", "李娜") if name in page]
        assert positions == sorted(positions)
    first = later.get(f"/inbox/{ids_of_first(worked)}?lang=zh").text
    assert "逾期 15分钟" in first
    assert "overdue by 15 mins" in later.get(f"/inbox/{ids_of_first(worked)}?lang=en").text


def test_what_a_customer_adds_makes_no_task_and_its_owner_is_told(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([post(key="k", name="张伟", phone="13812345678", message="要两台叉车")])
    rig.feed(
        [
            post(
                key="k",
                name="张伟",
                phone="13812345678",
                message="要两台叉车，带侧移器",
                at_us=MONDAY_10 + MINUTE,
            )
        ]
    )
    rig.run()
    (task,) = rig.rows("task")
    seen = text_of(client_of(rig, MONDAY_10 + HOUR).get(f"/inbox/{task['holder_id']}?lang=zh").text)
    assert "带侧移器" in seen.partition("客户动态")[2]
    other = "ann" if task["holder_id"] == "bo" else "bo"
    assert "客户动态" not in client_of(rig, MONDAY_10 + HOUR).get(f"/inbox/{other}?lang=zh").text
    after = client_of(rig, MONDAY_10 + 8 * DAY).get(f"/inbox/{task['holder_id']}?lang=zh").text
    assert "客户动态" not in after, "old news is in the story"
    rig.close()


def ids_of_first(rig: Rig) -> str:
    return str(min(rig.rows("task"), key=lambda row: row["due_us"])["holder_id"])


def test_an_inbox_lets_you_call_and_write(worked: Rig) -> None:
    page = client_of(worked).get(f"/inbox/{ids(worked)['owner']}").text
    assert 'href="tel:+8613812345678"' in page
    assert 'href="mailto:zw@daheng.cn"' in page
    assert "要两台叉车" in page


@pytest.mark.parametrize(
    "code", ["no_answer", "interested", "later", "no_need", "wrong_number", "not_a_lead", "won"]
)
def test_each_outcome_can_be_recorded_and_names_its_actor(worked: Rig, code: str) -> None:
    known = ids(worked)
    place = f"/inbox/{known['owner']}/{known['task']}/outcome"
    entered = {
        "actor": known["owner"],
        "key": "k",
        "code": code,
        "note": "下周再说",
        "next": "2026-11-30T09:00" if code == "later" else "",
        "reason": {"no_need": "price", "not_a_lead": "job"}.get(code, ""),
    }
    answer = client_of(worked).post(place, data=entered)
    assert (answer.status_code, answer.headers["location"]) == (303, f"/inbox/{known['owner']}?done=outcome")
    (outcome,) = worked.rows("outcome")
    assert (outcome["code"], outcome["person_id"], outcome["note"]) == (code, known["owner"], "下周再说")
    next_us = MONDAY_10 + 7 * DAY - HOUR if code == "later" else None
    assert outcome["next_us"] == next_us, "09:00 in the company's zone"
    again = client_of(worked).post(place, data=entered)
    assert again.status_code == 303
    assert len(worked.rows("outcome")) == 1, "the same form twice is one outcome"
    page = client_of(worked).get(f"/inbox/{known['owner']}").text
    assert known["task"] not in page
    assert ("张伟" in page) is (code in ("no_answer", "interested", "later")), "with its next step"


@pytest.mark.parametrize(
    ("entered", "said"),
    [
        ({"code": "later"}, "「以后再联系」需要填写下次联系时间"),
        ({"code": "later", "next": "2026-11-01T09:00"}, "日期已经过去"),
        ({"code": "later", "next": "tomorrow"}, "日期时间无法识别"),
        ({"code": "sold"}, "请选择跟进结果"),
        ({"code": "won", "actor": "nobody"}, "请选择您是谁"),
        ({"code": "won", "actor": ""}, "请选择您是谁"),
    ],
)
def test_a_mistake_is_told_and_what_was_entered_stays(
    worked: Rig, entered: dict[str, str], said: str
) -> None:
    known = ids(worked)
    values = {"actor": known["owner"], "key": "k", "note": "他说<b>下周</b>", **entered}
    answer = client_of(worked).post(f"/inbox/{known['owner']}/{known['task']}/outcome?lang=zh", data=values)
    assert answer.status_code == 409
    assert said in answer.text
    assert "他说&lt;b&gt;下周&lt;/b&gt;" in answer.text
    assert worked.rows("outcome") == []


def test_a_task_that_ended_meanwhile_is_told(worked: Rig) -> None:
    known = ids(worked)
    place = f"/inbox/{known['owner']}/{known['task']}/outcome?lang=en"
    client_of(worked).post(place, data={"actor": known["owner"], "key": "1", "code": "won"})
    answer = client_of(worked).post(place, data={"actor": known["owner"], "key": "2", "code": "won"})
    assert answer.status_code == 409
    assert "has ended already" in answer.text


def test_a_customer_is_returned_and_taken_on_the_pages(worked: Rig) -> None:
    known = ids(worked)
    client = client_of(worked)
    back = client.post(
        f"/inbox/{known['owner']}/{known['task']}/return",
        data={"actor": known["owner"], "key": "1", "reason": "今天满了"},
    )
    assert back.headers["location"] == f"/inbox/{known['owner']}?done=return"
    queue = client.get("/inbox/east?lang=zh").text
    assert "张伟" in queue
    assert "退回「华东」待分配" in queue
    taken = client.post(f"/inbox/east/{known['task']}/take", data={"actor": "chen", "key": "2"})
    assert taken.headers["location"] == "/inbox/east?done=take"
    assert "张伟" in client.get("/inbox/chen").text
    story = text_of(client.get(f"/story/{known['lead']}?lang=zh").text)
    assert "今天满了" in story
    assert story.index("轮流分配") < story.index("退回 →") < story.index("接单 →")


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "http://evil.example"},
        {"origin": "null"},
    ],
)
def test_no_other_site_can_act_for_somebody(worked: Rig, headers: dict[str, str]) -> None:
    known = ids(worked)
    client = client_of(worked)
    values = {"actor": known["owner"], "key": "1", "code": "won"}
    page = client.post(f"/inbox/{known['owner']}/{known['task']}/outcome", data=values, headers=headers)
    assert page.status_code == 403
    assert worked.rows("outcome") == []


def test_the_api_takes_and_returns(worked: Rig) -> None:
    known = ids(worked)
    client = client_of(worked)
    no_reason = client.post(f"/api/tasks/{known['task']}/return", json={"actor": known["owner"]})
    assert (no_reason.status_code, no_reason.json()["code"]) == (422, "reason_missing")
    back = client.post(f"/api/tasks/{known['task']}/return", json={"actor": known["owner"], "reason": "x"})
    taken = client.post(f"/api/tasks/{known['task']}/take", json={"actor": "bo"})
    late = client.post(f"/api/tasks/{known['task']}/take", json={"actor": "ann"})
    assert (back.status_code, taken.status_code, late.status_code) == (200, 200, 409)
    assert client.get("/api/inbox/bo").json()["tasks"][0]["reason"]["code"] == "claimed"


@pytest.mark.parametrize("which", ["lead", "capture", "task"])
def test_the_story_goes_from_the_bytes_to_the_outcome(worked: Rig, which: str) -> None:
    known = ids(worked)
    client = client_of(worked)
    values = {"actor": known["owner"], "key": "1", "code": "won", "note": "签了"}
    client.post(f"/inbox/{known['owner']}/{known['task']}/outcome", data=values)
    seen = text_of(client.get(f"/story/{known[which]}?lang=zh").text)
    order = [
        "收到", "captures/0/0", "解析", "138 1234 5678", "+8613812345678", "form:phone", "识别客户", "首次出现",
        "轮流分配", "网页归华东", "可接人员", "未选人员", "陈：请假", "待办", "跟进结果：成交", "签了",
    ]  # fmt: skip
    places = [seen.find(one) for one in order]
    assert -1 not in places, dict(zip(order, places, strict=True))
    assert places == sorted(places), dict(zip(order, places, strict=True))
    assert "2026-11-23 10:00:00.000+08:00" in seen


def test_the_story_says_why_one_was_due_before_the_other(worked: Rig) -> None:
    for number in range(5):
        worked.feed([post(made=f"x{number}", phone=f"1391234567{number}", at_us=MONDAY_10 + number * SECOND)])
    worked.run()
    last = max(worked.rows("decision"), key=lambda row: row["decided_us"])
    seen = text_of(client_of(worked).get(f"/story/{last['lead_id']}?lang=zh").text)
    numbers = r"([安薄]) 已得 (\d) → (\d)，应分 ([\d.]+) → ([\d.]+)，份额 (\d)( 得到)?"
    stood = {
        name: [float(one) for one in told] + [bool(got)] for name, *told, got in re.findall(numbers, seen)
    }
    grade = orjson.loads(last["reason_json"])["grade"]
    given = [row for row in worked.rows("ledger") if row["grade"] == grade]
    assert sum(before for before, *_ in stood.values()) == len(given) - 1 > 3
    assert sum(due for _, _, due, *_ in stood.values()) == pytest.approx(len(given) - 1, abs=0.02)
    waits = {name: (before + 1 - due) / share for name, (before, _, due, _, share, _) in stood.items()}
    (chosen,) = [name for name, numbers in stood.items() if numbers[-1]]
    assert waits[chosen] == pytest.approx(min(waits.values()), abs=0.02)
    assert stood[chosen][1] == stood[chosen][0] + 1


def test_a_dead_letter_says_what_to_do_in_the_page_s_language(worked: Rig) -> None:
    known = ids(worked)
    client = client_of(worked)
    chinese = text_of(client.get("/needs-repair?lang=zh").text)
    assert "没有一个字段名是该接入渠道认识的" in chinese
    assert "no_known_field" in chinese
    assert "官网" in chinese
    assert "Map the site's field names" in text_of(client.get("/needs-repair?lang=en").text)
    for any_id in (known["dead"], known["bad_capture"], "f" * 32):
        assert "no_known_field" in client.get(f"/story/{any_id}").text


def test_nothing_is_shown_of_what_is_not_there(worked: Rig) -> None:
    client = client_of(worked)
    for path in ("/story/lead_none", "/story/" + "0" * 31, "/inbox/nobody", "/story/%3Cscript%3E"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert "<script>" not in answer.text


def test_search_finds_a_story(worked: Rig) -> None:
    answer = client_of(worked).get("/story", params={"id": " lead_x/../y "})
    assert answer.headers["location"] == "/story/lead_x%2F..%2Fy"


@pytest.mark.parametrize(
    ("headers", "query", "language"),
    [
        ({"accept-language": "en-GB,en;q=0.9,zh;q=0.5"}, "", "en"),
        ({"accept-language": "fr, zh-TW;q=0.4, en;q=0.2"}, "", "zh-CN"),
        ({"accept-language": "en;q=0, zh"}, "", "zh-CN"),
        ({"accept-language": "en;q=broken"}, "", "zh-CN"),
        ({}, "", "zh-CN"),
        ({"accept-language": "zh", "cookie": "lang=en"}, "", "en"),
        ({"accept-language": "zh", "cookie": "lang=en"}, "?lang=zh", "zh-CN"),
        ({"cookie": "lang=xx"}, "?lang=../..", "zh-CN"),
    ],
)
def test_the_language_is_the_reader_s(
    worked: Rig, headers: dict[str, str], query: str, language: str
) -> None:
    page = client_of(worked).get(f"/{query}", headers=headers).text
    assert f'<html lang="{language}"' in page


def test_a_chosen_language_is_remembered(worked: Rig) -> None:
    client = client_of(worked)
    client.get("/?lang=en")
    assert "Overview" in client.get("/needs-repair", headers={"accept-language": "zh"}).text


HOSTILE = "<script>alert(1)</script>'\"><img src=x onerror=alert(2)>{{7*7}}"


def test_received_text_is_never_markup(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed(
        [
            post(
                made="1", name=HOSTILE, company=HOSTILE, phone="13812345678", email="a@b.cn",
                message=HOSTILE, product=HOSTILE, city=HOSTILE, **{HOSTILE: HOSTILE},  # type: ignore[arg-type]
            ),
            post(made="2", phone=HOSTILE, email=HOSTILE, at_us=MONDAY_10 + SECOND),
        ]
    )  # fmt: skip
    rig.run()
    client = client_of(rig)
    leads = [row["lead_id"] for row in rig.rows("lead")]
    assert len(leads) == 2
    paths = ["/", "/inbox/ann", "/inbox/bo", *(f"/story/{one}" for one in leads)]
    pages = "".join(client.get(path).text for path in paths)
    assert pages.count("&lt;script&gt;alert(1)") > 8
    assert "<script>alert" not in pages
    assert "<img src=x" not in pages
    assert "49" not in re.sub(r"[0-9a-z]{10,}|\d\d:\d\d|\d+", "", pages), "templates in text are text"
    rig.close()


def test_every_page_forbids_inline_script(worked: Rig) -> None:
    known = ids(worked)
    for path in (
        "/",
        "/inbox",
        f"/inbox/{known['owner']}",
        f"/story/{known['lead']}",
        "/needs-repair",
        "/story/x",
    ):
        answer = client_of(worked).get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert " style=" not in answer.text
        assert not re.search(r"<script(?![^>]*\bsrc=)", answer.text)
        assert not re.search(r"<[^>]+\son\w+=", answer.text)


def test_a_long_text_does_not_push_the_rest_off_the_page(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([post(made="1", name="长" * 5_000, phone="13812345678")])
    rig.run()
    assert client_of(rig).get("/").text.count("长") < 100
    rig.close()


def test_a_name_on_no_list_is_shown_until_somebody_enters_it(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([post(made="1", name="张伟", phone="13812345678", utm_campaign="autumn-26")])
    rig.run()
    seen = text_of(client_of(rig).get("/needs-repair?lang=zh").text)
    assert "网址中的活动（UTM） autumn-26 1" in seen.partition("未收录的名称")[2]
    assert "autumn-26" in client_of(rig).get("/needs-repair?lang=en").text
    rig.close()


def test_a_due_time_in_a_year_without_published_holidays_says_that_it_may_move(worked: Rig) -> None:
    known = ids(worked)
    far = {"actor": known["owner"], "key": "far", "code": "later", "next": "2029-02-01T09:00"}
    assert "尚未公布" not in client_of(worked).get(f"/inbox/{known['owner']}?lang=zh").text
    client_of(worked).post(f"/inbox/{known['owner']}/{known['task']}/outcome", data=far)
    assert "年放假调休安排尚未公布" in client_of(worked).get(f"/inbox/{known['owner']}?lang=zh").text


def test_a_held_source_stands_on_the_first_page_and_under_needs_repair(tmp_path: Path) -> None:
    company = senders("site", "fair")
    company.sources["site"]["name"] = "官网"
    rig = Rig(tmp_path, company=company, policy=Policy(share=0.5, window_us=HOUR, minimum=5))
    rig.feed([good("fair", 1), *(bad("site", number, MONDAY_10 + number) for number in range(8))])
    rig.run()
    client = client_of(rig)
    said = {
        "zh": "「官网」已暂扣：近期 5 条中有 5 条无法处理",
        "en": "官网 is held: of 5 that came lately, 5 could not be handled",
    }
    for language, sentence in said.items():
        assert sentence in text_of(client.get(f"/needs-repair?lang={language}").text)
        assert "leadflow breaker reset site" in text_of(client.get(f"/needs-repair?lang={language}").text)
        assert sentence in text_of(client.get(f"/?lang={language}").text)
    assert "暂扣 3 条" in text_of(client.get("/?lang=zh").text), "at the source's own box"
    assert "9 收到 = 1 有负责人 + 0 待分配 + 0 不是线索 + 8 待修复" in text_of(client.get("/?lang=zh").text)
    held = next(row for row in rig.rows("dead") if row["state"] == "held")
    assert "尚未处理" in text_of(client.get(f"/story/{held['dead_id']}?lang=zh").text)
    rig.close()
