"""`leadflow explain`: the story of a lead, task, customer's decision or dead letter, back to the raw bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from console import first_touch
from console.known import at_a_glance
from console.story import Step, steps
from console.view import View
from leadflow.clock import wall_clock_us
from leadflow.engine import Data
from router.office import Office, office_of
from sales.life import Stay
from sales.segments import customers_of
from schemas.base import Language
from store import views
from store.company import company_version, load_company

RAW_BYTES_SHOWN = 2_000
"""A mail with a catalogue in it must not roll everything else off the screen."""


def explain(files: Data, any_id: str, language: Language) -> Iterator[str]:
    """Yield the lines of a story; none for an id that is on no record."""
    with files.store.read() as connection:
        told = views.story(connection, any_id)
        company = load_company(connection, company_version(connection))
        customers = {row["customer_id"] for row in told["memberships"] if row["to_us"] is None}
        known = at_a_glance(connection, customers_of(connection, company, wall_clock_us(), customers))
    view, office = View(language, company, wall_clock_us()), office_of(company)
    for step in steps(told):
        yield f"{view.exact(step.at_us)}  {step.kind.upper()}"
        yield from (f"    {line}" for line in _lines(view, office, step))
    for one in known:
        yield f"{one.customer_id}  {' · '.join(view.profile(one.facts))}"
        for life in one.lives:
            yield f"    {view.fact('product_line', life.line) or view.gettext('no product line')} · {life.lead_id}"
            yield from (f"      {_stay(view, stay)}" for stay in life.stays)
        if one.protected_us > view.now_us:
            yield f"    {view.gettext('Protected until %(date)s') % {'date': view.day(one.protected_us)}}"
        if one.beside:
            names = view.gettext(", ").join(view.name(person) for person in one.beside)
            yield f"    {view.gettext('Works on it, too: %(names)s') % {'names': names}}"
        if one.refused:
            refused = view.gettext(", ").join(view.word("AGREED", purpose) for purpose in one.refused)
            yield f"    {view.gettext('Does not agree to:')} {refused}"
        if one.gaps:
            yield f"    {view.gettext('Ask for:')} {view.to_ask(one.gaps)}"
        for person, at_us in one.asked:
            yield f"    {view.gettext('Asked whether it is taken:')} {view.name(person)}, {view.when(at_us)}"
    for capture in told["captures"]:
        yield from _raw(files, capture)


def _lines(view: View, office: Office, step: Step) -> Iterator[str]:
    row = step.row
    match step.kind:
        case "received":
            yield f"{view.word('CHANNELS', row['channel'])} · {view.source(row['source_id'])} · {row['capture_id']}"
            yield f"trace {row['trace_id']} · {row['result']}" + (f" ({row['code']})" if row["code"] else "")
            if row["parent_id"]:
                yield f"repairs {row['parent_id']}"
        case "refused":
            message, hint = view.letter(row)
            yield f"{view.word('STEPS', row['stage'])} · {row['code']} · {row['state']} · {row['dead_id']}"
            yield message + (f" [{row['field']}]" if row["field"] else "")
            if hint:
                yield hint
        case "read":
            yield from _read(view, row)
        case "recognised":
            yield f"{row['customer_id']} · {row['contact_id']}"
            yield from (_evidence(view, one) for one in row["evidence"])
        case "decided":
            yield from _decided(view, row)
        case "task":
            yield f"{view.word('ORIGINS', row['origin'])} · {view.word('TASK_STATES', row['state'])} · {row['task_id']}"
            yield f"→ {view.name(row['holder_id'])} · {view.exact(row['due_us'])}"
            if (waited := first_touch.told(view, office, row)) is not None:
                yield waited
            if row["playbook"]:
                yield view.gettext("playbook: %(playbook)s") % {"playbook": row["playbook"]}
        case "delivery":
            tried = row["attempt"] + (row["state"] == "sent")
            yield f"{view.word('DELIVERY_STATES', row['state'])} · {view.sink(row['sink_id'])} · {row['delivery_id']}"
            answers = " · ".join(part for part in (row["code"], row["answer"]) if part)
            yield (
                f"→ {view.recipient(row)}"
                + (f" · ×{tried}" if tried else "")
                + (f" · {answers}" if answers else "")
                + (f" · {row['told_in']}" if row["told_in"] not in (None, row["delivery_id"]) else "")
            )
        case _:
            yield f"{view.choice('outcome', row['code'])} · {view.name(row['person_id'])} · {row['note'] or ''}"


def _stay(view: View, stay: Stay) -> str:
    until = f" → {view.day(stay.until_us)}" if stay.until_us is not None else ""
    parts = (view.word("STAGES", stay.stage) + until, view.name(stay.person_id), stay.cause, stay.reason)
    return f"{view.exact(stay.from_us)}  " + " · ".join(part for part in parts if part)


def _decided(view: View, row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{view.word('DECISIONS', row['code'])} → {view.name(row['holder_id'])} · {row['decision_id']}"
    yield view.teller.sentence(view.reason(row), row["holder_id"])
    if act := row["act"]:
        yield f"– {view.name(act['actor'])}: {act['verb']}" + (f" · {act['reason']}" if act["reason"] else "")
    yield from (f"– {one}" for one in view.besides(view.reason(row)))
    for one in view.standings(row):
        yield f"{'→' if one.chosen else '–'} {view.name(one.person_id)}: {view.standing(one)}"
    for person_id, why in view.reason(row).passed_over:
        yield f"– {view.name(person_id)}: {view.word('PASSED_OVER', why)}"


def _read(view: View, row: Mapping[str, Any]) -> Iterator[str]:
    yield f"{row['lead_id']} · {view.word('KINDS', row['kind'])}"
    for field in row["fields"]:
        value = field.get("value")
        same = value is None or value == field["received"]
        text = field["received"] if same else f"{field['received']} → {value}"
        yield f"{view.word('FIELDS', field['name'])}: {text}  ({field['origin']})"
    if "junk" in row["more"]:
        yield view.junk(row["more"]["junk"])
    if "score" in row["more"]:
        yield view.score(row)


def _evidence(view: View, one: Mapping[str, Any]) -> str:
    note = "←" if one["used"] else view.word("NOTES", one["note"]) if one["note"] else "="
    return f"{view.word('IDENTIFIERS', one['kind'])}: {one['value']}  {note}"


def _raw(files: Data, row: Mapping[str, Any]) -> Iterator[str]:
    capture = files.capture(row["capture_id"])
    yield f"RAW BYTES of {row['capture_id']}: " + (f"{len(capture.body)} bytes" if capture else "erased")
    if capture is not None:
        yield capture.body[:RAW_BYTES_SHOWN].decode("utf-8", "backslashreplace")
