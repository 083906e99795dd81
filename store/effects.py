"""What a decision changes, as plain data, and the one way to write it.

A stage or an act returns effects; `Writes` gathers those of a whole batch, lets a later effect meet an
earlier one of the same batch, and flushes them in a few statements. So cutting a stream into other
batches changes nothing in the result.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Table

from schemas.events import Event
from store import tables
from store.bulk import delete_rows, insert_ignore, update_rows
from store.contention import Conflict

INSERT_ORDER: tuple[str, ...] = (
    "capture", "lead_capture", "part", "mail_thread", "lead", "lead_identifier", "match_record", "match_key", "find_key", "unlisted", "contact", "customer", "alias", "binding",
    "membership", "contact_customer", "evidence", "joined", "parted", "review", "identifier_status", "decision", "holding", "ledger", "task",
    "outcome", "act", "act_left", "stage", "sale_order", "spend", "claim", "job", "job_item", "certificate", "access", "account", "notice", "erased", "key_to_erase", "opt_out", "lead_opt_out", "timer", "delivery", "dead",
    "import_run", "import_piece", "import_row", "import_mapping", "book_draft",
)  # fmt: skip
"""Tables in an order that satisfies the foreign keys; always the same, so that locks are too."""

_OPEN_KEY: dict[str, tuple[str, ...]] = {
    "binding": ("kind", "value"),
    "membership": ("lead_id",),
    "contact_customer": ("contact_id", "customer_id"),
    "holding": ("customer_id", "role"),
    "joined": ("join_id",),
    "sale_order": ("source", "order_no"),
    "spend": ("campaign_id", "from_day", "to_day", "source", "ordinal"),
}


ANYBODYS = frozenset(
    {
        "delivery",
        "dead",
        "erased",
        "key_to_erase",
        "opt_out",
        "lead_opt_out",
        "identifier_status",
        "parted",
    }
)
"""Tables in which it does not matter who put a row there: that it is there says all."""


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row. In a table of `ANYBODYS` it may be there already; else that is a `Conflict`.

    A timer that was set before, and has fired, will fire again: who sets it has something new for it to find.
    A pair that is up for review already gets the evidence that speaks louder, and is looked at again.
    """

    table: str
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Close:
    """Ends the open interval of a key: the open row gets `to_us`. That there is none is a `Conflict`."""

    table: str
    key: tuple[str | int, ...]
    to_us: int


@dataclass(frozen=True, slots=True)
class Update:
    """Sets columns of the row with this primary key."""

    table: str
    key: dict[str, Any]
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Delete:
    """Takes the row with this primary key away: only what follows from other rows, or what a person takes back."""

    table: str
    key: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Count:
    """Adds to what a person of a team received, and is entitled to, in a period and of a grade (`ledger_total`)."""

    team_id: str
    period: str
    grade: str
    person_id: str
    received: int
    entitled: int
    last_us: int = 0


@dataclass(frozen=True, slots=True)
class Emit:
    """An event that goes out with the transaction, on a topic of the store's log."""

    topic: str
    event: Event


_Total = tuple[str, str, str, str]
"""Team, period, grade and person: the key of `ledger_total`."""

Effect = Insert | Close | Update | Delete | Count | Emit


class Writes:
    """The effects of one transaction, gathered and then flushed once; `emitted` is left to the caller's log."""

    def __init__(self) -> None:
        self._inserts: dict[str, list[dict[str, Any]]] = {name: [] for name in INSERT_ORDER}
        self._by_key: dict[tuple[str, tuple[Any, ...]], dict[str, Any]] = {}
        self._open: dict[tuple[str, tuple[Any, ...]], dict[str, Any]] = {}
        self._closes: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
        self._updates: dict[tuple[str, tuple[Any, ...]], tuple[dict[str, Any], dict[str, Any]]] = {}
        self._deletes: dict[str, list[dict[str, Any]]] = {}
        self._counts: dict[_Total, tuple[int, int, int]] = {}
        self.emitted: dict[str, list[Event]] = {}

    def add(self, effects: Iterable[Effect]) -> None:
        """Take in the effects of one decision, in order."""
        for effect in effects:
            match effect:
                case Insert():
                    self._insert(effect)
                case Close():
                    self._close(effect)
                case Update():
                    self._update(effect)
                case Delete():
                    self._deletes.setdefault(effect.table, []).append(effect.key)
                case Count():
                    key = (effect.team_id, effect.period, effect.grade, effect.person_id)
                    received, entitled, last_us = self._counts.get(key, (0, 0, 0))
                    self._counts[key] = (
                        received + effect.received,
                        entitled + effect.entitled,
                        max(last_us, effect.last_us),
                    )
                case Emit():
                    self.emitted.setdefault(effect.topic, []).append(effect.event)

    def _insert(self, effect: Insert) -> None:
        row = dict(effect.row)
        primary = tuple([row.get(name) for name in _primary_key(effect.table)])
        pending = self._by_key.get((effect.table, primary))
        if pending is not None:
            if effect.table == "review" and _bits(row) > _bits(pending):
                pending.update({name: row[name] for name in _LOUDER})
            return
        self._by_key[effect.table, primary] = row
        self._inserts[effect.table].append(row)
        open_key = _OPEN_KEY.get(effect.table)
        if open_key is not None and row.get("to_us") is None:
            self._open[effect.table, tuple(row[name] for name in open_key)] = row

    def _close(self, effect: Close) -> None:
        pending = self._open.pop((effect.table, effect.key), None)
        if pending is not None:
            pending["to_us"] = effect.to_us
            return
        key = dict(zip(_OPEN_KEY[effect.table], effect.key, strict=True))
        self._closes.setdefault(effect.table, []).append((key, {"to_us": effect.to_us}))

    def _update(self, effect: Update) -> None:
        primary = tuple([effect.key[name] for name in _primary_key(effect.table)])
        pending = self._by_key.get((effect.table, primary))
        if pending is not None:
            pending.update(effect.values)
            return
        _, values = self._updates.setdefault((effect.table, primary), (effect.key, {}))
        values.update(effect.values)

    def flush(self, connection: Connection) -> None:
        """Write everything: closings first, so that a new open row finds its place free.

        Raises Conflict when a row is there already, or no longer open: what was decided does not hold any more.
        """
        for name in INSERT_ORDER:
            changes = self._closes.get(name, ())
            if update_rows(connection, _table(name), changes, only_open=True) < len(changes):
                raise Conflict(name)
        for name, keys in sorted(self._deletes.items()):
            delete_rows(connection, _table(name), keys)
        for name in INSERT_ORDER:
            rows = self._inserts[name]
            if name == "timer":
                _set_timers(connection, rows)
            elif name == "review":
                _offer_reviews(connection, rows)
            elif insert_ignore(connection, _table(name), rows) < len(rows) and name not in ANYBODYS:
                raise Conflict(name)
        by_table: dict[str, list[tuple[dict[str, Any], dict[str, Any]]]] = {}
        for (name, _), change in self._updates.items():
            by_table.setdefault(name, []).append(change)
        for name in sorted(by_table):
            update_rows(connection, _table(name), by_table[name])
        _add_counts(connection, self._counts)


