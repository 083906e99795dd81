"""The history of the demo: what was posted to which form at which moment, every trap included. Pure.

The same arguments give the same captures to the byte, so a seeding that was killed goes on where it stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from random import Random
from urllib.parse import quote_plus, urlencode
from zoneinfo import ZoneInfo

import orjson

from leadflow.demo.cast import Prospect, again, colleague, dice, message, namesake, prospect
from schemas.capture import Capture, capture_of
from worktime.localtime import moment, wall_clock

SEED = "haichuan"
_SECOND = 1_000_000
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"

_DAY_WEIGHT = (1.0, 1.05, 1.0, 0.95, 0.9, 0.45, 0.35)
"""Monday to Sunday."""
_HOUR_WEIGHT = (1, 1, 1, 1, 1, 1, 2, 4, 9, 14, 15, 12, 7, 9, 13, 13, 12, 9, 6, 5, 5, 4, 3, 2)


@dataclass(frozen=True, slots=True)
class Post:
    """One request at the web door: its form, body and the sender's key, if it has one."""

    source_id: str
    content_type: str
    body: bytes
    key: str | None
    made: str

    def capture(self, at_us: int) -> Capture:
        """Return the capture that the web door makes of it at a moment."""
        return capture_of(
            source_id=self.source_id,
            channel="web",
            format="web.form",
            body=self.body,
            accepted_us=at_us,
            trace_id=blake2b(f"{self.made}/{at_us}".encode(), digest_size=16).hexdigest(),
            idem_key=self.key,
            made_key=self.made,
            purpose="demo",
            meta={"content_type": self.content_type},
        )


def history(anchor_us: int, days: int, customers: int, zone: ZoneInfo) -> list[Capture]:
    """Return the captures of the `days` before `anchor_us` in the order of time, from some `customers`."""
    posts = sorted(
        (
            (at_us, number, ordinal, post)
            for number in range(customers)
            for ordinal, (at_us, post) in enumerate(_posts_of(number, anchor_us, days, zone))
            if at_us < anchor_us
        ),
        key=lambda one: one[:3],
    )
    return [post.capture(at_us) for at_us, _, _, post in posts]


def enquiry(rng: Random, who: Prospect, made: str, text: str | None = None) -> Post:
    """Return what somebody posts: which form, in which encoding, with which traces of a campaign."""
    text = text if text is not None else message(rng, who.line, who.language)
    if who.language == "en":
        return _english(rng, who, made, text)
    if rng.random() < 0.38:
        return _landing(rng, who, made, text)
    fields = {
        "name": who.name,
        "phone": _typed(rng, who.phone),
        "email": who.email,
        "company": who.company,
        "region": who.province,
        "city": who.city,
        "message": text,
        "consent": "on",
        "_token": f"demo-{made}",
    }
    if rng.random() < 0.3:
        fields["heard_of_us"] = rng.choice(_HEARD)
    if rng.random() < 0.3:
        fields["utm_campaign"] = rng.choice(
            ("wx-pyq-2026", "douyin-2026q4", "cemat2026", "referral", "spring-old")
        )
    return Post("site", _FORM, urlencode(fields).encode(), fields["_token"], made)


def _posts_of(number: int, anchor_us: int, days: int, zone: ZoneInfo) -> Iterator[tuple[int, Post]]:
    rng = dice(SEED, "script", number)
    at_us = _moment(rng, anchor_us, days, zone)
    made = f"{number}"
    trap = rng.random()
    if trap < 0.008:
        yield at_us, robot(rng, made)
        return
    if trap < 0.014:
        yield at_us, redesigned(made, number)
        return
    who = prospect(SEED, number)
    if trap < 0.024:
        who = namesake(SEED, number)
    elif trap < 0.032:
        who = replace(who, phone="13800138000", email="")
    elif trap < 0.034:
        who = replace(who, name="=cmd|'/c calc'!A1", language="zh", phone=f"154{90_000_000 + number:08d}")
    post = enquiry(rng, who, made)
    yield at_us, post
    yield from _repeats(rng, at_us, post)
    if rng.random() < 0.13:
        later_us = at_us + rng.randint(1, 40) * 86_400 * _SECOND + rng.randint(0, 3_600) * _SECOND
        yield later_us, enquiry(rng, who, f"{made}-again", again(rng, who.language))
    if who.company and who.language == "zh" and rng.random() < (0.6 if "-" in who.phone else 0.04):
        for ordinal in range(1, rng.randint(2, 4)):
            other_us = at_us + rng.randint(1, 30 * 86_400) * _SECOND
            yield other_us, enquiry(rng, colleague(SEED, who, ordinal), f"{made}-colleague-{ordinal}")


