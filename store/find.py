"""Finding customers by what somebody typed: the leads under ranges of `find_key`, whose they are now, and who has those.

Every step reads a range of an index, and so many rows of it at most: a million customers cost what a thousand do. Each
statement gives one row: between two rows SQLite's driver lets go of the interpreter, and the stages take it for
milliseconds. The desk is told of a handful (`leads_found`), a list of all that fit among whose customers somebody sees
(`customers_found`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from store.bulk import fetched
from store.ended import KNOWN
from store.present import atoms_of
from store.whose import WHOSE, customers_of

FEW = 60
"""Leads that are looked at first: enough to see that a name is not to be asked by alone."""
MANY = 600
"""Leads under a word that narrows nothing: two such words together are not looked for."""
WIDE = 3_000
"""Leads under the rarest word, or customers of whoever asks, that a list looks through: some tens of milliseconds."""

Span = tuple[str, str]
"""Keys from one (included) to another (left out)."""
Word = Sequence[Span]
"""Any of its spans."""


class FoundLead(NamedTuple):
    """A lead that fits, the customer whose it is now, and whose that is since when (store.whose)."""

    lead_id: str
    customer_id: str
    state: str
    """`open`, or `closed` by an outcome (store.ended)."""
    holder_kind: str
    holder_id: str
    from_us: int


def leads_found(connection: Connection, words: Sequence[Word], most: int) -> tuple[list[FoundLead], bool]:
    """Return leads of customers one knows (store.ended) that fit every word, and whether they are of more customers than `most`.

    With more customers than that the leads are only some of those that fit.
    """
    if not words:
        return [], False
    first, others = words[0], words[1:]
    if others:
        counts = [_count(connection, word, MANY) for word in words]
        fewest = counts.index(min(counts))
        if counts[fewest] >= MANY:
            return [], True
        first, others = words[fewest], [*words[:fewest], *words[fewest + 1 :]]
    for limit in (MANY,) if others else (FEW, MANY):
        under, found = _fitting(connection, _under(first, limit), others)
        if len({one.customer_id for one in found}) > most:
            return found, True
        if under < limit:
            break
    return found, False


def fields_of(connection: Connection, leads: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the fields of some leads."""
    if not leads:
        return {}
    dialect = connection.dialect.name
    ((found,),) = fetched(connection, _FIELDS[dialect], (_list(dialect, leads),))
    return {lead_id: orjson.loads(fields) for lead_id, fields in orjson.loads(found or "[]")}


def customers_found(
    connection: Connection, words: Sequence[Word], holders: Collection[str] | None
) -> list[str] | None:
    """Return the customers one knows that fit every word, those that came last first; none without a word.

    `holders`: only whose these are (store.whose), or who works on them beside; None: anybody's. The rarest word leads to them, or if they have fewer
    customers than that, their customers do. None instead of a list: there is too much of either to look through.
    """
    if not words:
        return []
    counts = [_count(connection, word, WIDE) for word in words]
    fewest = min(counts)
    own = _some_of(connection, holders, fewest) if holders is not None else None
    if own is not None and len(own) < fewest:
        return _customers(connection, _leads_of(connection, own), words, holders)
    if fewest >= WIDE:
        return None
    rarest = counts.index(fewest)
    others = [*words[:rarest], *words[rarest + 1 :]]
    return _customers(connection, _under(words[rarest], WIDE), others, holders)


def customers_named(
    connection: Connection, email: str, order_no: str, holders: Collection[str] | None
) -> list[str]:
    """Return the customers one knows with this address or order, whole and as it is kept; `holders`: as above."""
    return _customers(connection, _Under(_NAMED, [email, WIDE, order_no, WIDE]), (), holders)


class _Under(NamedTuple):
    """Leads among which is looked: as SQL, and its values."""

    sql: str
    values: list[Any]


def _under(word: Word, limit: int) -> _Under:
    return _Under(_all(len(word)), _bound(word, limit))


def _leads_of(connection: Connection, customers: Collection[str]) -> _Under:
    dialect = connection.dialect.name
    return _Under(
        _OF_CUSTOMERS.format(these=_THESE[dialect]), [_list(dialect, atoms_of(connection, customers))]
    )


def _some_of(connection: Connection, holders: Collection[str], limit: int) -> list[str]:
    some = customers_of(holders, ("owner", "collaborator")).limit(limit)
    return [row.customer_id for row in connection.execute(some)]


def _customers(
    connection: Connection, under: _Under, words: Sequence[Word], holders: Collection[str] | None
) -> list[str]:
    _, found = _fitting(connection, under, words, holders)
    return sorted({one.customer_id for one in found}, reverse=True)


