"""Proves from the erasure journal that it is whole, and that nothing of what it names is left in the data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import Connection, Table, func, select

from leadflow.engine import Data
from schemas.ids import make_id
from store import tables
from store.acts_erase import OF_LEADS
from store.bulk import keys_in
from store.journal import Erasure, OptOut, chain_of

_READABLE = (*OF_LEADS, tables.match_record, tables.match_key, tables.part)
"""Tables that hold nothing of the erased."""


@dataclass(frozen=True, slots=True)
class Proved:
    """An entry of the journal, and what is wrong with the data by it."""

    digest: str
    act_id: str
    at_us: int
    customer: str
    is_erasure: bool
    is_carried_out: bool
    left: tuple[str, ...]
    """Tables in which something of it is left."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The journal, entry by entry."""

    entries: tuple[Proved, ...]
    digests: tuple[str, ...]
    broken_at: int | None

    def faults(self, *, language_is_zh: bool) -> Iterator[str]:
        """Yield what is wrong, in words."""
        if self.broken_at is not None:
            line = self.broken_at
            en = f"line {line} does not follow from the one before it: something was changed or taken out"
            yield f"第 {line} 行与前一行不衔接：日志被改动或被删减" if language_is_zh else en
        for one in self.entries:
            if not one.is_carried_out:
                en = f"{one.act_id} is not carried out here; it will be at the next start"
                yield f"{one.act_id} 在此尚未执行，下次启动时将执行" if language_is_zh else en
            if one.left:
                named = ", ".join(one.left)
                yield (
                    f"{one.act_id} 仍有残留：{named}"
                    if language_is_zh
                    else f"{one.act_id} left rows in {named}"
                )


def check_journal(data: Data) -> Checked:
    """Return what the journal says, held against the data. Changes nothing."""
    chain = chain_of(data.journal)
    latest = {entry.act_id: (digest, entry) for digest, entry in chain.entries}
    with data.store.read() as connection:
        entries = tuple(_proved(connection, data, digest, entry) for digest, entry in latest.values())
    return Checked(entries, chain.digests, chain.broken_at)


def _proved(connection: Connection, data: Data, digest: str, entry: Erasure | OptOut) -> Proved:
    act = tables.act
    ids = (entry.act_id, make_id("act", f"again:{entry.act_id}"))
    done = connection.execute(select(act.c.act_id).where(act.c.act_id.in_(ids))).first() is not None
    is_erasure = isinstance(entry, Erasure)
    customer = entry.customers[0] if isinstance(entry, Erasure) else entry.customer
    left = tuple(_left(connection, data, entry)) if isinstance(entry, Erasure) else ()
    return Proved(digest, entry.act_id, entry.at_us, customer, is_erasure, done, left)


def _left(connection: Connection, data: Data, erasure: Erasure) -> Iterator[str]:
    for table in _READABLE:
        column = "lead_id" if "lead_id" in table.c else "capture_id"
        ids = erasure.leads if column == "lead_id" else erasure.captures
        if _count(connection, table, column, ids):
            yield table.name
    if _count(connection, tables.binding, "target_id", (*erasure.customers, *erasure.contacts)):
        yield tables.binding.name
    if data.keys_left(erasure):
        yield tables.door_key.name


def _count(connection: Connection, table: Table, column: str, ids: Iterable[str]) -> int:
    wanted = keys_in(connection, [column], [(one,) for one in ids])
    return int(connection.execute(select(func.count()).select_from(table).where(wanted)).scalar_one())
