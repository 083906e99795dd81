"""The resolve stage: reads what is known of the identifiers of a batch, and writes what was decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from sqlalchemy import Connection, or_, select

from enrich.classify import Classified, classify
from enrich.findable import keys_to_find
from enrich.identifiers import identifiers_of
from enrich.junk import junk_of
from enrich.known_again import KnownAgain, gone_with_them, read_known_again
from enrich.live import judge_in_use
from enrich.near import Compared, Neighbourhood, compared_by
from enrich.normalise import normalise
from enrich.phone import carriers_of
from enrich.region import region_of
from enrich.resolve import Key, Known, Resolution, resolve
from enrich.review import CONFLICT, offer_alike, offer_pair
from enrich.similar import NOBODY, Alike, Judge, record_of_lead
from schemas.base import LeadKind
from schemas.company import Company
from schemas.events import Event, event_of
from schemas.facts import facts_of
from schemas.lead import Lead
from schemas.resolved import CONTACT_KINDS, Identifier, Junk, ResolvedLead, Score
from schemas.results import Stage as StageName
from schemas.score import DEFAULT_POINTS, Points, read_points, score_of
from schemas.work import Replay
from store import tables
from store.bulk import OneOf, Prepared, listed
from store.company import CompanyCache
from store.contention import Conflict
from store.effects import Close, Effect, Emit, Insert, Update
from store.locks import lock_customers
from stream.host import REPLAY, Step
from stream.log import Logged

INTAKE = "intake"
"""The queue that a customer is born into; route moves it on. Older than 60 s here counts as an orphan."""


LOOK_AGAIN = "look_again"
"""The timer of a lead that joins one which is not resolved yet; its subject is the lead's place in the log."""

LOOKS = 7
"""How often a lead that joins another is looked at before it goes on alone: waits of ¼, ½, 1 … 8 s between them.
On other workers' partitions the other one comes within seconds; one that became a dead letter never comes."""


@dataclass(frozen=True, slots=True)
class Understood:
    """A lead with normalised fields, what can recognise its sender, and the company's terms for it."""

    lead: Lead
    identifiers: tuple[Identifier, ...]
    terms: Classified
    junk: Junk
    compared: Compared | None
    found_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Leads by the event that brought them, as received and as understood by a company."""

    company: Company | None
    received: dict[str, Lead]
    leads: dict[str, Understood]


@dataclass(frozen=True, slots=True)
class Scoring:
    """A company, its table of points, and the match model in use."""

    company: Company
    points: tuple[Points, ...]
    judge: Judge


@dataclass
class ResolveFacts:
    """What is known, and what this batch has added to it so far."""

    leads: dict[str, Understood]
    scoring: Scoring
    neighbourhood: Neighbourhood
    bound: dict[Key, str] = field(default_factory=dict)
    status: dict[Key, str] = field(default_factory=dict)
    primary: dict[str, str] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    touched: dict[str, int] = field(default_factory=dict)
    named_by: dict[str, set[str]] = field(default_factory=dict)
    joined: dict[str, tuple[str, str]] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)
    """Leads that were resolved before: an event that comes twice leads to nothing the second time."""
    related: set[tuple[str, str]] = field(default_factory=set)
    related_us: dict[str, int] = field(default_factory=dict)
    """Contact to when its relations last changed: a customer's stamps alone do not keep these apart."""
    alias: dict[str, str] = field(default_factory=dict)
    known_again: KnownAgain = field(default_factory=KnownAgain)

    @property
    def known(self) -> Known:
        return Known(
            self.bound, self.status, self.primary, self.kinds, self.named_by, self.joined, self.alias
        )

    def now(self, any_id: str) -> str:
        """Return the present id of a customer or contact."""
        return self.alias.get(any_id, any_id)


