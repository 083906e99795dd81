"""Whether two known customers are one after all, by all that is known of both. Pure.

At arrival a lead is compared with what is there. Two that are one may yet stand apart: both came in the same instant,
or it took a third lead to show it. The machine looks at these pairs again, with more care than at a lead: it joins
only where every lead of the one resembles every lead of the other on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product

from enrich.match.cluster import between
from enrich.match.record import Record
from enrich.match.trusted import conflict, trusted_ids
from enrich.similar import Judge, Near

Contact = tuple[str, list[Record]]
"""A contact's id, and its leads."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What two customers have in common: contacts, each given under both ids, the company, or both."""

    contacts: tuple[tuple[str, str], ...]
    customers: bool


def look_again(some: Sequence[Near], others: Sequence[Near], judge: Judge) -> Answer | None:
    """Return what makes two customers one; None if nothing does for certain.

    Both are given by their leads, the latest first. Who is one person buys for one customer, unless each side names a
    company and the two are not one: then only the contacts are.
    """
    is_one_company = _is_one_company(some, others, judge)
    contacts = _one_person(product(_contacts(some), _contacts(others)), judge)
    if not contacts and not is_one_company:
        return None
    two_companies = not is_one_company and _names_company(some) and _names_company(others)
    return Answer(contacts, customers=not two_companies)


def same_contacts(leads: Sequence[Near], judge: Judge) -> tuple[tuple[str, str], ...]:
    """Return contacts of one customer, given by its leads, that are one person, the likeliest first, each contact once."""
    return _one_person(combinations(_contacts(leads), 2), judge)


def _one_person(pairs: Iterable[tuple[Contact, Contact]], judge: Judge) -> tuple[tuple[str, str], ...]:
    weigh = partial(judge.model.weigh, level="contact")
    found: list[tuple[float, str, str]] = []
    for (mine, own), (theirs, other) in pairs:
        if mine != theirs and not _are_two(own, other):
            bits = between(own, other, weigh)
            if bits >= judge.contact.same:
                found.append((-bits, mine, theirs))
    taken: set[str] = set()
    same = []
    for _, mine, theirs in sorted(found):
        if not taken & {mine, theirs}:
            taken |= {mine, theirs}
            same.append((mine, theirs))
    return tuple(same)


def _is_one_company(some: Sequence[Near], others: Sequence[Near], judge: Judge) -> bool:
    own, other = ([one.record for one in side if one.record.names_company] for side in (some, others))
    if not own or not other or _are_two(own, other):
        return False
    return between(own, other, partial(judge.model.weigh, level="customer")) >= judge.customer.same


def _contacts(side: Iterable[Near]) -> list[Contact]:
    found: dict[str, list[Record]] = {}
    for one in side:
        found.setdefault(one.contact_id, []).append(one.record)
    return list(found.items())


def _are_two(some: Iterable[Record], others: Iterable[Record]) -> bool:
    own, other = (frozenset().union(*map(trusted_ids, side)) for side in (some, others))
    return conflict(own, other)


def _names_company(side: Iterable[Near]) -> bool:
    return any(one.record.names_company for one in side)
