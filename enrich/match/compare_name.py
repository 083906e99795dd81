"""How alike two names of persons are."""

from __future__ import annotations

from rapidfuzz.distance import OSA, JaroWinkler

from enrich.match.names import Name

NAME_LEVELS = (
    "exact",
    "written_otherwise",
    "romanised",
    "nickname",
    "typo",
    "two_typos",
    "one_character",
    "initials",
    "part",
    "given",
    "family",
    "else",
)
"""exact: 张伟 = 張偉. written_otherwise: other order of the words, other writing of the surname (萧 = 肖).
romanised: 李娜 = Na Li. nickname: Bob = Robert, or a middle name left out; same surname. typo: one slip, or sounds the same (张伟, 章伟).
one_character: Chinese, same surname, one sign of the given name differs. part: one has a word or part less.
given: same given name, other surname. family: same surname, other given name."""

(
    EXACT,
    WRITTEN_OTHERWISE,
    ROMANISED,
    NICKNAME,
    TYPO,
    TWO_TYPOS,
    ONE_CHARACTER,
    INITIALS,
    PART,
    GIVEN,
    FAMILY,
    ELSE,
) = range(len(NAME_LEVELS))

_distance = OSA.distance
_likeness = JaroWinkler.similarity


def name_pair(x: Name, y: Name) -> int:
    """Return the level of two names."""
    if x.generation != y.generation and x.generation and y.generation:
        return FAMILY
    if x.text == y.text:
        return EXACT if x.family and x.given and y.family and y.given else PART
    if x.key == y.key:
        return WRITTEN_OTHERWISE if x.given and y.given else PART
    if x.chinese:
        return _chinese(x, y) if y.chinese else _romanised(x, y)
    return _romanised(y, x) if y.chinese else _latin(x, y)


def _romanised(chinese: Name, latin: Name) -> int:
    if chinese.spellings and chinese.spellings[0] in latin.spellings:
        return ROMANISED if chinese.given else PART
    words = latin.key.split()
    if chinese.forms and chinese.forms[0] in words:
        return PART if len(words) == 1 or not chinese.given else FAMILY
    return ELSE


def _chinese(x: Name, y: Name) -> int:
    if x.sound == y.sound:
        return TYPO
    if x.family and x.family == y.family:
        if not x.given or not y.given:
            return PART
        if len(x.given) + len(y.given) > 2 and _distance(x.given, y.given, score_cutoff=1) == 1:
            return ONE_CHARACTER
        return FAMILY
    if x.given and x.given == y.given:
        return GIVEN
    return ELSE


def _latin(x: Name, y: Name) -> int:
    if not (x.family and x.given and y.family and y.given):
        return _partial(x, y)
    if x.family == y.family:
        return _given_names(x, y)
    longest = max(len(x.key), len(y.key))
    distance = _distance(x.key, y.key, score_cutoff=2)
    if distance <= 1 and longest >= 6:
        return TYPO
    if distance <= 2 and longest >= 10:
        return TWO_TYPOS
    if _meet(x.forms, y.forms):
        if _likeness(x.family, y.family, score_cutoff=0.9):
            return TWO_TYPOS
        short, long = sorted((x.family, y.family), key=len)
        return PART if len(short) >= 4 and (long.startswith(short) or long.endswith(short)) else GIVEN
    if _likeness(x.text, y.text, score_cutoff=0.93):
        return TWO_TYPOS
    return FAMILY if x.family in y.key.split() and len(x.family) > 2 and x.family == y.given else ELSE


def _given_names(x: Name, y: Name) -> int:
    if _meet(x.forms, y.forms):
        return PART if _other_middle(x.given, y.given) else NICKNAME
    one, other = x.given, y.given
    shorter = min(len(one), len(other))
    if shorter == 1 or x.forms[0][:1] == one or y.forms[0][:1] == other:
        return INITIALS if one[0] == other[0] else FAMILY
    if x.known and y.known:
        return FAMILY
    distance = _distance(one, other, score_cutoff=2)
    if distance <= 1 and shorter >= 3:
        return TYPO
    if (distance <= 2 and shorter >= 5) or _likeness(one, other, score_cutoff=0.88):
        return TWO_TYPOS
    if one.startswith(other) or other.startswith(one) or set(one.split()) & set(other.split()):
        return PART
    return FAMILY


def _other_middle(one: str, other: str) -> bool:
    """Mary Ann, Mary Jane: both have a middle name, and it is not the same, nor its initial."""
    xs, ys = one.split()[1:], other.split()[1:]
    return bool(xs and ys) and not (xs[0].startswith(ys[0]) or ys[0].startswith(xs[0]))


def _partial(x: Name, y: Name) -> int:
    """One has a given name or a surname only: alike if that word is one of the other's."""
    xs, ys = x.key.split(), y.key.split()
    if not x.given or not y.given or not x.family or not y.family:
        short, long = (x, y) if len(xs) <= len(ys) else (y, x)
        if set(short.key.split()) <= set(long.key.split()):
            return PART
        if short.forms and long.forms and _meet(short.forms, long.forms):
            return PART
    distance = _distance(x.key, y.key, score_cutoff=1)
    return PART if distance <= 1 and min(len(x.key), len(y.key)) >= 5 else ELSE


def _meet(xs: tuple[str, ...], ys: tuple[str, ...]) -> bool:
    return any(x in ys for x in xs)