class ResolveStage:
    """Leads in, resolved leads out: each tied to one contact and one customer, with the evidence."""

    name: StageName = "resolve"
    topics = ("leads",)
    one_by_one = ()

    def __init__(self, companies: CompanyCache, secret: bytes | None = None) -> None:
        self._companies = companies
        self._secret = secret
        self._scoring: Scoring | None = None

    def prepare(self, events: Sequence[Logged]) -> Batch:
        """Normalise the leads, and find the terms of the company last seen in them."""
        return _prepared({one.event.id: one.event.read(Lead) for one in events}, self._companies.last)

    def gather(
        self, connection: Connection, prepared: Batch, events: Sequence[Logged], times: Sequence[int]
    ) -> ResolveFacts:
        """Lock the customers that the batch's leads may be about, and read what is known of them then."""
        company = self._companies.get(connection)
        if prepared.company is not company:
            prepared = _prepared(prepared.received, company)
        scoring = self._scoring_of(connection, company)
        facts, customers = _read_known(connection, _facts(prepared, scoring))
        if lock_customers(connection, customers):
            facts, found = _read_known(connection, _facts(prepared, scoring))
            if not found <= customers:
                raise Conflict("customer")
            customers = found
        _read_customers(connection, facts, customers)
        sent = ((one.lead, one.identifiers) for one in facts.leads.values())
        facts.known_again = read_known_again(connection, sent, self._secret)
        return facts

    def _scoring_of(self, connection: Connection, company: Company) -> Scoring:
        """Return what goes with a company; to publish a match model raises the company's version, too."""
        if self._scoring is None or self._scoring.company is not company:
            points = read_points(company.score_csv or DEFAULT_POINTS)
            self._scoring = Scoring(company, points, judge_in_use(connection))
        return self._scoring

    def decide(self, logged: Logged, facts: ResolveFacts, at_us: int) -> Step:
        """Tie one lead to its contact and customer; what is no enquiry and from nobody known makes nobody, but for a list."""
        event = logged.event
        understood = facts.leads[event.id]
        lead = understood.lead
        if lead.lead_id in facts.done:
            return Step()
        if lead.lead_id in facts.known_again.forgotten:
            return Step(tuple(facts.known_again.forget(lead)))
        if lead.joins and lead.joins not in facts.done and logged.attempt < LOOKS:
            return Step((_look_again(logged, at_us),))
        facts.done.add(lead.lead_id)
        if lead.kind == "correction" and lead.joins not in facts.joined:
            return Step(tuple(gone_with_them(lead, event.key_id)))
        alike = _alike(understood, facts)
        answer = resolve(lead, understood.identifiers, facts.known, alike)
        understood = replace(understood, lead=lead.model_copy(update={"kind": _kind(lead, answer)}))
        is_stranger = answer.new_contact and answer.new_customer and lead.imported is None
        if understood.lead.kind != "enquiry" and is_stranger:
            rows = _lead_rows(understood, answer, Score(), at_us)
            return Step(effects=(*rows, *facts.known_again.opt_outs(lead)))
        customer_id = facts.now(answer.customer_id)
        last_us = max(facts.touched.get(customer_id, 0), facts.related_us.get(answer.contact_id, 0))
        at_us = max(at_us, last_us + 1)
        resolved = _resolved(understood, answer, customer_id)
        score = _score(resolved, facts.scoring)
        effects = [
            *_lead_rows(understood, answer, score, at_us),
            *facts.known_again.opt_outs(lead),
            *_identity_rows(lead, answer, facts, at_us),
        ]
        if understood.compared:
            contact_id = facts.now(answer.contact_id)
            effects += facts.neighbourhood.add(understood.compared, contact_id, customer_id)
        effects += (Insert("find_key", {"key": key, "lead_id": lead.lead_id}) for key in understood.found_by)
        effects += _offers(answer, alike, facts, (customer_id, at_us))
        _remember(facts, lead, answer, at_us)
        facts.touched[customer_id] = at_us
        news = _news(event, resolved.model_copy(update={"score": score}), at_us)
        return Step(effects=(*effects, Emit("resolved", news)))


def _facts(prepared: Batch, scoring: Scoring) -> ResolveFacts:
    return ResolveFacts(prepared.leads, scoring, Neighbourhood(scoring.judge))


