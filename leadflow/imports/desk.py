"""What the console's page of lists has done: see console.imports.Lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from console.imports import ListTrouble
from ingest.lists.columns import TARGETS, column_key, targets_of
from ingest.lists.row import ListSource
from ingest.lists.table import ListRefused, open_table
from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.imports.errors import error_rows
from leadflow.imports.pieces import NotYet, assembled, digest_of, keep_file, source_of
from leadflow.imports.preview import Columns, Preview, columns_of, preview
from leadflow.imports.spec import Spec, spec_of
from leadflow.imports.work import read_head
from leadflow.operate_imports import do_import_begin, do_import_revert
from leadflow.tables_out import as_csv, as_xlsx
from router.office import office_of
from sales.money import MoneyError, read_amount
from schemas.base import Language
from store.acts import ActRefused, Command, perform
from store.imports import Run, pieces_of, read_run, remembered, throw_away

PREVIEWED = 5_000
"""Rows that a preview on the page counts: a second or two. The command counts all."""


@dataclass(frozen=True, slots=True)
class _List:
    """A list, and how it would be read by what is asked for."""

    run: Run
    pieces: Sequence[str]
    source: ListSource
    known: Mapping[str, str]
    """By column_key, what the company's files and earlier lists of the sender say."""
    asked: Mapping[str, Any]
    """What is asked for, as the engine takes it."""


