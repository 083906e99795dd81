"""Group robots against servers that check what their vendors check, and answer as they do: 200, with a code inside."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from sinks.alarms import Alarms, Ways
from sinks.port import Answer, Later, Never, Outside, Taken, outside
from sinks.registry import read_sink
from sinks.robot import _Pace, judge_body, note_of, render, say
from store.alarms import raise_alarm
from store.company import CompanyCache
from tests.support.messages import message
from tests.support.rig import MONDAY_10, Rig, small_company
from tests.support.robots import HOOK, KEY, SIGNING, TOKEN, Vendor, dingtalk, feishu, wecom
from tests.support.sending import Clock

SECRETS = {"wecom": KEY, "dingtalk": f"{TOKEN} {SIGNING}", "feishu": f"{HOOK} {SIGNING}"}
MADE: dict[str, Callable[[], Vendor]] = {
    "wecom": wecom,
    "dingtalk": lambda: dingtalk(lambda: MONDAY_10 / 1_000_000),
    "feishu": lambda: feishu(lambda: MONDAY_10 / 1_000_000),
}


@pytest.fixture(params=MADE)
def vendor(request: pytest.FixtureRequest) -> Iterator[Vendor]:
    made = MADE[request.param]()
    yield made
    made.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Outside]:
    made = outside(tmp_path)
    yield made
    made.http.close()


def robot(vendor: Vendor, **more: Any) -> Any:
    values = {
        "sink_id": "group",
        "kind": vendor.name,
        "name": "群",
        "url": vendor.url,
        "secret": SECRETS[vendor.name],
    }
    return read_sink({**values, **more})[1]


def sent(vendor: Vendor, world: Outside, fields: dict[str, str] | None = None, **more: Any) -> Answer:
    sink = robot(vendor, **more)
    return say(sink, render(sink, message(fields)), world, _Pace())


def test_the_group_is_told_who_got_it_and_sees_the_customer_masked(vendor: Vendor, world: Outside) -> None:
    assert sent(vendor, world) == Taken("0")
    text = orjson.dumps(vendor.shown[0]).decode()
    for shown in (
        "新线索 → 安",
        "李••",
        "+861••••••••01",
        "首次响应时限 11-23 11:00",
        "https://leads.haichuan.example/day",
    ):
        assert shown in text
    for hidden in ("李娜", "13900000001", "大恒信息", "两台托盘搬运车", "/enter/"):
        assert hidden not in text


def test_in_english_where_the_group_reads_it(vendor: Vendor, world: Outside) -> None:
    assert sent(vendor, world, language="en") == Taken("0")
    assert "New lead → Ann" in orjson.dumps(vendor.shown[0]).decode()


@pytest.mark.parametrize("wrong", ["other", f"other {SIGNING}"])
def test_a_secret_that_is_wrong_is_told_and_not_tried_for_ever(
    vendor: Vendor, world: Outside, wrong: str
) -> None:
    answer = sent(vendor, world, secret=wrong)
    assert isinstance(answer, Never)
    assert answer.code == "gone"
    assert vendor.shown == []


@pytest.mark.parametrize(("name", "code"), [("dingtalk", "310000"), ("feishu", "19021")])
def test_a_signature_that_is_wrong_is_refused(world: Outside, name: str, code: str) -> None:
    vendor = MADE[name]()
    wrong = SECRETS[name].partition(" ")[0] + " wrong"
    assert sent(vendor, world, secret=wrong) == Never("refused", code)
    vendor.close()


@pytest.mark.parametrize(
    ("name", "code", "answer"),
    [
        ("wecom", 45009, Later("busy", "45009", 60.0)),
        ("wecom", 45033, Later("busy", "45033", 60.0)),
        ("wecom", -1, Later("broken", "-1")),
        ("wecom", 93008, Never("gone", "93008")),
        ("wecom", 40058, Never("refused", "40058")),
        ("dingtalk", 130101, Later("busy", "130101", 60.0)),
        ("dingtalk", -1, Later("broken", "-1")),
        ("dingtalk", 400102, Never("gone", "400102")),
        ("dingtalk", 310000, Never("refused", "310000")),
        ("feishu", 11232, Later("busy", "11232", 60.0)),
        ("feishu", 9499, Later("busy", "9499", 60.0)),
        ("feishu", 19001, Never("gone", "19001")),
        ("feishu", 19024, Never("refused", "19024")),
    ],
)
def test_each_code_inside_a_200_means_what_the_vendor_says(
    world: Outside, name: str, code: int, answer: Answer
) -> None:
    vendor = MADE[name]()
    vendor.code = code
    assert sent(vendor, world) == answer
    vendor.close()


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"errcode": null}', b'{"errcode": "x"}'])
def test_an_answer_that_says_nothing_comes_again(body: bytes) -> None:
    assert judge_body(body) == Later("broken", "200")


def test_an_error_by_status_is_judged_by_it(vendor: Vendor, world: Outside) -> None:
    vendor.status = 502
    assert sent(vendor, world) == Later("broken", "502")


def test_no_more_is_sent_in_a_minute_than_the_vendor_allows(world: Outside) -> None:
    vendor, now = wecom(), [0.0]
    sink, pace = robot(vendor), _Pace(lambda: now[0])
    answers = [say(sink, render(sink, message()), world, pace) for _ in range(25)]
    assert answers[:20] == [Taken("0")] * 20
    assert answers[20:] == [Later("busy", None, 60.0)] * 5
    assert vendor.came == 20
    now[0] = 60.0
    assert say(sink, render(sink, message()), world, pace) == Taken("0")
    vendor.close()


def test_nobody_s_name_becomes_markup(vendor: Vendor, world: Outside) -> None:
    fields = {
        "full_name": "[点我](https://evil.example)",
        "phone": "13900000001",
        "product": "**[x](https://evil.example)** 微信13900000001",
    }
    assert sent(vendor, world, fields) == Taken("0")
    text = orjson.dumps(vendor.shown[0]).decode()
    assert "evil" not in text
    assert "13900000001" not in text
    assert sent(vendor, world, {"full_name": "长" * 100_000, "product": "长" * 100_000}) == Taken("0")


def test_many_at_once_are_one_message(world: Outside) -> None:
    vendor = wecom()
    made = message()
    many = message(assigned=made.assigned.model_copy(update={"together": 40}))
    note = note_of(robot(vendor), many)
    assert note.title == "40 个客户变更负责人 → 安"
    assert note.lines == ()
    vendor.close()


def test_operations_are_told_alarms_in_their_group_once(tmp_path: Path, vendor: Vendor) -> None:
    sink = {
        "sink_id": "ops",
        "kind": vendor.name,
        "name": "运维群",
        "url": vendor.url,
        "secret": SECRETS[vendor.name],
    }
    quiet = {**sink, "sink_id": "sales"}
    company = small_company().model_copy(update={"sinks": {"ops": {**sink, "alarms": True}, "sales": quiet}})
    rig = Rig(tmp_path, company=company)
    clock = Clock(MONDAY_10)
    alarms = Alarms(
        rig.store, CompanyCache(), outside(tmp_path), clock, Ways(public_url="https://leads.example")
    )
    with rig.store.write() as connection:
        raise_alarm(
            connection, "source_held", "parse", "site", MONDAY_10, tried=9, refused=9, code="no_known_field"
        )
    vendor.code = 45009 if vendor.name == "wecom" else 11232 if vendor.name == "feishu" else 130101
    assert alarms.turn() == 0
    vendor.code = 0
    clock.at_us += 120_000_000
    assert (alarms.turn(), alarms.turn()) == (1, 0)
    text = orjson.dumps(vendor.shown[0]).decode()
    assert "leadflow breaker reset site" in text
    assert "https://leads.example/needs-repair" in text
    alarms.stop()
    rig.close()
