"""Identifiers that prove themselves: two that differ are two holders, whatever else agrees.

Chinese identity numbers (GB 11643-1999) and unified social credit codes (GB 32100-2015) have 18 signs, the last of
which checks the others: a slip shows. Other numbers (passports, licences, numbers of other countries) cannot be
told from their own misspellings, nor from each other's kinds; they are evidence like any other (model.py).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import product

from enrich.match.model import Level
from enrich.match.record import Record

TYPING_SLIPS = 2
"""Signs in which a number whose check sign is wrong may differ from the right one."""

_NONE: frozenset[str] = frozenset()
_PERSON_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_PERSON_CHECK = "10x98765432"
_FIRM_SIGNS = "0123456789abcdefghjklmnpqrtuwxy"
_FIRM_WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)


def trusted_ids(record: Record, level: Level = "contact") -> frozenset[str]:
    """Return a record's identity numbers and, for the customer question, only its companies' codes."""
    if not record.national_ids:
        return _NONE
    found = (one for one in record.national_ids if len(one) == 18)
    if level == "customer" and record.names_company:
        return frozenset(one for one in found if not one[:17].isdigit() or not _is_person(one))
    return frozenset(found)


def conflict(some: Collection[str], others: Collection[str]) -> bool:
    """Tell whether two sets of identifiers cannot be one holder's: none is common, and none is another's misspelling."""
    if not some or not others or not set(some).isdisjoint(others):
        return False
    pairs = [(one, other) for one, other in product(some, others) if _is_person(one) == _is_person(other)]
    return bool(pairs) and not any(_misspelt(one, other) for one, other in pairs)


def _misspelt(one: str, other: str) -> bool:
    if is_proven(one) and is_proven(other):
        return False
    return sum(a != b for a, b in zip(one, other, strict=True)) <= TYPING_SLIPS


def is_proven(number: str) -> bool:
    """Tell whether a number's check sign is right."""
    if _is_person(number):
        total = sum(int(sign) * weight for sign, weight in zip(number, _PERSON_WEIGHTS, strict=False))
        return _PERSON_CHECK[total % 11] == number[17]
    if any(sign not in _FIRM_SIGNS for sign in number):
        return False
    total = sum(_FIRM_SIGNS.index(sign) * weight for sign, weight in zip(number, _FIRM_WEIGHTS, strict=False))
    return _FIRM_SIGNS.index(number[17]) == (31 - total % 31) % 31


def _is_person(number: str) -> bool:
    """Tell an identity number by the date of birth in it: digits, and a year, month and day at their places."""
    return (
        number.isascii()
        and number[:17].isdigit()
        and number[6:8] in ("18", "19", "20")
        and 1 <= int(number[10:12]) <= 12
        and 1 <= int(number[12:14]) <= 31
    )