def looks_again(place: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of a lead that waits for another into its event (see stream.timers)."""
    topic, part, off, attempt = place.split()
    event = event_of(
        Replay(stage="resolve", topic=topic, part=int(part), off=int(off), attempt=int(attempt)),
        source="/timers",
        subject=place,
        key=place,
        time_us=due_us,
        trace_id="0" * 32,
        purpose="real",
        key_id=None,
        cause=f"{LOOK_AGAIN}:{place}:{due_us}",
    )
    return REPLAY, event


def _look_again(logged: Logged, at_us: int) -> Insert:
    place = f"{logged.topic} {logged.part} {logged.off} {logged.attempt + 1}"
    due_us = at_us + 250_000 * 2 ** (logged.attempt - 1)
    return Insert("timer", {"kind": LOOK_AGAIN, "subject_id": place, "due_us": due_us})


def _prepared(received: dict[str, Lead], company: Company | None) -> Batch:
    if company is None:
        return Batch(None, received, {})
    return Batch(company, received, {key: _understood(lead, company) for key, lead in received.items()})


def _understood(lead: Lead, company: Company) -> Understood:
    fields = normalise(lead)
    # A probe must neither find a real customer nor be found by one.
    identifiers = identifiers_of(fields) if lead.purpose != "probe" else ()
    lead = lead.model_copy(update={"fields": fields})
    record = record_of_lead(lead)
    return Understood(
        lead,
        identifiers,
        classify(lead, region_of(fields), company),
        junk_of(lead, identifiers),
        compared_by(record) if record is not None and company.matching != "off" else None,
        keys_to_find(fields, record) if lead.purpose != "probe" else (),
    )


def _kind(lead: Lead, answer: Resolution) -> LeadKind:
    """A call or mail of somebody we know is a touch of that customer; a form or a visit is a new enquiry."""
    if lead.kind == "enquiry" and not answer.new_contact and lead.channel in ("cti", "email"):
        return "existing_customer"
    return lead.kind


def _alike(understood: Understood, facts: ResolveFacts) -> Alike:
    """Return whom a lead resembles that no identifier recognises; only who is locked, so that nobody else decides
    about them meanwhile, is joined."""
    if understood.compared is None or _is_known(understood, facts):
        return NOBODY
    alike = facts.neighbourhood.alike(understood.compared)
    contact, customer = alike.contact, alike.customer
    if contact is not None and facts.primary.get(contact.id) is None:
        return NOBODY
    if customer is not None and facts.now(customer.id) not in facts.kinds:
        return NOBODY
    return alike if facts.scoring.company.matching == "join" else Alike(review=alike.doubts())


def _offers(
    answer: Resolution, alike: Alike, facts: ResolveFacts, customer: tuple[str, int]
) -> Iterable[Effect]:
    """Yield what a person should look at: whom the lead resembles, and whom its other identifiers point at."""
    customer_id, at_us = customer
    for one in alike.review:
        if one.id != customer_id:
            yield offer_alike(customer_id, one, facts.scoring.judge, at_us)
    for item in answer.evidence:
        target = item.pointed_at
        if item.note != "conflict" or target is None:
            continue
        other = facts.now(facts.primary.get(target, target))
        if other.startswith("cus_") and other != customer_id:
            said = [{"kind": item.kind, "value": item.value}]
            yield offer_pair(customer_id, other, CONFLICT, at_us, evidence=said)


def _score(resolved: ResolvedLead, scoring: Scoring) -> Score:
    """Return the score of a lead; what is no enquiry has none."""
    if resolved.lead.kind != "enquiry":
        return Score()
    return score_of(facts_of(resolved, scoring.company), scoring.points, scoring.company.grades)


def _lead_rows(understood: Understood, answer: Resolution, score: Score, at_us: int) -> Iterable[Effect]:
    lead, terms = understood.lead, understood.terms
    more = lead.model_dump(
        mode="json",
        include={"hints", "consent", "call", "mail", "visit", "imported", "flags", "repeats", "corrected_by"},
        exclude_none=True,
    )
    if understood.junk.signs:
        more["junk"] = understood.junk.model_dump(mode="json")
    if score.counted:
        more["score"] = [one.model_dump() for one in score.counted]
    if carriers := carriers_of(lead.fields):
        more["carriers"] = carriers
    yield Insert(
        "lead",
        {
            "lead_id": lead.lead_id,
            "capture_id": lead.capture_id,
            "source_id": lead.source_id,
            "channel": lead.channel,
            "kind": lead.kind,
            "purpose": lead.purpose,
            "trace_id": lead.trace_id,
            "occurred_us": lead.occurred_us,
            "accepted_us": lead.accepted_us,
            "resolved_us": at_us,
            "campaign_id": terms.campaign_id,
            "product_line": terms.product_line,
            "product": terms.product,
            "industry": terms.industry,
            "score": score.points if score.counted else None,
            "grade": score.grade if score.counted else None,
            "language": lead.language,
            "province": terms.region.province if terms.region else None,
            "city": terms.region.city if terms.region else None,
            "region_basis": terms.region.basis if terms.region else None,
            "joined_lead_id": lead.joins,
            "fields_json": orjson.dumps(
                [value.model_dump(exclude_none=True) for value in lead.fields]
            ).decode(),
            "more_json": orjson.dumps(more).decode(),
        },
    )
    for one in understood.identifiers:
        yield Insert(
            "lead_identifier",
            {"lead_id": lead.lead_id, "kind": one.kind, "value": one.value, "trust": one.trust},
        )
    for unlisted, value in terms.unlisted:
        yield Insert("unlisted", {"kind": unlisted, "value": value, "lead_id": lead.lead_id, "at_us": at_us})
    for ordinal, item in enumerate(answer.evidence):
        yield Insert("evidence", {"lead_id": lead.lead_id, "ordinal": ordinal, **item.model_dump()})


def _identity_rows(lead: Lead, answer: Resolution, facts: ResolveFacts, at_us: int) -> Iterable[Effect]:
    contact_id, customer_id = answer.contact_id, answer.customer_id
    if answer.new_contact:
        yield Insert("contact", {"contact_id": contact_id, "born_lead": lead.lead_id, "born_us": at_us})
    if answer.new_customer:
        yield Insert(
            "customer",
            {
                "customer_id": customer_id,
                "kind": answer.customer_kind,
                "born_lead": lead.lead_id,
                "purpose": lead.purpose,
                "born_us": at_us,
                "touched_us": at_us,
                "routed_us": at_us,
                "state": "open",
            },
        )
        yield Insert(
            "holding",
            {
                "customer_id": customer_id,
                "role": "owner",
                "from_us": at_us,
                "holder_kind": "queue",
                "holder_id": INTAKE,
            },
        )
    else:
        changes: dict[str, Any] = {"touched_us": at_us}
        if answer.becomes_company:
            changes["kind"] = "company"
        yield Update("customer", {"customer_id": facts.now(customer_id)}, changes)
    for one, target_id in answer.bind:
        yield Insert(
            "binding",
            {
                "kind": one.kind,
                "value": one.value,
                "from_us": at_us,
                "target_id": target_id,
                "lead_id": lead.lead_id,
            },
        )
    yield Insert(
        "membership",
        {"lead_id": lead.lead_id, "from_us": at_us, "contact_id": contact_id, "customer_id": customer_id},
    )
    if (contact_id, customer_id) not in facts.related:
        # The customer named last is the one the contact mainly buys for: people move on.
        mainly = facts.primary.get(contact_id)
        if mainly is not None:
            yield Close("contact_customer", (contact_id, mainly), at_us)
            yield _relation(contact_id, mainly, at_us, is_primary=False)
        yield _relation(contact_id, customer_id, at_us, is_primary=True)


def _relation(contact_id: str, customer_id: str, at_us: int, *, is_primary: bool) -> Insert:
    row = {"contact_id": contact_id, "customer_id": customer_id, "from_us": at_us, "is_primary": is_primary}
    return Insert("contact_customer", row)


def _remember(facts: ResolveFacts, lead: Lead, answer: Resolution, at_us: int) -> None:
    for one, target_id in answer.bind:
        facts.bound[one.kind, one.value] = target_id
        if one.kind not in CONTACT_KINDS:
            facts.named_by.setdefault(facts.now(target_id), set()).add(one.kind)
    if (answer.contact_id, answer.customer_id) not in facts.related:
        facts.related.add((answer.contact_id, answer.customer_id))
        facts.primary[answer.contact_id] = answer.customer_id
        facts.related_us[answer.contact_id] = at_us
    if answer.new_customer or answer.becomes_company:
        facts.kinds[facts.now(answer.customer_id)] = answer.customer_kind
    facts.joined[lead.lead_id] = (answer.contact_id, answer.customer_id)


def _resolved(understood: Understood, answer: Resolution, customer_id: str) -> ResolvedLead:
    """Return the lead as route gets it, but for its score; `customer_id` is the customer's present name."""
    lead, terms = understood.lead, understood.terms
    return ResolvedLead(
        lead=lead,
        contact_id=answer.contact_id,
        customer_id=customer_id,
        customer_kind=answer.customer_kind,
        new_contact=answer.new_contact,
        new_customer=answer.new_customer,
        evidence=answer.evidence,
        region=terms.region,
        campaign_id=terms.campaign_id,
        product_line=terms.product_line,
        product=terms.product,
        industry=terms.industry,
        junk=understood.junk,
        joined_lead_id=lead.joins,
    )


def _news(event: Event, resolved: ResolvedLead, at_us: int) -> Event:
    return event_of(
        resolved,
        source="/stages/resolve",
        source_id=resolved.lead.source_id,
        subject=resolved.lead.lead_id,
        key=resolved.customer_id,
        time_us=at_us,
        trace_id=event.trace_id,
        purpose=event.purpose,
        key_id=event.key_id,
        cause=event.id,
    )


_BINDINGS = Prepared(
    select(tables.binding.c.kind, tables.binding.c.value, tables.binding.c.target_id).where(
        OneOf(["kind", "value"], "of_keys"), tables.binding.c.to_us.is_(None)
    )
)
_STATUS = Prepared(select(tables.identifier_status).where(OneOf(["kind", "value"], "of_keys")))
_MEMBER = tables.membership.alias()
_LEADS = Prepared(
    select(tables.lead.c.lead_id, _MEMBER.c.contact_id, _MEMBER.c.customer_id)
    .outerjoin(_MEMBER, (_MEMBER.c.lead_id == tables.lead.c.lead_id) & _MEMBER.c.to_us.is_(None))
    .where(OneOf(["lead.lead_id"], "of_leads"))
)
_RELATIONS = Prepared(
    select(tables.contact_customer).where(
        OneOf(["contact_id"], "of_contacts"), tables.contact_customer.c.to_us.is_(None)
    )
)
_MERGED = tables.alias.alias("merged")
_ALIASES = Prepared(
    select(tables.alias.c.old_id, tables.alias.c.now_id).where(
        or_(
            OneOf(["old_id"], "of_ids"),
            OneOf(["now_id"], "of_ids"),
            tables.alias.c.now_id.in_(select(_MERGED.c.now_id).where(OneOf(["merged.old_id"], "of_ids"))),
        )
    )
)
_CUSTOMERS = Prepared(
    select(tables.customer.c.customer_id, tables.customer.c.kind, tables.customer.c.touched_us).where(
        OneOf(["customer_id"], "of_customers")
    )
)
_NAMED_BY = Prepared(
    select(tables.binding.c.target_id, tables.binding.c.kind)
    .where(OneOf(["target_id"], "of_customers"), tables.binding.c.to_us.is_(None))
    .distinct()
)


def _read_known(connection: Connection, facts: ResolveFacts) -> tuple[ResolveFacts, set[str]]:
    """Return what is known of whom these leads name, but for the customers themselves, and who these are."""
    keys: set[Key] = {(one.kind, one.value) for known in facts.leads.values() for one in known.identifiers}
    _read_bindings(connection, facts, keys)
    _read_leads(connection, facts)
    contacts = {target for target in facts.bound.values() if target.startswith("con_")}
    contacts |= {contact for contact, _ in facts.joined.values()}
    alike = _read_alike(connection, facts)
    contacts |= {one.contact.id for one in alike if one.contact}
    _read_relations(connection, facts, contacts)
    customers = {target for target in facts.bound.values() if target.startswith("cus_")}
    customers |= set(facts.primary.values()) | {customer for _, customer in facts.joined.values()}
    customers |= {one.customer.id for one in alike if one.customer}
    return facts, customers | _read_aliases(connection, facts, contacts | customers)


def _read_alike(connection: Connection, facts: ResolveFacts) -> list[Alike]:
    """Learn what the leads may resemble, and return whom those do that no identifier recognises."""
    leads = [one for one in facts.leads.values() if one.lead.lead_id not in facts.done]
    strangers = [one.compared for one in leads if one.compared and not _is_known(one, facts)]
    ids = {one.record.record_id for one in strangers}
    facts.neighbourhood.read(
        connection,
        (one.compared for one in leads if one.compared),
        lambda compared: compared.record.record_id in ids,
    )
    return [facts.neighbourhood.alike(one) for one in strangers]


def _is_known(understood: Understood, facts: ResolveFacts) -> bool:
    """Tell whether an identifier or the lead that it continues says whose a lead is."""
    if understood.lead.joins in facts.joined:
        return True
    return any(
        one.kind in CONTACT_KINDS and one.trust == "trusted" and (one.kind, one.value) in facts.bound
        for one in understood.identifiers
    )


def _read_bindings(connection: Connection, facts: ResolveFacts, keys: set[Key]) -> None:
    if not keys:
        return
    of_keys = listed(keys)
    for row in _BINDINGS(connection, of_keys=of_keys):
        facts.bound[row.kind, row.value] = row.target_id
    for row in _STATUS(connection, of_keys=of_keys):
        facts.status[row.kind, row.value] = row.status


def _read_leads(connection: Connection, facts: ResolveFacts) -> None:
    """Learn which of these leads are resolved already, and whose the ones are that they join."""
    leads = [one.lead for one in facts.leads.values()]
    wanted = {one.lead_id for one in leads} | {one.joins for one in leads if one.joins}
    if not wanted:
        return
    for row in _LEADS(connection, of_leads=listed((lead_id,) for lead_id in wanted)):
        facts.done.add(row.lead_id)
        if row.contact_id is not None:
            facts.joined[row.lead_id] = (row.contact_id, row.customer_id)


def _read_relations(connection: Connection, facts: ResolveFacts, contacts: set[str]) -> None:
    if not contacts:
        return
    for row in _RELATIONS(connection, of_contacts=listed((contact,) for contact in contacts)):
        facts.related.add((row.contact_id, row.customer_id))
        facts.related_us[row.contact_id] = max(facts.related_us.get(row.contact_id, 0), row.from_us)
        if row.is_primary:
            facts.primary[row.contact_id] = row.customer_id


def _read_aliases(connection: Connection, facts: ResolveFacts, ids: set[str]) -> set[str]:
    """Learn what was merged with these contacts and customers; return the present ids of the customers."""
    if ids:
        for row in _ALIASES(connection, of_ids=listed((one,) for one in ids)):
            facts.alias[row.old_id] = row.now_id
    return {name for name in facts.alias.values() if name.startswith("cus_")}


def _read_customers(connection: Connection, facts: ResolveFacts, customers: set[str]) -> None:
    if not customers:
        return
    for row in _CUSTOMERS(connection, of_customers=listed((customer,) for customer in customers)):
        facts.kinds[row.customer_id] = row.kind
        facts.touched[row.customer_id] = row.touched_us
    atoms = customers | facts.alias.keys()
    for row in _NAMED_BY(connection, of_customers=listed((atom,) for atom in atoms)):
        facts.named_by.setdefault(facts.now(row.target_id), set()).add(row.kind)
