"""The quick entry of the console's front desk: a visit by the same door as the counter's own page (see console.desk_page)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from ingest.counter.take import counter_of
from ingest.counter.texts import MISTAKES, WORDING, mistake
from ingest.counter.visit import mistakes
from ingest.web.form import FormError, read_form
from leadflow.clock import new_id, wall_clock_us
from leadflow.engine import Engine
from schemas.base import Language
from schemas.capture import capture_of
from schemas.ids import body_digest
from stream.door_log import Overloaded

_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class ConsoleVisits:
    """Visits over an engine."""

    engine: Engine

    def enter(
        self, source_id: str, fields: Mapping[str, str], person_id: str | None, language: Language
    ) -> str | dict[str, str]:
        """Make a visit durable and return its receipt, else by field what is to be corrected."""
        source = counter_of(self.engine.sources(), source_id)
        if source is None:
            return _told("unreadable", language)
        said = {name: value for name, value in fields.items() if value}
        if code := self._desk_code(person_id):
            said["taken_by"] = code
        body = urlencode(said).encode()
        try:
            posted = read_form(_FORM, body)
        except FormError:
            return _told("unreadable", language)
        if wrong := mistakes(posted, source):
            return {one.field or "": mistake(one, language) for one in reversed(wrong)}
        capture = capture_of(
            source_id=source.source_id,
            channel="counter",
            format="counter.visit",
            body=body,
            accepted_us=wall_clock_us(),
            trace_id=new_id(),
            idem_key=_key(fields.get("visit_no", ""), body),
            made_key=new_id(),
            purpose=source.purpose,
            meta={"content_type": _FORM},
        )
        try:
            self.engine.door.append([capture]).result()
        except Overloaded:
            return _told("overloaded", language)
        return capture.capture_id

    def _desk_code(self, person_id: str | None) -> str | None:
        with self.engine.files.store.read() as connection:
            person = self.engine.companies.get(connection).people.get(person_id or "")
        return person.desk_code if person is not None else None


def _key(visit_no: str, body: bytes) -> str | None:
    """Return the key of a visit: who goes back in the browser and enters somebody else with the same form enters another."""
    return f"{visit_no}:{body_digest(body)}" if visit_no else None


def _told(code: str, language: Language) -> dict[str, str]:
    return {"": WORDING.gettext(language, MISTAKES[code])}
