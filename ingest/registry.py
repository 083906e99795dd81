"""Every format there is: its settings, its parser, and for formats that come in pieces its assembler.

A new format is one new file and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ingest import correction
from ingest.counter import visit
from ingest.cti import asterisk, calls, cdr_table, queue_log
from ingest.email import parse as mail
from ingest.lists import row as list_row
from ingest.web import form, mapped
from schemas.capture import Capture
from schemas.lead import Lead
from schemas.results import Ignored, ParseResult, Refused
from schemas.sources import SourceSettings

Assemble = Callable[[Collection[Mapping[str, str]], Any, Capture], Lead | Ignored]
"""Judges a group from the `Part.data` of all its parts, in any order; the capture is the one that opened it."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the model of a source's settings, the parser of one capture, the assembler of its parts."""

    settings: type[SourceSettings]
    parse: Callable[[Capture, Any], tuple[ParseResult, ...]]
    assemble: Assemble | None = None


FORMATS: Mapping[str, Format] = {
    "web.form": Format(form.WebForm, form.parse),
    "web.mapped": Format(mapped.MappedWebhook, mapped.parse),
    "email.message": Format(mail.EmailSource, mail.parse),
    "cti.asterisk": Format(asterisk.AsteriskCdr, asterisk.parse, calls.assemble),
    "cti.queue_log": Format(queue_log.QueueLog, queue_log.parse, queue_log.assemble),
    "cti.cdr_table": Format(cdr_table.CdrTable, cdr_table.parse, calls.assemble),
    "counter.visit": Format(visit.Counter, visit.parse),
    "list.row": Format(list_row.ListSource, list_row.parse),
}


def parse_capture(capture: Capture, sources: Mapping[str, dict[str, Any]]) -> tuple[ParseResult, ...]:
    """Parse a capture by the format it names, with its source's settings. Never raises for bad input."""
    if capture.format == correction.FORMAT:
        return correction.parse(capture)  # our own people are no source that anybody configures
    found = FORMATS.get(capture.format)
    if found is None:
        return (_refused("unknown_format", f"There is no parser for format {capture.format!r}."),)
    settings = sources.get(capture.source_id)
    if settings is None:
        return (unknown_source(capture.source_id),)
    try:
        source = found.settings.model_validate(settings)
    except ValidationError as error:
        return (
            _refused(
                "bad_source",
                f"The settings of source {capture.source_id!r} are wrong: {error.error_count()} errors.",
                "Run `leadflow check`, correct the source, then replay.",
            ),
        )
    return found.parse(capture, source)


def unknown_source(source_id: str) -> Refused:
    """Return the refusal of what came by a source that is not there, or not any more."""
    return _refused(
        "unknown_source",
        f"Source {source_id!r} is not configured or was switched off.",
        "Add or switch on the source, then replay this dead letter.",
    )


def assemble_parts(
    parts: Collection[Mapping[str, str]], opener: Capture, sources: Mapping[str, dict[str, Any]]
) -> Lead | Ignored:
    """Judge a group of parts by its format. Raises LookupError if its source has gone meanwhile.

    Rows of call records and lines of a queue may be of one call: then the records say what it was.
    """
    lines = [part for part in parts if queue_log.EVENT in part]
    rows = [part for part in parts if queue_log.EVENT not in part]
    if lines and rows:
        pbx_id = sources[opener.source_id].get("cdr_source") or opener.source_id
        settings = sources.get(pbx_id, {"format": ""})
        model = FORMATS[settings["format"]].settings if settings["format"] in FORMATS else SourceSettings
        if issubclass(model, asterisk.AsteriskCdr):
            pbx = model.model_validate(settings)
            return queue_log.with_queue(calls.assemble(rows, pbx, opener), lines, pbx.internal)
        parts = lines
    assemble = FORMATS[opener.format].assemble
    if assemble is None:
        raise LookupError(f"format {opener.format!r} does not come in parts")
    return assemble(parts, FORMATS[opener.format].settings.model_validate(sources[opener.source_id]), opener)


def _refused(code: str, message: str, hint: str = "") -> Refused:
    return Refused(stage="parse", code=code, message=message, hint=hint)
