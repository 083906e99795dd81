"""Files of spend and of orders, taken in as the commands take them: what became of their rows, and which were refused, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import BinaryIO, Literal, Protocol

from console.desk import Desk
from console.imports import ListTrouble
from enrich.given import identifiers_given
from sales import orders, spend
from sales.money import MoneyError, read_currency
from sales.money_files import Wrong, read_orders, read_spend
from sales.problems import CompanyError
from schemas.company import Company
from schemas.orders import HAND, OrderRow
from schemas.text import storable
from store.acts import ActRefused, Command

Kind = Literal["spend", "orders"]
SHOWN = 200
"""Refused rows that the page lists: whoever has more has the wrong file."""
_NAME_CHARS = 100


class Tables(Protocol):
    """What the host knows of files (leadflow.imports.desk)."""

    @property
    def most_bytes(self) -> int:
        """How large a file the page takes."""
        ...

    def check(self, file: BinaryIO) -> None:
        """Raise ListTrouble for what is no table, or would burst."""
        ...


@dataclass(frozen=True, slots=True)
class Upload:
    """A file, and what was said of it."""

    file: BinaryIO
    name: str
    kind: str
    source: str
    """What it counts as; without it, its name without the ending."""
    currency: str
    """Of amounts that name none."""
    actor: str


@dataclass(slots=True)
class Took:
    """What became of a file. The same file again, or a corrected one, counts once as long as its source is the same."""

    kind: Kind
    name: str
    source: str
    wrong: list[Wrong]
    counts: Counter[str] = field(default_factory=Counter)
    """By `new`, `corrected`, `cancelled`, `matched`, `known`."""
    nobodys: int = 0
    """Orders that belong to nobody yet."""


MOST_BYTES = 4 * 1024 * 1024
"""Of a file of spend or orders, some 60,000 rows: it is read as a whole, beside the doors. More goes by the command."""


def most_bytes(tables: Tables) -> int:
    """Return how large a file may be: no larger than a list."""
    return min(MOST_BYTES, tables.most_bytes)


def take_file(desk: Desk, tables: Tables, upload: Upload, company: Company) -> Took:
    """Take a file in. Raises ListTrouble for what is no such table, ActRefused for what was said of it."""
    source = storable(upload.source.strip() or PurePath(upload.name).stem)[:_NAME_CHARS]
    if source == HAND:
        raise ActRefused("source_by_hand", "That is what is typed in; give the file another name.")
    try:
        currency = read_currency(upload.currency)
    except MoneyError as error:
        raise ActRefused(error.code, "This is no currency such as CNY.") from None
    tables.check(upload.file)
    upload.file.seek(0)
    data = upload.file.read()
    try:
        if upload.kind == "spend":
            entries, wrong = read_spend(data, upload.name, company, currency)
            took = Took("spend", upload.name, source, wrong)
            _take_spend(desk, took, entries, (upload.actor, company))
        elif upload.kind == "orders":
            rows, wrong = read_orders(data, upload.name, company, currency)
            took = Took("orders", upload.name, source, wrong)
            _take_orders(desk, took, rows, upload.actor)
        else:
            raise ActRefused("unknown_verb", f"There are no files of {upload.kind!r}.")
    except CompanyError as error:
        first = error.problems[0]
        raise ListTrouble(first.code, first.text("en"), first.text("zh")) from None
    return took


def _take_spend(desk: Desk, took: Took, entries: list[spend.Spending], who: tuple[str, Company]) -> None:
    actor, company = who
    told: list[spend.Became] = []
    if entries:
        plan = spend.take_spend(took.source, entries, company, told)
        desk.perform(Command(spend.VERB, actor, desk.new_id(), "spend"), plan)
    took.counts.update(told)


def _take_orders(desk: Desk, took: Took, rows: list[OrderRow], actor: str) -> None:
    for start in range(0, len(rows), orders.AT_ONCE):
        named = [
            (row, identifiers_given(row.buyer.model_dump(exclude_none=True)))
            for row in rows[start : start + orders.AT_ONCE]
        ]
        told: list[orders.Taken] = []
        plan = orders.take_orders(took.source, named, told)
        desk.perform(Command(orders.VERB, actor, desk.new_id(), took.source), plan)
        took.counts.update(one.became for one in told)
        took.nobodys += sum(one.why_open is not None for one in told)
