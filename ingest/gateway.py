"""The parse stage: captures in, leads out. Removes retries, joins corrections, keeps what is not a lead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, func, select

from ingest.registry import FORMATS, assemble_parts, parse_capture, unknown_source
from schemas.capture import KEPT_FILE, Capture, occurrences_of
from schemas.company import Company
from schemas.events import Event, event_of
from schemas.lead import Lead, lead_id_of
from schemas.results import Ignored, ParseResult, Part, Refused
from schemas.results import Stage as StageName
from schemas.work import Settle
from store import tables
from store.bulk import OneOf, Prepared, keys_in, listed
from store.company import CompanyCache
from store.effects import Effect, Emit, Insert, Update
from stream.host import Step
from stream.log import Logged

REPEAT_WINDOW_US = 10 * 60 * 1_000_000
"""The same bytes again within ten minutes, from a sender without a key, may be a double click: kept, and
said. Longer would mark honest second enquiries, shorter would miss a page that is reloaded over lunch."""

Spot = tuple[int, int]
"""Partition and offset of a capture."""


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
class Group:
    """The parts of one whole so far, the capture that opened it, and how many leads it has become.

    `judged` is how many of the parts are in one of those leads.
    """

    opener: Capture
    key_id: str | None
    parts: list[tuple[str, int, dict[str, str]]] = field(default_factory=list)
    leads: int = 0
    judged: int = 0


@dataclass
class ParseFacts:
    """Earlier captures of the same keys and bodies, with those of this batch added as it goes."""

    sources: dict[str, dict[str, Any]]
    """Of these and those that were switched off: parts of calls that came in before are judged all the same."""
    captures: dict[Spot, Capture]
    """By place in the log: a retry is the same event twice, accepted at two times."""
    by_key: dict[tuple[str, str], list[Earlier]] = field(default_factory=dict)
    by_body: dict[tuple[str, str], list[Earlier]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    results: dict[Spot, tuple[ParseResult, ...]] = field(default_factory=dict)
    threads: dict[str, str] = field(default_factory=dict)
    """Digest of a Message-ID to the lead that it belongs to."""
    erased: set[str] = field(default_factory=set)
    """Ids and occurrences, among those of these captures, that went with a customer who was erased."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """Captures, by their place in the log, and what they were read as under the sources of a company."""

    company: Company | None
    captures: dict[Spot, Capture]
    results: dict[Spot, tuple[ParseResult, ...]]


class ParseStage:
    """Captures in; leads, or the reason why there is none, out. Parts wait until their whole is quiet."""

    name: StageName = "parse"
    topics = ("captures", "settle")
    one_by_one = ()

    def __init__(self, companies: CompanyCache) -> None:
        self._companies = companies

    def prepare(self, events: Sequence[Logged]) -> Parsed:
        """Parse the captures under the sources last seen."""
        captures = {_spot(one): one.event.read(Capture) for one in events if one.topic == "captures"}
        return _parsed(captures, self._companies.last)

    def gather(
        self, connection: Connection, prepared: Parsed, events: Sequence[Logged], times: Sequence[int]
    ) -> ParseFacts:
        """Read what was captured before under the same keys, and the same bodies of senders without one."""
        company = self._companies.get(connection)
        parsed = prepared if prepared.company is company else _parsed(prepared.captures, company)
        sources = {**company.sources_off, **company.sources}
        facts = ParseFacts(sources, parsed.captures, results=parsed.results)
        if facts.captures:
            _read_earlier(connection, facts)
            _read_erased(connection, facts)
            _read_threads(connection, facts)
        if groups := {one.event.subject for one in events if one.topic == "settle"}:
            _read_groups(connection, facts, groups)
        return facts

    def decide(self, logged: Logged, facts: ParseFacts, at_us: int) -> Step:
        """Parse one capture, or judge a group that is quiet.

        A retry leads to nothing: its lead exists, or its refusal is on record. What went with an erased customer and
        is read or sent again leads to a note of that, and its new key goes.
        """
        if logged.topic == "settle":
            return _settled(logged.event, facts, at_us)
        capture = facts.captures[_spot(logged)]
        earlier = facts.by_key.get((capture.source_id, key_hash(capture.idem_key)), [])
        known = next((one for one in earlier if one.digest == capture.digest), None)
        if _went_with_the_erased(capture, facts):
            return _forgotten(logged, capture, facts, again=known is not None)
        if known is not None and not (logged.attempt > 1 and known.refused):
            return Step()
        results = facts.results[_spot(logged)]
        leads_there = (one.lead_id for one in earlier if one.capture_id not in facts.erased)
        joins = next((one for one in leads_there if one is not None), None)
        repeats = None if capture.key_given else _recent(facts, capture)
        kept = (KEPT_FILE,) if KEPT_FILE in capture.meta else ()
        leads = [
            one.model_copy(
                update={
                    "joins": joins or one.joins or _thread_of(one, facts),
                    "repeats": repeats,
                    "flags": (*one.flags, *kept),
                }
            )
            for one in results
            if isinstance(one, Lead)
        ]
        refused = next((one for one in results if isinstance(one, Refused)), None)
        effects = [
            _capture_effect(logged, capture, results[0], again=known is not None),
            *_lead_captures(capture, leads, joins),
        ]
        _remember(facts, capture, leads[0].lead_id if leads else None, refused is not None)
        effects += _thread_rows(leads, facts)
        effects += _part_rows(logged, results, at_us)
        effects += [
            _news(logged.event, logged.event.key_id, lead, at_us, ordinal)
            for ordinal, lead in enumerate(leads)
        ]
        return Step(tuple(effects), refused)


def _went_with_the_erased(capture: Capture, facts: ParseFacts) -> bool:
    """Tell whether this very capture, or this very mail or call, was erased. What is new from the same person was not."""
    return not facts.erased.isdisjoint((capture.capture_id, *_occurrences(capture)))


def _occurrences(capture: Capture) -> tuple[str, ...]:
    hashed = key_hash(capture.idem_key)
    return occurrences_of(capture.channel, capture.source_id, hashed, capture.key_given, capture.digest)


def _forgotten(logged: Logged, capture: Capture, facts: ParseFacts, *, again: bool) -> Step:
    effects: list[Effect] = []
    if logged.event.key_id is not None:
        effects.append(Insert("key_to_erase", {"key_id": logged.event.key_id}))
    if not again:
        told = Ignored(
            stage="parse",
            code="forgotten",
            kind="private",
            message="It came before, and was erased with its customer.",
        )
        effects.append(_capture_effect(logged, capture, told, again=False))
        _remember(facts, capture, None, refused=False)
    return Step(tuple(effects))


def _spot(logged: Logged) -> Spot:
    return logged.part, logged.off


def _parsed(captures: dict[Spot, Capture], company: Company | None) -> Parsed:
    if company is None:
        return Parsed(None, captures, {})
    results = {spot: parse_capture(one, company.sources) for spot, one in captures.items()}
    return Parsed(company, captures, results)


SETTLE = "settle"
"""The timer of a group of parts: its subject is the group, its due time when it would have been quiet."""


def settles(group: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of a group into its event (see stream.timers)."""
    event = event_of(
        Settle(group=group, quiet_since_us=due_us),
        source="/timers",
        subject=group,
        key=group,
        time_us=due_us,
        trace_id="0" * 32,
        purpose="real",
        key_id=None,
        cause=f"{SETTLE}:{group}:{due_us}",
    )
    return "settle", event


