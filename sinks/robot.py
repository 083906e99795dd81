"""Group robots of WeCom, DingTalk and Feishu (Lark): who got a lead, in the group, with the customer masked.

Everybody in a group reads along, so a message names nobody in full and carries no one-time link: its link leads to the
task on the owner's day, which opens where they are signed in. A robot may be one person's own, in a group that only they
read: then it tells what is given to them, and its link lets them in. All three vendors answer 200 whatever happened and
say in the body what did.

Formats: developer.work.weixin.qq.com (message push), open.dingtalk.com (custom robot access), open.feishu.cn (custom bots).
"""

from __future__ import annotations

import hmac
import re
import threading
import time
from base64 import b64encode
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlencode, urlsplit
from zoneinfo import ZoneInfo

import orjson
from pydantic import Field, field_validator, model_validator

from schemas.base import Language
from schemas.mask import first_sign, masked
from schemas.outward import is_new_lead
from schemas.sinks import ReadSettings
from sinks.net import is_loopback
from sinks.port import Abilities, Answer, Kind, Later, Message, Never, Outside, Taken
from sinks.quiet import hours_of
from sinks.webhook import Post, connect, post_to

MINUTE_S = 60.0
FIELD_CHARS, TEXT_CHARS = 60, 1_200
"""WeCom takes 4,096 bytes, three a Chinese character; the others take more."""
HOLDERS = 10
"""How many of those who got something a message of many names."""
_ADDRESS = re.compile(r"(?:https?://|www\.)\S*", re.IGNORECASE)
"""Vendors make links of them by themselves."""
_MARKS = str.maketrans(dict.fromkeys("`*_[]()<>#|~\\", " "))
"""What would be markup in the vendors' Markdown: a customer's name must not become a link."""


class Robot(ReadSettings):
    """A robot in one group. `secret` is what stands in its address, and after a space its signing secret, if it has one."""

    HOSTS: ClassVar[tuple[str, ...]] = ()
    PER_MINUTE: ClassVar[int] = 20

    url: str = ""
    language: Language = Field("zh", description="What the group reads")
    alarms: bool = Field(
        False, description="Also tell what needs a person: a source that is held, a stage that stopped"
    )
    quiet: str | None = Field(
        None,
        description="Hours in which the group is told nothing but alarms, such as `22:00-07:30`; what comes meanwhile is "
        "told in one message when they are over",
    )
    person: str | None = Field(
        None,
        description="The only person who reads this group: told what is given to them, with their one-time link",
    )

    @field_validator("url")
    @classmethod
    def _is_theirs(cls, url: str) -> str:
        parts = urlsplit(url)
        theirs = parts.scheme == "https" and parts.hostname in cls.HOSTS
        if not theirs and not is_loopback(parts.hostname or ""):
            raise ValueError(f"write https and one of: {', '.join(cls.HOSTS)}")
        if parts.query or parts.fragment or parts.username or parts.password:
            raise ValueError("write the address alone; what is secret in it belongs into `secret`")
        return url

    @field_validator("quiet")
    @classmethod
    def _are_hours(cls, quiet: str | None) -> str | None:
        try:
            hours = hours_of(quiet) if quiet is not None else (0, 1)
        except ValueError:
            raise ValueError("write from and until, such as 22:00-07:30") from None
        if hours[0] == hours[1]:
            raise ValueError("quiet hours end at another time than they begin, such as 22:00-07:30")
        return quiet

    @model_validator(mode="after")
    def _is_quiet_once(self) -> Robot:
        if self.person is not None and self.quiet is not None:
            raise ValueError("whose robot it is chooses quiet hours on /me; leave `quiet` out")
        return self

    @property
    def token(self) -> str:
        """What stands in the robot's address."""
        return (self.secret or "").partition(" ")[0]

    @property
    def signing(self) -> str:
        """What the robot's messages are signed with; empty if they are not."""
        return (self.secret or "").partition(" ")[2].strip()


class WeCom(Robot):
    """企业微信群机器人; its key is the secret."""

    HOSTS: ClassVar = ("qyapi.weixin.qq.com",)
    url: str = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send"


class DingTalk(Robot):
    """钉钉自定义机器人; access token, and SEC… if messages are signed."""

    HOSTS: ClassVar = ("oapi.dingtalk.com", "api.dingtalk.com")
    url: str = "https://oapi.dingtalk.com/robot/send"


class Feishu(Robot):
    """飞书、Lark 自定义机器人; the end of its address, and its signing secret if it has one."""

    HOSTS: ClassVar = ("open.feishu.cn", "open.larksuite.com")
    PER_MINUTE: ClassVar = 100
    url: str = "https://open.feishu.cn/open-apis/bot/v2/hook"


@dataclass(frozen=True, slots=True)
class Note:
    """What is said in a group: a title, lines, and where its button leads."""

    title: str
    lines: tuple[str, ...]
    link: str | None
    open: str


