"""The parse stage: captures in, leads out. Removes retries, joins corrections, keeps what is not a lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection, select

from ingest.registry import parse_capture
from schemas.capture import Capture
from schemas.events import event_of
from schemas.ids import make_id
from schemas.lead import Lead
from schemas.results import ParseResult, Part, Refused
from schemas.results import Stage as StageName
from store import tables
from store.bulk import keys_in
from store.company import CompanyCache
from store.effects import Effect, Emit, Insert, Update
from stream.host import Step
from stream.log import Logged

REPEAT_WINDOW_US = 10 * 60 * 1_000_000
"""The same bytes again within ten minutes, from a sender without a key, may be a double click: kept, and
said. Longer would mark honest second enquiries, shorter would miss a page that is reloaded over lunch."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """A capture that was parsed before."""

    capture_id: str
    digest: str
    accepted_us: int
    key_given: bool
    lead_id: str | None
    refused: bool


@dataclass
class ParseFacts:
    """Earlier captures of the same keys and bodies, with those of this batch added as it goes."""

    sources: dict[str, dict[str, Any]]
    captures: dict[int, Capture]
    """By place in the log: a retry is the same event twice, accepted at two times."""
    by_key: dict[tuple[str, str], list[Earlier]] = field(default_factory=dict)
    by_body: dict[tuple[str, str], list[Earlier]] = field(default_factory=dict)


class ParseStage:
    """Captures in; leads, or the reason why there is none, out."""

    name: StageName = "parse"
    topics = ("captures",)
    one_by_one = ()

    def __init__(self, companies: CompanyCache) -> None:
        self._companies = companies

    def gather(self, connection: Connection, events: Sequence[Logged], times: Sequence[int]) -> ParseFacts:
        """Read what was captured before under the same keys, and the same bodies of senders without one."""
        captures = {logged.off: logged.event.read(Capture) for logged in events}
        facts = ParseFacts(self._companies.get(connection).sources, captures)
        _read_earlier(connection, facts)
        return facts

    def decide(self, logged: Logged, facts: ParseFacts, at_us: int) -> Step:
        """Parse one capture. A retry leads to nothing: its lead exists, or its refusal is on record."""
        capture = facts.captures[logged.off]
        earlier = facts.by_key.get((capture.source_id, key_hash(capture.idem_key)), [])
        known = next((one for one in earlier if one.digest == capture.digest), None)
        if known is not None and not (logged.attempt > 1 and known.refused):
            return Step()
        results = parse_capture(capture, facts.sources)
        joins = next((one.lead_id for one in earlier if one.lead_id is not None), None)
        repeats = None if capture.key_given else _recent(facts, capture)
        leads = [
            one.model_copy(update={"joins": joins, "repeats": repeats})
            for one in results
            if isinstance(one, Lead)
        ]
        refused = next((one for one in results if isinstance(one, Refused)), None)
        effects = _rows(logged, capture, results, leads, joins)
        _remember(facts, capture, leads[0].lead_id if leads else None, refused is not None)
        effects += [_news(logged, lead, at_us, ordinal) for ordinal, lead in enumerate(leads)]
        return Step(tuple(effects), refused)


def key_hash(idem_key: str) -> str:
    """Return the digest under which a sender's key is stored: the key itself may hold a name or a number."""
    return blake2b(idem_key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _recent(facts: ParseFacts, capture: Capture) -> str | None:
    for one in facts.by_body.get((capture.source_id, capture.digest), []):
        if not one.key_given and abs(capture.accepted_us - one.accepted_us) <= REPEAT_WINDOW_US:
            return one.capture_id
    return None


def _remember(facts: ParseFacts, capture: Capture, lead_id: str | None, refused: bool) -> None:
    mine = Earlier(
        capture.capture_id, capture.digest, capture.accepted_us, capture.key_given, lead_id, refused
    )
    facts.by_key.setdefault((capture.source_id, key_hash(capture.idem_key)), []).append(mine)
    facts.by_body.setdefault((capture.source_id, capture.digest), []).append(mine)


def _rows(
    logged: Logged, capture: Capture, results: Sequence[ParseResult], leads: Sequence[Lead], joins: str | None
) -> list[Effect]:
    first = results[0]
    detail = None if isinstance(first, Lead | Part) else first.model_dump(exclude_none=True)
    found = {
        "result": type(first).__name__.lower(),
        "kind": getattr(first, "kind", None),
        "code": getattr(first, "code", None),
        "detail_json": orjson.dumps(detail).decode() if detail else None,
    }
    effects: list[Effect] = []
    if logged.attempt > 1:
        effects.append(Update("capture", {"capture_id": capture.capture_id}, found))
    else:
        effects.append(Insert("capture", {**_capture_row(logged, capture), **found}))
    for lead in leads:
        row = {"lead_id": lead.lead_id, "capture_id": capture.capture_id, "role": "origin"}
        effects.append(Insert("lead_capture", row))
    if joins is not None:
        row = {"lead_id": joins, "capture_id": capture.capture_id, "role": "correction"}
        effects.append(Insert("lead_capture", row))
    return effects


def _news(logged: Logged, lead: Lead, at_us: int, ordinal: int) -> Emit:
    event = event_of(
        lead,
        source="/stages/parse",
        subject=lead.lead_id,
        key=lead.capture_id,
        time_us=at_us,
        trace_id=lead.trace_id,
        purpose=lead.purpose,
        key_id=logged.event.key_id,
        cause=logged.event.id,
        ordinal=ordinal,
    )
    return Emit("leads", event)


def _capture_row(logged: Logged, capture: Capture) -> dict[str, Any]:
    return {
        "capture_id": capture.capture_id,
        "source_id": capture.source_id,
        "channel": capture.channel,
        "format": capture.format,
        "idem_hash": key_hash(capture.idem_key),
        "key_given": capture.key_given,
        "digest": capture.digest,
        "occurred_us": capture.occurred_us,
        "accepted_us": capture.accepted_us,
        "trace_id": capture.trace_id,
        "traceparent": capture.traceparent,
        "purpose": capture.purpose,
        "parent_id": capture.parent_id,
        "key_id": logged.event.key_id,
        "part": logged.part,
        "off": logged.off,
    }


def _read_earlier(connection: Connection, facts: ParseFacts) -> None:
    capture = tables.capture
    columns = (
        capture.c.capture_id,
        capture.c.source_id,
        capture.c.idem_hash,
        capture.c.digest,
        capture.c.accepted_us,
        capture.c.key_given,
        capture.c.result,
        capture.c.off,
    )
    new = facts.captures.values()
    keys = {(one.source_id, key_hash(one.idem_key)) for one in new}
    found = list(
        connection.execute(select(*columns).where(keys_in(connection, ["source_id", "idem_hash"], keys)))
    )
    if bodies := {(one.source_id, one.digest) for one in new if not one.key_given}:
        same = keys_in(connection, ["source_id", "digest"], bodies)
        recent = capture.c.accepted_us >= min(one.accepted_us for one in new) - REPEAT_WINDOW_US
        found += connection.execute(select(*columns).where(same, recent))
    for row in sorted(set(found), key=lambda one: one.off):
        lead_id = make_id("lead", row.capture_id, 0) if row.result == "lead" else None
        refused = row.result == "refused"
        one = Earlier(row.capture_id, row.digest, row.accepted_us, row.key_given, lead_id, refused)
        facts.by_key.setdefault((row.source_id, row.idem_hash), []).append(one)
        facts.by_body.setdefault((row.source_id, row.digest), []).append(one)
