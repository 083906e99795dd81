"""A preview of a file that is not kept yet, by what the company's files and the sender's remembered columns say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, BinaryIO, cast

from sqlalchemy import Connection

from ingest.lists.row import ListSource
from leadflow.clock import wall_clock_us
from leadflow.imports.preview import Preview, preview
from leadflow.imports.spec import spec_of
from router.office import office_of
from schemas.lead import ListKind
from store.acts import ActRefused
from store.company import company_version, load_company
from store.imports import Run, remembered


def preview_of(
    connection: Connection,
    file: BinaryIO,
    what: tuple[str, str],
    asked: Mapping[str, Any],
    most: int | None = None,
) -> Preview:
    """Find out what would happen to a file; `what` is its source and kind. Raises ListRefused, ActRefused."""
    source_id, kind = what
    company = load_company(connection, company_version(connection))
    settings = company.sources.get(source_id)
    if settings is None or settings["format"] != "list.row":
        raise ActRefused(
            "unknown_source", f"There is no source {source_id!r} of format list.row; add one to company.toml."
        )
    spec = spec_of(dict(asked), company)
    spec = spec.model_copy(update={"said": {**remembered(connection, source_id), **spec.said}})
    run = Run(
        import_id="imp_preview",
        source_id=source_id,
        kind=cast(ListKind, kind),
        name="",
        digest="",
        bytes=0,
        actor="",
        state="draft",
        spec={},
        next_row=1,
        taken=0,
        refused=0,
        total=None,
        aside={},
        campaign_id=None,
        cost_minor=None,
        currency=None,
        at_us=wall_clock_us(),
        ended_us=None,
        reverted_us=None,
        dropped=False,
        code=None,
    )
    return preview(
        connection, file, run, (ListSource.model_validate(settings), spec, office_of(company)), most
    )
