"""Blocking: under which keys a record is found by others that may be the same, so that few are compared.

Keys are clear text here; a store keeps their numbers (`key_number`). A key that too many customers have is hot:
it is refined by a second field of the record (`refined`) instead of being dropped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from hashlib import blake2b
from zlib import crc32

from enrich.match.companies import Company
from enrich.match.model import Level
from enrich.match.names import Name
from enrich.match.record import Record
from enrich.match.text import spell
from enrich.match.values import Email, Phone

MOST_CUSTOMERS = 50
"""Customers under one key before it is refined: a record with twenty keys then meets a thousand others at worst,
some milliseconds; a mailbox, a phone or a full name with more than fifty is shared by so many that it decides nothing."""
MOST_OF_CUSTOMER = 3
"""Records of one customer under one key: more of them lead to the same customer, and would crowd out others."""
MOST_VALUES = 6
"""Values of a field that make keys. A record with fifty phones is a list, not a person."""
_WORDS = 6


def keys_of(record: Record, level: Level = "contact") -> tuple[str, ...]:
    """Return the keys of a record for one question, without repeats."""
    keys = [*_of_person(record)]
    if level == "customer":
        keys += _of_company(record)
    return tuple(dict.fromkeys(keys))


def keys_to_agree_by(record: Record) -> tuple[str, ...]:
    """Return those keys that are looked under at arrival: of what is written alike, and of no name.

    Whole mailboxes and numbers are identifiers, which are looked up as such. Under a name lie the most, and alone it
    makes nobody the same; whether it agrees as well is told by `signature`.
    """
    keys: list[str] = []
    for mail in record.emails[:MOST_VALUES]:
        keys += _like_mail(mail)
    for phone in record.phones[:MOST_VALUES]:
        keys += _like_phone(phone)
    for address in record.addresses[:MOST_VALUES]:
        keys.append(f"address:{address.text}")
    for company in record.companies[:MOST_VALUES]:
        keys += _like_company(company)
    keys += _domains(record)
    return tuple(dict.fromkeys(keys))


NAME_BITS = 20
"""Of a signature: the two parts of a name, ten bits each."""
_PART = 0x3FF


def signature(record: Record) -> int:
    """Return 30 bits that are kept beside each key: how surname and given name begin, and the company's core.

    0 where there is none. A name's parts stand in the order of their numbers, since people swap them; two letters of
    each, since most slips come later in a word. Two different values look the same with odds of 1 in 1000 or so.
    """
    name = next((one for one in record.names if one.family and one.given), None)
    low = high = 0
    if name is not None:
        family, given = name.family, name.given
        if name.chinese:
            family = name.forms[0]
            given = name.sound.removeprefix(family)
        low, high = sorted((_ten_bits(family[:2]), _ten_bits(given[:2])))
    firm = _ten_bits(record.companies[0].core) if record.companies else 0
    return firm << NAME_BITS | high << 10 | low


def is_same_name(one: int, other: int) -> bool:
    """Tell by two signatures whether both parts of the names begin alike."""
    return not (one ^ other) & ((1 << NAME_BITS) - 1) and bool(one & _PART)


def shares_name(one: int, other: int) -> bool:
    """Tell by two signatures whether a surname or a given name begins like one of the other's."""
    low, high = one & _PART, one >> 10 & _PART
    return bool(low) and (low in (found := (other & _PART, other >> 10 & _PART)) or high in found)


def is_same_firm(one: int, other: int) -> bool:
    """Tell by two signatures whether both name a company, and both the same."""
    return one >> NAME_BITS == other >> NAME_BITS > 0


@lru_cache(maxsize=4096)
def _ten_bits(text: str) -> int:
    """Return a number from 1 to 1023."""
    return 1 + crc32(text.encode()) % _PART


def refined(key: str, record: Record) -> tuple[str, ...]:
    """Return the keys that stand for a hot one: it and a second value of the record, of another field than its own."""
    kind = key.partition(":")[0]
    own = _FIELDS[kind]
    return tuple(
        f"{key}|{field}:{value}"
        for field, value in dict.fromkeys(_seconds(record))
        if field not in own and (field not in ("part", "word") or value not in key)
    )


