"""The deliver stage: for each assignment, sink and destination one delivery, to be sent by sinks.dispatch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, select

from schemas.base import Channel
from schemas.company import Company
from schemas.events import Event
from schemas.ids import child_id
from schemas.results import Refused
from schemas.results import Stage as StageName
from schemas.sinks import ReadSettings, SinkSettings
from schemas.units import up
from schemas.work import Assignment
from sinks.choose import also_told, may_take, recipient_of, wants
from sinks.port import AnyKind
from sinks.quiet import AT_ONCE, QUIET, hours_of, not_before
from sinks.registry import BadSink, sinks_of
from sinks.robot import Robot
from store import tables
from store.bulk import keys_in
from store.company import CompanyCache
from store.effects import Effect, Insert
from store.notices import Notice, notices_of
from stream.host import Step
from stream.log import Logged

Sinks = tuple[tuple[AnyKind, SinkSettings] | BadSink, ...]


@dataclass
class DeliverFacts:
    """The company with its sinks, and where the assignments of the batch came from. Nothing in it changes."""

    company: Company
    sinks: Sinks
    assignments: dict[str, Assignment]
    """By the event that brought them."""
    channels: dict[str, Channel] = field(default_factory=dict)
    """By lead."""
    leads: dict[str, str] = field(default_factory=dict)
    """By decision: the lead of an assignment that names none, such as one out of a waiting queue."""
    notices: dict[str, Notice] = field(default_factory=dict)
    """What the holders of these assignments chose to be told."""


class DeliverStage:
    """Assignments in; deliveries out."""

    name: StageName = "deliver"
    topics = ("assignments",)
    one_by_one = ()

    def __init__(self, companies: CompanyCache) -> None:
        self._companies = companies
        self._company: Company | None = None
        self._sinks: Sinks = ()

    @property
    def has_sinks(self) -> bool:
        """Tell whether anything can go out, by the company last seen."""
        return bool(self._sinks)

    def prepare(self, events: Sequence[Logged]) -> dict[str, Assignment]:
        """Decode the assignments, by the event that brought them; none for a company without sinks."""
        return _read(events) if self._sinks else {}

    def gather(
        self,
        connection: Connection,
        prepared: dict[str, Assignment],
        events: Sequence[Logged],
        _times: Sequence[int],
    ) -> DeliverFacts:
        """Read the channels of the leads; nothing at all for a company without sinks."""
        company = self._companies.get(connection)
        if self._company is not company:
            self._company, self._sinks = company, tuple(sinks_of(company))
            prepared = self.prepare(events)
        facts = DeliverFacts(company, self._sinks, prepared)
        if self._sinks and events:
            assignments = list(prepared.values())
            facts.leads = _leads_of_tasks(connection, [one for one in assignments if one.lead_id is None])
            wanted = {one.lead_id for one in assignments if one.lead_id} | set(facts.leads.values())
            facts.channels = _channels(connection, wanted)
            holders = {one.holder_id for one in assignments if one.holder_kind == "person"}
            facts.notices = notices_of(connection, holders)
        return facts

    def decide(self, logged: Logged, facts: DeliverFacts, at_us: int) -> Step:
        """Decide where one assignment goes. Refused: a sink that cannot be read, or nobody to write to."""
        if not facts.sinks:
            return Step()
        event, assignment = logged.event, facts.assignments[logged.event.id]
        if assignment.quiet:
            return Step()
        lead_id = assignment.lead_id or facts.leads.get(assignment.decision_id)
        lead = (event.purpose, facts.channels.get(lead_id) if lead_id else None)
        effects: list[Effect] = []
        refused: Refused | None = None
        for sink in facts.sinks:
            if isinstance(sink, BadSink):
                refused = _bad_sink(sink)
                continue
            kind, settings = sink
            if not wants(settings, assignment, facts.company, lead):
                continue
            if isinstance(settings, ReadSettings) and assignment.told_with is not None:
                continue  # of a set, one message tells
            dests = _dests(kind, settings, assignment, facts.company)
            if not dests and kind.abilities.to_people and assignment.reason.code != "claimed":
                refused = _nobody(settings)
            for dest in dests:
                from_us = _from_us(settings, assignment, dest, facts, at_us)
                if from_us is not None:
                    lane = _lane(settings, assignment, dest, is_late=from_us > at_us)
                    to = (settings.sink_id, dest, lane)
                    effects.append(_delivery(event, assignment, to, lead_id, (at_us, from_us)))
        return Step(tuple(effects), refused)


def _dests(kind: AnyKind, settings: SinkSettings, assignment: Assignment, company: Company) -> list[str]:
    """Return to whom it goes: to people, to the one person whose robot it is, or to the sink's one destination."""
    person = settings.person if isinstance(settings, Robot) else None
    if person is None and not kind.abilities.to_people:
        return [settings.sink_id]
    if assignment.reason.code == "claimed":
        return []  # whoever took it knows
    if person is None:
        return _people(assignment, company)
    return [person] if (assignment.holder_kind, assignment.holder_id) == ("person", person) else []