def _table(name: str) -> Table:
    return tables.state.tables[name]


@lru_cache(maxsize=256)
def _primary_key(name: str) -> tuple[str, ...]:
    return tuple(column.name for column in _table(name).primary_key.columns)


def _set_timers(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if not rows:
        return
    given = sorted((row["kind"], row["subject_id"], row["due_us"]) for row in rows)
    upsert = "ON CONFLICT (kind, subject_id, due_us) DO UPDATE SET fired_us = NULL WHERE timer.fired_us IS NOT NULL"
    into = "INSERT INTO timer (kind, subject_id, due_us)"
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"{into} VALUES (?, ?, ?) {upsert}", given)
        return
    columns = tuple(list(column) for column in zip(*given, strict=True))
    arrays = "%s::text[], %s::text[], %s::bigint[]"
    connection.exec_driver_sql(f"{into} SELECT * FROM unnest({arrays}) {upsert}", columns)


_LOUDER = ("millibits", "evidence_json")


def _bits(row: dict[str, Any]) -> int:
    """Return what speaks for a pair; for what was offered without the model, less than any number it gives."""
    bits: int | None = row["millibits"]
    return -sys.maxsize if bits is None else bits


def _offer_reviews(connection: Connection, rows: list[dict[str, Any]]) -> None:
    if insert_ignore(connection, tables.review, rows) == len(rows):
        return
    offered = sorted(
        (row["review_id"], row["millibits"], row["evidence_json"])
        for row in rows
        if row["millibits"] is not None
    )
    louder = "SET millibits = {1}, evidence_json = {2}, looked_us = NULL"
    where = "WHERE review_id = {0} AND state = 'open' AND review.millibits < {1}"
    if not offered:
        return
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"UPDATE review {louder} {where}".format("?1", "?2", "?3"), offered)
        return
    arrays = "unnest(%s::text[], %s::integer[], %s::text[]) AS given (id, bits, said)"
    sql = f"UPDATE review {louder} FROM {arrays} {where}".format("given.id", "given.bits", "given.said")
    connection.exec_driver_sql(sql, tuple(list(column) for column in zip(*offered, strict=True)))


def _add_counts(connection: Connection, counts: dict[_Total, tuple[int, int, int]]) -> None:
    if not counts:
        return
    rows = [(*key, *added) for key, added in sorted(counts.items())]
    is_sqlite = connection.dialect.name == "sqlite"
    later = "max" if is_sqlite else "greatest"
    upsert = (
        "ON CONFLICT (team_id, period, grade, person_id) DO UPDATE "
        "SET received = ledger_total.received + excluded.received, "
        "entitled = ledger_total.entitled + excluded.entitled, "
        f"last_us = {later}(ledger_total.last_us, excluded.last_us)"
    )
    into = "INSERT INTO ledger_total (team_id, period, grade, person_id, received, entitled, last_us)"
    if is_sqlite:
        connection.exec_driver_sql(f"{into} VALUES (?, ?, ?, ?, ?, ?, ?) {upsert}", rows)
        return
    arrays = "%s::text[], %s::text[], %s::text[], %s::text[], %s::integer[], %s::bigint[], %s::bigint[]"
    columns = tuple(list(column) for column in zip(*rows, strict=True))
    connection.exec_driver_sql(f"{into} SELECT * FROM unnest({arrays}) {upsert}", columns)
