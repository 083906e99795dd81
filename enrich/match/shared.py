"""Values that sit on too many: a mailbox of a tablet, a switchboard, a relative's phone. They find, and decide nothing.

A value is held by people (for the contact question) or by companies (for the customer question) as long as their
names are plainly others; spellings of one name are one holder.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from dataclasses import replace
from typing import Literal, NamedTuple

from enrich.match.companies import Company
from enrich.match.compare_company import MOST_WORDS, company_pair
from enrich.match.compare_name import PART, name_pair
from enrich.match.model import Level
from enrich.match.names import Name
from enrich.match.record import Record

MOST_HOLDERS = 2
"""Holders up to which a value still decides. Two can be a couple, or one person before and after marriage; three
plainly different names on one mailbox or phone are a household, a counter or a company."""


class Value(NamedTuple):
    """A value that can be shared."""

    kind: Literal["mail", "phone"]
    value: str


Holder = Name | Company


def values_of(record: Record) -> tuple[Value, ...]:
    """Return the mailboxes and phones of a record."""
    mails = [Value("mail", one.address) for one in record.emails]
    return (*mails, *(Value("phone", one.digits) for one in record.phones))


def holder_of(record: Record, level: Level) -> Holder | None:
    """Return who holds the record's values: a whole name, or a company; None where it says neither."""
    if level == "customer" and record.names_company:
        return record.companies[0] if record.companies else None
    return next((name for name in record.names if name.family and name.given), None)


def with_holder(holders: tuple[Holder, ...], another: Holder) -> tuple[Holder, ...]:
    """Return the holders of a value after one more: itself, if it is one of them under another spelling."""
    if len(holders) > MOST_HOLDERS or any(_may_be_one(one, another) for one in holders):
        return holders
    return (*holders, another)


def is_shared(holders: Sequence[Holder]) -> bool:
    """Tell whether a value sits on too many to decide anything."""
    return len(holders) > MOST_HOLDERS


def without(record: Record, shared: Container[Value]) -> Record:
    """Return a record without the values that are shared."""
    mails = tuple(one for one in record.emails if ("mail", one.address) not in shared)
    phones = tuple(one for one in record.phones if ("phone", one.digits) not in shared)
    return replace(record, emails=mails, phones=phones)


def falls_apart(
    members: Sequence[Record], shared: Container[Value], weigh: Callable[[Record, Record], float], same: float
) -> list[list[Record]]:
    """Return the groups that a customer's members form without what is shared, each held by weights in the band.

    More than one: the shared value alone had merged them, and a person should look.
    """
    left = [(one, without(one, shared)) for one in members]
    groups = []
    while left:
        group = [left.pop()]
        for _, bare in group:
            near = [one for one in left if weigh(bare, one[1]) >= same]
            left = [one for one in left if one not in near]
            group += near
        groups.append([one for one, _ in group])
    return groups


def _may_be_one(one: Holder, another: Holder) -> bool:
    if isinstance(one, Name):
        return isinstance(another, Name) and name_pair(one, another) <= PART
    return isinstance(another, Company) and company_pair(one, another) <= MOST_WORDS