def _from_us(
    settings: SinkSettings, assignment: Assignment, dest: str, facts: DeliverFacts, at_us: int
) -> int | None:
    """Return from when somebody is told; None if they chose not to be.

    A group has hours of its own. Elsewhere the choice is the holder's, about what is given to them: whoever is told because
    somebody else does nothing, or may take what is urgent, is told at once.
    """
    company = facts.company
    if isinstance(settings, Robot) and settings.quiet is not None:
        return not_before(hours_of(settings.quiet), _zone_of(settings, company), at_us)
    is_own = dest == assignment.holder_id and assignment.reason.code != "call_now"
    if not is_own or (notice := facts.notices.get(dest)) is None:
        return at_us
    if not (notice.robot if isinstance(settings, Robot) else notice.mail):
        return None
    person = company.people.get(dest)
    calendar = company.calendars.get((person.calendar_id if person else None) or "", {})
    return not_before(notice.quiet, calendar.get("zone") or company.zone, at_us)


def _zone_of(settings: Robot, company: Company) -> str:
    """Return in which zone a group reads the clock: that of its first team's calendar, else the company's."""
    for unit in up(company, settings.teams[0] if settings.teams else None):
        if unit.calendar_id is not None:
            return str(company.calendars.get(unit.calendar_id, {}).get("zone") or company.zone)
    return company.zone


def _lane(settings: SinkSettings, assignment: Assignment, dest: str, *, is_late: bool) -> str:
    """Return in which order it goes out, and with what it may be gathered.

    People are told by holder, so that what one of them waits for does not hold up another's. What waits for the end of
    quiet hours must not hold up what is told at once; nor may anything what is urgent.
    """
    lane = f"{settings.sink_id}/{dest}"
    if is_late:
        return lane + QUIET
    if isinstance(settings, ReadSettings) and assignment.holder_id != dest:
        lane += f":{assignment.holder_id}"
        return lane + AT_ONCE if assignment.reason.code == "call_now" else lane
    return lane


def _people(assignment: Assignment, company: Company) -> list[str]:
    if first := may_take(assignment, company):
        return first
    told = (recipient_of(assignment, company), *also_told(assignment, company))
    return list(dict.fromkeys(one for one in told if one is not None))


def _read(events: Sequence[Logged]) -> dict[str, Assignment]:
    return {logged.event.id: logged.event.read(Assignment) for logged in events}


def _delivery(
    event: Event, assignment: Assignment, to: tuple[str, str, str], lead_id: str | None, when: tuple[int, int]
) -> Insert:
    """Return the delivery. `to`: sink, destination, lane; `when`: decided at this moment, and sent from that one on."""
    (sink_id, dest, lane), (at_us, from_us) = to, when
    row = {
        "delivery_id": child_id("dlv", event.id, sink_id, dest),
        "sink_id": sink_id,
        "dest": dest,
        "lane": lane,
        "event_id": event.id,
        "decision_id": assignment.decision_id,
        "customer_id": assignment.customer_id,
        "lead_id": lead_id,
        "trace_id": event.trace_id,
        "purpose": event.purpose,
        "holder_kind": assignment.holder_kind,
        "holder_id": assignment.holder_id,
        "decided_us": assignment.decided_us,
        "state": "waiting",
        "attempt": 0,
        "replays": 0,
        "since_us": max(at_us, from_us),
        "next_us": from_us,
    }
    return Insert("delivery", row)


def _bad_sink(sink: BadSink) -> Refused:
    return Refused(
        stage="deliver",
        code="bad_sink",
        field=f"sinks.{sink.sink_id}.{sink.field}",
        message="The settings of this sink are wrong, so nothing goes out by it.",
        hint="leadflow check names the fix; apply it, then replay.",
    )


def _nobody(sink: SinkSettings) -> Refused:
    return Refused(
        stage="deliver",
        code="no_address",
        field=f"sinks.{sink.sink_id}",
        message="Neither the owner nor a manager above has a mail address.",
        hint="Write one into the column email of people.csv, apply it, then replay.",
    )


def _channels(connection: Connection, leads: set[str]) -> dict[str, Channel]:
    lead = tables.lead
    wanted = keys_in(connection, ["lead_id"], [(one,) for one in leads])
    rows = connection.execute(select(lead.c.lead_id, lead.c.channel).where(wanted))
    return {row.lead_id: row.channel for row in rows}


def _leads_of_tasks(connection: Connection, assignments: Sequence[Assignment]) -> dict[str, str]:
    """Return by decision the lead of the customer's oldest task that was open when it was made."""
    if not assignments:
        return {}
    task = tables.task
    wanted = keys_in(connection, ["customer_id"], {(one.customer_id,) for one in assignments})
    rows = connection.execute(
        select(task.c.customer_id, task.c.lead_id, task.c.created_us, task.c.ended_us)
        .where(wanted, task.c.lead_id.is_not(None))
        .order_by(task.c.created_us.desc(), task.c.task_id.desc())
    ).all()
    return {
        one.decision_id: row.lead_id
        for one in assignments
        for row in rows
        if row.customer_id == one.customer_id
        and row.created_us <= one.decided_us
        and (row.ended_us is None or row.ended_us > one.decided_us)
    }
