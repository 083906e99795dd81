"""A company's name, read into what its comparison needs: the whole, its core, its brand, its branch."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from babel import Locale

from enrich.match.text import fold, has_chinese, plain_letters, spell, words_of
from enrich.match.words import (
    BRANCH_ENDINGS,
    CHINESE_LEGAL_FORMS,
    GENERIC_CHINESE,
    GENERIC_LATIN,
    INSTITUTIONS,
    LEGAL_FORMS,
    NO_COMPANY,
)
from enrich.places import by_english, by_name, letters, reach
from enrich.region import BRANDS

_BRACKETS = re.compile(r"[(（\[【〔]([^()（）\[\]【】〔〕]{0,40})[)）\]】〕]")
_SINGLE = re.compile(r"\b(\w)[.\s&]+(?=\w\b)")
_LEGAL_BY_LENGTH = tuple(sorted(CHINESE_LEGAL_FORMS, key=len, reverse=True))
_GENERIC_BY_LENGTH = tuple(sorted(GENERIC_CHINESE, key=len, reverse=True))
_GROUP_OF_PLACE = re.compile(r"(.{2,}集团)([\u4e00-\u9fff]{2,4})$")
_MOST_WORDS = 16
_SHORT_CHINESE = 2
_SHORT_LATIN = 4


class Company(NamedTuple):
    """One company's name; every part is folded."""

    text: str
    """As written, without spaces and brackets."""
    core: str
    """Without legal form, region and branch: 大恒信息技术, daheng info."""
    brand: str
    """The core without what many share: 大恒, daheng."""
    place: str
    """The region it begins with or has in brackets: 北京; "" if none."""
    branch: str
    """What follows the company in the name of a branch: 上海分公司; "" for the company itself."""
    sound: str
    """The brand in Latin letters, for 大恒 and Daheng alike: daheng."""
    words: frozenset[str]
    """Words of the brand; of a Chinese one its pairs of characters."""
    initials: str
    """First letters of the words of a Latin core: ibm."""
    chinese: bool
    short: bool
    """The brand is so short (大恒, ibm) that others have it too."""

    @property
    def trade(self) -> str:
        """What the core says beyond the brand: 信息技术."""
        return self.core if self.core != self.brand else ""

    @property
    def is_registered(self) -> bool:
        """Whether it is a whole name as a register has it: region, brand, trade and legal form."""
        if not self.place or not self.trade:
            return False
        if not self.chinese:
            return not self.text.endswith(self.core.rpartition(" ")[2])
        return len(self.text) > len(self.place) + len(self.core) + len(self.branch)


def company_of(received: str) -> Company | None:
    """Read a company's name; None where nothing in it tells one company from another (科技有限公司)."""
    text = fold(received)
    if not text or text in NO_COMPANY:
        return None
    return _chinese(text) if has_chinese(text) else _latin(text)


def _chinese(text: str) -> Company | None:
    place = ""
    for inner in _BRACKETS.findall(text):
        if by_name(inner.strip()):
            place = inner.strip()
    bare = re.sub(r"[^\w]", "", _BRACKETS.sub(_unless_place, text))
    core, branch = _split_branch(bare)
    core = _without_legal_form(core)
    core = _GROUP_OF_PLACE.sub(_group, core)
    if not core.endswith(INSTITUTIONS):
        start = _places_at_start(core)
        place, core = core[:start] or place, core[start:]
    brand = _without_generic(core)
    if not brand:
        return None
    pairs = frozenset(brand[i : i + 2] for i in range(len(brand) - 1)) or frozenset({brand})
    return Company(
        bare, core, brand, place, branch, spell(brand), pairs, "", True, len(brand) <= _SHORT_CHINESE
    )


def _without_legal_form(text: str) -> str:
    return next((text.removesuffix(form) for form in _LEGAL_BY_LENGTH if text.endswith(form)), text)


def _group(match: re.Match[str]) -> str:
    """Take off the place from 移动通信集团广东."""
    return match[1] if by_name(match[2]) else match[0]


def _unless_place(match: re.Match[str]) -> str:
    inner = match[1].strip()
    return (
        "" if by_name(inner) or inner in ("中国", "集团", "普通合伙", "有限合伙", "特殊普通合伙") else inner
    )


def _split_branch(bare: str) -> tuple[str, str]:
    """Split 大恒有限公司上海分公司 into the company and its branch."""
    if bare.endswith(BRANCH_ENDINGS):
        for form in _LEGAL_BY_LENGTH:
            end = bare.find(form)
            if end > 0 and end + len(form) < len(bare) and form != "集团":
                return bare[: end + len(form)], bare[end + len(form) :]
        ending = next(one for one in BRANCH_ENDINGS if bare.endswith(one))
        whole = bare.removesuffix(ending)
        for length in (4, 3, 2):  # 中石化上海分公司
            if by_name(whole[-length:]):
                return whole[:-length], whole[-length:] + ending
        return whole, ending
    return bare, ""


def _places_at_start(text: str) -> int:
    """Return the length of the names of places that a company's name begins with, at least two signs left over."""
    start = 0
    for _ in range(3):
        for end in range(min(start + reach(text[start : start + 2]), len(text) - 2), start + 1, -1):
            if by_name(text[start:end]) and text[start:end] not in BRANDS:
                start = end
                break
        else:
            break
        if start < len(text) - 2 and text[start] in "省市区县":
            start += 1
    return start


@lru_cache(maxsize=4096)
def _without_generic(core: str) -> str:
    brand = core
    while brand:
        for word in _GENERIC_BY_LENGTH:
            if brand.endswith(word):
                brand = brand.removesuffix(word)
                break
        else:
            break
    return brand


def _latin(text: str) -> Company | None:
    plain = plain_letters(text)
    plain = _SINGLE.sub(r"\1", plain.replace("'", "").replace("’", ""))
    words = words_of(plain)[:_MOST_WORDS]
    core = [word for word in words if word not in LEGAL_FORMS]
    if not core:
        return None
    places = {word for word in core if _is_place(word)}
    brand = [word for word in core if len(word) > 1 and word not in GENERIC_LATIN and word not in places]
    if not brand and len(core) > 2:
        brand = core
    if not brand:
        return None
    initials = "".join(word[0] for word in words if word not in LEGAL_FORMS)
    joined = "".join(brand)
    told = frozenset(brand)
    place = " ".join(sorted(places))
    short = len(brand) == 1 and len(joined) <= _SHORT_LATIN
    return Company(
        "".join(words), " ".join(core), " ".join(brand), place, "", joined, told, initials, False, short
    )


@lru_cache(maxsize=4096)
def _is_place(word: str) -> bool:
    return word in _countries() or by_english(letters(word)) is not None


@cache
def _countries() -> frozenset[str]:
    """Return the names of countries of one word, in English and in their own largest languages."""
    names = (
        name
        for language in ("en", "de", "fr", "es", "it", "nl")
        for name in Locale(language).territories.values()
    )
    return frozenset(
        word for name in names if len(word := plain_letters(name.casefold())) > 3 and word.isalpha()
    )
