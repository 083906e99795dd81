"""Finding a customer in lists of those that somebody sees: as the front desk does, by a whole e-mail address, or an order's number.

Nobody is found of whom the reader sees neither the holder nor anybody who works on it beside, and nothing else is told: the
blind check for others stays with the front desk, which writes down who asked. Whoever reads numbers masked finds nobody by one:
four digits of an ending are more than they are shown, and one digit more at a time would tell the whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection

from console.may import Visitor
from enrich.findable import is_number, words_of
from enrich.normalise import normal_email
from schemas.mask import SHOWN_FIRST, masked
from store.find import customers_found, customers_named

ASKED_CHARS = 200
Trouble = Literal["says_too_little", "fits_too_many", "numbers_masked"]
"""Why nobody was looked for. `fits_too_many`: more than `store.find.WIDE` enquiries fit, and customers are theirs."""


@dataclass(frozen=True, slots=True)
class Search:
    """What somebody typed, and whom they find by it."""

    asked: str
    customers: tuple[str, ...] = ()
    """All that fit, those that came last first."""
    trouble: Trouble | None = None


def asked_in(text: str) -> str:
    """Return what is to be looked for of what an address or form says, its words one space apart; empty: nothing."""
    return "".join(filter(str.isprintable, " ".join(text.split()))).strip()[:ASKED_CHARS]


def search(connection: Connection, asked: str, who: Visitor) -> Search:
    """Return whom a visitor finds among the customers whose page they may open: by its holder, or by who works on it beside."""
    holders = None if who.sees_all else who.looks_after
    email = normal_email(asked) or ""
    words = () if "@" in asked else words_of(asked)
    # Beside letters digits find the beginning of a company's text, in which a number may stand.
    digits = sum(map(str.isdecimal, asked)) if words else 0
    hidden = not who.reads_clearly() and (
        any(map(is_number, words)) or digits > SHOWN_FIRST or masked(asked) != asked
    )
    named = customers_named(connection, "" if hidden else email, asked, holders)
    found = customers_found(connection, () if hidden else words, holders)
    customers = tuple(sorted({*named, *(found or ())}, reverse=True))
    if customers:
        return Search(asked, customers)
    if hidden:
        return Search(asked, trouble="numbers_masked")
    if found is None:
        return Search(asked, trouble="fits_too_many")
    return Search(asked, trouble=None if words or email else "says_too_little")