def _count(connection: Connection, word: Word, limit: int) -> int:
    sql = _counting(connection.dialect.name, len(word))
    ((count,),) = fetched(connection, sql, _bound(word, limit))
    return int(count)


def _fitting(
    connection: Connection, under: _Under, words: Sequence[Word], holders: Collection[str] | None = None
) -> tuple[int, list[FoundLead]]:
    """Return how many leads there are to look among, and those that fit every word and are of `holders`, if only theirs count."""
    dialect = connection.dialect.name
    sql = _finding(dialect, under.sql, tuple(map(len, words)), holders is not None)
    values = [*under.values, *(text for word in words for span in word for text in span)]
    if holders is not None:
        values += [_list(dialect, holders)] * 2
    ((count, found),) = fetched(connection, sql, values)
    return int(count), [FoundLead._make(one) for one in orjson.loads(found or "[]")]


def _list(dialect: str, ids: Collection[str]) -> str | list[str]:
    return orjson.dumps(sorted(ids)).decode() if dialect == "sqlite" else sorted(ids)


def _bound(word: Word, limit: int) -> list[str | int]:
    return [value for span in word for value in (*span, limit)]


_UNDER = (
    "SELECT lead_id FROM (SELECT key, lead_id FROM find_key WHERE key >= ? AND key < ? "
    "ORDER BY key, lead_id LIMIT ?) AS span"
)
_OF_CUSTOMERS = "SELECT lead_id FROM membership WHERE to_us IS NULL AND customer_id IN ({these})"
_NAMED = (
    "SELECT lead_id FROM (SELECT lead_id FROM lead_identifier WHERE kind = 'email' AND value = ? LIMIT ?) AS mailed "
    "UNION ALL SELECT lead_id FROM (SELECT lead_id FROM sale_order WHERE order_no = ? AND to_us IS NULL "
    "AND lead_id IS NOT NULL LIMIT ?) AS ordered"
)
_COUNT = "SELECT count(*) FROM ({under}) AS under"
_FITS = "EXISTS (SELECT 1 FROM find_key WHERE find_key.lead_id = fitting.lead_id AND ({spans}))"
_THEIRS = (
    "({whose} IN ({these}) OR EXISTS (SELECT 1 FROM holding AS beside WHERE beside.customer_id = customer.customer_id "
    "AND beside.role = 'collaborator' AND beside.to_us IS NULL AND beside.holder_id IN ({these})))"
)
_FOUND = """
WITH under AS ({under}), fitting AS (SELECT DISTINCT lead_id FROM under)
SELECT (SELECT count(*) FROM under), {rows} FROM fitting
JOIN membership AS member ON member.lead_id = fitting.lead_id AND member.to_us IS NULL
LEFT JOIN alias ON alias.old_id = member.customer_id
JOIN customer ON customer.customer_id = coalesce(alias.now_id, member.customer_id)
    AND customer.purpose <> 'probe' AND {known}
JOIN holding ON holding.customer_id = customer.customer_id
    AND holding.role = 'owner' AND holding.to_us IS NULL
{where}
"""
_COLUMNS = (
    f"fitting.lead_id, customer.customer_id, customer.state, holding.holder_kind, {WHOSE}, holding.from_us"
)
_ROWS = {
    "sqlite": f"json_group_array(json_array({_COLUMNS}))",
    "postgresql": f"CAST(json_agg(json_build_array({_COLUMNS})) AS text)",
}
_THESE = {"sqlite": "SELECT value FROM json_each(?)", "postgresql": "SELECT unnest(?::text[])"}
_FIELDS = {
    "sqlite": "SELECT json_group_array(json_array(lead_id, fields_json)) FROM lead "
    "WHERE lead_id IN (SELECT value FROM json_each(?))",
    "postgresql": "SELECT CAST(json_agg(json_build_array(lead_id, fields_json)) AS text) FROM lead "
    "WHERE lead_id = ANY(%s::text[])",
}


@lru_cache(maxsize=64)
def _counting(dialect: str, spans: int) -> str:
    return _marked(dialect, _COUNT.format(under=_all(spans)))


@lru_cache(maxsize=256)
def _finding(dialect: str, under: str, words: tuple[int, ...], is_scoped: bool) -> str:
    conditions = [
        _FITS.format(spans=" OR ".join(["find_key.key >= ? AND find_key.key < ?"] * count)) for count in words
    ]
    if is_scoped:
        conditions.append(_THEIRS.format(whose=WHOSE, these=_THESE[dialect]))
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    sql = _FOUND.format(under=under, rows=_ROWS[dialect], known=KNOWN, where=where)
    return _marked(dialect, sql)


def _all(spans: int) -> str:
    return " UNION ALL ".join([_UNDER] * spans)


def _marked(dialect: str, sql: str) -> str:
    return sql if dialect == "sqlite" else sql.replace("?", "%s")
