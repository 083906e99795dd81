"""What every kind of sink keeps to, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from sinks.mail import LISTED
from sinks.port import Later, Never, Outside, Taken, outside
from sinks.registry import SINKS, BadSink, read_sink
from sinks.trouble import HINTS, MEANINGS
from tests.support.messages import message
from tests.support.receiver import SECRET
from tests.support.rig import MONDAY_10

SAMPLES: dict[str, dict[str, Any]] = {
    "webhook": {"url": "http://127.0.0.1:1/hook", "secret": SECRET},
    "mail": {"relay": "127.0.0.1", "port": 1, "tls": "none", "sender": "leadflow@haichuan.example"},
    "wecom": {"url": "http://127.0.0.1:1/send", "secret": "key"},
    "dingtalk": {"url": "http://127.0.0.1:1/send", "secret": "token SEC1"},
    "feishu": {"url": "http://127.0.0.1:1/hook", "secret": "hook sign"},
    "faulty": {"fails": 1.0},
}
"""Settings of each kind that leads to where nobody is."""

HOSTILE = {
    "full_name": "=cmd()\r\nBcc: all@firma.example",
    "company": "<script>alert(1)</script>",
    "phone": "",
    "message": "长" * 1_000_000 + "\\x00\\udc80\r\n.\r\nQUIT",
}


def settings_of(name: str, **more: Any) -> dict[str, Any]:
    return {"sink_id": "one", "kind": name, "name": "一", **SAMPLES[name], **more}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[Outside]:
    made = outside(tmp_path)
    yield made
    made.http.close()


def test_every_kind_has_a_sample_here() -> None:
    assert SAMPLES.keys() == SINKS.keys()


@pytest.mark.parametrize("name", SINKS)
def test_settings_read_back_as_they_were_and_hide_the_secret(name: str) -> None:
    _, settings = read_sink(settings_of(name, secret=SECRET))
    again = type(settings).model_validate(settings.model_dump(mode="json"))
    assert again == settings
    assert SECRET not in repr(settings)


@pytest.mark.parametrize("name", SINKS)
def test_a_key_that_nobody_reads_is_named(name: str) -> None:
    with pytest.raises(BadSink) as caught:
        read_sink(settings_of(name, colour="blue"))
    assert (caught.value.sink_id, caught.value.field) == ("one", "colour")


@pytest.mark.parametrize("name", SINKS)
def test_rendering_depends_on_nothing_but_the_message(name: str) -> None:
    kind, settings = read_sink(settings_of(name))
    once, again = (kind.render(settings, message()) for _ in range(2))
    if name == "mail":  # all but the boundary between text and HTML, which is random
        once, again = ((one.to, list(one.mail.items())[:8]) for one in (once, again))
    assert once == again


@pytest.mark.parametrize("name", SINKS)
@pytest.mark.parametrize("fields", [HOSTILE, {}], ids=["hostile", "nothing"])
def test_whatever_a_lead_holds_can_be_rendered(name: str, fields: dict[str, str]) -> None:
    kind, settings = read_sink(settings_of(name))
    assert kind.render(settings, message(fields)) is not None


@pytest.mark.parametrize("name", ["mail", "wecom", "dingtalk", "feishu"])
@pytest.mark.parametrize("fields", [HOSTILE, {}], ids=["hostile", "nothing"])
def test_many_are_told_in_one_of_bounded_length(name: str, fields: dict[str, str]) -> None:
    kind, settings = read_sink(settings_of(name))
    one = message({**fields, "message": "只在自己的消息里"}).assigned
    holders = [one.holder.model_copy(update={"id": f"p{n}", "name": "长" * 100 + str(n)}) for n in range(500)]
    many = message(more=tuple(one.model_copy(update={"holder": holder}) for holder in holders))
    rendered = kind.render(settings, many)
    if name == "mail":
        text = rendered.mail.get_body(("plain",)).get_content()
        assert text.count("/inbox/ann") == LISTED + 1
        assert "另有 401 个" in text
        assert "只在自己的消息里" not in text, "what one of them wrote must not have a relay refuse them all"
    else:
        said = orjson.loads(rendered.body)
        assert len(said.get("markdown", {}).get("content", "").encode()) <= 4_096, "what WeCom takes"
        assert "501 条新线索" in orjson.dumps(said).decode()


@pytest.mark.parametrize("name", SINKS)
def test_nobody_there_is_an_answer_and_comes_again(name: str, world: Outside) -> None:
    kind, settings = read_sink(settings_of(name))
    answer = kind.send(settings, kind.render(settings, message()), world)
    assert answer == Later("unreachable")


@pytest.mark.parametrize("name", [one for one in SINKS if one != "faulty"])
def test_a_probe_says_that_nobody_is_there(name: str, world: Outside) -> None:
    kind, settings = read_sink(settings_of(name))
    with pytest.raises(OSError, match=r"."):
        kind.probe(settings, world)


@pytest.mark.parametrize("name", SINKS)
def test_what_a_probe_does_leaves_nothing_behind(name: str, world: Outside) -> None:
    kind, settings = read_sink(settings_of(name))
    with suppress(OSError):
        kind.probe(settings, world)
    assert list(world.folder.iterdir()) == []


def test_every_trouble_has_a_meaning_and_a_hint() -> None:
    assert MEANINGS.keys() == HINTS.keys()


@pytest.mark.parametrize(
    ("kind", "wrong"),
    [
        ("webhook", {"url": "http://crm.example/hook"}),
        ("webhook", {"url": "ftp://crm.example/hook"}),
        ("webhook", {"url": "https://user:word@crm.example/hook"}),
        ("webhook", {"secret": "whsec_short"}),
        ("webhook", {"secret": "no prefix" * 9}),
        ("wecom", {"url": "https://evil.example/send"}),
        ("dingtalk", {"url": "https://169.254.169.254/latest"}),
        ("feishu", {"url": "http://open.feishu.cn/hook"}),
        ("feishu", {"url": "https://open.feishu.cn/hook?token=1"}),
        ("wecom", {"quiet": "22:00"}),
        ("wecom", {"quiet": "22-25"}),
        ("wecom", {"quiet": "07:00-07:00"}),
        ("dingtalk", {"quiet": "22:00-07:00", "person": "ann"}),
        ("mail", {"gather_s": 86_400}),
        ("webhook", {"gather_s": 60}),
        ("mail", {"sender": "nobody"}),
        ("mail", {"sender": "a b@haichuan.example"}),
        ("mail", {"relay": "mail.example", "user": "us"}),
        ("faulty", {"fails": 0.6, "slow": 0.6}),
        ("faulty", {"purposes": ["everything"]}),
    ],
)
def test_settings_that_would_do_harm_are_refused(kind: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        SINKS[kind].settings.model_validate(settings_of(kind, **wrong))


@pytest.mark.parametrize(
    "right",
    [
        {"url": "https://crm.example/hook"},
        {"url": "http://crm.example/hook", "allow_http": True},
        {"url": "http://localhost:1/"},
        {"secret": ""},
    ],
)
def test_settings_that_are_safe_are_taken(right: dict[str, Any]) -> None:
    read_sink(settings_of("webhook", **right))


def test_a_faulty_sink_meets_its_shares_and_the_same_fate_each_time(world: Outside) -> None:
    kind, settings = read_sink(
        {
            "sink_id": "f",
            "kind": "faulty",
            "name": "f",
            "gone": 0.2,
            "busy": 0.2,
            "broken": 0.2,
            "unanswered": 0.2,
        }
    )
    fates = []
    for number in range(400):
        attempt = kind.render(settings, message(delivery_id=f"dlv_{number}", at_us=MONDAY_10))
        fates.append(kind.send(settings, attempt, world))
        assert attempt == kind.render(settings, message(delivery_id=f"dlv_{number}", at_us=MONDAY_10))
    for fate in (Never("gone", "410"), Later("busy", "429", 1.0), Later("broken", "500"), Taken("200")):
        assert 50 < fates.count(fate) < 110
    lines = (world.folder / "sinks" / "f.jsonl").read_bytes().splitlines()
    assert len(lines) == fates.count(Taken("200")) + fates.count(Later("timeout"))
    assert all("李娜".encode() not in line and b"13900000001" not in line for line in lines), "ids only"
