"""How much a lead looks like junk: signs that anybody can check, and points that add up.

Nothing is thrown away by it. A rule can ask for the sum (`junk`, 0 to 100) and send what is high to a queue of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from disposable_email_domains import blocklist

from schemas.lead import FieldName, Lead
from schemas.resolved import Identifier, Junk, JunkSign

POINTS: dict[JunkSign, int] = {
    "link_in_name": 60,
    "spam_words": 50,
    "test_entry": 50,
    "disposable_mail": 40,
    "mashed_keys": 40,
    "many_links": 30,
    "offers_to_us": 30,
    "same_everywhere": 30,
    "no_way_back": 20,
}
"""What each sign counts. One of the first three makes a lead doubtful, two signs nearly certain junk."""
MOST = 100

_NAMES: tuple[FieldName, ...] = ("full_name", "given_name", "family_name", "company", "city")
_TEXTS: tuple[FieldName, ...] = ("subject", "message", "product")
_READ = 20_000
"""Characters read of a text: junk shows early, and a megabyte must not cost a megabyte of reading."""

_LINKS = ("http://", "https://", "[url=")
_MANY = 3
_SPAM = (
    "代开票", "代开发票", "刷单", "刷粉", "网赚", "博彩", "六合彩", "时时彩", "彩票计划", "裸聊", "约炮", "贷款秒批",
    "无抵押贷款", "信用卡套现", "快速排名", "百度排名", "关键词排名", "发外链",
    " backlinks", " back links", " guest post", " link building", " seo service", " seo agency", " seo expert",
    " seo audit", " domain authority", " casino ", " viagra", " cialis", " porn", " sex dating", " forex signal",
    " binary option", " crypto invest", " crypto profit", " payday loan", " get rich ", " cheap traffic", " bulk email",
)  # fmt: skip
_OFFERS = (
    "我司专业生产", "我司专业从事", "我司专业提供", "我司承接", "我们专业生产", "我们专业提供", "我们承接", "我公司专业生产",
    "代理记账", "猎头服务", "是否需要贷款", "是否需要推广", "是否需要建站", "网站推广服务",
    " we are a leading ", " we are a manufacturer", " we are a professional ", " we are one of the leading ",
    " we are an exporter", " we are a supplier", " our company offers ", " our company specializes ",
    " our company specialises ", " i came across your website", " i visited your website", " i was on your site",
)  # fmt: skip
"""As they stand between single spaces: Chinese anywhere, English from the start of a word on."""

_WORDS = re.compile(r"\W+")
_TEST = re.compile(r"\W*(?:测试(?:一下|数据|信息)?|test(?:ing)?\s*\d*|hello world|asdf+)\W*", re.IGNORECASE)
_TEST_LENGTH = 20
_MASHED = re.compile(
    r"(.)\1{2,}|(?:asd|qwe|zxc|qaz|sdf|dfg|fgh|ghj|jkl|hjk)+[a-z]{0,3}|[bcdfghjklmnpqrstvwxz]{6,}",
    re.IGNORECASE,
)


def junk_of(lead: Lead, identifiers: Sequence[Identifier]) -> Junk:
    """Return the signs that a lead is junk, and their sum. `identifiers` are those of its normalised fields."""
    signs = tuple(_signs(lead, identifiers))
    return Junk(score=min(MOST, sum(POINTS[sign] for sign in signs)), signs=signs)


def _signs(lead: Lead, identifiers: Sequence[Identifier]) -> Iterator[JunkSign]:
    names, texts = _of(lead, _NAMES), _of(lead, _TEXTS)
    text = "\n".join(texts).casefold()
    words = f" {_WORDS.sub(' ', text)} "
    if any(_has_link(name.casefold()) for name in names):
        yield "link_in_name"
    if any(map(words.__contains__, _SPAM)):
        yield "spam_words"
    if any(len(one) <= _TEST_LENGTH and _TEST.fullmatch(one) for one in (*names, *texts)):
        yield "test_entry"
    if any(one.kind == "email" and is_disposable(one.value) for one in identifiers):
        yield "disposable_mail"
    if any(_MASHED.fullmatch(name) for name in names):
        yield "mashed_keys"
    if sum(map(text.count, _LINKS)) >= _MANY:
        yield "many_links"
    if any(map(words.__contains__, _OFFERS)):
        yield "offers_to_us"
    said = {*names, *texts}
    if len(said) == 1 and len(names) + len(texts) > _MANY:
        yield "same_everywhere"
    if identifiers and all(one.trust == "none" and one.reason == "placeholder" for one in identifiers):
        yield "no_way_back"


def _has_link(name: str) -> bool:
    return "://" in name or name.startswith("www.")


def _of(lead: Lead, wanted: tuple[FieldName, ...]) -> list[str]:
    found = ((field.value or field.received)[:_READ].strip() for field in lead.fields if field.name in wanted)
    return [one for one in found if one]


def is_disposable(address: str) -> bool:
    """Tell whether a mailbox is of a service whose addresses last for minutes, or of a domain below one."""
    domain = address.rpartition("@")[2]
    while domain.count(".") > 1 and domain not in blocklist:
        domain = domain.partition(".")[2]
    return domain in blocklist
