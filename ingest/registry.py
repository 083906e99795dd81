"""Every format there is: its settings, its parser, and for formats that come in pieces its assembler.

A new format is one new file and one line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from ingest.web import form
from schemas.capture import Capture
from schemas.results import ParseResult, Refused
from schemas.sources import SourceSettings


@dataclass(frozen=True, slots=True)
class Format:
    """A format: the model of a source's settings, and the parser of one capture."""

    settings: type[SourceSettings]
    parse: Callable[[Capture, Any], tuple[ParseResult, ...]]


FORMATS: Mapping[str, Format] = {
    "web.form": Format(form.WebForm, form.parse),
}


def parse_capture(capture: Capture, sources: Mapping[str, dict[str, Any]]) -> tuple[ParseResult, ...]:
    """Parse a capture by the format it names, with its source's settings. Never raises for bad input."""
    found = FORMATS.get(capture.format)
    if found is None:
        return (_refused("unknown_format", f"There is no parser for format {capture.format!r}."),)
    settings = sources.get(capture.source_id)
    if settings is None:
        return (
            _refused(
                "unknown_source",
                f"Source {capture.source_id!r} is not configured or was switched off.",
                "Add or switch on the source, then replay this dead letter.",
            ),
        )
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


def _refused(code: str, message: str, hint: str = "") -> Refused:
    return Refused(stage="parse", code=code, message=message, hint=hint)