def _thread_of(lead: Lead, facts: ParseFacts) -> str | None:
    """Return the lead that a mail answers to: the nearest of the messages it names that we know."""
    if lead.mail is None:
        return None
    named = (*lead.mail.in_reply_to, *reversed(lead.mail.references))
    return next((facts.threads[key_hash(one)] for one in named if key_hash(one) in facts.threads), None)


def _thread_rows(leads: Sequence[Lead], facts: ParseFacts) -> list[Effect]:
    effects: list[Effect] = []
    for lead in leads:
        if lead.mail is None or lead.mail.message_id is None:
            continue
        message, first = key_hash(lead.mail.message_id), lead.joins or lead.lead_id
        if message not in facts.threads:
            facts.threads[message] = first
            effects.append(Insert("mail_thread", {"message_hash": message, "lead_id": first}))
    return effects


def _part_rows(logged: Logged, results: Sequence[ParseResult], at_us: int) -> list[Effect]:
    effects: list[Effect] = []
    for part in results:
        if isinstance(part, Part):
            row = {
                "group_id": part.group,
                "capture_id": logged.event.subject,
                "off": logged.off,
                "at_us": at_us,
                "data_json": orjson.dumps(part.data).decode(),
            }
            due_us = at_us + int(part.settle_s * 1_000_000)
            effects.append(Insert("part", row))
            effects.append(Insert("timer", {"kind": SETTLE, "subject_id": part.group, "due_us": due_us}))
    return effects


