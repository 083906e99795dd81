"""How alike two telephones, mailboxes, dates, identity numbers, addresses, areas and other texts are."""

from __future__ import annotations

from rapidfuzz.distance import OSA

from enrich.identifiers import FREE_MAIL
from enrich.match.record import Record
from enrich.match.values import Address, BirthDate, Email, Phone

_distance = OSA.distance

PHONE_LEVELS = ("same", "same_extension", "one_digit", "same_landline", "same_exchange", "else")
"""same: a mobile, or a number of unknown kind. same_extension: landline and extension. one_digit: one digit
other, or two changed places. same_landline: a landline, extension not given on both sides, or other.
same_exchange: two landlines that differ in the last two digits only."""


def phone_pair(x: Phone, y: Phone) -> int:
    """Return the level of two numbers."""
    if x.digits == y.digits and (x.e164 == y.e164 or x.line == "unknown" or y.line == "unknown"):
        if "landline" in (x.line, y.line) or x.line == "service":
            return 1 if x.extension and x.extension == y.extension else 3
        return 0
    if x.base and x.base == y.base:
        return 4
    if len(x.digits) >= 7 and _distance(x.digits, y.digits, score_cutoff=1) <= 1:
        return 2
    return 5


EMAIL_LEVELS = ("same", "typo", "same_local_own", "same_local_free", "same_role", "same_domain", "else")
"""same: somebody's own mailbox. typo: one slip in the part before the @ or in the domain (gmial.com).
same_local_own, same_local_free: the same part before the @, if it is particular, at two domains of companies,
or with a free-mail service. same_role: info@ of one company. same_domain: one company."""


def email_pair(x: Email, y: Email) -> int:
    """Return the level of two mailboxes."""
    if x.address == y.address:
        return 4 if x.kind == "role" else 0
    role = x.kind == "role" or y.kind == "role"
    if x.domain == y.domain:
        if not role and x.telling and y.telling and _distance(x.local, y.local, score_cutoff=1) <= 1:
            return 1
        return 6 if x.kind == "free" else 5
    if role:
        return 6
    if x.local == y.local and x.telling:
        both_known = x.domain in FREE_MAIL and y.domain in FREE_MAIL  # 163.com, 126.com
        if not both_known and _distance(x.domain, y.domain, score_cutoff=2) <= 2:
            return 1
        return 2 if x.kind == "own" and y.kind == "own" else 3
    return 6


BIRTH_LEVELS = ("same", "day_month_swapped", "one_digit", "month", "day_month", "year", "decade", "else")
"""month: within a month. day_month: same day and month of another year. year, decade: within one, within ten."""


def birth_pair(x: BirthDate, y: BirthDate) -> int:
    """Return the level of two dates of birth."""
    if x.digits == y.digits:
        return 0
    if x.year == y.year and x.month == y.day and x.day == y.month:
        return 1
    if _distance(x.digits, y.digits, score_cutoff=1) <= 1:
        return 2
    apart = abs(x.day_number - y.day_number)
    if apart <= 31:
        return 3
    if x.month == y.month and x.day == y.day:
        return 4
    if apart <= 372:
        return 5
    return 6 if apart <= 3720 else 7


ID_LEVELS = ("same", "one_off", "two_off", "else")
"""one_off: one sign other, missing, or two changed places; two_off: twice so, in a number of ten signs or more."""


def id_pair(x: str, y: str) -> int:
    """Return the level of two identity numbers."""
    if x == y:
        return 0
    distance, shorter = _distance(x, y, score_cutoff=2), min(len(x), len(y))
    if distance <= 1 and shorter >= 6:
        return 1
    return 2 if distance <= 2 and shorter >= 10 else 3


ADDRESS_LEVELS = ("same", "most_words", "some_words", "else")
"""most_words: 2 in 3 words are common and no number differs; some_words: 1 in 3, and not all
numbers other (another house of the street)."""


def address_pair(x: Address, y: Address) -> int:
    """Return the level of two addresses."""
    if x.text == y.text:
        return 0
    common = len(x.words & y.words)
    if not common:
        return 3
    more, fewer = max(len(x.words), len(y.words)), min(len(x.words), len(y.words))
    numbers_agree = x.numbers <= y.numbers or y.numbers <= x.numbers
    if numbers_agree and (common * 3 >= more * 2 or (common == fewer and fewer > 2)):
        return 1
    neighbours = x.numbers and y.numbers and x.numbers.isdisjoint(y.numbers)
    return 2 if common * 3 >= more and not neighbours else 3


AREA_LEVELS = ("postcode", "city", "postcode_near", "city_typo", "region", "else")
"""The narrowest that agrees. postcode_near: one sign other."""


def area_level(a: Record, b: Record) -> int:
    """Return how far the areas of two records agree, or -1 where they state no same kind of area."""
    codes, cities, regions = a.postcodes, a.cities, a.regions
    codes_too, cities_too, regions_too = b.postcodes, b.cities, b.regions
    if not ((codes and codes_too) or (cities and cities_too) or (regions and regions_too)):
        return -1
    if codes and codes_too and _any_same(codes, codes_too):
        return 0
    if cities and cities_too and _any_same(cities, cities_too):
        return 1
    if codes and codes_too and _distance(codes[0], codes_too[0], score_cutoff=1) <= 1:
        return 2
    if (
        cities
        and cities_too
        and len(cities[0]) >= 5
        and _distance(cities[0], cities_too[0], score_cutoff=1) <= 1
    ):
        return 3
    return 4 if regions and regions_too and _any_same(regions, regions_too) else 5


def _any_same(xs: tuple[str, ...], ys: tuple[str, ...]) -> bool:
    return xs[0] == ys[0] or not set(xs).isdisjoint(ys)


OTHER_LEVELS = ("same", "alike", "else")
"""alike: half of the words of both are common."""


def other_pair(x: frozenset[str], y: frozenset[str]) -> int:
    """Return the level of two other texts."""
    if x == y:
        return 0
    return 1 if len(x & y) * 2 >= len(x | y) else 2
