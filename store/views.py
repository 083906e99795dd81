"""Questions about the present state: the sum that must add up, the feed, inboxes, orphans, a lead's story."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    union_all,
)

from schemas.correction import CORRECTIONS
from store import tables
from store.bulk import keys_in
from store.nurture import NURTURE_WAKES
from store.present import Span, atoms_of, known_as, present, present_ids, read_together, within

Row = dict[str, Any]

ORPHAN_AFTER_US = 60 * 1_000_000
"""In intake for longer than this, a customer counts as without owner: route normally takes milliseconds."""

UNSETTLED = ("open", "held")
"""States of a dead letter that still has to become something."""

PROBE_QUEUE = "probe"
INTAKE = "intake"


def orphans(connection: Connection, now_us: int) -> list[dict[str, Any]]:
    """Return open customers without any holder, in intake for over 60 s, or put aside without a date."""
    customer, holding = tables.customer, tables.holding
    open_owner = and_(
        holding.c.customer_id == customer.c.customer_id, holding.c.role == "owner", holding.c.to_us.is_(None)
    )
    stuck = and_(holding.c.holder_id == INTAKE, holding.c.from_us < now_us - ORPHAN_AFTER_US)
    rows = connection.execute(
        select(customer.c.customer_id, customer.c.born_us, holding.c.holder_id)
        .select_from(customer.outerjoin(holding, open_owner))
        .where(
            customer.c.state == "open",
            or_(
                holding.c.holder_id.is_(None),
                stuck,
                and_(holding.c.holder_kind == "nurture", ~_wakes(customer.c.customer_id)),
            ),
        )
        .order_by(customer.c.born_us)
    )
    return [dict(row._mapping) for row in rows]


def _wakes(customer_id: Any) -> Any:
    """Whether a timer will wake the customer, by its present id or one of those merged into it."""
    timer, alias = tables.timer, tables.alias
    old = select(alias.c.old_id).where(alias.c.now_id == customer_id)
    return exists().where(
        timer.c.kind == NURTURE_WAKES,
        timer.c.fired_us.is_(None),
        or_(timer.c.subject_id == customer_id, timer.c.subject_id.in_(old)),
    )


def tally(connection: Connection) -> dict[str, int]:
    """Return the sum that must add up: captures = leads + not leads + refused + parts, probes left out."""
    capture = tables.capture
    rows = connection.execute(
        select(capture.c.result, func.count()).where(capture.c.purpose != "probe").group_by(capture.c.result)
    )
    counts = {str(result): int(count) for result, count in rows}
    return {"received": sum(counts.values()), **counts}


@dataclass(frozen=True, slots=True)
class Balance:
    """The sum that must add up: `received = owned + waiting + nurtured + not_leads + to_repair + without_owner + closed`."""

    received: int
    owned: int = 0
    waiting: int = 0
    nurtured: int = 0
    not_leads: int = 0
    to_repair: int = 0
    without_owner: int = 0
    closed: int = 0
    oldest_waiting_us: int | None = None

    @property
    def adds_up(self) -> bool:
        """Tell whether everything received is accounted for, once."""
        parts = (
            self.owned,
            self.waiting,
            self.nurtured,
            self.not_leads,
            self.to_repair,
            self.without_owner,
            self.closed,
        )
        return self.received == sum(parts)


def balance(connection: Connection, now_us: int) -> Balance:
    """Return where everything received stands at this instant; both sides are counted in one statement.

    Counted is each lead once, and each thing received that led to no lead once. A repair stands for what it
    repairs, a whole call for its parts; probes, and what our own people put right, are left out. `received` counts them bare; the other side
    follows each to where it stands:

    - to repair: an open or held dead letter stands in its way (at parse, resolve or route);
    - not leads: ignored, or no enquiry (a supplier, a touch of a customer), or given up as a dead letter;
    - closed: an enquiry whose customer is closed: nothing is to be done, whoever has it;
    - owned: an enquiry whose open customer a person has;
    - waiting: an enquiry whose open customer is in a queue, or that is on its way there (milliseconds);
    - nurtured: an enquiry whose open customer is put aside until a date;
    - without owner: an enquiry whose open customer nobody has, or that is stuck in intake for over 60 s.
    """
    items = _items(now_us - ORPHAN_AFTER_US).subquery()
    bare = _received().subquery()
    holding = tables.holding
    oldest = select(func.min(holding.c.from_us)).where(
        holding.c.holder_kind == "queue", holding.c.holder_id != PROBE_QUEUE, holding.c.to_us.is_(None)
    )
    # One statement, because PostgreSQL gives each statement its own view of what is committed.
    rows = connection.execute(
        union_all(
            select(items.c.place, func.count()).group_by(items.c.place),
            select(literal("received"), select(func.count()).select_from(bare).scalar_subquery()),
            select(literal("oldest_waiting_us"), oldest.scalar_subquery()),
        )
    ).all()
    return Balance(**{str(name): value for name, value in rows if value is not None})


def _received() -> Any:
    """What came in, without a look at what became of it: leads, and what led to none."""
    capture, origin = tables.capture, tables.lead_capture
    leads = (
        select(origin.c.lead_id)
        .join(capture, capture.c.capture_id == origin.c.capture_id)
        .where(origin.c.role == "origin", _came_in())
    )
    return union_all(leads, select(capture.c.capture_id).where(_led_to_no_lead()), _unread())


def _came_in() -> ColumnElement[bool]:
    """Return the condition that a capture is no probe, and nothing that our own people put right."""
    capture = tables.capture
    return and_(capture.c.purpose != "probe", capture.c.source_id != CORRECTIONS)


def _led_to_no_lead() -> Any:
    capture, origin = tables.capture, tables.lead_capture
    repair = capture.alias("repair")
    repaired = select(repair.c.parent_id).where(repair.c.parent_id.is_not(None))
    has_lead = exists().where(origin.c.capture_id == capture.c.capture_id, origin.c.role == "origin")
    return and_(
        capture.c.result.in_(("ignored", "refused")),
        _came_in(),
        ~has_lead,
        or_(capture.c.result == "ignored", capture.c.capture_id.not_in(repaired)),
    )


def _unread() -> Select[Any]:
    """What parse broke on or has not tried: there is no row of the capture, only its dead letter."""
    capture, dead = tables.capture, tables.dead
    return (
        select(dead.c.capture_id)
        .where(
            dead.c.stage == "parse",
            dead.c.state.in_(UNSETTLED),
            ~exists().where(capture.c.capture_id == dead.c.capture_id),
        )
        .distinct()
    )


def _items(stuck_before_us: int) -> Any:
    capture, dead = tables.capture, tables.dead
    open_dead = (
        select(dead.c.trace_id, dead.c.stage)
        .where(dead.c.state.in_(UNSETTLED))
        .distinct()
        .subquery("open_dead")
    )
    given_up = ~exists().where(
        dead.c.capture_id == capture.c.capture_id, dead.c.stage == "parse", dead.c.state != "discarded"
    )
    no_lead = select(
        case(
            (capture.c.result == "ignored", "not_leads"),
            (given_up, "not_leads"),
            else_="to_repair",
        ).label("place")
    ).where(_led_to_no_lead())
    unread = select(literal("to_repair").label("place")).select_from(_unread().subquery())
    return union_all(_places_of_leads(open_dead, stuck_before_us), no_lead, unread)


def _places_of_leads(open_dead: Any, stuck_before_us: int) -> Select[Any]:
    capture, origin, lead = tables.capture, tables.lead_capture, tables.lead
    membership, holding, customer = tables.membership, tables.holding, tables.customer
    alias, now_id = tables.alias, present(tables.membership.c.customer_id)
    stands_in_the_way = exists().where(
        open_dead.c.trace_id == capture.c.trace_id, open_dead.c.stage.in_(("resolve", "route"))
    )
    place = case(
        (stands_in_the_way, "to_repair"),
        (lead.c.lead_id.is_(None), "waiting"),
        (lead.c.kind != "enquiry", "not_leads"),
        (customer.c.state == "closed", "closed"),
        (holding.c.holder_kind == "person", "owned"),
        (holding.c.holder_kind == "nurture", "nurtured"),
        (and_(holding.c.holder_id == INTAKE, holding.c.from_us < stuck_before_us), "without_owner"),
        (holding.c.holder_kind.is_not(None), "waiting"),
        else_="without_owner",
    )
    return (
        select(place.label("place"))
        .select_from(
            origin.join(capture, capture.c.capture_id == origin.c.capture_id)
            .outerjoin(lead, lead.c.lead_id == origin.c.lead_id)
            .outerjoin(membership, and_(membership.c.lead_id == lead.c.lead_id, membership.c.to_us.is_(None)))
            .outerjoin(alias, alias.c.old_id == membership.c.customer_id)
            .outerjoin(customer, customer.c.customer_id == now_id)
            .outerjoin(
                holding,
                and_(
                    holding.c.customer_id == now_id,
                    holding.c.role == "owner",
                    holding.c.to_us.is_(None),
                ),
            )
        )
        .where(origin.c.role == "origin", _came_in())
    )


def capture_place(connection: Connection, capture_id: str) -> tuple[int, int] | None:
    """Return (partition, offset) of a capture; None if the stages have not seen it.

    What parse broke on or has not tried has no row of its own yet: its dead letter says where it is.
    """
    capture, dead = tables.capture, tables.dead
    rows = connection.execute(
        union_all(
            select(capture.c.part, capture.c.off).where(capture.c.capture_id == capture_id),
            select(dead.c.part, dead.c.off).where(dead.c.capture_id == capture_id, dead.c.stage == "parse"),
        )
    )
    row = rows.first()
    return (row.part, row.off) if row is not None else None


def kept(connection: Connection, receipts: Sequence[str]) -> tuple[int, int]:
    """Return how many of these captures the stages have, and how many led to something twice."""
    capture, origin, task = tables.capture, tables.lead_capture, tables.task
    wanted = keys_in(connection, ["capture_id"], [(one,) for one in receipts])
    stored = connection.execute(select(func.count()).select_from(capture).where(wanted)).scalar_one()
    leads = select(origin.c.lead_id).where(wanted, origin.c.role == "origin")
    firsts = (
        select(task.c.lead_id)
        .where(task.c.lead_id.in_(leads), task.c.ordinal == 0)
        .group_by(task.c.lead_id)
        .having(func.count() > 1)
    )
    twice = connection.execute(select(func.count()).select_from(firsts.subquery())).scalar_one()
    return int(stored), int(twice)


def unsent(connection: Connection) -> tuple[int, int]:
    """Return how many deliveries wait to be sent, and since when the oldest does (µs; 0 if none)."""
    delivery = tables.delivery
    count, since_us = connection.execute(
        select(func.count(), func.min(delivery.c.since_us)).where(delivery.c.state == "waiting")
    ).one()
    return int(count), int(since_us or 0)


FEED_KINDS = ("enquiry", "existing_customer")


def feed(connection: Connection, limit: int = 30) -> list[dict[str, Any]]:
    """Return the newest leads, each with its customer's holder, its open task (else its last), and the decision to explain.

    That decision is the newest of the lead's own and the one by which the holder got the customer, so a
    customer taken out of a waiting queue shows whose turn it was. `received` is what the holder got of that
    team's leads on that day so far.
    """
    lead, membership, holding, task = tables.lead, tables.membership, tables.holding, tables.task
    alias, now_id = tables.alias, present(tables.membership.c.customer_id)
    newest = (
        select(lead)
        .where(lead.c.purpose != "probe", lead.c.kind.in_(FEED_KINDS))
        .order_by(lead.c.accepted_us.desc(), lead.c.lead_id)
        .limit(limit)
        .subquery()
    )
    rows = connection.execute(
        select(
            newest.c.lead_id,
            newest.c.channel,
            newest.c.kind,
            newest.c.accepted_us,
            newest.c.fields_json,
            newest.c.trace_id,
            now_id.label("customer_id"),
            holding.c.holder_kind,
            holding.c.holder_id,
            holding.c.decision_id,
        )
        .select_from(
            newest.outerjoin(
                membership, and_(membership.c.lead_id == newest.c.lead_id, membership.c.to_us.is_(None))
            )
            .outerjoin(alias, alias.c.old_id == membership.c.customer_id)
            .outerjoin(
                holding,
                and_(
                    holding.c.customer_id == now_id,
                    holding.c.role == "owner",
                    holding.c.to_us.is_(None),
                ),
            )
        )
        .order_by(newest.c.accepted_us.desc(), newest.c.lead_id)
    )
    found = [_readable(dict(row._mapping)) for row in rows]
    tasks: dict[str, dict[str, Any]] = {}
    # By customer, which has an index; each of a lead's tasks belongs to its customer, or to one merged into it.
    names = {row["customer_id"] for row in found if row["customer_id"]}
    listed = keys_in(connection, ["customer_id"], [(one,) for one in atoms_of(connection, names)])
    for one in connection.execute(select(task).where(listed).order_by(task.c.created_us)).mappings():
        if tasks.get(str(one["lead_id"]), {}).get("state") != "open":
            tasks[str(one["lead_id"])] = dict(one)
    for row in found:
        row["task"] = tasks.get(row["lead_id"])
    _explain(connection, found)
    return found


def inbox(
    connection: Connection,
    holder_id: str,
    limit: int = 100,
    task_id: str | None = None,
    *,
    offset: int = 0,
    due_from_us: int | None = None,
    due_before_us: int | None = None,
) -> list[dict[str, Any]]:
    """Return the open tasks of a person or queue, most urgent first, each with its lead, the reason, and the
    customer's newest outcome (`last`). With a `task_id`: that one, if it is theirs and open."""
    task, lead, holding = tables.task, tables.lead, tables.holding
    rows = connection.execute(
        select(
            task,
            lead.c.channel,
            lead.c.kind.label("lead_kind"),
            lead.c.accepted_us,
            lead.c.fields_json,
            lead.c.trace_id,
            holding.c.decision_id.label("held_by"),
        )
        .select_from(
            task.outerjoin(lead, lead.c.lead_id == task.c.lead_id).outerjoin(
                holding,
                and_(
                    holding.c.customer_id == task.c.customer_id,
                    holding.c.role == "owner",
                    holding.c.to_us.is_(None),
                ),
            )
        )
        .where(
            task.c.holder_id == holder_id,
            task.c.state == "open",
            *([task.c.task_id == task_id] if task_id is not None else []),
            *([task.c.due_us >= due_from_us] if due_from_us is not None else []),
            *([task.c.due_us < due_before_us] if due_before_us is not None else []),
        )
        .order_by(task.c.due_us, task.c.task_id)
        .limit(limit)
        .offset(offset)
    )
    found = [_readable(dict(row._mapping)) for row in rows]
    _explain(connection, found, holding_key="held_by")
    last = last_outcomes(connection, {row["customer_id"] for row in found})
    for row in found:
        row["last"] = last.get(row["customer_id"])
    return found


