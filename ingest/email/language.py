"""Which of our two languages a text is written in, by its script."""

from __future__ import annotations

import re

from schemas.base import Language

_HAN = re.compile("[\u3400-\u9fff]")
_LATIN = re.compile("[A-Za-z]")
_OTHER = re.compile("[\u0400-\u052f\u0590-\u06ff\u0e00-\u0e7f\u3040-\u30ff\uac00-\ud7af]")


def language_of(text: str) -> Language | None:
    """Return `zh`, `en`, or None for too little text or another script (kana, Hangul, Cyrillic, Arabic, Thai).

    One Chinese character weighs four Latin letters: an English product name does not make a mail English.
    """
    sample = text[:20_000]
    han, latin, other = (len(pattern.findall(sample)) for pattern in (_HAN, _LATIN, _OTHER))
    if other * 5 > han + other and other * 4 > latin:
        return None
    if han >= 2 and han * 4 >= latin:
        return "zh"
    return "en" if latin >= 8 else None
