"""Texts folded so that two spellings of one thing are one: width, case, accents, traditional characters, pinyin."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable
from functools import cache, lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opencc import OpenCC

LONGEST = 200
"""Characters read of a value: a name or address says what it says early, and costs no more than this."""

CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_UNREADABLE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_INNER_SPACE = re.compile(r"(?<=[\u3400-\u9fff])\s+(?=[\u3400-\u9fff])")
_WORD = re.compile(r"[^\W_]+")

_PLACEHOLDER = frozenset(
    """
    none null nil na n/a n.a. nan undefined unknown unnamed anonymous test testing tester demo example sample
    asdf qwerty abc aaa xxx xx x tbd tba todo - -- . .. ? ?? 0 00 000 无 无名 没有 未填 未填写 未知 不详 不知道 暂无 空
    匿名 匿名用户 测试 测试一下 测试用户 测试公司 测试数据 客户 用户 先生 女士 小姐 太太 个人 个人用户 其他 其它 同上 保密 略
    """.split()
)


def fold(received: str) -> str:
    """Return a text in one width, case, script and spacing, without what cannot be seen; "" for a placeholder."""
    text = _UNREADABLE.sub("", received[: LONGEST * 2])
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
        if CJK.search(text):
            if not _traditional().isdisjoint(text):
                text = _simplifier().convert(text)
            text = _INNER_SPACE.sub("", text)
    text = " ".join(text.split()).casefold()[:LONGEST].strip()
    return "" if text in _PLACEHOLDER or _is_one_sign(text) else text


def _is_one_sign(text: str) -> bool:
    """Tell whether a text of several signs is one sign repeated (0000, 哈哈哈): that is typed to get past a field."""
    return len(text) > 2 and len(set(text)) == 1


def plain_letters(text: str) -> str:
    """Return a folded text without accents: müller as muller."""
    if text.isascii():
        return text
    return "".join(sign for sign in unicodedata.normalize("NFKD", text) if not unicodedata.combining(sign))


def words_of(text: str) -> list[str]:
    """Return the runs of letters and digits of a text."""
    return _WORD.findall(text)


def has_chinese(text: str) -> bool:
    """Tell whether a Chinese character occurs."""
    return CJK.search(text) is not None


def spell(text: str) -> str:
    """Return the pinyin of a text without tones and spaces, ü as u; other signs as they are."""
    return "".join(map(syllable, text))


@lru_cache(maxsize=16384)
def syllable(character: str) -> str:
    """Return the commonest reading of one character without its tone, ü as u."""
    return _reader()(character)[0].replace("v", "u").replace("ü", "u") if CJK.match(character) else character


@cache
def _reader() -> Callable[[str], list[str]]:
    """Return pypinyin without its table of phrases, which single characters do not need: 45 MB and 0.3 s less."""
    os.environ.setdefault("PYPINYIN_NO_PHRASES", "1")
    from pypinyin import lazy_pinyin

    return lazy_pinyin


_IN_PHRASES = "哩坏沈甦瞭藉衹覆"
"""Characters that OpenCC changes in some phrases only: 瞭 in 明瞭, 沈 in 深沈."""


@cache
def _traditional() -> frozenset[str]:
    """Return the characters without which a text stays as it is: most are simplified, and to convert costs 8 µs."""
    alone = [chr(code) for code in (*range(0x3400, 0xA000), *range(0xF900, 0xFB00), *range(0x20000, 0x32000))]
    converted = _simplifier().convert("\n".join(alone)).split("\n")
    changed = (one for one, other in zip(alone, converted, strict=True) if one != other)
    return frozenset((*changed, *_IN_PHRASES))


@cache
def _simplifier() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")
