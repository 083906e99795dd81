"""One record to be compared: its fields read once, so that comparing two of them is cheap."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, TypeVar, get_args

from enrich.match.companies import Company, company_of
from enrich.match.names import Name, name_of
from enrich.match.text import fold, plain_letters, words_of
from enrich.match.values import (
    Address,
    BirthDate,
    Email,
    Phone,
    address_of,
    area_of,
    birth_date_of,
    email_of,
    national_id_of,
    phone_of,
    postcode_of,
)

Field = Literal[
    "full_name", "given_name", "family_name", "company", "phone", "email", "address", "city", "region", "postcode",
    "birth_date", "national_id", "other",
]  # fmt: skip
FIELDS: tuple[str, ...] = get_args(Field)
"""What a record can say; columns of a file are mapped to these names."""

MOST_VALUES = 50
"""Values kept of a field. More of one kind on one person is a list of somebody's customers."""


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of somebody, as values that can be compared; () where nothing usable was given."""

    record_id: str
    channel: str = "web"
    names: tuple[Name, ...] = ()
    phones: tuple[Phone, ...] = ()
    emails: tuple[Email, ...] = ()
    companies: tuple[Company, ...] = ()
    addresses: tuple[Address, ...] = ()
    cities: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    postcodes: tuple[str, ...] = ()
    birth_dates: tuple[BirthDate, ...] = ()
    national_ids: tuple[str, ...] = ()
    others: tuple[frozenset[str], ...] = ()

    @property
    def names_company(self) -> bool:
        """Whether a company is stated, by name or by a mail domain of its own."""
        return bool(self.companies) or any(email.kind != "free" for email in self.emails)


def record_of(
    record_id: str, fields: Mapping[str, Sequence[str]], channel: str = "web", country: str = "CN"
) -> Record:
    """Read the fields of a record, any text in any of them; what identifies nobody (0, none, 未填) gives nothing.

    `fields` has several texts to a name; names are those of `FIELDS`, others are ignored. Given and family names
    that stand at the same place belong together. `country` (ISO 3166) is assumed of telephone numbers without
    a country code.
    """
    get = fields.get
    return Record(
        record_id,
        channel,
        _names(get("full_name", ()), get("given_name", ()), get("family_name", ())),
        _each(partial(phone_of, country=country), get("phone", ())),
        _each(email_of, get("email", ())),
        _each(company_of, get("company", ())),
        _each(address_of, get("address", ())),
        _each(area_of, get("city", ())),
        _each(area_of, get("region", ())),
        _each(postcode_of, get("postcode", ())),
        _each(birth_date_of, get("birth_date", ())),
        _each(national_id_of, get("national_id", ())),
        _each(_other_of, get("other", ())),
    )


T = TypeVar("T")


def _each(read: Callable[[str], T | None], texts: Sequence[str]) -> tuple[T, ...]:
    if not texts:
        return ()
    if len(texts) == 1:
        value = read(texts[0])
        return () if value is None else (value,)
    return _distinct(read(text) for text in texts[:MOST_VALUES])


def _distinct(values: Iterable[T | None]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(value for value in values if value is not None))


def _names(full: Sequence[str], given: Sequence[str], family: Sequence[str]) -> tuple[Name, ...]:
    if not given and not family:
        return _each(name_of, full)
    whole = [name_of(text) for text in full[:MOST_VALUES]]
    count = min(MOST_VALUES, max(len(given), len(family)))
    parts = [
        name_of(given=given[i] if i < len(given) else "", family=family[i] if i < len(family) else "")
        for i in range(count)
    ]
    return _distinct((*whole, *parts))


def _other_of(text: str) -> frozenset[str] | None:
    words = words_of(plain_letters(fold(text)))[:40]
    return frozenset(words) if words else None