def news(connection: Connection, person_id: str, since_us: int, limit: int = 20) -> list[dict[str, Any]]:
    """Return what came from a person's customers and asks for nothing new, newest first.

    Answers, calls that were answered, what continues a form: touches, which make no task and which the owner should know.
    """
    lead, membership, holding = tables.lead, tables.membership, tables.holding
    alias, now_id = tables.alias, present(tables.membership.c.customer_id)
    rows = connection.execute(
        select(
            lead.c.lead_id,
            lead.c.channel,
            lead.c.kind,
            lead.c.accepted_us,
            lead.c.fields_json,
            now_id.label("customer_id"),
        )
        .join(membership, and_(membership.c.lead_id == lead.c.lead_id, membership.c.to_us.is_(None)))
        .outerjoin(alias, alias.c.old_id == membership.c.customer_id)
        .join(
            holding,
            and_(
                holding.c.customer_id == now_id,
                holding.c.role == "owner",
                holding.c.to_us.is_(None),
            ),
        )
        .where(
            holding.c.holder_kind == "person",
            holding.c.holder_id == person_id,
            lead.c.accepted_us >= since_us,
            lead.c.kind != "correction",
            ~exists().where(tables.task.c.lead_id == lead.c.lead_id),
        )
        .order_by(lead.c.accepted_us.desc(), lead.c.lead_id)
        .limit(limit)
    )
    return [_readable(dict(row._mapping)) for row in rows]