def note_of(sink: Robot, message: Message) -> Note:
    """Return what is told of an assignment, with whoever the customer is masked. Pure."""
    words, assigned = _WORDS[sink.language], message.assigned
    if message.more:
        return _note_of_many(sink, message)
    holder = assigned.holder.name_en if sink.language == "en" else assigned.holder.name
    if assigned.together > 1:  # of many, none alone
        title = words["many"].format(count=assigned.together, holder=holder)
        return Note(_plain(title), (), _link(message), words["open"])
    is_waiting = assigned.holder.kind != "person"
    lines = []
    if assigned.lead is not None:
        fields = assigned.lead.fields
        lines.append(words[assigned.lead.channel])
        city, product = fields.get("city", ""), fields.get("product", "")
        shown = (first_sign(fields.get("full_name", "")), masked(fields.get("phone", "")), city, product)
        lines += [_plain(masked(_ADDRESS.sub("", one)))[:FIELD_CHARS] for one in shown if one]
    if assigned.task is not None:
        due = assigned.task.due.astimezone(ZoneInfo(message.zone))
        lines.append(words["due"].format(due=f"{due:%m-%d %H:%M}"))
    title = words["waits" if is_waiting else "new"].format(holder=holder)
    return Note(_plain(title), tuple(lines), _link(message), words["open"])


def _note_of_many(sink: Robot, message: Message) -> Note:
    """Return what is told of several assignments at once: how many, who has them, and until when the first is due."""
    words = _WORDS[sink.language]
    by_holder: Counter[str] = Counter()
    names: dict[str, str] = {}
    for one in message.told:
        by_holder[one.holder.id] += one.together
        names[one.holder.id] = one.holder.name_en if sink.language == "en" else one.holder.name
    what = "leads" if all(is_new_lead(one) and one.together == 1 for one in message.told) else "customers"
    count, lines = by_holder.total(), []
    if len(by_holder) > 1:
        title, most = words[what].format(count=count), by_holder.most_common()
        lines = [f"{share} → {names[holder]}" for holder, share in most[:HOLDERS]]
        lines += ["…"] if len(most) > HOLDERS else []
    elif message.assigned.holder.kind == "person":
        title = f"{words[what].format(count=count)} → {next(iter(names.values()))}"
    else:
        title = words["wait"].format(count=count, holder=next(iter(names.values())))
    if dues := [one.task.due for one in message.told if one.task is not None]:
        due = min(dues).astimezone(ZoneInfo(message.zone))
        lines.append(words["first_due"].format(due=f"{due:%m-%d %H:%M}"))
    return Note(
        _plain(title), tuple(_plain(one)[:FIELD_CHARS] for one in lines), _link(message), words["open"]
    )


def render(sink: Any, message: Message) -> Post | None:
    """Return the request; None while the sink has no secret."""
    return posted(sink, note_of(sink, message), message.at_us)


def posted(sink: Robot, note: Note, at_us: int) -> Post | None:
    """Return the request that says something in a robot's group at a moment; None without a secret."""
    if not sink.token:
        return None
    form: Callable[[Any, Note, int], tuple[str, dict[str, Any]]] = _FORMS[type(sink)]
    url, content = form(sink, note, at_us)
    return Post(url, {"content-type": "application/json; charset=utf-8"}, orjson.dumps(content))


def _wecom(sink: Robot, note: Note, _at_us: int) -> tuple[str, dict[str, Any]]:
    text = _markdown(note)
    return f"{sink.url}?{urlencode({'key': sink.token})}", {
        "msgtype": "markdown",
        "markdown": {"content": text},
    }


