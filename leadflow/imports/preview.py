"""What would happen to a list: its first rows as they would be read, and how many rows would become what. Writes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import BinaryIO

from sqlalchemy import Connection, select

from enrich.identifiers import identifiers_of
from enrich.normalise import normalise
from ingest.lists.columns import HEADER_WITHIN, Header, unknown_header
from ingest.lists.row import ListSource, parse
from ingest.lists.table import Row, open_table
from leadflow.imports.spec import Aside, Spec
from leadflow.imports.work import Reading, meta_of, read_head
from router.office import Office
from schemas.company import person_called
from schemas.lead import Lead
from schemas.resolved import CONTACT_KINDS
from schemas.results import Refused
from store import tables
from store.bulk import keys_in
from store.imports import Run

SHOWN = 20
SAMPLES = 3
"""Values of each column that are shown beside its name."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ShownRow:
    """A row as it would be read, or why it would be refused."""

    number: int
    fields: tuple[tuple[str, str], ...]
    """Name of the field and its value as normalised, else as received."""
    owner: str | None
    refused: Refused | None


@dataclass
class Preview:
    """What would happen."""

    kind: str
    encoding: str | None
    delimiter: str | None
    sheet: str | None
    sheets: tuple[str, ...]
    header: Header
    samples: list[list[str]]
    """By column, some of its values."""
    shown: list[ShownRow] = field(default_factory=list)
    rows: int = 0
    new: int = 0
    joined: int = 0
    """Of somebody whom an identifier knows already, or of an earlier row."""
    refused: Counter[str] = field(default_factory=Counter)
    aside: int = 0
    owners: Counter[str] = field(default_factory=Counter)
    """By `known`, `unknown`, `left` and `nobody`."""
    strangers: Counter[str] = field(default_factory=Counter)
    """What the list calls owners who are in nobody's book, and how many rows it does."""
    is_whole: bool = True

    @property
    def taken(self) -> int:
        """How many rows would be taken."""
        return self.new + self.joined


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of a file of which nobody knows any: for a person to say what each is."""

    sheet: str | None
    sheets: tuple[str, ...]
    header: Header | None
    """None if the sheet holds nothing."""
    samples: list[list[str]]


def columns_of(file: BinaryIO, sheet: str | None) -> Columns:
    """Return the columns of a file as they stand, by its likeliest header. Raises ListRefused."""
    table = open_table(file, sheet=sheet)
    rows = list(islice(table.rows, HEADER_WITHIN))
    header = unknown_header(rows)
    samples: list[list[str]] = [[] for _ in (header.names if header else ())]
    for row in rows:
        if header and row.number > header.number:
            _sample(samples, row)
    return Columns(table.sheet, table.sheets, header, samples)


def preview(
    connection: Connection,
    file: BinaryIO,
    run: Run,
    known: tuple[ListSource, Spec, Office],
    most: int | None = None,
) -> Preview:
    """Find out what would happen to a list, or to its first rows. Raises ListRefused.

    Whom the match model would join by likeness is not foreseen; whom a number or an address knows, is.
    """
    source, spec, office = known
    table = open_table(file, sheet=spec.sheet)
    header, rows = read_head(table, {**source.said(), **spec.said})
    meta = meta_of(run, spec, header)
    aside = Aside(spec, office, run.at_us)
    reading = Reading(run, source, spec, header, rows, file, aside, meta)
    samples: list[list[str]] = [[] for _ in header.names]
    found = Preview(table.kind, table.encoding, table.delimiter, table.sheet, table.sheets, header, samples)
    seen: set[tuple[str, str]] = set()
    while chunk := list(islice(rows, _AT_ONCE)):
        _add(connection, found, reading, [row for row in chunk if any(row.cells)], seen)
        if most is not None and found.rows >= most:
            found.is_whole = next(rows, None) is None
            break
    return found


def _add(
    connection: Connection,
    found: Preview,
    reading: Reading,
    rows: Sequence[Row],
    seen: set[tuple[str, str]],
) -> None:
    leads: list[tuple[Lead, set[tuple[str, str]]]] = []
    for row in rows:
        found.rows += 1
        _sample(found.samples, row)
        (result, *_) = parse(reading.capture(row, {}), reading.source)
        if isinstance(result, Refused):
            found.refused[result.code] += 1
            _show(found, row, None, result, reading.aside.office)
            continue
        if not isinstance(result, Lead):
            continue
        fields = normalise(result)
        _show(found, row, result.model_copy(update={"fields": fields}), None, reading.aside.office)
        usable: set[tuple[str, str]] = {
            (one.kind, one.value) for one in identifiers_of(fields) if one.trust == "trusted"
        }
        leads.append((result, usable))
        found.aside += bool(result.imported and reading.aside.meta_of(result.imported))
        _count_owner(found, result, reading.aside.office)
    bound = _bound(connection, {one for _, keys in leads for one in keys})
    for _, keys in leads:
        known = any(one in bound or one in seen for one in keys)
        found.joined += known
        found.new += not known
        seen |= {one for one in keys if one[0] in CONTACT_KINDS or one[0] in ("tax_id", "domain")}


def _sample(samples: Sequence[list[str]], row: Row) -> None:
    for mine, cell in zip(samples, row.cells, strict=False):
        if cell and len(mine) < SAMPLES and cell not in mine:
            mine.append(cell)


def _show(found: Preview, row: Row, lead: Lead | None, refused: Refused | None, office: Office) -> None:
    if len(found.shown) >= SHOWN:
        return
    fields = tuple(
        (one.label or one.name, one.value or one.received) for one in (lead.fields if lead else ())
    )
    if lead is None:
        fields = tuple(("", cell) for cell in row.cells if cell)
    said = lead.imported.owner if lead and lead.imported else None
    owner = person_called(office.company, said) if said else None
    found.shown.append(ShownRow(row.number, fields, owner, refused))


def _count_owner(found: Preview, lead: Lead, office: Office) -> None:
    said = lead.imported.owner if lead.imported else None
    if not said:
        found.owners["nobody"] += 1
        return
    named = person_called(office.company, said)
    if named is None:
        found.strangers[said[:80]] += 1
        found.owners["unknown"] += 1
    else:
        found.owners["known" if office.works_here(named) else "left"] += 1


def _bound(connection: Connection, keys: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    binding = tables.binding
    wanted = sorted(set(keys))
    found: set[tuple[str, str]] = set()
    for start in range(0, len(wanted), _AT_ONCE):
        some = keys_in(connection, ["kind", "value"], wanted[start : start + _AT_ONCE])
        rows = connection.execute(
            select(binding.c.kind, binding.c.value).where(some, binding.c.to_us.is_(None))
        )
        found |= {(row.kind, row.value) for row in rows}
    return found
