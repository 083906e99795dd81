"""Telephone numbers in running text and behind labels, as received; whether they are valid is not asked here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

_NUMBERS = 50
"""Numbers taken from one text; a list of more is no signature."""

_WIDTH = str.maketrans("０１２３４５６７８９＋－（）：．／　", "0123456789+-():./ ")
_EXTENSION = r"(?:\s*(?:转|轉|分机|分機|内线|ext\.?|extn\.?|extension|x|#)\s*[:.]?\s*\d{1,6}|-\d{1,4}(?!\d))?"
_NUMBER = r"\+?\(?\d[\d \t\-().·–]{4,24}\d" + _EXTENSION
_LABELS = (
    "移动电话|移动|手机号码|手机号|手机|手機|联系电话|联系方式|聯絡電話|办公电话|公司电话|固定电话|电话号码|电话|電話"
    "|座机|固话|热线|总机|直线|WhatsApp|WeChat|微信|Telephone|Cellphone|Handphone|Mobile|Phone|Office|Direct|Cell|Tel|Mob"
    "|Ph|HP|M|T|P|C"
)
_FAX = "传真号码|传真|傳真|Telefax|Fax|F"
_LABELLED = re.compile(
    rf"(?<![A-Za-z])(?:(?P<fax>{_FAX})|(?P<label>{_LABELS}))(?:\s?[/&]\s?(?:{_LABELS}|{_FAX}))?"
    rf"(?:\s?\((?:{_LABELS}|24h|O|M|H)\))?\s*[.]?\s*[:]?\s*(?P<number>{_NUMBER})",
    re.IGNORECASE,
)
_BARE = re.compile(
    r"(?<![\d.+@/=_-])(?:"
    r"(?:(?:\+|00)?86[ -]?)?1[3-9]\d[ -]?\d{4}[ -]?\d{4}"
    r"|(?:\+|00)[1-9]\d{0,2}[ -]?\(?\d[\d \-()]{5,14}\d"
    r"|\(?0\d{2,3}\)?[ -]\d{7,8}"
    r"|[48]00[ -]\d{3}[ -]?\d{4}"
    rf"){_EXTENSION}(?![\d@_])",
    re.IGNORECASE,
)


class Phone(NamedTuple):
    """A number as received and the label in front of it, if any."""

    received: str
    label: str | None
    start: int


def find_phones(text: str) -> Iterator[Phone]:
    """Yield the numbers in a text, in order; what stands behind a fax label is left out.

    Numbers without a label must look unmistakable: a Chinese mobile, an international prefix, an area code
    with a dash, 400/800. An order number in a sentence is none.
    """
    plain = text.translate(_WIDTH)
    hits: list[Phone] = []
    rest: list[str] = []
    last = 0
    for found in _LABELLED.finditer(plain):
        rest += [plain[last : found.start()], " " * len(found[0])]
        last = found.end()
        if found["label"] and _digits(found["number"]) >= 6:
            hits.append(Phone(_received(text, found, "number"), found["label"], found.start()))
    bare = _BARE.finditer("".join(rest) + plain[last:])
    hits += [Phone(_received(text, found, 0), None, found.start()) for found in islice(bare, _NUMBERS)]
    yield from sorted(hits, key=lambda hit: hit.start)[:_NUMBERS]


def digits_of(number: str) -> str:
    """Return the digits of a number, for comparing with our own."""
    return re.sub(r"\D", "", number.translate(_WIDTH))


def _received(text: str, found: re.Match[str], group: str | int) -> str:
    return text[found.start(group) : found.end(group)].strip(" -.·–\t")


def _digits(number: str) -> int:
    return sum(character.isdigit() for character in number)