def _settled(event: Event, facts: ParseFacts, at_us: int) -> Step:
    """Judge a group, unless a part has come since the timer was set: that part set a later one."""
    settle = event.read(Settle)
    group = facts.groups.get(settle.group)
    if group is None or group.judged == len(group.parts):
        return Step()
    if group.opener.source_id not in facts.sources:
        return Step(refused=unknown_source(group.opener.source_id))
    if settle.quiet_since_us < _quiet_us(group, facts):
        return Step()
    group.judged = len(group.parts)
    opener = group.opener
    result = assemble_parts([data for _, _, data in group.parts], opener, facts.sources)
    if isinstance(result, Ignored):
        detail = orjson.dumps(result.model_dump(exclude_none=True)).decode()
        found = {"result": "ignored", "kind": result.kind, "code": result.code, "detail_json": detail}
        return Step((Update("capture", {"capture_id": opener.capture_id}, found),))
    # A whole that was judged before and has grown becomes a further lead joined to the first.
    first_id = lead_id_of(opener.capture_id, opener.accepted_us)
    lead = result.model_copy(
        update={
            "lead_id": lead_id_of(opener.capture_id, opener.accepted_us, group.leads),
            "joins": first_id if group.leads else None,
        }
    )
    effects: list[Effect] = [
        Update("capture", {"capture_id": opener.capture_id}, {"result": "lead", "kind": lead.kind})
    ]
    for capture_id, _, _ in group.parts:
        role = "origin" if capture_id == opener.capture_id else "leg"
        effects.append(
            Insert("lead_capture", {"lead_id": lead.lead_id, "capture_id": capture_id, "role": role})
        )
    return Step((*effects, _news(event, group.key_id, lead, at_us, 0)))


def _quiet_us(group: Group, facts: ParseFacts) -> int:
    settings = FORMATS[group.opener.format].settings.model_validate(facts.sources[group.opener.source_id])
    settle_s = float(getattr(settings, "settle_s", 0.0))
    return max(at_us for _, at_us, _ in group.parts) + int(settle_s * 1_000_000)


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


def _capture_effect(logged: Logged, capture: Capture, result: ParseResult, *, again: bool) -> Effect:
    """Return what a capture became; `again` when an earlier attempt has put it on record as refused."""
    detail = None if isinstance(result, Lead | Part) else result.model_dump(exclude_none=True)
    found = {
        "result": type(result).__name__.lower(),
        "kind": getattr(result, "kind", None),
        "code": getattr(result, "code", None),
        "detail_json": orjson.dumps(detail).decode() if detail else None,
    }
    if again:
        return Update("capture", {"capture_id": capture.capture_id}, found)
    return Insert("capture", {**_capture_row(logged, capture), **found})


def _lead_captures(capture: Capture, leads: Sequence[Lead], joins: str | None) -> list[Effect]:
    effects: list[Effect] = []
    for lead in leads:
        row = {"lead_id": lead.lead_id, "capture_id": capture.capture_id, "role": "origin"}
        effects.append(Insert("lead_capture", row))
    if joins is not None:
        row = {"lead_id": joins, "capture_id": capture.capture_id, "role": "correction"}
        effects.append(Insert("lead_capture", row))
    return effects


def _order_key(lead: Lead) -> str:
    """Return the key that leads to one partition most leads of one sender: by the first identifier, roughly read.

    Sixteen bits of its hash: enough to spread, too few to find out a number from. What meets elsewhere is kept right
    by the store; here it only meets less often.
    """
    phone, email = (found.received if (found := lead.first(name)) else "" for name in ("phone", "email"))
    digits = "".join(one for one in phone if one.isdigit())[-8:]
    said = digits or email.strip().lower() or lead.joins or lead.lead_id
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=2).hexdigest()