def _repeats(rng: Random, at_us: int, post: Post) -> Iterator[tuple[int, Post]]:
    """Yield a double click, a retry of a browser, or a correction, which some posts are followed by."""
    draw = rng.random()
    if draw < 0.02:
        yield at_us + rng.randint(1, 9) * _SECOND, post
    elif draw < 0.03:
        unkeyed = replace(post, key=None, made=post.made + "-twice")
        yield at_us + rng.randint(2, 90) * _SECOND, unkeyed
    elif draw < 0.045 and post.key is not None:
        corrected = post.body.replace(b"&consent=on", quote_plus(" 更正：请加急。").encode() + b"&consent=on")
        yield at_us + rng.randint(60, 900) * _SECOND, replace(post, body=corrected)


def _english(rng: Random, who: Prospect, made: str, text: str) -> Post:
    fields = {"name": who.name, "email": who.email, "company": who.company, "city": who.city, "message": text}
    fields |= {"lang": "en", "consent": "yes"}
    if rng.random() < 0.5:
        fields["gclid"] = f"demo{made}"
    if rng.random() < 0.3:
        fields["heard_of_us"] = rng.choice(("Google", "trade fair", "a friend", "a magazine"))
    key = f"demo-en-{made}"
    if rng.random() < 0.3:
        return Post("site-en", _JSON, orjson.dumps(fields), key, made)
    return Post("site-en", _FORM, urlencode(fields).encode(), key, made)


def _landing(rng: Random, who: Prospect, made: str, text: str) -> Post:
    fields = {
        "xingming": who.name,
        "shouji": _typed(rng, who.phone),
        "gongsi": who.company,
        "shengfen": who.province,
        "xuqiu": text,
    }
    campaign = rng.random()
    if campaign < 0.5:
        fields["utm_campaign"] = "baidu-agv" if who.line == "agv" else "baidu-chache"
        fields["bd_vid"] = f"demo{made}"
    elif campaign < 0.8:
        fields["utm_campaign"] = rng.choice(("douyin_live", "wx-pyq-2026"))
    elif campaign < 0.86:
        fields["utm_campaign"] = "chache-618"  # an alias that nobody entered
    charset = "gb18030" if rng.random() < 0.15 else "utf-8"
    return Post("landing", _FORM, urlencode(fields, encoding=charset).encode(), f"demo-lp-{made}", made)


def robot(rng: Random, made: str) -> Post:
    fields = {
        "name": "SEO Expert",
        "email": f"demo-{rng.randint(1, 999)}@promo.example",
        "message": "Rank first! <a href='http://promo.example'>click</a>",
        "website_hp": "http://promo.example",
    }
    return Post("site", _FORM, urlencode(fields).encode(), None, f"robot-{made}")


def redesigned(made: str, number: int) -> Post:
    """Return what a site posts whose form was redesigned: no field has a name that the source knows."""
    who = prospect(SEED, number)
    fields = {"fld_17": who.name, "fld_18": who.phone, "fld_21": message(dice(made), who.line, "zh")}
    return Post("landing", _FORM, urlencode(fields).encode(), f"demo-lp-{made}", made)


def _typed(rng: Random, phone: str) -> str:
    """Return a mobile number as people type it: in groups, with the country code, in full width."""
    if not phone.startswith("15") or len(phone) != 11:
        return phone
    draw = rng.random()
    if draw < 0.15:
        return f"{phone[:3]} {phone[3:7]} {phone[7:]}"
    if draw < 0.22:
        return f"+86 {phone}"
    if draw < 0.25:
        return phone.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    return phone


def _moment(rng: Random, anchor_us: int, days: int, zone: ZoneInfo) -> int:
    today = wall_clock(anchor_us, zone).replace(hour=0, minute=0, second=0, microsecond=0)
    dates = [today - timedelta(days=back) for back in range(days, -1, -1)]
    day: datetime = rng.choices(dates, [_DAY_WEIGHT[one.weekday()] for one in dates])[0]
    hour = rng.choices(range(24), _HOUR_WEIGHT)[0]
    return moment(day.replace(hour=hour, minute=rng.randint(0, 59), second=rng.randint(0, 59)), zone)


_HEARD = ("百度", "抖音", "展会", "朋友介绍", "微信", "老客户介绍", "同行推荐", "行业杂志")