def key_number(key: str) -> int:
    """Return a stable number of 63 bits for a key, never negative; two keys share one with odds of 1 in 10^18."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest()) >> 1


_FIELDS: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "mail": ("mail",),
    "local": ("mail",),
    "near_mail": ("mail",),
    "phone": ("phone",),
    "phone_start": ("phone",),
    "phone_end": ("phone",),
    "name": ("part",),
    "name_start": ("part",),
    "part": (),
    "birth": ("birth", "year"),
    "address": ("address",),
    "part_firm": ("firm",),
    "firm": ("firm",),
    "sound": ("firm",),
    "firm_word": ("firm",),
    "initials": ("firm",),
    "domain": ("mail",),
}
"""By kind of key, the fields that it is made of: to refine it by one of them would part nothing."""


def _of_person(record: Record) -> Iterator[str]:
    for number in record.national_ids[:MOST_VALUES]:
        yield f"id:{number}"
    for mail in record.emails[:MOST_VALUES]:
        yield f"mail:{mail.address}"
        yield from _like_mail(mail)
    for phone in record.phones[:MOST_VALUES]:
        yield f"phone:{phone.digits}"
        yield from _like_phone(phone)
    for name in record.names[:MOST_VALUES]:
        if name.family and name.given:
            for spelling in name.spellings or (name.key,):
                yield f"name:{spelling}"
            yield f"name_start:{'+'.join(sorted((_start(name, name.family, 2), _start(name, name.given, 2))))}"
    parts = tuple(_parts(record))
    for part in parts:
        yield f"part:{part}"
    for date in record.birth_dates[:MOST_VALUES]:
        yield f"birth:{date.year}-{min(date.month, date.day)}-{max(date.month, date.day)}"
    for firm in _firms(record):
        for part in parts:
            yield f"part_firm:{part}+{firm}"
    for address in record.addresses[:MOST_VALUES]:
        yield f"address:{address.text}"


def _of_company(record: Record) -> Iterator[str]:
    for company in record.companies[:MOST_VALUES]:
        yield f"firm:{company.core}"
        yield from _like_company(company)
        for word in sorted(company.words, key=len, reverse=True)[:_WORDS]:
            yield f"firm_word:{word}"
    yield from _domains(record)


def _like_mail(mail: Email) -> tuple[str, ...]:
    if not mail.telling:
        return ()
    return f"local:{mail.local}", f"near_mail:{mail.local[:4]}@{mail.domain}"


def _like_phone(phone: Phone) -> tuple[str, ...]:
    return f"phone_start:{phone.digits[:-4]}", f"phone_end:{phone.digits[-5:]}"


def _like_company(company: Company) -> tuple[str, ...]:
    short = company.initials if len(company.initials) > 2 else ""
    other = company.sound if not company.chinese and 2 < len(company.sound) < 6 else ""
    initials = (f"initials:{letters}" for letters in (short, other) if letters)
    return f"sound:{company.sound}", *initials


def _domains(record: Record) -> Iterator[str]:
    for mail in record.emails[:MOST_VALUES]:
        if mail.kind != "free":
            yield f"domain:{mail.domain}"


def _seconds(record: Record) -> Iterator[tuple[str, str]]:
    for part in _parts(record):
        yield "part", part
    for date in record.birth_dates[:2]:
        yield "year", f"{date.year}"
        yield "birth", f"{date.month}-{date.day}"
    for place in (*record.postcodes[:2], *record.cities[:2]):
        yield "place", place
    for phone in record.phones[:2]:
        yield "phone", phone.digits
    for mail in record.emails[:2]:
        yield "mail", mail.address
    for company in record.companies[:2]:
        yield "firm", company.core
        for word in sorted(company.words, key=len, reverse=True)[:_WORDS]:
            yield "word", word
    for address in record.addresses[:2]:
        yield "address", address.text


def _parts(record: Record) -> Iterator[str]:
    """Surname and given name, each by its beginning: one may be missing, or stand in the other's place."""
    words = (_start(name, part, 4) for name in record.names[:2] for part in (name.family, name.given) if part)
    yield from dict.fromkeys(words)


def _start(name: Name, part: str, letters: int) -> str:
    """The first letters: most slips come later in a word."""
    return spell(part) if name.chinese else part[:letters]


def _firms(record: Record) -> tuple[str, ...]:
    domains = (mail.domain for mail in record.emails[:2] if mail.kind != "free")
    return tuple(dict.fromkeys((*(company.sound for company in record.companies[:2]), *domains)))
