"""What the console's page of lists has done: see console.imports.Lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, cast

from console.imports import ListTrouble
from ingest.lists.columns import TARGETS, column_key, targets_of
from ingest.lists.row import ListSource
from ingest.lists.table import ListRefused, open_table
from leadflow.engine import Engine
from leadflow.imports.errors import error_rows
from leadflow.imports.pieces import NotYet, assembled, digest_of, keep_file, source_of
from leadflow.imports.preview import Preview, preview
from leadflow.imports.spec import spec_of
from leadflow.imports.work import read_head
from leadflow.operate_imports import do_import_begin, do_import_revert
from leadflow.tables_out import as_csv, as_xlsx
from router.office import office_of
from schemas.base import Language
from store.acts import ActRefused
from store.imports import pieces_of, read_run, remembered

PREVIEWED = 5_000
"""Rows that a preview on the page counts: a second or two. The command counts all."""


@dataclass(frozen=True)
class ConsoleLists:
    """Lists over an engine."""

    engine: Engine
    most_bytes: int
    targets: Sequence[str] = TARGETS

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
            run = read_run(connection, import_id)
            pieces = pieces_of(connection, import_id)
            company = self.engine.companies.get(connection)
            before = remembered(connection, run.source_id)
        source = ListSource.model_validate(source_of(self.engine, run.source_id))
        spec = spec_of(_spec(asked, {**source.said(), **before}), company)
        spec = spec.model_copy(update={"said": {**before, **spec.said}})
        try:
            with assembled(files, pieces, run.digest) as file, files.store.read() as connection:
                return preview(connection, file, run, (source, spec, office_of(company)), PREVIEWED)
        except NotYet:
            return None
        except ListRefused as refused:
            raise _told(refused) from refused

    def begin(self, import_id: str, asked: Mapping[str, Any], actor: str) -> None:
        """Begin a draft; the engine's own thread takes it."""
        with self.engine.files.store.read() as connection:
            run = read_run(connection, import_id)
            pieces = pieces_of(connection, import_id)
            before = remembered(connection, run.source_id)
        if run.state != "draft":
            return
        source = ListSource.model_validate(source_of(self.engine, run.source_id))
        about = {"source": run.source_id, "kind": run.kind, "digest": run.digest, "bytes": run.bytes}
        more = {
            "name": run.name,
            "pieces": pieces,
            "actor": actor,
            "spec": _spec(asked, {**source.said(), **before}),
        }
        do_import_begin(self.engine, {**about, **more})

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
    return {**{key: value for key, value in asked.items() if key != "columns"}, "said": said}


def _told(refused: ListRefused) -> ListTrouble:
    return ListTrouble(refused.code, str(refused), refused.zh)
