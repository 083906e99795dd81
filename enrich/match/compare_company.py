"""How alike two names of companies are."""

from __future__ import annotations

from rapidfuzz.distance import OSA

from enrich.match.companies import Company

COMPANY_LEVELS = (
    "exact",
    "core",
    "romanised",
    "brand",
    "short_brand",
    "typo",
    "abbreviation",
    "branch",
    "most_words",
    "some_words",
    "else",
)
"""exact: the same name. core: the same without legal form and region, or the beginning of the other beyond the brand
(大恒信息, 大恒信息技术). romanised: 大恒信息 = Daheng Info. brand: the same once words that many share are off (大恒光, 大恒光信息);
short_brand: the same, but of two characters or four letters (华信), which others have too. branch: core or brand agree,
but branch, region or trade differ (大恒信息, 大恒机械: one brand, and two companies of a register). most_words, some_words: of
the words of the brand, one slip each allowed, 2 in 3 or 1 in 3 are common to both."""

(EXACT, CORE, ROMANISED, BRAND, SHORT_BRAND, TYPO, ABBREVIATION, BRANCH, MOST_WORDS, SOME_WORDS, ELSE) = (
    range(len(COMPANY_LEVELS))
)

_distance = OSA.distance


def company_pair(x: Company, y: Company) -> int:
    """Return the level of two company names."""
    if x.text == y.text and not _apart(x, y):
        return EXACT
    if x.chinese != y.chinese:
        return ROMANISED if x.sound == y.sound else ELSE
    if x.brand == y.brand:
        if _apart(x, y):
            return BRANCH
        if x.core == y.core or _begins(x, y):
            return SHORT_BRAND if x.short and len(x.core) == len(x.brand) else CORE
        if x.trade and y.trade:
            return BRANCH
        return SHORT_BRAND if x.short else BRAND
    if _is_typo(x, y):
        return TYPO
    if x.chinese:
        if x.brand[0] == y.brand[0] and (_abbreviates(x, y) or _abbreviates(y, x)):
            return ABBREVIATION
    elif y.initials == x.core or x.initials == y.core:
        return ABBREVIATION
    return _overlap(x, y)


def _overlap(x: Company, y: Company) -> int:
    common = len(x.words & y.words)
    more, fewer = max(len(x.words), len(y.words)), min(len(x.words), len(y.words))
    if not x.chinese and common < fewer:
        common += _slips(x.words - y.words, y.words - x.words)
    if not common:
        return ELSE
    if x.chinese and _ends_with(x.core, y.core):
        return MOST_WORDS
    if common * 3 >= more * 2 or (common == fewer and fewer > 1):
        return MOST_WORDS
    return SOME_WORDS if common * 3 >= more else ELSE


def _ends_with(one: str, other: str) -> bool:
    """武武汉智源自动化设备: something stands before the whole of the other."""
    short, long = (one, other) if len(one) < len(other) else (other, one)
    return len(short) >= 5 and long.endswith(short)


def _slips(xs: frozenset[str], ys: frozenset[str]) -> int:
    """Return how many words of one are one slip away from a word of the other: phillips, philips."""
    return sum(
        any(x[0] == y[0] and len(x) > 4 and _distance(x, y, score_cutoff=1) <= 1 for y in ys) for x in xs
    )


def _apart(x: Company, y: Company) -> bool:
    return x.branch != y.branch or bool(x.place and y.place and x.place != y.place)


def _begins(x: Company, y: Company) -> bool:
    short, long = (x, y) if len(x.core) < len(y.core) else (y, x)
    return len(short.core) > len(short.brand) and long.core.startswith(short.core)


def _is_typo(x: Company, y: Company) -> bool:
    one, other = len(x.core), len(y.core)
    if not -2 < one - other < 2 or min(one, other) < (4 if x.chinese else 6):
        return False
    if x.chinese and len(x.brand) == len(y.brand) < 3 and x.sound != y.sound:
        return False  # 大恒信息, 永恒信息: the brand is what tells them apart
    return bool(_distance(x.core, y.core, score_cutoff=1) <= 1)


def _abbreviates(short: Company, long: Company) -> bool:
    """中石化 of 中国石油化工: its signs in their order, at least two left out."""
    brief, whole = short.brand, long.core
    if not 2 <= len(brief) <= 5 or len(whole) < len(brief) + 2:
        return False
    at = 0
    for sign in brief:
        at = whole.find(sign, at) + 1
        if not at:
            return False
    return True