def _dingtalk(sink: Robot, note: Note, at_us: int) -> tuple[str, dict[str, Any]]:
    query = {"access_token": sink.token}
    if sink.signing:
        stamp = str(at_us // 1_000)
        query |= {"timestamp": stamp, "sign": _signature(sink.signing, f"{stamp}\n{sink.signing}")}
    content = {"msgtype": "markdown", "markdown": {"title": note.title, "text": _markdown(note)}}
    return f"{sink.url}?{urlencode(query)}", content


def _feishu(sink: Robot, note: Note, at_us: int) -> tuple[str, dict[str, Any]]:
    elements: list[dict[str, Any]] = [
        {"tag": "div", "text": {"tag": "plain_text", "content": "\n".join(note.lines) or note.title}}
    ]
    if note.link:
        label = {"tag": "plain_text", "content": note.open}
        elements.append(
            {
                "tag": "action",
                "actions": [{"tag": "button", "text": label, "type": "primary", "url": note.link}],
            }
        )
    header = {"title": {"tag": "plain_text", "content": note.title}}
    content: dict[str, Any] = {"msg_type": "interactive", "card": {"header": header, "elements": elements}}
    if sink.signing:
        stamp = str(at_us // 1_000_000)
        content |= {"timestamp": stamp, "sign": _signature(f"{stamp}\n{sink.signing}", "")}
    return f"{sink.url}/{sink.token}", content


_FORMS: Mapping[type[Robot], Callable[[Any, Note, int], tuple[str, dict[str, Any]]]] = {
    WeCom: _wecom,
    DingTalk: _dingtalk,
    Feishu: _feishu,
}


def _signature(key: str, text: str) -> str:
    return b64encode(hmac.digest(key.encode(), text.encode(), "sha256")).decode()


def _markdown(note: Note) -> str:
    link = f"\n\n[{note.open}]({note.link})" if note.link else ""
    body = "".join(f"\n> {line}" for line in note.lines)
    return f"**{note.title}**{body}"[:TEXT_CHARS] + link


def _link(message: Message) -> str | None:
    """Return what lets its one reader in; in a group where the owner finds it, who is asked to sign in and led on to it."""
    assigned = message.assigned
    if message.link is not None or assigned.link is None:
        return message.link
    if assigned.holder.kind == "pool":
        return assigned.link
    day = f"{assigned.link.partition('/inbox/')[0]}/day"
    alone = assigned.task if not message.more and assigned.together == 1 else None
    return day if alone is None else f"{day}?task={alone.task_id}"


def _plain(text: str) -> str:
    shown = "".join(sign if sign.isprintable() else " " for sign in text).translate(_MARKS)
    return " ".join(shown.split())


class _Pace:
    """Keeps a robot within what its vendor allows a minute: beyond it WeCom drops, and DingTalk is silent for ten."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sent: dict[str, deque[float]] = {}
        self._lock = threading.Lock()

    def wait_s(self, key: str, per_minute: int) -> float:
        """Return how long to wait; 0 takes one of the minute's messages."""
        with self._lock:
            now, sent = self._clock(), self._sent.setdefault(key, deque())
            while sent and now - sent[0] >= MINUTE_S:
                sent.popleft()
            if len(sent) >= per_minute:
                return MINUTE_S - (now - sent[0])
            sent.append(now)
            return 0.0


_PACE = _Pace()


def send(sink: Any, post: Post | None, outside: Outside) -> Answer:
    """Say it in the group, within the vendor's limit."""
    return say(sink, post, outside, _PACE)


def say(sink: Robot, post: Post | None, outside: Outside, pace: _Pace) -> Answer:
    """Send a request, unless the minute's messages are used up, and read what the answer says inside."""
    if post is None:
        return Later("no_secret")
    if wait_s := pace.wait_s(sink.url + sink.token, sink.PER_MINUTE):
        return Later("busy", None, wait_s)
    return post_to(post, outside, judge_body)


def judge_body(body: bytes) -> Answer:
    """Return what the code inside a 200 means: 0 is taken, too fast comes again, a robot that is gone never does."""
    try:
        content = orjson.loads(body)
        code = int(next(content[name] for name in ("errcode", "code", "StatusCode") if name in content))
    except (ValueError, TypeError, KeyError, StopIteration):
        return Later("broken", "200")
    text = str(code)
    if code == 0:
        return Taken(text)
    if code in _TOO_FAST:
        return Later("busy", text, MINUTE_S)
    if code in _BROKEN:
        return Later("broken", text)
    return Never("gone" if code in _GONE else "refused", text)


_TOO_FAST = frozenset({45009, 45033, 130101, 410100, 11232, 9499})
"""WeCom: over 20 a minute, too many at once. DingTalk: sent too fast. Feishu: frequency limited."""
_BROKEN = frozenset({-1, 9500, 11233})
"""WeCom and DingTalk: system busy. Feishu: fault of its own."""
_GONE = frozenset({93000, 93008, 300001, 400013, 400014, 400101, 400102, 19001})
"""WeCom: no such robot, or taken out of the group. DingTalk: unknown token, group dissolved, robot stopped. Feishu: no such hook."""


def probe(sink: Any, _outside: Outside) -> str:
    """Connect, and say nothing in the group."""
    if not sink.token:
        raise OSError("it has no secret: what stands in the robot's address")
    return connect(sink.url)


_WORDS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "new": "新线索 → {holder}",
        "waits": "有线索待接单：{holder}",
        "many": "{count} 个客户变更负责人 → {holder}",
        "leads": "{count} 条新线索",
        "customers": "{count} 个客户有新动态",
        "wait": "{count} 条线索待接单：{holder}",
        "first_due": "最早的首次响应时限 {due}",
        "due": "首次响应时限 {due}",
        "open": "打开待办",
        "web": "渠道：网页",
        "email": "渠道：邮件",
        "cti": "渠道：来电",
        "counter": "渠道：前台",
        "list": "渠道：名单",
    },
    "en": {
        "new": "New lead → {holder}",
        "waits": "A lead waits to be taken: {holder}",
        "many": "{count} customers have another owner → {holder}",
        "leads": "{count} new leads",
        "customers": "News of {count} customers",
        "wait": "{count} leads wait to be taken: {holder}",
        "first_due": "the first response is due {due}",
        "due": "first response due {due}",
        "open": "Open my day",
        "web": "by web",
        "email": "by mail",
        "cti": "by telephone",
        "counter": "at the front desk",
        "list": "by a list",
    },
}


def _kind(settings: type[Robot]) -> Kind[Any, Any]:
    abilities = Abilities(to_people=False, side_by_side=1)
    return Kind(settings=settings, abilities=abilities, render=render, send=send, probe=probe)


WECOM, DINGTALK, FEISHU = _kind(WeCom), _kind(DingTalk), _kind(Feishu)
