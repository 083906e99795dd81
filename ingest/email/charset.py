"""Bytes to text: the declared charset, then strict UTF-8, then a guess among the charsets of our mail."""

from __future__ import annotations

import codecs
import re
from typing import NamedTuple

from charset_normalizer import from_bytes

_GUESSES = ["utf_8", "gb18030", "big5", "cp1252", "shift_jis"]
_SAMPLE = 32_768
"""Bytes shown to the guesser: statistics no longer change, and its cost grows with the length."""

_WIDER = {
    "gb2312": "gb18030",  # mailers say gb2312 and write GBK
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859-1": "cp1252",
    "ascii": "ascii",
}
_NAMES = {
    "x-gbk": "gb18030",
    "gb2312-80": "gb18030",
    "gb_2312-80": "gb18030",
    "chinesebig5": "big5hkscs",
    "x-x-big5": "big5hkscs",
    "utf8mb4": "utf-8",
    "unicode-1-1-utf-8": "utf-8",
    "x-sjis": "cp932",
    "ks_c_5601-1987": "cp949",
}
_TEXT_CODECS = re.compile(
    r"utf-(?:7|8|16|32)(?:-[bl]e)?|utf-8-sig|ascii|gb18030|hz|big5hkscs|cp\d+|iso8859-\d+|iso2022_\w+"
    r"|shift_jis\w*|euc_\w+|johab|koi8-[rtu]|mac-\w+|tis-620"
)
"""Codecs that read mail. Python also knows `idna`, `punycode`, `unicode_escape`, …: slow or harmful here."""

_NEVER_FAILS = re.compile(r"ascii|cp125\d|iso8859-\d+|koi8-[rtu]|mac-\w+|tis-620")
_CJK = re.compile("[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


class Decoded(NamedTuple):
    """Text, and what was wrong with its bytes: `charset_guessed`, `bytes_damaged`."""

    text: str
    flags: frozenset[str] = frozenset()


GUESSED = frozenset({"charset_guessed"})
DAMAGED = frozenset({"bytes_damaged"})


def decode(raw: bytes, declared: str | None) -> Decoded:
    """Return the text of `raw`; always answers, if need be with U+FFFD for what cannot be read.

    `declared` is believed unless it cannot be true: a one-byte charset whose bytes are plainly valid
    UTF-8 or mostly above 0x7F, or a Chinese one whose bytes are Chinese UTF-8.
    """
    codec = _codec(declared)
    if raw.isascii():
        return _ascii(raw, codec)
    if codec is not None and (text := _strict(raw, codec)) is not None and _plausible(raw, text, codec):
        return Decoded(text)
    if (text := _strict(raw, "utf-8")) is not None:
        return Decoded(text, GUESSED if codec != "utf-8" else frozenset())
    for candidate in dict.fromkeys((codec, "utf-8")):
        if candidate is None or _NEVER_FAILS.fullmatch(candidate):
            continue
        text = raw.decode(candidate, "replace")
        if _slightly_damaged(text):
            return Decoded(text, DAMAGED if candidate == codec else DAMAGED | GUESSED)
    return Decoded(raw.decode(guessed(raw), "replace"), GUESSED)


def _ascii(raw: bytes, codec: str | None) -> Decoded:
    if codec in ("hz", "utf-7") or (codec or "").startswith("iso2022"):
        text = _strict(raw, codec or "")
        return Decoded(text) if text is not None else Decoded(raw.decode("ascii"), DAMAGED)
    if b"\x1b$" in raw and (text := _strict(raw, "iso2022_jp_ext")) is not None:
        return Decoded(text, GUESSED)
    return Decoded(raw.decode("ascii"))


def _codec(declared: str | None) -> str | None:
    if not declared or len(declared) > 40:
        return None
    name = declared.strip(" \"'").lower()
    try:
        found = codecs.lookup(_NAMES.get(name, name)).name
    except (LookupError, ValueError):
        return None
    found = _WIDER.get(found, found)
    return found if _TEXT_CODECS.fullmatch(found) else None


def _strict(raw: bytes, codec: str) -> str | None:
    try:
        return raw.decode(codec)
    except UnicodeError:
        return None


def _plausible(raw: bytes, text: str, codec: str) -> bool:
    if codec.startswith(("utf", "iso2022")):
        return True
    as_utf8 = _strict(raw, "utf-8")
    if _NEVER_FAILS.fullmatch(codec):
        high = sum(byte > 0x7F for byte in raw[:_SAMPLE])
        mostly_high = high * 3 > len(raw[:_SAMPLE]) and codec in ("cp1252", "iso8859-15")
        return as_utf8 is None and not mostly_high
    return as_utf8 is None or len(_CJK.findall(as_utf8)) < 2


def _slightly_damaged(text: str) -> bool:
    wrong = text.count("\ufffd")
    beyond_ascii = sum(character > "\x7f" for character in text)
    cut_short = wrong == 1 and text.endswith("\ufffd") and beyond_ascii > 2
    return wrong * 10 <= beyond_ascii or cut_short


def guessed(raw: bytes) -> str:
    """Return the charset that bytes are most likely in which declare none and are no UTF-8."""
    # Characters in daily use lie in GB2312; Big5, cp1252 and Shift JIS soon leave its ranges. The statistics
    # behind need more bytes than a name or a subject has.
    if _strict(raw, "gb2312") is not None:
        return "gb18030"
    best = from_bytes(raw[:_SAMPLE], cp_isolation=_GUESSES).best()
    return best.encoding if best is not None else "gb18030"
