"""Taking a list: the next rows become captures, durable, and then what became of each is noted; a batch at a time.

Whatever is cut off is done again from the last batch that was noted: a row's key is the list and its number, so the
same row is the same capture, and leads to one lead. Any number of processes may be at the same list.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any, BinaryIO

import orjson
import structlog
from sqlalchemy.exc import DBAPIError

from ingest.lists.columns import HEADER_WITHIN, Header, after_header, find_header
from ingest.lists.row import ListSource, imported_of, read_cells
from ingest.lists.table import ListRefused, Row, Table, open_table
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Engine
from leadflow.imports.pieces import NotYet, assembled
from leadflow.imports.spec import Aside, Spec
from router.office import office_of
from schemas.capture import Capture, capture_of
from schemas.results import Refused
from schemas.text import unguarded
from store.acts import perform
from store.acts_import import on_their_way, revert_chunk, revert_command, who_reverts
from store.imports import (
    Run,
    advanced,
    drop_old_files,
    ended,
    pieces_of,
    planned_as,
    read_run,
    runs,
    unread_of,
)

log = structlog.get_logger()

BATCH = 1_000
"""Rows of one commit at the doors: some 30 ms of writing, behind which a form waits at most."""
BACKLOG_MOST = 4_000
"""Captures that may wait for the stages before the next rows are taken: what comes in at the doors meanwhile is some
seconds late at most, not as late as the list is long."""
PAUSE_S = 0.05
EVERY_S = 1.0
FILES_S = 3_600.0
_LIST_ROW = re.compile(r"imp_[0-9a-z]+:\d{1,9}")


@dataclass
class Reading:
    """A list that is open: its rows from the next one on."""

    run: Run
    source: ListSource
    spec: Spec
    header: Header
    rows: Iterator[Row]
    file: BinaryIO
    aside: Aside
    meta: dict[str, str] = field(default_factory=dict)

    def cells(self, row: Row) -> list[list[str]]:
        """Return a row's cells that are not empty, each under its column's name."""
        return [
            [name, unguarded(cell)] for name, cell in zip(self.header.names, row.cells, strict=False) if cell
        ]

    def capture(self, row: Row, more: dict[str, str]) -> Capture:
        """Return a row as a capture. One that was refused before, and comes back, keeps the place it had."""
        key = f"{self.run.import_id}:{row.number}"
        if self.header.place is not None and self.header.place < len(row.cells):
            named = row.cells[self.header.place]
            key = named if _LIST_ROW.fullmatch(named) else key
        return capture_of(
            source_id=self.run.source_id,
            channel="list",
            format="list.row",
            body=orjson.dumps(self.cells(row)),
            accepted_us=wall_clock_us(),
            trace_id=new_id(),
            idem_key=key,
            purpose=self.source.purpose,
            meta={**self.meta, "row": str(row.number), **more},
        )


def read_head(table: Table, said: dict[str, str]) -> tuple[Header, Iterator[Row]]:
    """Return a table's header, and the rows below it. Raises ListRefused."""
    first = list(islice(table.rows, HEADER_WITHIN))
    header = find_header(first, said)
    return header, after_header(first, table.rows, header)


def judged(reading: Reading, row: Row) -> Capture | Refused:
    """Return a row as the capture that it becomes, or why it cannot be taken."""
    read = read_cells(reading.cells(row), reading.meta, reading.source)
    if isinstance(read, Refused):
        return read
    more: dict[str, str] = {}
    if reading.aside.may_be_due:
        more = reading.aside.meta_of(imported_of(reading.meta, read.said, reading.source))
    return reading.capture(row, more)