def last_outcomes(connection: Connection, customers: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the newest outcome of each of these customers that has one, as themselves or before a merge."""
    outcome = tables.outcome
    atoms = atoms_of(connection, customers)
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in sorted(atoms)])
    ordered = select(outcome).where(wanted).order_by(outcome.c.recorded_us, outcome.c.outcome_id)
    return {atoms[row["customer_id"]]: dict(row) for row in connection.execute(ordered).mappings()}


def inboxes(connection: Connection, now_us: int) -> list[dict[str, Any]]:
    """Return who has open tasks: holder, how many, how many overdue, and when the first is due."""
    task = tables.task
    rows = connection.execute(
        select(
            task.c.holder_kind,
            task.c.holder_id,
            func.count().label("open"),
            func.sum(case((task.c.due_us < now_us, 1), else_=0)).label("overdue"),
            func.min(task.c.due_us).label("first_due_us"),
        )
        .where(task.c.state == "open", task.c.holder_id != PROBE_QUEUE)
        .group_by(task.c.holder_kind, task.c.holder_id)
    )
    return [{**row._mapping, "overdue": int(row.overdue)} for row in rows]


_TRACE = re.compile(r"[0-9a-f]{32}")


def story(connection: Connection, any_id: str) -> dict[str, list[dict[str, Any]]]:
    """Return all that is on record about something: an id of a trace, lead, capture, task, decision, delivery or dead letter.

    Lists of rows by table: captures, leads, evidence, decisions (with the act behind one that a person made,
    and what everybody eligible had received by then), tasks, deliveries, outcomes, dead. All empty for an unknown id.
    """
    captures, leads, dead = _subject(connection, any_id)
    told: dict[str, list[dict[str, Any]]] = {
        "captures": _rows(connection, tables.capture, "capture_id", captures),
        "leads": [_readable(row) for row in _rows(connection, tables.lead, "lead_id", leads)],
        "memberships": _rows(connection, tables.membership, "lead_id", leads),
        "evidence": _rows(connection, tables.evidence, "lead_id", leads),
        "dead": _rows(connection, tables.dead, "dead_id", dead),
    }
    known = _known_as(connection, told["memberships"])
    _under_present_ids(connection, told["memberships"])
    customers = set(known)
    decisions = [
        row
        for row in _rows(connection, tables.decision, "subject_id", customers)
        if row["lead_id"] in leads
        or (row["lead_id"] is None and within(row["decided_us"], known[row["subject_id"]]))
    ]
    first_us = min((row["accepted_us"] for row in told["leads"]), default=0)
    told["holdings"] = _rows(connection, tables.holding, "customer_id", customers)
    told["decisions"] = [
        _readable(row)
        for row in decisions
        if row["decided_us"] >= first_us and _concerns(row, known, told["holdings"])
    ]
    acts = {
        row["act_id"]: row
        for row in _rows(connection, tables.act, "act_id", {row["event_id"] for row in decisions})
    }
    for row in told["decisions"]:
        row["act"] = acts.get(row["event_id"])
    told["tasks"] = [
        row
        for row in _rows(connection, tables.task, "customer_id", customers)
        if row["lead_id"] in leads
        or (row["lead_id"] is None and within(row["created_us"], known[row["customer_id"]]))
    ]
    told["deliveries"] = [
        row
        for row in _rows(connection, tables.delivery, "customer_id", customers)
        if row["lead_id"] in leads
        or (row["lead_id"] is None and within(row["decided_us"], known[row["customer_id"]]))
    ]
    tasks = {row["task_id"] for row in told["tasks"]}
    told["outcomes"] = [
        row for row in _rows(connection, tables.outcome, "customer_id", customers) if row["task_id"] in tasks
    ]
    return told


def _known_as(connection: Connection, memberships: Iterable[Row]) -> dict[str, list[Span]]:
    """Return as which customers leads were known, and when; the moment that ended it is told with what it ended."""
    start: dict[str, list[Span]] = {}
    for row in memberships:
        start.setdefault(row["customer_id"], []).append((row["from_us"], row["to_us"]))
    found = known_as(start, read_together(connection, start))
    return {
        one: [(begin, None if end is None else end + 1) for begin, end in during]
        for one, during in found.items()
    }


def _concerns(decided: Row, known: Mapping[str, list[Span]], holdings: Iterable[Row]) -> bool:
    """Tell whether a decision is told in this story: a merge or a parting is recorded for each side, and told once."""
    if decided["code"] not in ("merged", "parted"):
        return True
    name, at_us = decided["subject_id"], decided["decided_us"]
    return within(at_us + 1, known[name]) and any(
        row["customer_id"] == name and within(at_us, [(row["from_us"], row["to_us"])])
        for row in holdings
        if row["role"] == "owner"
    )


def _under_present_ids(connection: Connection, memberships: Sequence[Row]) -> None:
    now = present_ids(connection, {row[one] for row in memberships for one in ("customer_id", "contact_id")})
    for row in memberships:
        row |= {one: now[row[one]] for one in ("customer_id", "contact_id")}


def _subject(connection: Connection, any_id: str) -> tuple[set[str], set[str], set[str]]:
    """Return the capture, lead and dead-letter ids that an id speaks of."""
    capture, origin, dead = tables.capture, tables.lead_capture, tables.dead
    task, decision, lead, delivery = tables.task, tables.decision, tables.lead, tables.delivery

    def ids(column: Any, *where: Any) -> set[str]:
        found = connection.execute(select(column).where(*where)).scalars()
        return {one for one in found if one is not None}

    captures: set[str] = set()
    leads: set[str] = set()
    traces: set[str] = set()
    if any_id.startswith("lead_"):
        leads = {any_id}
    elif any_id.startswith("task_"):
        leads = ids(task.c.lead_id, task.c.task_id == any_id)
    elif any_id.startswith("dec_"):
        leads = ids(decision.c.lead_id, decision.c.decision_id == any_id)
    elif any_id.startswith("dlv_"):
        leads = ids(delivery.c.lead_id, delivery.c.delivery_id == any_id)
    elif any_id.startswith("cap_"):
        captures = {any_id}
    elif any_id.startswith("dead_"):
        captures = ids(dead.c.capture_id, dead.c.dead_id == any_id)
        traces = set() if captures else ids(dead.c.trace_id, dead.c.dead_id == any_id)
    elif _TRACE.fullmatch(any_id):
        traces = {any_id}
    if traces:
        captures |= ids(capture.c.capture_id, capture.c.trace_id.in_(traces))
    leads |= ids(origin.c.lead_id, keys_in(connection, ["capture_id"], [(one,) for one in captures]))
    captures |= ids(origin.c.capture_id, keys_in(connection, ["lead_id"], [(one,) for one in leads]))
    traces |= ids(capture.c.trace_id, keys_in(connection, ["capture_id"], [(one,) for one in captures]))
    letters = ids(dead.c.dead_id, dead.c.capture_id.in_(captures)) if captures else set()
    if any_id.startswith("dead_"):
        letters |= ids(dead.c.dead_id, dead.c.dead_id == any_id)
    else:
        letters |= ids(dead.c.dead_id, dead.c.trace_id.in_(traces), dead.c.capture_id.is_(None))
    known = ids(lead.c.lead_id, keys_in(connection, ["lead_id"], [(one,) for one in leads]))
    return captures, known, letters


def ledger_entries(
    connection: Connection, from_us: int, to_us: int, team_id: str | None = None
) -> list[dict[str, Any]]:
    """Return the rows of the allocation ledger between two moments, oldest first, each with its decision's reason."""
    ledger, decision = tables.ledger, tables.decision
    wanted = select(ledger, decision.c.lead_id, decision.c.subject_id, decision.c.reason_json).join(
        decision, decision.c.decision_id == ledger.c.decision_id
    )
    wanted = wanted.where(ledger.c.at_us >= from_us, ledger.c.at_us < to_us)
    if team_id is not None:
        wanted = wanted.where(ledger.c.team_id == team_id)
    ordered = wanted.order_by(ledger.c.at_us, ledger.c.decision_id, ledger.c.delta.desc())
    return [_readable(dict(row)) for row in connection.execute(ordered).mappings()]


def given_by(connection: Connection, lead_id: str) -> dict[str, Any] | None:
    """Return the decision by which a lead came to whoever got it first, and the holder it gave it to; None if none did.

    A lead that waited was given by the first decision on its customer after that.
    """
    decision, holding = tables.decision, tables.holding
    own = select(decision).where(decision.c.lead_id == lead_id, decision.c.stage == "route")
    first = connection.execute(own.order_by(decision.c.decided_us).limit(1)).mappings().one_or_none()
    if first is None:
        return None
    later = (
        select(decision)
        .where(decision.c.subject_id == first["subject_id"], decision.c.decided_us >= first["decided_us"])
        .order_by(decision.c.decided_us)
    )
    found = first
    for row in connection.execute(later).mappings():
        found = row
        if row["code"] not in ("waiting", "call_now", "returned", "owner_left", "nurtured"):
            break
    held = (
        select(holding.c.holder_id)
        .where(
            holding.c.customer_id == found["subject_id"],
            holding.c.role == "owner",
            holding.c.from_us <= found["decided_us"],
        )
        .order_by(holding.c.from_us.desc())
    )
    return {**found, "holder_id": connection.execute(held.limit(1)).scalar_one()}


def _rows(connection: Connection, table: Any, column: str, keys: Iterable[str]) -> list[dict[str, Any]]:
    wanted = keys_in(connection, [column], [(key,) for key in keys])
    ordered = select(table).where(wanted).order_by(*table.primary_key.columns)
    return [dict(row) for row in connection.execute(ordered).mappings()]


def _explain(connection: Connection, rows: list[dict[str, Any]], *, holding_key: str = "decision_id") -> None:
    """Give each row the `reason` of the newest of its lead's decision and its holder's, and whom that gave it to."""
    decision = tables.decision
    by_lead = keys_in(connection, ["lead_id"], [(row["lead_id"],) for row in rows if row["lead_id"]])
    by_id = keys_in(connection, ["decision_id"], [(row[holding_key],) for row in rows if row[holding_key]])
    newest: dict[str, Any] = {}
    by_decision: dict[str, Any] = {}
    for one in connection.execute(select(decision).where(by_lead).order_by(decision.c.decided_us)):
        newest[one.lead_id] = one
    for one in connection.execute(select(decision).where(by_id)):
        by_decision[one.decision_id] = one
    chosen: list[Any] = []
    for row in rows:
        own, held = newest.get(row["lead_id"]), by_decision.get(row[holding_key])
        both = [one for one in (own, held) if one is not None]
        chosen.append(max(both, key=lambda one: one.decided_us, default=None))
    for row, one in zip(rows, chosen, strict=True):
        row["reason"] = orjson.loads(one.reason_json) if one else {}
        row["decided_us"] = one.decided_us if one else None


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    for key in ("fields", "reason", "more"):
        if f"{key}_json" in row:
            row[key] = orjson.loads(row.pop(f"{key}_json") or ("[]" if key == "fields" else "{}"))
    return row
