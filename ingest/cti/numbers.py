"""Telephone numbers as a switchboard writes them: what they are, not yet E.164 (that is enrich/'s job).

All functions take the text of a CDR column and are pure. Only what the assembler of calls must know lives
here: is it a number at all, does it carry an extension or a trunk access digit, is it one of ours.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

_WITHHELD = frozenset(
    [
        "anonymous",
        "anon",
        "restricted",
        "private",
        "privatenumber",
        "unavailable",
        "unknown",
        "unknownnumber",
        "withheld",
        "withheldnumber",
        "blocked",
        "nocallerid",
        "noid",
        "none",
        "null",
        "nil",
        "nan",
        "asterisk",
        "asserted",
        "coinline",
        "payphone",
        "outofarea",
        "匿名",
        "匿名来电",
        "未知",
        "未知号码",
        "未知來電",
        "保密",
        "隐藏",
        "隱藏",
        "私人号码",
        "私人號碼",
        "无主叫",
        "无号码",
        "無號碼",
    ]
)
"""What networks and switchboards write instead of a number, in lower case without spaces and marks."""

_SCHEME = re.compile(r"^(?:sips?|tel):", re.IGNORECASE)
_NAMED_EXTENSION = re.compile(
    r"^(?P<number>.*?\d.*?)\s*(?:转|轉|分机号?|分機號?|内线|內線|extension|ext\.?|;ext=|x|#)\s*[:.]?\s*(?P<ext>\d{1,6})$",
    re.IGNORECASE,
)
_DASHED_EXTENSION = re.compile(r"^(?P<number>.*\d)\s*-\s*(?P<ext>\d{1,5})$")
_NOT_DIALLED = re.compile(r"[\s().\-/\u2010-\u2015\u200b-\u200f\u202a-\u202e\ufeff]")
_DIALLABLE = re.compile(r"\+?\d+")
_SCIENTIFIC = re.compile(r"\s*[+-]?\d+(?:[.,]\d+)?e\s*[+-]?\d+\s*", re.IGNORECASE)

_CN_MOBILE = re.compile(r"1[3-9]\d{9}")
_CN_AREA = re.compile(r"0(?:10|2\d|[3-9]\d{2})\d{7,8}")
_CN_SERVICE = re.compile(r"[48]00\d{7}")
_CN_COMPLETE = (_CN_MOBILE, _CN_AREA, _CN_SERVICE)

_SHORTEST_OUTSIDE = 5
"""Service numbers such as 95588 have five digits; anything shorter is an extension or a feature code."""

_LONGEST_NUMBER = 24
"""E.164 allows 15 digits; the rest is room for access and trunk digits. More is noise."""

_LONGEST = 80
"""Width of the columns in Asterisk; longer text is no number, and not worth a search that could be slow."""

_SUFFIX = 7
"""The shortest subscriber number in China: two numbers that share this many last digits may be one."""


class Split(NamedTuple):
    """A number and the extension that was written behind it."""

    number: str
    extension: str | None


def is_scientific(text: str) -> bool:
    """Say whether a spreadsheet turned the number into `1.38E+10`: its last digits are lost for good."""
    return _SCIENTIFIC.fullmatch(unicodedata.normalize("NFKC", text)) is not None


def plain(text: str) -> str:
    """Return the number as it would be dialled: ASCII digits and perhaps a leading `+`; else the bare text.

    Full-width digits become ASCII, the wrapping of `sip:` and `tel:` addresses, spaces and marks go.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if _SCHEME.match(text):
        text = re.split(r"[@;?]", _SCHEME.sub("", text), maxsplit=1)[0]
    return _NOT_DIALLED.sub("", text)


def split_extension(text: str) -> Split:
    """Part `021-55550100转801`, `55550100-801` and `02155550100 ext 801` into number and extension.

    A dash alone parts only what stands behind a complete number, so `021-5555-0100` stays whole.
    """
    wide = unicodedata.normalize("NFKC", text).strip()
    if len(wide) > _LONGEST:
        return Split(plain(wide), None)
    if named := _NAMED_EXTENSION.fullmatch(wide):
        return Split(plain(named["number"]), named["ext"])
    if (dashed := _DASHED_EXTENSION.fullmatch(wide)) and _is_complete(dashed["number"]):
        return Split(plain(dashed["number"]), dashed["ext"])
    return Split(plain(wide), None)


def names_nobody(text: str) -> bool:
    """Say whether the text is empty, only zeros and marks, or a word such as `Restricted` or 匿名."""
    number = split_extension(text).number.casefold().strip("<>\"'*+_")
    return number in _WITHHELD or not number.strip("0")


def is_withheld(text: str) -> bool:
    """Say whether the text identifies nobody: no number at all, such as `s`, or a bogus one."""
    number = split_extension(text).number
    return names_nobody(text) or len(number) > _LONGEST_NUMBER or _DIALLABLE.fullmatch(number) is None


def is_outside(text: str) -> bool:
    """Say whether the text can be the number of somebody on the public network."""
    number = split_extension(text).number.lstrip("+")
    return not is_withheld(text) and len(number) >= _SHORTEST_OUTSIDE


def without_trunk_prefix(text: str, *, country: str, prefixes: tuple[str, ...] = ()) -> str:
    """Take away the digits that a telephone dials to reach the trunk, such as the 9 of `913800138000`.

    A configured prefix goes whenever seven digits remain. In China a leading 9, and a 0 before a mobile
    number, also go unasked, but only when what remains is a complete number. Text that holds no such
    prefix is returned untouched.
    """
    number = split_extension(text).number
    for prefix in sorted(prefixes, key=len, reverse=True):
        if number.startswith(prefix) and len(number) - len(prefix) >= _SUFFIX:
            return number[len(prefix) :]
    if country == "CN":
        rest = number[1:]
        if number.startswith("0") and _CN_MOBILE.fullmatch(rest):
            return rest
        if number.startswith("9"):
            rest = rest[1:] if _CN_MOBILE.fullmatch(rest[1:]) and rest.startswith("0") else rest
            if any(shape.fullmatch(rest) for shape in _CN_COMPLETE):
                return rest
    return text


def is_same_number(one: str, other: str, *, country: str) -> bool:
    """Say whether two spellings may be one line: equal national digits, or one the tail of the other.

    The tail must have seven digits or more: a switchboard often writes its own numbers without area code.
    Shorter numbers must be equal.
    """
    a, b = _national(one, country), _national(other, country)
    if not a or not b:
        return False
    short, long = sorted((a, b), key=len)
    return short == long or (len(short) >= _SUFFIX and long.endswith(short))


def _national(text: str, country: str) -> str:
    number = split_extension(text).number
    if country == "CN":
        number = re.sub(r"^(?:\+|00)?86(?=\d{9,})", "", number)
    return re.sub(r"\D", "", number).lstrip("0")


def _is_complete(text: str) -> bool:
    national = re.sub(r"^(?:\+|00)?86(?=\d{8,})", "", plain(text))
    if any(shape.fullmatch(national) for shape in _CN_COMPLETE):
        return True
    if national.startswith("0"):
        return False
    undashed_local = re.fullmatch(r"\s*[2-8]\d{7}\s*", text) is not None
    return undashed_local or len(national) >= (12 if national.startswith("+") else 10)