@dataclass(frozen=True)
class ConsoleLists:
    """Lists over an engine."""

    engine: Engine
    most_bytes: int
    targets: Sequence[str] = TARGETS

    def check(self, file: BinaryIO) -> None:
        """Raise ListTrouble for a file that is no table, or would burst."""
        try:
            open_table(file)
        except ListRefused as refused:
            raise _told(refused) from refused

    def keep(self, file: BinaryIO, about: Mapping[str, str]) -> str:
        """Make a file durable, and write it down as a draft, unless it is no list."""
        source = ListSource.model_validate(source_of(self.engine, about["source"]))
        with self.engine.files.store.read() as connection:
            before = remembered(connection, source.source_id)
        try:
            table = open_table(file)
            try:
                read_head(table, {**source.said(), **before})
            except ListRefused as refused:
                if refused.code != "no_header":
                    raise
            digest, size = digest_of(file)
        except ListRefused as refused:
            raise _told(refused) from refused
        pieces = keep_file(self.engine, source.source_id, file, digest)
        asked = {"source": source.source_id, "kind": about["kind"], "digest": digest, "bytes": size}
        more = {"name": about["name"], "pieces": pieces, "actor": about["actor"], "draft": True, "spec": {}}
        return str(do_import_begin(self.engine, {**asked, **more})["import_id"])

    def preview(self, import_id: str, asked: Mapping[str, Any]) -> Preview | None:
        """Return what would happen; None while the stages have not come to the file yet."""
        files = self.engine.files
        with files.store.read() as connection:
            company = self.engine.companies.get(connection)
        one = self._list(import_id, asked)
        spec = spec_of(dict(one.asked), company)
        spec = spec.model_copy(update={"said": {**one.known, **spec.said}})
        try:
            with self._opened(one) as file, files.store.read() as connection:
                return preview(connection, file, one.run, (one.source, spec, office_of(company)), PREVIEWED)
        except NotYet:
            return None

    def columns(self, import_id: str, asked: Mapping[str, Any]) -> Columns:
        """Return the columns of a draft of which nobody knows any."""
        with self._opened(self._list(import_id, asked)) as file:
            return columns_of(file, asked.get("sheet"))

    def begin(self, import_id: str, asked: Mapping[str, Any], actor: str) -> None:
        """Begin a draft whose columns are known; the engine's own thread takes it."""
        one = self._list(import_id, asked)
        if one.run.state != "draft":
            return
        cost = _cost(asked)
        with suppress(NotYet), self._opened(one) as file:
            read_head(open_table(file, sheet=asked.get("sheet")), {**one.known, **one.asked["said"]})
        self._begin(one.run, one.pieces, {"actor": actor, "spec": one.asked, **cost})

    def go_on(self, import_id: str, actor: str) -> None:
        """Go on with a list that has stopped, as it was begun."""
        with self.engine.files.store.read() as connection:
            run = read_run(connection, import_id)
            pieces = pieces_of(connection, import_id)
        if run.state == "stopped":
            cost = {"campaign": run.campaign_id, "cost_minor": run.cost_minor, "currency": run.currency}
            self._begin(run, pieces, {"actor": actor, "spec": run.spec, **cost})

    def throw_away(self, import_id: str, actor: str) -> None:
        """Throw a draft away."""
        command, files = Command("throw_list_away", actor, f"{import_id}:away", import_id), self.engine.files
        perform(files.store, command, throw_away, wall_clock_us(), files.store_log.append)

    def _list(self, import_id: str, asked: Mapping[str, Any]) -> _List:
        with self.engine.files.store.read() as connection:
            run = read_run(connection, import_id)
            pieces = pieces_of(connection, import_id)
            before = remembered(connection, run.source_id)
        source = ListSource.model_validate(source_of(self.engine, run.source_id))
        known = {**source.said(), **before}
        return _List(run, pieces, source, known, _spec(asked, known))

    @contextmanager
    def _opened(self, one: _List) -> Iterator[BinaryIO]:
        """Yield a list's file. Raises NotYet, and ListTrouble for what is no list."""
        try:
            with assembled(self.engine.files, one.pieces, one.run.digest) as file:
                yield file
        except ListRefused as refused:
            raise _told(refused) from refused

    def _begin(self, run: Run, pieces: Sequence[str], more: Mapping[str, Any]) -> None:
        about = {"source": run.source_id, "kind": run.kind, "digest": run.digest, "bytes": run.bytes}
        do_import_begin(self.engine, {**about, "name": run.name, "pieces": pieces, **more})

    def revert(self, import_id: str, actor: str, reason: str) -> None:
        """Take a list back for some seconds; the engine's own thread goes on."""
        do_import_revert(self.engine, {"id": import_id, "actor": actor, "reason": reason})

    def errors(self, import_id: str, suffix: str, language: Language) -> bytes:
        """Return the refused rows as a file."""
        with self.engine.files.store.read() as connection:
            run = read_run(connection, import_id)
        try:
            source = ListSource.model_validate(source_of(self.engine, run.source_id))
            header, rows = error_rows(self.engine.files, run, source, language)
            return as_xlsx(header, rows) if suffix == "xlsx" else b"".join(as_csv(header, rows))
        except NotYet:
            raise ActRefused("unknown_list", f"{import_id} has not been read yet.") from None
        except ListRefused as refused:
            raise _told(refused) from refused


def _spec(asked: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, Any]:
    """Return what is asked for; of the columns only what is not known without it (`known`: by column_key)."""
    columns = cast(Mapping[str, str], asked.get("columns") or {})
    said = {
        key: target
        for name, target in columns.items()
        if target in TARGETS and target != (known.get(key := column_key(name)) or targets_of((name,))[0])
    }
    return {**{key: value for key, value in asked.items() if key in Spec.model_fields}, "said": said}


def _cost(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return campaign and cost as the engine takes them. Raises ActRefused: a cost counts with its campaign only."""
    if not asked.get("cost"):
        return {"campaign": asked.get("campaign")}
    if not asked.get("campaign"):
        raise ActRefused("unknown_campaign", "A cost counts with its campaign: choose one.")
    try:
        minor, currency = read_amount(asked["cost"], asked["currency"])
    except MoneyError as error:
        raise ActRefused(error.code, "Write the cost as in 12000.00 CNY.") from None
    return {"campaign": asked["campaign"], "cost_minor": minor, "currency": currency}


def _told(refused: ListRefused) -> ListTrouble:
    return ListTrouble(refused.code, str(refused), refused.zh)
