"""Finding customers by what somebody typed: the leads under ranges of `find_key`, whose they are now, and who has those.

Every step reads a range of an index, and so many rows of it at most: a million customers cost what a thousand do. Each
statement gives one row: between two rows SQLite's driver lets go of the interpreter, and the stages take it for
milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Connection

from store.bulk import fetched
from store.ended import KNOWN
from store.whose import WHOSE

FEW = 60
"""Leads that are looked at first: enough to see that a name is not to be asked by alone."""
MANY = 600
"""Leads under a word that narrows nothing: two such words together are not looked for."""

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
        counts = [_count(connection, word) for word in words]
        fewest = counts.index(min(counts))
        if counts[fewest] >= MANY:
            return [], True
        first, others = words[fewest], [*words[:fewest], *words[fewest + 1 :]]
    for limit in (MANY,) if others else (FEW, MANY):
        under, found = _fitting(connection, first, others, limit)
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
    wanted = orjson.dumps(leads).decode() if dialect == "sqlite" else list(leads)
    ((found,),) = fetched(connection, _FIELDS[dialect], (wanted,))
    return {lead_id: orjson.loads(fields) for lead_id, fields in orjson.loads(found or "[]")}


def _count(connection: Connection, word: Word) -> int:
    sql = _counting(connection.dialect.name, len(word))
    ((count,),) = fetched(connection, sql, _bound(word, MANY))
    return int(count)


def _fitting(
    connection: Connection, first: Word, others: Sequence[Word], limit: int
) -> tuple[int, list[FoundLead]]:
    """Return how many leads there are under the first word, `limit` of each span at most, and those that fit the others."""
    sql = _finding(connection.dialect.name, len(first), tuple(map(len, others)))
    values = [*_bound(first, limit), *(text for word in others for span in word for text in span)]
    ((under, found),) = fetched(connection, sql, values)
    return int(under), [FoundLead._make(one) for one in orjson.loads(found or "[]")]


def _bound(word: Word, limit: int) -> list[str | int]:
    return [value for span in word for value in (*span, limit)]


_UNDER = (
    "SELECT lead_id FROM (SELECT key, lead_id FROM find_key WHERE key >= ? AND key < ? "
    "ORDER BY key, lead_id LIMIT ?) AS span"
)
_COUNT = "SELECT count(*) FROM ({under}) AS under"
_FITS = "EXISTS (SELECT 1 FROM find_key WHERE find_key.lead_id = fitting.lead_id AND ({spans}))"
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
def _finding(dialect: str, spans: int, others: tuple[int, ...]) -> str:
    fits = [
        _FITS.format(spans=" OR ".join(["find_key.key >= ? AND find_key.key < ?"] * count))
        for count in others
    ]
    where = f"WHERE {' AND '.join(fits)}" if fits else ""
    sql = _FOUND.format(under=_all(spans), rows=_ROWS[dialect], known=KNOWN, where=where)
    return _marked(dialect, sql)


def _all(spans: int) -> str:
    return " UNION ALL ".join([_UNDER] * spans)


def _marked(dialect: str, sql: str) -> str:
    return sql if dialect == "sqlite" else sql.replace("?", "%s")