class Imports:
    """Takes lists for an engine: step by step for whoever asks, and by itself, in a thread, what was begun."""

    def __init__(self, engine: Engine, *, is_live: bool) -> None:
        self._engine = engine
        self.is_live = is_live
        """Whether the stages work beside this; else nobody waits behind the rows."""
        self._turn = threading.Lock()
        self._reading: Reading | None = None
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._files_s = 0.0

    def start(self) -> None:
        """Take by itself what is there to be taken, from now on."""
        self._thread = threading.Thread(target=self._run, name="imports", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Finish the batch at hand."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self._close()

    def step(self, import_id: str, seconds: float) -> bool:
        """Go on with a list for so long; return whether there is more to do."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self._stopping.is_set():
            with self._turn:
                more, wait = self._advance(import_id)
            if not more:
                return False
            if wait:
                time.sleep(PAUSE_S)
                if not self.is_live:
                    return True
        return True

    def _run(self) -> None:
        while not self._stopping.is_set():
            if not self._turn_of_all():
                self._stopping.wait(EVERY_S)

    def _turn_of_all(self) -> bool:
        """Go on with each list that is under way; return whether one got on. One that cannot holds up no other."""
        try:
            with self._engine.files.store.read() as connection:
                running = [one.import_id for one in reversed(runs(connection, ("running",)))]
                back = [(one, who_reverts(connection, one)) for one in runs(connection, ("reverting",))]
            self._drop_files()
        except DBAPIError as error:
            log.error("import_failed", error=type(error).__name__)
            return False
        steps: list[tuple[str, Callable[[], bool]]] = [
            *((import_id, partial(self.step, import_id, 2.0)) for import_id in running),
            *((run.import_id, partial(self._go_back, run, *who)) for run, who in back),
        ]
        got_on = [
            self._tried(import_id, step) for import_id, step in steps
        ]  # each of them, whatever the first did
        return any(got_on)

    def _tried(self, import_id: str, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except Exception as error:
            # The store, a broker or the disk: they come back, and this thread has to be there then.
            log.error("import_failed", list=import_id, error=type(error).__name__)
            with self._turn:
                self._close()
            return False

    def _go_back(self, run: Run, actor: str, reason: str) -> bool:
        """Take one step of a list that is being taken back; return whether it got on."""
        store, append, now_us = self._engine.files.store, self._engine.files.store_log.append, wall_clock_us()
        with store.read() as connection:
            if on_their_way(connection, run, now_us):
                return False
        return perform(store, revert_command(run, actor, reason), revert_chunk, now_us, append)

    def _drop_files(self) -> None:
        if time.monotonic() < self._files_s:
            return
        self._files_s = time.monotonic() + FILES_S
        with self._engine.files.store.write() as connection:
            drop_old_files(connection, wall_clock_us())

    def _advance(self, import_id: str) -> tuple[bool, bool]:
        """Take the next batch; return whether there is more, and whether to wait for it."""
        store = self._engine.files.store
        with store.read() as connection:
            run = read_run(connection, import_id)
            behind = [count for _, count in self._engine.backlogs()]
            if self.is_live and not behind:  # the stages are other processes
                behind = [unread_of(connection, run, 2 * BACKLOG_MOST)]
        if run.state != "running":
            return False, False
        if self.is_live and max(behind) > BACKLOG_MOST:
            return True, True
        try:
            reading = self._open(run)
            rows = list(islice(reading.rows, BATCH))
        except NotYet:
            return True, True
        except ListRefused as refused:
            log.warning("import_stopped", list=import_id, code=refused.code)
            self._close()
            with store.write() as connection:
                ended(connection, run, "stopped", wall_clock_us(), refused.code)
            return False, False
        if not rows:
            self._close()
            with store.write() as connection:
                planned_as(connection, run, run.spec, run.next_row - 1)
                ended(connection, run, "done", wall_clock_us())
            return False, False
        self._take(reading, rows)
        return True, False

    def _take(self, reading: Reading, rows: Sequence[Row]) -> None:
        run, captures, noted = reading.run, [], []
        for row in rows:
            if not any(row.cells):
                continue
            one = judged(reading, row)
            of_row: dict[str, Any] = {"import_id": run.import_id, "number": row.number}
            if isinstance(one, Refused):
                noted.append({**of_row, "capture_id": None, "code": one.code, "field": one.field})
            else:
                captures.append(one)
                noted.append({**of_row, "capture_id": one.capture_id, "code": None})
        if captures:
            self._engine.door.append(captures).result()
        next_row, store = rows[-1].number + 1, self._engine.files.store
        with store.write() as connection:
            mine = advanced(connection, run, noted, next_row, reading.aside.counts)
            if mine:
                reading.run = read_run(connection, run.import_id)
        if not self.is_live and store.wal_is_full():
            store.checkpoint()  # no stage is running that sees to it
        if not mine:
            self._close()  # somebody else is at it, too: begin where they are

    def _open(self, run: Run) -> Reading:
        open_at = self._reading and (self._reading.run.import_id, self._reading.run.next_row)
        if self._reading is not None and open_at == (run.import_id, run.next_row):
            return self._reading
        self._close()
        engine = self._engine
        with engine.files.store.read() as connection:
            pieces = pieces_of(connection, run.import_id)
            company = engine.companies.get(connection)
        settings = company.sources.get(run.source_id) or company.sources_off.get(run.source_id)
        if settings is None:
            raise ListRefused(
                "unknown_source",
                f"The source {run.source_id!r} is gone.",
                "Add it again.",
                "该来源已不存在。",
            )
        file = assembled(engine.files, pieces, run.digest)
        spec = Spec.model_validate(run.spec)
        source = ListSource.model_validate(settings)
        try:
            table = open_table(file, sheet=spec.sheet)
            header, rows = read_head(table, {**source.said(), **spec.said})
        except ListRefused:
            file.close()
            raise
        if spec.mapping != header.mapping:
            spec = spec.model_copy(update={"mapping": header.mapping, "header_row": header.number})
            with engine.files.store.write() as connection:
                planned_as(connection, run, spec.model_dump(), table.total)
        rows = (row for row in rows if row.number >= run.next_row)
        aside = Aside(spec, office_of(company), run.at_us, dict(run.aside))
        self._reading = Reading(run, source, spec, header, rows, file, aside, meta_of(run, spec, header))
        return self._reading

    def _close(self) -> None:
        if self._reading is not None:
            self._reading.file.close()
            self._reading = None


def meta_of(run: Run, spec: Spec, header: Header) -> dict[str, str]:
    """Return what every row's capture says of its list."""
    return {
        "import": run.import_id,
        "kind": run.kind,
        "map": orjson.dumps(header.mapping).decode(),
        "route": "yes" if spec.route else "no",
        "notify": "yes" if spec.notify else "no",
        "heap": spec.heap or "",
    }
