"""Unary tests: what one cell of a decision table says about one fact, as a small tree of data.

A cell is one of (OMG DMN 1.4, S-FEEL subset; section 7.3.4 "unary tests"):

    (empty) or -                 anything
    web   "web"                  equal; in quotes any text, so "北京,上海" is one value
    web, email   <= 5, [10..20]  one of
    not(web, email)              none of
    >= 10   < 5   [1..9]  ]1..9] numbers
    >= 2026-01-01                dates
    上海*                         starts with
    null   not(null)             unknown, known

Signs as a Chinese keyboard writes them count as the plain ones outside of quotes: ，、（）≥≤＞＜“”. What a cell is
read as can be written back (`text`), and reads as the same.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

FactKind = Literal["text", "number", "date", "yes_no"]
"""What a fact is: a text, a number, a day as 2026-01-31, or `yes` or `no`. Every fact is handed over as text."""

Scalar = float | str
"""A number, or a day as its ISO text, which sorts as the days do."""


class UnreadableTest(ValueError):
    """The cell is no unary test. The message says why and what to write, in English and Chinese."""

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.en = en
        self.zh = zh


@dataclass(frozen=True, slots=True)
class Exactly:
    """Equal to a text; to an empty one where the fact is unknown."""

    value: str

    def holds(self, value: str) -> bool:
        """Tell whether it is so for a fact."""
        return value == self.value


@dataclass(frozen=True, slots=True)
class Starts:
    """Starts with a text."""

    prefix: str

    def holds(self, value: str) -> bool:
        """Tell whether it is so for a fact."""
        return value.startswith(self.prefix)


@dataclass(frozen=True, slots=True)
class Within:
    """A number or day between two bounds, each of which may be open (None) and may belong to it or not."""

    low: Scalar | None
    high: Scalar | None
    with_low: bool = True
    with_high: bool = True

    def holds(self, value: str) -> bool:
        """Tell whether it is so for a fact; never for an unknown one."""
        scalar = scalar_of(value, self.low if self.low is not None else self.high)
        return scalar is not None and self.has(scalar)

    def has(self, scalar: Scalar) -> bool:
        """Tell whether a number or day lies between the bounds."""
        one: Any = scalar  # a bound is of its kind
        if self.low is not None and (one < self.low or (one == self.low and not self.with_low)):
            return False
        return self.high is None or one < self.high or (one == self.high and self.with_high)


Item = Exactly | Starts | Within
UNKNOWN = Exactly("")


@dataclass(frozen=True, slots=True)
class UnaryTest:
    """A cell that says something: one of its items holds, or with `negated` none does."""

    items: tuple[Item, ...]
    negated: bool = False

    def holds(self, value: str) -> bool:
        """Tell whether it holds for a fact."""
        for item in self.items:  # a loop, which is faster than any(): each lead asks the whole lead score
            if item.holds(value):
                return not self.negated
        return self.negated

    @property
    def text(self) -> str:
        """The cell as it would be written: read again, it is the same test."""
        inner = ", ".join(map(_item_text, self.items))
        return f"not({inner})" if self.negated else inner


def scalar_of(value: str, like: Scalar | None) -> Scalar | None:
    """Return a fact as a number, or as a day if `like` is one; None for what is neither, such as an unknown one."""
    if isinstance(like, str):
        return value if _DAY.fullmatch(value) else None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def read_test(cell: str, kind: FactKind = "text") -> UnaryTest | None:
    """Read a cell; None where it says anything. Raises UnreadableTest."""
    plain = _plain(cell)
    if plain in ("", "-"):
        return None
    match = _NOT.fullmatch(plain)
    inner = match[1].strip() if match else plain
    items = tuple(dict.fromkeys(_items(inner, kind)))
    if not items:
        raise _unreadable(cell)
    return UnaryTest(items, negated=match is not None)


def _items(text: str, kind: FactKind) -> Iterator[Item]:
    at = 0
    while at < len(text):
        match = _ENTRY.match(text, at)
        if match is None:
            raise _unreadable(text)
        quoted, bare = match[1], (match[2] or "").strip()
        at = match.end()
        if quoted is not None:
            yield _value(re.sub(r"\\(.)", r"\1", quoted), kind)
        elif bare:
            yield _bare(bare, kind)


def _bare(text: str, kind: FactKind) -> Item:
    if text == "null":
        return UNKNOWN
    if match := _COMPARE.fullmatch(text):
        bound = _scalar(match[2], kind, text)
        with_it = "=" in match[1]
        return Within(bound, None, with_it) if match[1][0] == ">" else Within(None, bound, True, with_it)
    if match := _RANGE.fullmatch(text):
        low: Any = _scalar(match[2], kind, text)
        high: Any = _scalar(match[3], kind, text)
        found = Within(low, high, match[1] == "[", match[4] == "]")
        if low > high or (low == high and not (found.with_low and found.with_high)):
            raise UnreadableTest(
                f"{text!r} holds for nothing: it ends before it starts", f"{text} 的起点大于终点，永远不成立"
            )
        return found
    if text[0] in "<>[]()!=" or '"' in text or _NOT_BEGUN.match(text):
        raise _unreadable(text)
    if kind == "text" and "*" in text:
        if text == "*" or "*" in text[:-1]:
            raise UnreadableTest(
                f"{text!r}: a star stands only at the end, after what it starts with; in quotes it is a star",
                f"{text}：星号只能放在末尾，表示“以…开头”；加引号则表示星号本身",
            )
        return Starts(text[:-1])
    return _value(text, kind)


def _value(text: str, kind: FactKind) -> Item:
    if kind == "text":
        return Exactly(text)
    if kind == "yes_no":
        said = {"是": "yes", "否": "no"}.get(text, text)
        if said not in ("yes", "no"):
            raise UnreadableTest(f"{text!r} is neither yes nor no", f"{text} 既不是 yes 也不是 no")
        return Exactly(said)
    scalar = _scalar(text, kind, text)
    return Within(scalar, scalar)


def _scalar(text: str, kind: FactKind, whole: str) -> Scalar:
    text = text.translate(_DIGITS)
    if kind == "number":
        if not _NUMBER.fullmatch(text):
            raise UnreadableTest(
                f"{whole!r} is no number; write 10, >= 10 or [1..9]",
                f"{whole} 不是数字；请写 10、>= 10 或 [1..9]",
            )
        return float(text)
    if kind == "date":
        try:
            return date.fromisoformat(text).isoformat() if _DAY.fullmatch(text) else _no_day(whole)
        except ValueError:
            return _no_day(whole)
    raise UnreadableTest(
        f"{whole!r} compares, and this column holds words; write the words themselves, in quotes if need be",
        f"{whole} 是比较，而此列是文字；请直接写文字，必要时加引号",
    )


def _no_day(text: str) -> Scalar:
    raise UnreadableTest(
        f"{text!r} is no day; write 2026-01-31, >= 2026-01-31 or [2026-01-01..2026-01-31]",
        f"{text} 不是日期；请写 2026-01-31、>= 2026-01-31 或 [2026-01-01..2026-01-31]",
    )


def _unreadable(cell: str) -> UnreadableTest:
    return UnreadableTest(
        f"cannot read {cell!r}; write a value, a list a, b, not(a, b), >= 10 or [1..9]",
        f"无法读懂 {cell or '空白'}；请写一个值、列表 a, b、not(a, b)、>= 10 或 [1..9]",
    )


def _plain(cell: str) -> str:
    """Return the cell with the signs of a Chinese keyboard as plain ones, but for what stands in quotes."""
    straight = _CURLY.sub(lambda match: '"' + match[1].replace('"', r"\"") + '"', cell.strip())
    parts = _QUOTED.split(straight)
    return "".join(
        part if number % 2 else part.translate(_SIGNS) for number, part in enumerate(parts)
    ).strip()


def _item_text(item: Item) -> str:
    if isinstance(item, Starts):
        return item.prefix + "*"
    if isinstance(item, Exactly):
        if not item.value:
            return "null"
        if item.value != "null" and _SAFE.fullmatch(item.value):
            return item.value
        return '"' + re.sub(r'(["\\])', r"\\\1", item.value) + '"'
    low, high = map(scalar_text, (item.low, item.high))
    if item.low is None:
        return f"<{'=' if item.with_high else ''} {high}"
    if item.high is None:
        return f">{'=' if item.with_low else ''} {low}"
    if item.low == item.high:
        return low
    return f"{'[' if item.with_low else ']'}{low}..{high}{']' if item.with_high else '['}"


def scalar_text(scalar: Scalar | None) -> str:
    """Return a bound as it is written in a cell."""
    return f"{scalar:.15g}" if isinstance(scalar, float) else scalar or ""


_NOT = re.compile(r"not\s*\((.*)\)", re.DOTALL)
_NOT_BEGUN = re.compile(r"not\s*\(")
_ENTRY = re.compile(r'\s*(?:"((?:[^"\\]|\\.)*)"|([^",]*))\s*(?:,|$)', re.DOTALL)
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*")')
_CURLY = re.compile(r"“([^”]*)”")
_COMPARE = re.compile(r"(<=|>=|<|>)\s*([^<>=].*)")
_RANGE = re.compile(r"([\[(\]])\s*(\S+?)\s*\.\.\s*(\S+?)\s*([\])\[])")
_NUMBER = re.compile(r"[+-]?\d{1,15}(?:\.\d{1,6})?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SAFE = re.compile(r"\w(?:[\w .:/@&+-]*[\w.:/@&+-])?")
_SIGNS = str.maketrans(
    dict(zip("，、（）＞＜［］＊－—", ",,()><[]*--", strict=True)) | {"≥": ">=", "≤": "<="}
)
_DIGITS = {0xFF10 + digit: str(digit) for digit in range(10)}