def _news(cause: Event, key_id: str | None, lead: Lead, at_us: int, ordinal: int) -> Emit:
    event = event_of(
        lead,
        source="/stages/parse",
        source_id=lead.source_id,
        subject=lead.lead_id,
        key=_order_key(lead),
        time_us=at_us,
        trace_id=lead.trace_id,
        purpose=lead.purpose,
        key_id=key_id,
        cause=cause.id,
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


_EARLIER = select(
    tables.capture.c.capture_id,
    tables.capture.c.source_id,
    tables.capture.c.idem_hash,
    tables.capture.c.digest,
    tables.capture.c.accepted_us,
    tables.capture.c.key_given,
    tables.capture.c.result,
    tables.capture.c.part,
    tables.capture.c.off,
)
_SAME_KEY = Prepared(_EARLIER.where(OneOf(["source_id", "idem_hash"], "of_keys")))
_SAME_BODY = Prepared(
    _EARLIER.where(
        OneOf(["source_id", "digest"], "of_bodies"), tables.capture.c.accepted_us >= bindparam("since_us")
    )
)


def _read_earlier(connection: Connection, facts: ParseFacts) -> None:
    new = facts.captures.values()
    keys = {(one.source_id, key_hash(one.idem_key)) for one in new}
    found = list(_SAME_KEY(connection, of_keys=listed(keys)))
    if bodies := {(one.source_id, one.digest) for one in new if not one.key_given}:
        since_us = min(one.accepted_us for one in new) - REPEAT_WINDOW_US
        found += _SAME_BODY(connection, of_bodies=listed(bodies), since_us=since_us)
    for row in sorted(set(found), key=lambda one: (one.part, one.off)):
        lead_id = lead_id_of(row.capture_id, row.accepted_us) if row.result == "lead" else None
        refused = row.result == "refused"
        one = Earlier(row.capture_id, row.digest, row.accepted_us, row.key_given, lead_id, refused)
        facts.by_key.setdefault((row.source_id, row.idem_hash), []).append(one)
        facts.by_body.setdefault((row.source_id, row.digest), []).append(one)


_ERASED = Prepared(select(tables.erased.c.keyed_hash).where(OneOf(["kind", "keyed_hash"], "of_marks")))


def _read_erased(connection: Connection, facts: ParseFacts) -> None:
    new = facts.captures.values()
    earlier = (one.capture_id for several in facts.by_key.values() for one in several)
    marks = {("capture", one) for one in (*(capture.capture_id for capture in new), *earlier)}
    marks |= {("occurrence", one) for capture in new for one in _occurrences(capture)}
    facts.erased = set(_ERASED(connection, of_marks=listed(marks)).scalars())


def _read_threads(connection: Connection, facts: ParseFacts) -> None:
    named = {
        key_hash(one)
        for results in facts.results.values()
        for lead in results
        if isinstance(lead, Lead) and lead.mail is not None
        for one in (lead.mail.message_id, *lead.mail.in_reply_to, *lead.mail.references)
        if one
    }
    if named:
        thread = tables.mail_thread
        wanted = keys_in(connection, ["message_hash"], [(one,) for one in named])
        for row in connection.execute(select(thread).where(wanted)):
            facts.threads[row.message_hash] = row.lead_id


def _read_groups(connection: Connection, facts: ParseFacts, groups: set[str]) -> None:
    part, capture, origin = tables.part, tables.capture, tables.lead_capture
    wanted = keys_in(connection, ["group_id"], [(group,) for group in groups])
    rows = connection.execute(
        select(capture, part.c.group_id, part.c.at_us, part.c.data_json)
        .join(part, part.c.capture_id == capture.c.capture_id)
        .where(wanted)
        .order_by(part.c.off)
    ).all()
    for row in rows:
        if row.group_id not in facts.groups:
            facts.groups[row.group_id] = Group(_remembered(row), row.key_id)
        data = orjson.loads(row.data_json)
        facts.groups[row.group_id].parts.append((row.capture_id, row.at_us, data))
    openers = {group.opener.capture_id: group for group in facts.groups.values()}
    leg = origin.alias()
    counted = (
        select(origin.c.capture_id, origin.c.lead_id, func.count())
        .join(leg, leg.c.lead_id == origin.c.lead_id)
        .where(
            keys_in(connection, ["lead_capture.capture_id"], [(one,) for one in openers]),
            origin.c.role == "origin",
            leg.c.role.in_(("origin", "leg")),
        )
        .group_by(origin.c.capture_id, origin.c.lead_id)
    )
    for capture_id, _, count in connection.execute(counted):
        openers[capture_id].leads += 1
        openers[capture_id].judged = max(openers[capture_id].judged, count)


def _remembered(row: Row[Any, Any, Any]) -> Capture:
    """Return a capture as its row remembers it: what names and dates its lead; the bytes stay in the log."""
    names = (
        "capture_id",
        "source_id",
        "channel",
        "format",
        "key_given",
        "digest",
        "occurred_us",
        "accepted_us",
    )
    known = {name: row._mapping[name] for name in (*names, "trace_id", "traceparent", "purpose", "parent_id")}
    return Capture(**known, idem_key=row.idem_hash, body=b"")
