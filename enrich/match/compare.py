"""The comparisons of two records: for each field a ladder of levels, from the same to plainly other.

A comparison says nothing (`MISSING`) where either record has no usable value. Of several values the best pair
counts. Each is symmetric. What a level is worth is in the model (enrich/match/model.py), not here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from enrich.match.compare_company import COMPANY_LEVELS, company_pair
from enrich.match.compare_name import NAME_LEVELS, name_pair
from enrich.match.compare_values import (
    ADDRESS_LEVELS,
    AREA_LEVELS,
    BIRTH_LEVELS,
    EMAIL_LEVELS,
    ID_LEVELS,
    OTHER_LEVELS,
    PHONE_LEVELS,
    address_pair,
    area_level,
    birth_pair,
    email_pair,
    id_pair,
    other_pair,
    phone_pair,
)
from enrich.match.record import Record

MISSING = -1

MOST_PAIRED = 6
"""Values of a field that are held against each other for likeness; the same value is found among all of them."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """A named ladder of levels, best first, and how to find the level of two records."""

    name: str
    levels: tuple[str, ...]
    level: Callable[[Record, Record], int]
    shared: frozenset[str] = frozenset()
    """Levels that people of one workplace or household reach without being one person."""
    kin: frozenset[str] = frozenset()
    """Levels that members of one family reach: of the name, what tells them apart; of others, what they share."""
    frequent: frozenset[str] = frozenset()
    """Levels that are worth more, the rarer the value is."""
    personal: bool = False
    """It compares what is a person's own; all but what is shared."""

    def is_personal(self, level: str) -> bool:
        """Tell whether a level shows one person, wherever they work."""
        return self.personal and level not in self.shared


T = TypeVar("T")


def _best(pair: Callable[[T, T], int], xs: tuple[T, ...], ys: tuple[T, ...], worst: int) -> int:
    best = worst
    if len(xs) > MOST_PAIRED or len(ys) > MOST_PAIRED:
        for value in set(xs).intersection(ys):
            best = min(best, pair(value, value))
        xs, ys = xs[:MOST_PAIRED], ys[:MOST_PAIRED]
    for x in xs:
        for y in ys:
            level = pair(x, y)
            if level < best:
                if not level:
                    return 0
                best = level
    return best


def _name(a: Record, b: Record) -> int:
    xs, ys = a.names, b.names
    if not xs or not ys:
        return MISSING
    if len(xs) == len(ys) == 1:
        return name_pair(xs[0], ys[0])
    return _best(name_pair, xs, ys, len(NAME_LEVELS) - 1)


def _phone(a: Record, b: Record) -> int:
    xs, ys = a.phones, b.phones
    if not xs or not ys:
        return MISSING
    if len(xs) == len(ys) == 1:
        return phone_pair(xs[0], ys[0])
    return _best(phone_pair, xs, ys, len(PHONE_LEVELS) - 1)


def _email(a: Record, b: Record) -> int:
    xs, ys = a.emails, b.emails
    if not xs or not ys:
        return MISSING
    if len(xs) == len(ys) == 1:
        return email_pair(xs[0], ys[0])
    return _best(email_pair, xs, ys, len(EMAIL_LEVELS) - 1)


def _company(a: Record, b: Record) -> int:
    xs, ys = a.companies, b.companies
    if not xs or not ys:
        return MISSING
    if len(xs) == len(ys) == 1:
        return company_pair(xs[0], ys[0])
    return _best(company_pair, xs, ys, len(COMPANY_LEVELS) - 1)


def _address(a: Record, b: Record) -> int:
    xs, ys = a.addresses, b.addresses
    if not xs or not ys:
        return MISSING
    if len(xs) == len(ys) == 1:
        return address_pair(xs[0], ys[0])
    return _best(address_pair, xs, ys, len(ADDRESS_LEVELS) - 1)


def _birth_date(a: Record, b: Record) -> int:
    xs, ys = a.birth_dates, b.birth_dates
    if not xs or not ys:
        return MISSING
    if len(xs) == len(ys) == 1:
        return birth_pair(xs[0], ys[0])
    return _best(birth_pair, xs, ys, len(BIRTH_LEVELS) - 1)


def _national_id(a: Record, b: Record) -> int:
    xs, ys = a.national_ids, b.national_ids
    return _best(id_pair, xs, ys, len(ID_LEVELS) - 1) if xs and ys else MISSING


def _other(a: Record, b: Record) -> int:
    xs, ys = a.others, b.others
    return _best(other_pair, xs, ys, len(OTHER_LEVELS) - 1) if xs and ys else MISSING


COMPARISONS: tuple[Comparison, ...] = (
    Comparison(
        "name",
        NAME_LEVELS,
        _name,
        kin=frozenset({"family", "one_character"}),
        frequent=frozenset({"exact", "written_otherwise"}),
        personal=True,
    ),
    Comparison(
        "phone",
        PHONE_LEVELS,
        _phone,
        frozenset({"same_landline", "same_exchange"}),
        kin=frozenset({"same", "one_digit", "same_extension"}),
        personal=True,
    ),
    Comparison(
        "email",
        EMAIL_LEVELS,
        _email,
        frozenset({"same_role", "same_domain"}),
        kin=frozenset({"same", "typo"}),
        personal=True,
    ),
    Comparison(
        "company", COMPANY_LEVELS, _company, frozenset(COMPANY_LEVELS[:-1]), frequent=frozenset({"exact"})
    ),
    Comparison("address", ADDRESS_LEVELS, _address, frozenset(ADDRESS_LEVELS[:-1])),
    Comparison("area", AREA_LEVELS, area_level, frozenset(AREA_LEVELS[:-1])),
    Comparison("birth_date", BIRTH_LEVELS, _birth_date, personal=True),
    Comparison("national_id", ID_LEVELS, _national_id, personal=True),
    Comparison("other", OTHER_LEVELS, _other),
)
