"""Telephone numbers in a text, masked for whoever is not to call them."""

from __future__ import annotations

import re
from typing import get_args

from schemas.ids import Kind

KINDS = get_args(Kind)

_OURS = rf"\b(?:{'|'.join(KINDS)})_[0-9a-z]{{8,}}\b|\b[0-9a-f]{{32}}(?:[0-9a-f]{{32}})?\b"
"""Typed ids, traces and digests: digits that are no number."""
_BETWEEN = r"[\s\u00a0\u200b-\u200f\u2060()./_·－–-]{0,3}"
_NUMBER = re.compile(rf"(?P<ours>{_OURS})|(?<!\d)[+＋]?\(?\d(?:{_BETWEEN}\d){{6,}}(?!\d)")
"""Seven digits and more (E.164 has up to fifteen; two may stand together), in groups or not, in any script."""
_DATE = re.compile(r"\d{4}[-./]\d{1,2}[-./]\d{1,2}\b")
SHOWN_FIRST, _SHOWN_LAST = 3, 2
DOT = "•"


def masked(text: str) -> str:
    """Return a text with every telephone number's middle hidden: `138 1234 5678` → `138 •••• ••78`.

    What is written as a date is left, and runs of fewer than seven digits: an extension or an amount finds nobody.
    """
    return _NUMBER.sub(_hidden, text)


def first_sign(name: str) -> str:
    """Return a name of which only the first sign is left: 张••, L••."""
    return f"{name.strip()[:1]}{DOT}{DOT}" if name.strip() else ""


def _hidden(match: re.Match[str]) -> str:
    text = match[0]
    if match["ours"]:
        return text
    if date := _DATE.match(text):
        return date[0] + masked(text[date.end() :])
    places = [index for index, sign in enumerate(text) if sign.isdigit()]
    hidden = set(places[SHOWN_FIRST : len(places) - _SHOWN_LAST])
    return "".join(DOT if index in hidden else sign for index, sign in enumerate(text))
