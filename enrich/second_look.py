"""Whether two known customers are one after all, by all that is known of both. Pure.

At arrival a lead is compared with what is there. Two that are one may yet stand apart: both came in the same instant,
or it took a third lead to show it. The machine looks at these pairs again, with more care than at a lead: it joins
only where every lead of the one resembles every lead of the other on average.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product

from enrich.match.cluster import between
from enrich.match.record import Record
from enrich.match.trusted import conflict, trusted_ids
from enrich.similar import Judge, Near

MOST_CONTACTS = 8
"""Contacts of a customer that are compared with those of the other, the latest first: 64 pairs take some milliseconds."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What two customers have in common: a contact, the company, or both; and by how many bits."""

    bits: float
    contacts: tuple[str, str] | None
    customers: bool


def look_again(some: Sequence[Near], others: Sequence[Near], judge: Judge) -> Answer | None:
    """Return what makes two customers one; None if nothing does for certain.

    Both are given by their leads, the latest first. Who is one person buys for one customer, unless each side names a
    company and the two are not one: then only the contacts are.
    """
    firm = _company(some, others, judge)
    person = _person(some, others, judge)
    if person is None and firm is None:
        return None
    if person is None:
        return Answer(firm or 0.0, None, customers=True)
    bits, contacts = person
    two_companies = firm is None and _names_company(some) and _names_company(others)
    return Answer(bits, contacts, customers=not two_companies)


def _person(
    some: Sequence[Near], others: Sequence[Near], judge: Judge
) -> tuple[float, tuple[str, str]] | None:
    weigh = partial(judge.model.weigh, level="contact")
    best: tuple[float, tuple[str, str]] | None = None
    for (mine, own), (theirs, other) in product(_contacts(some), _contacts(others)):
        if _are_two(own, other):
            continue
        bits = between(own, other, weigh)
        if bits >= judge.contact.same and (best is None or bits > best[0]):
            best = bits, (mine, theirs)
    return best


def _company(some: Sequence[Near], others: Sequence[Near], judge: Judge) -> float | None:
    own, other = ([one.record for one in side if one.record.names_company] for side in (some, others))
    if not own or not other:
        return None
    bits = between(own, other, partial(judge.model.weigh, level="customer"))
    return bits if bits >= judge.customer.same else None


def _contacts(side: Iterable[Near]) -> list[tuple[str, list[Record]]]:
    found: dict[str, list[Record]] = {}
    for one in side:
        found.setdefault(one.contact_id, []).append(one.record)
    return list(found.items())[:MOST_CONTACTS]


def _are_two(some: Iterable[Record], others: Iterable[Record]) -> bool:
    own, other = (frozenset().union(*map(trusted_ids, side)) for side in (some, others))
    return conflict(own, other)


def _names_company(side: Iterable[Near]) -> bool:
    return any(one.record.names_company for one in side)
