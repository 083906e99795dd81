"""The contenders of the pipeline: the product, the limit of the raw driver, and an ORM as it comes.

All three read the same captures and leave the same rows in the same tables of a real file. The product
decides what the rows are; the other two copy them from a finished run, so that their times hold no decision.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Table, func, select
from sqlalchemy.ext.automap import automap_base
from sqlalchemy.orm import Session

from bench.measure import Spent, timed
from enrich.identifiers import identifiers_of
from enrich.normalise import normalise
from ingest.registry import parse_capture
from leadflow.embedded import Embedded, Files, open_files, read_files
from schemas.capture import Capture
from schemas.lead import Lead
from store import tables
from store.company import CompanyCache
from store.database import Database
from store.effects import INSERT_ORDER
from stream.door_log import CAPTURES

WRITTEN = (*INSERT_ORDER, "ledger_total", "log")
"""The tables that stages write, in an order that satisfies the foreign keys."""

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class Run:
    """What one contender did: how many leads, in what time, and how many rows it left in each table."""

    leads: int
    spent: Spent
    counts: dict[str, int]

    @property
    def leads_per_s(self) -> float:
        return self.leads / self.spent.wall_s

    @property
    def cpu_us_per_lead(self) -> float:
        return self.spent.cpu_s / self.leads * 1e6


def product(base: Path, folder: Path) -> Run:
    """Run the product's own stages until they are drained."""
    engine = Embedded(open_files(copied(base, folder)))
    with timed() as spent:
        engine.work_off()
    counts = _counts(engine.files.store)
    engine.files.store.checkpoint()
    engine.files.close()
    return Run(counts["capture"], spent, counts)


def limit(base: Path, done: Path, folder: Path, batch: int) -> Run:
    """Write the rows of the finished run `done` with the raw driver, `batch` leads a transaction.

    Per lead it also does what no design can leave out: read, unseal, validate, parse and normalise once.
    """
    files = open_files(copied(base, folder))
    groups = _batches(_rows_of(done), batch)
    inserts = {name: _insert(tables.state.tables[name]) for name in WRITTEN}
    handle = files.store.engine.raw_connection()
    raw: Any = handle.driver_connection
    sources = _sources(files)
    with timed() as spent:
        for number, rows in enumerate(groups):
            _read_leads(files, sources, number * batch, batch)
            raw.execute("BEGIN IMMEDIATE")
            for name, values in rows.items():
                raw.executemany(inserts[name], values)
            raw.execute("COMMIT")
            if files.store.wal_is_full():
                raw.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    handle.close()
    counts = _counts(files.store)
    files.close()
    return Run(counts["capture"], spent, counts)


def naive(base: Path, done: Path, folder: Path, leads: int) -> Run:
    """Write the rows of the first leads of `done` as mapped objects, one commit a lead; reading as in `limit`."""
    files = open_files(copied(base, folder))
    groups = _batches(_rows_of(done), 1)[:leads]
    mapped = automap_base(metadata=tables.state)
    mapped.prepare()
    sources = _sources(files)
    with timed() as spent, Session(files.store.engine) as session:
        for number, rows in enumerate(groups):
            _read_leads(files, sources, number, 1)
            for name, values in rows.items():
                names = [column.name for column in tables.state.tables[name].columns]
                one = mapped.classes[name]
                session.add_all([one(**dict(zip(names, row, strict=True))) for row in values])
            session.commit()
            if files.store.wal_is_full():
                files.store.checkpoint()
    counts = _counts(files.store)
    files.close()
    return Run(counts["capture"], spent, counts)


def first_counts(done: Path, leads: int) -> dict[str, int]:
    """Return how many rows the first leads of a finished run left in each table."""
    counts = dict.fromkeys(WRITTEN, 0)
    for rows in _batches(_rows_of(done), 1)[:leads]:
        for name, values in rows.items():
            counts[name] += len(values)
    return counts


