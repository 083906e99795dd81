"""Telephone numbers as spreadsheets leave them: mended where only one number can be meant, refused where digits are lost."""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, NamedTuple

Trouble = Literal["phone_cut", "phone_is_date"]


class Phone(NamedTuple):
    """What a cell says: the number to be read, whether it had to be mended, or why none can be had from it."""

    text: str
    mended: bool = False
    trouble: Trouble | None = None


def mend_phone(cell: str) -> Phone:
    """Return the number that a cell stands for.

    `'138…` loses its apostrophe, `13800138000.0` its point; `1.3800138000E+10` has all its digits still, `1.38E+10`
    has lost them. A landline without its first 0 is whole, since no mobile has ten digits or begins with 2 to 9. A
    date was a number that the program took for one, and cannot be had back.
    """
    text = unicodedata.normalize("NFKC", cell).strip()
    plain = text.lstrip("'`’ ").rstrip("'’ ")
    if match := _SCIENTIFIC.fullmatch(plain):
        return _unfolded(match, cell)
    if match := _DECIMAL.fullmatch(plain):
        plain = match[1]
    elif _DATE.fullmatch(plain):
        return Phone(cell, trouble="phone_is_date")
    if _LANDLINE_WITHOUT_ZERO.fullmatch(plain):
        plain = "0" + plain
    return Phone(plain, mended=plain != cell.strip())


def _unfolded(match: re.Match[str], cell: str) -> Phone:
    whole, fraction, exponent = match[1], match[2] or "", int(match[3])
    if len(fraction) >= exponent and not fraction[exponent:].strip("0"):
        return Phone(whole + fraction[:exponent], mended=True)
    return Phone(cell, trouble="phone_cut")


_SCIENTIFIC = re.compile(r"([1-9])(?:\.(\d+))?[eE]\+?(\d{1,2})")
_DECIMAL = re.compile(r"(\d{5,15})\.0+")
_DATE = re.compile(
    r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}日?(?:[ T]\d{1,2}:\d{2}(?::\d{2})?)?|\d{1,2}/\d{1,2}/\d{2,4}"
)
_LANDLINE_WITHOUT_ZERO = re.compile(r"(?:10|2[0-57-9])[2-8]\d{7}|[3-9]\d{2}[2-8]\d{7}")
"""Area codes of three digits with numbers of eight, and of four digits with numbers of eight (MIIT's numbering plan 2017)."""
