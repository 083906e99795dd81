"""Telephones, mailboxes, dates, identity numbers and addresses, read into what their comparisons need."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from rapidfuzz.distance import OSA

from enrich.identifiers import FREE_MAIL, is_example_domain, is_placeholder_phone, is_role_mailbox
from enrich.junk import is_disposable
from enrich.match.text import CJK, LONGEST, fold, has_chinese, plain_letters, words_of
from enrich.match.words import FREE_LOCAL, ROAD_WORDS
from enrich.normalise import normal_email
from enrich.phone import LineKind, parse_phone
from enrich.places import by_english, by_name, letters
from enrich.region import LARGER

_DIGITS = re.compile(r"\D+")
_NOT_ALNUM = re.compile(r"[^0-9a-z]+")
_NUMBER = re.compile(r"\d+")


class Phone(NamedTuple):
    """A telephone number; `digits` is its end, the same whether or not a country code was given."""

    e164: str
    digits: str
    extension: str
    line: LineKind
    base: str
    """A landline without its last two digits: the lines of one exchange; "" for others."""


def phone_of(received: str, country: str) -> Phone | None:
    """Read a number; one that no numbering plan knows is kept by its digits if it has 7 to 15 of them."""
    text = received[:60]
    if not any(map(str.isdigit, text)):
        return None
    known = parse_phone(text, country)
    if known is None:
        digits = _DIGITS.sub("", fold(text))
        if not 7 <= len(digits) <= 15 or len(set(digits)) < 3 or digits in "01234567890123456789":
            return None
        return Phone(digits, digits[-10:], "", "unknown", "")
    if is_placeholder_phone(known.e164):
        return None
    base = known.e164[:-2] if known.line == "landline" else ""
    return Phone(known.e164, known.e164[-10:], known.extension or "", known.line, base)


MailKind = Literal["own", "free", "role"]


class Email(NamedTuple):
    """A mailbox: at a free-mail service, a role's (info@), or somebody's own at a domain of their own."""

    address: str
    local: str
    domain: str
    kind: MailKind
    telling: bool
    """The part before the @ is long and particular enough to recognise somebody at another domain."""


def email_of(received: str) -> Email | None:
    """Read an address; None for one that is nobody's (test@, an example's or a throw-away domain)."""
    address = normal_email(received[:LONGEST])
    if address is None:
        return None
    local, _, domain = address.partition("@")
    meant = _meant(domain)
    free = domain in FREE_MAIL or meant is not None
    typed = len(local) <= 4 and domain.startswith(local + ".")  # a@a.com, 123@123.com
    if typed or local in _NOBODY or is_example_domain(domain) or (not free and is_disposable(address)):
        return None
    if domain == "googlemail.com":
        domain = "gmail.com"
    if "gmail.com" in (domain, meant):
        local = local.replace(".", "")
    local = local.partition("+")[0] or local
    if is_role_mailbox(local) and not free:
        return Email(f"{local}@{domain}", local, domain, "role", False)
    telling = len(local) >= 5 and local not in FREE_LOCAL
    return Email(f"{local}@{domain}", local, domain, "free" if free else "own", telling)


_NOBODY = frozenset({"test", "none", "null", "example", "demo"})
_MISTYPED = tuple(domain for domain in sorted(FREE_MAIL) if len(domain) >= 9)
"""Long enough that what is one slip away is a slip: gmial.com, and not 164.com."""


@lru_cache(maxsize=8192)
def _meant(domain: str) -> str | None:
    """Return the free-mail service of which a domain is one slip away, or which it is; None if there is none."""
    return next((known for known in _MISTYPED if OSA.distance(domain, known, score_cutoff=1) <= 1), None)


class BirthDate(NamedTuple):
    """A date as written; `day_number` counts 372 days a year, so that a mistyped 31 February has its place."""

    digits: str
    year: int
    month: int
    day: int
    day_number: int


_DATE = re.compile(
    r"^\D{0,5}(\d{1,4})(?:st|nd|rd|th)?\s*(?:[-/.年\s]|of)\s*(\d{1,2}|[a-z]{3,9})\s*[-/.月\s,]\s*(\d{1,4})(?:\D.*)?$"
)
_AMERICAN = re.compile(r"^([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})$")
_COMPACT = re.compile(r"^(\d{8})(?:\.0)?$")
_CHINESE_DIGITS = str.maketrans("〇零一二三四五六七八九", "00123456789")
_CHINESE_TENS = re.compile(r"(\d?)十(\d?)(?=[月日号號])")
_REPUBLIC = re.compile(r"^(?:中华)?民国(\d{1,3})年")
"""Years of the Republic, as Taiwan counts them: its first is 1912."""
_MONTHS = {
    month: number for number, month in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)
}
_PLACEHOLDER_DATES = frozenset(
    {"19000101", "19700101", "20000101", "18000101", "99991231", "19000100", "11111111"}
)
_DAYS = 31
_THIS_CENTURY = 30
"""A year of two digits below this is of 2000 on."""


def birth_date_of(received: str) -> BirthDate | None:
    """Read a date of birth, year first or last, in figures or Chinese signs; day before month where that is plain (28/9/97,
    28.09.1997), else month before day (9/28/97).

    None if it is none. A day or month that cannot be is kept: it is a slip.
    """
    text = _in_figures(fold(received[:40]))
    if match := _COMPACT.match(text):
        compact = match[1]
        year_first = 1880 <= int(compact[:4]) <= 2100
        parts = (
            (compact[:4], compact[4:6], compact[6:])
            if year_first
            else (compact[4:], compact[2:4], compact[:2])
        )
    elif match := _AMERICAN.match(text):
        parts = (match[3], match[1], match[2])
    elif (match := _DATE.match(text)) is None:
        return None
    elif len(match[1]) == 4 or "年" in text or (len(match[1]) == 2 and int(match[1]) > _DAYS):
        parts = (match[1], match[2], match[3])
    elif len(match[3]) not in (2, 4):
        return None
    elif "." in text or int(match[1]) > 12 or match[2].isalpha():
        parts = (match[3], match[2], match[1])
    else:
        parts = (match[3], match[1], match[2])
    year, month, day = int(parts[0]), _MONTHS.get(parts[1][:3], 0) or _whole(parts[1]), int(parts[2])
    if len(parts[0]) == 2:
        year += 2000 if year < _THIS_CENTURY else 1900
    if not 1880 <= year <= 2100 or not 0 <= month <= 39 or day > 39:
        return None
    digits = f"{year:04}{month:02}{day:02}"
    return (
        None
        if digits in _PLACEHOLDER_DATES
        else BirthDate(digits, year, month, day, year * 372 + month * 31 + day)
    )


def _in_figures(text: str) -> str:
    """Write 一九九七年九月二十八日 and 民国86年9月28日 as 1997年9月28日."""
    if "年" not in text:
        return text
    figures = text.translate(_CHINESE_DIGITS)
    figures = _CHINESE_TENS.sub(lambda ten: f"{ten[1] or 1}{ten[2] or 0}", figures)
    return _REPUBLIC.sub(lambda year: f"{int(year[1]) + 1911}年", figures)


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() else -1


def national_id_of(received: str) -> str | None:
    """Read an identity number as its letters and digits; None if too short or plainly made up."""
    text = _NOT_ALNUM.sub("", fold(received[:60]))
    if (
        not 5 <= len(text) <= 30
        or len(set(text)) < 3
        or text in "01234567890123456789"
        or not _NUMBER.search(text)
    ):
        return None
    return text


class Address(NamedTuple):
    """A street address as a set of words (of Chinese: pairs of characters), and its numbers apart."""

    text: str
    words: frozenset[str]
    numbers: frozenset[str]


_MOST_WORDS = 40
_BEFORE_STREET = re.compile(r"^(?:中国|中华人民共和国)?(?:[\u4e00-\u9fff]{2,8}?(?:省|自治区|市|区|县))*")


def address_of(received: str) -> Address | None:
    """Read an address; province, city and district in front are left to `areas_of`."""
    text = plain_letters(fold(received))
    if has_chinese(text):
        bare = _BEFORE_STREET.sub("", text) or text
        signs = "".join(words_of(bare))[:80]
        numbers = frozenset(_NUMBER.findall(signs))
        letters_only = _NUMBER.sub("", signs)
        pairs = {letters_only[i : i + 2] for i in range(len(letters_only) - 1)} or {letters_only}
        words = frozenset(pairs) | numbers
    else:
        bare = text
        found = [ROAD_WORDS.get(word, word) for word in words_of(text)[:_MOST_WORDS]]
        words = frozenset(found)
        numbers = frozenset(word for word in found if word[0].isdigit())
        signs = " ".join(found)
    return Address(signs, words - {""}, numbers) if signs else None


@lru_cache(maxsize=8192)
def area_of(received: str) -> str | None:
    """Return a city or region in one spelling: 江苏/苏州 for 苏州, 苏州市 and Suzhou; as folded where unknown."""
    text = fold(received)
    if not text:
        return None
    candidates = by_name(text) if CJK.search(text) else by_english(letters(text))
    places = [place for place in candidates or () if len(candidates or ()) == 1 or place in LARGER]
    if len(places) == 1:
        place = places[0]
        return f"{place.province}/{place.city or ''}"
    return " ".join(words_of(plain_letters(text))) or None


def postcode_of(received: str) -> str | None:
    """Return a postcode as its letters and digits."""
    text = _NOT_ALNUM.sub("", fold(received[:30]))
    return text if 3 <= len(text) <= 10 and len(set(text)) > 1 else None