def copied(base: Path, folder: Path) -> Path:
    """Copy a closed data folder; return the copy."""
    shutil.rmtree(folder, ignore_errors=True)
    return shutil.copytree(base, folder)


def _sources(files: Files) -> dict[str, dict[str, Any]]:
    with files.store.read() as connection:
        return CompanyCache().get(connection).sources


def _read_leads(files: Files, sources: dict[str, dict[str, Any]], first: int, count: int) -> None:
    with files.doors.read() as connection:
        logged = files.door_log.read(connection, CAPTURES, first, count)
    for one in logged:
        for lead in parse_capture(one.event.read(Capture), sources):
            if isinstance(lead, Lead):
                identifiers_of(normalise(lead))


def by_lead(store: Database) -> list[Rows]:
    """Return the rows that the stages of a finished run wrote, lead by lead, in an order that foreign keys allow."""
    return _batches(_rows_by_lead(store), 1)


def _rows_of(done: Path) -> list[tuple[int, str, tuple[Any, ...]]]:
    files = read_files(done)
    try:
        return _rows_by_lead(files.store)
    finally:
        files.close()


def _counts(store: Database) -> dict[str, int]:
    with store.read() as connection:
        return {
            name: connection.execute(select(func.count()).select_from(tables.state.tables[name])).scalar_one()
            for name in WRITTEN
        }


def _insert(table: Table) -> str:
    marks = ", ".join("?" for _ in table.columns)
    return f'INSERT INTO "{table.name}" VALUES ({marks})'


def _rows_by_lead(store: Database) -> list[tuple[int, str, tuple[Any, ...]]]:
    """Return every row that the stages wrote as (rank of its lead, table, values), by rank.

    A row belongs to the last lead among those that its ids come from: a holding names its customer, born
    with an earlier lead, and the decision on the present one. What names no lead was written last.
    """
    found: list[tuple[int, str, tuple[Any, ...]]] = []
    with store.read() as connection:
        ranks = _Ranks()
        for name in WRITTEN:
            table = tables.state.tables[name]
            order = [table.c.off] if "off" in table.c else []
            found += [
                (ranks.rank(name, row._mapping), name, tuple(row))
                for row in connection.execute(select(table).order_by(*order))
            ]
        last = max((rank for rank, _, _ in found), default=0)
    rows = [(last if rank < 0 else rank, name, values) for rank, name, values in found]
    return sorted(rows, key=lambda one: one[0])


_BORN = {
    "capture": "capture_id",
    "contact": "contact_id",
    "customer": "customer_id",
    "decision": "decision_id",
}
"""Table to the id that is born with its rows."""
_IDS = ("lead_id", "born_lead", "capture_id", "decision_id", "contact_id", "customer_id", "event_id")


class _Ranks:
    """Remembers which lead each id came from; fed with the tables in the order in which ids are born."""

    def __init__(self) -> None:
        self._of: dict[str, int] = {}

    def rank(self, name: str, row: Any) -> int:
        """Return the rank of the lead that a row belongs to, or -1."""
        if name == "capture":
            self._of[row["capture_id"]] = int(row["off"])
            return int(row["off"])
        known = [self._of[row[key]] for key in _IDS if key in row and row[key] in self._of]
        rank = max(known, default=-1)
        if name == "log":
            return int(row["off"]) if rank < 0 else rank
        if name == "lead_capture":
            self._of.setdefault(row["lead_id"], rank)
        elif name in _BORN:
            self._of[row[_BORN[name]]] = rank
        return rank


def _batches(rows: Sequence[tuple[int, str, tuple[Any, ...]]], batch: int) -> list[Rows]:
    groups: dict[int, Rows] = {}
    for rank, name, values in rows:
        groups.setdefault(rank // batch, {}).setdefault(name, []).append(values)
    return [_in_order(groups[number]) for number in sorted(groups)]


def _in_order(rows: Rows) -> Rows:
    return {name: rows[name] for name in WRITTEN if name in rows}
