"""Ladders in the route stage: which customers are looked at by an event, what of them counts, and the timers that follow.

Every owned customer that a ladder is for has a timer at its next step; when it fires, what is on record is read and decided anew.
A sweep, once a day and whenever the pools change, walks over all owned customers in pieces and sets the timers that are missing,
so that no way to become an owner has to think of it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select

from router.office import Office
from router.reclaim import STEPS, Step, Watched, days_of, next_step, pool_for
from router.route import Holder, Routing
from schemas.company import Company
from schemas.events import Event, event_of
from schemas.ids import body_digest
from schemas.pools import Pool
from schemas.work import Reason, Reroute
from store import tables
from store.bulk import keys_in
from store.company import POOL_SWEEP
from store.effects import Effect, Emit, Insert
from store.pools import newest_enquiries
from store.present import present_ids
from store.protection import protected_until
from store.touches import owned, owned_after
from worktime.localtime import day_start, zone_of

UNTOUCHED = "untouched"
"""The timer of one customer's ladder: its subject is the customer, under any of its ids."""
AT_ONCE = 500
"""Customers that one event of the sweep looks at: some tens of milliseconds."""
_RECLAIM_CODES = (*STEPS, "reclaimed")
_NOON_US = 36 * 3_600_000_000
"""From the beginning of a day to somewhere in the next, whatever the clocks do."""


@dataclass
class Watch:
    """What a batch looks at: customers that somebody owns, by their present ids."""

    customers: dict[str, Watched] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    """Present id by the id that an event named."""
    last: str | None = None
    """Where the next piece of a sweep begins; None if this is the last one."""


def untouched(customer_id: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of a customer's ladder into its event (see stream.timers)."""
    reroute = Reroute(why="untouched", customer_id=customer_id)
    return "reroute", timer_event(reroute, customer_id, due_us, f"{UNTOUCHED}:{customer_id}:{due_us}")


def sweep(subject_id: str, due_us: int) -> tuple[str, Event]:
    """Turn the timer of the sweep into its event."""
    return "reroute", timer_event(
        Reroute(why="sweep"), subject_id, due_us, f"{POOL_SWEEP}:{subject_id}:{due_us}"
    )


def asked_of(connection: Connection, office: Office, reroute: Reroute) -> Watch:
    """Return which customers an event of a ladder is about."""
    watch = Watch()
    if not any(pool.reclaim != "no" for pool in office.company.pools.values()):
        return watch
    if reroute.why == "untouched" and reroute.customer_id is not None:
        watch.names = present_ids(connection, [reroute.customer_id])
    elif reroute.why == "sweep":
        found = owned_after(connection, reroute.after[1] if reroute.after else "", AT_ONCE)
        watch.names = {one: one for one in found}
        watch.last = found[-1] if len(found) == AT_ONCE else None
    return watch


def read_watched(connection: Connection, watch: Watch, company: Company) -> None:
    """Read what counts of the customers of an event; those that nobody owns any more, or that are closed, are left out."""
    names = sorted(set(watch.names.values()))
    rows = owned(connection, names)
    about = newest_enquiries(connection, [row.customer_id for row in rows])
    protects = any(pool.protected for pool in company.pools.values())
    counts = _open_of(connection, {row.person_id for row in rows} if protects else ())
    steps = _steps_of(connection, [row.customer_id for row in rows])
    protected = protected_until(connection, [row.customer_id for row in rows], 0)
    for row in rows:
        since_us = max(row.touched_us, row.next_us or 0)
        known = about.get(row.customer_id, {})
        watch.customers[row.customer_id] = Watched(
            person_id=row.person_id,
            since_us=since_us,
            grade=str(known.get("grade") or ""),
            line=str(known.get("product_line") or ""),
            open=counts.get(row.person_id, 1),
            protected_until_us=protected.get(row.customer_id, 0),
            done={code: at for code, at in steps.get(row.customer_id, ()) if at > since_us},
        )


def swept(watch: Watch, office: Office, event: Event, at_us: int) -> list[Effect]:
    """Return the timers that are missing of a piece of the sweep, and what begins the next piece."""
    effects = [
        timer
        for customer_id, watched in watch.customers.items()
        for timer in timer_of(customer_id, watched, office, at_us)
    ]
    if watch.last is not None:
        going_on = Reroute(why="sweep", after=(0, watch.last))
        return [*effects, Emit("reroute", timer_event(going_on, event.subject, at_us, event.id))]
    if not office.company.pools:
        return effects
    zone = zone_of(office.company.zone)
    tomorrow_us = day_start(day_start(at_us, zone) + _NOON_US, zone)
    return [*effects, Insert("timer", {"kind": POOL_SWEEP, "subject_id": "company", "due_us": tomorrow_us})]


def timer_of(customer_id: str, watched: Watched, office: Office, at_us: int) -> list[Effect]:
    """Return the timer of a customer's next step; none if no ladder is for it."""
    pool = pool_for(office.company, watched)
    step = next_step(pool, watched, office) if pool is not None else None
    if step is None:
        return []
    due_us = max(step[1], at_us + 1)
    return [Insert("timer", {"kind": UNTOUCHED, "subject_id": customer_id, "due_us": due_us})]


def due_step(watched: Watched, office: Office, at_us: int) -> tuple[Step, Pool] | None:
    """Return the step of a ladder that is due at a moment, if one is."""
    pool = pool_for(office.company, watched)
    step = next_step(pool, watched, office) if pool is not None else None
    return (step[0], pool) if pool is not None and step is not None and step[1] <= at_us else None


def routing_of(step: Step, pool: Pool, holder: Holder, minutes: int) -> Routing:
    """Return what a step decides: that the customer stays and somebody is told, or that it goes into the pool."""
    reason = Reason(code=step, pool_id=pool.pool_id, untouched_days=days_of(pool, step))
    return Routing(Holder("pool", pool.pool_id) if step == "reclaimed" else holder, reason, minutes, None)


def timer_event(reroute: Reroute, subject: str, time_us: int, cause: str) -> Event:
    """Return the event by which a timer, or a piece of work that goes on, asks route about a subject."""
    return event_of(
        reroute,
        source="/timers",
        subject=subject,
        key=subject,
        time_us=time_us,
        trace_id=body_digest(f"{cause} {subject}".encode()),
        purpose="real",
        key_id=None,
        cause=cause,
    )


def _open_of(connection: Connection, people: Iterable[str]) -> dict[str, int]:
    holding, customer = tables.holding, tables.customer
    rows = connection.execute(
        select(holding.c.holder_id, func.count().label("customers"))
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(
            keys_in(connection, ["holding.holder_id"], [(one,) for one in sorted(people)]),
            holding.c.holder_kind == "person",
            holding.c.role == "owner",
            holding.c.to_us.is_(None),
            customer.c.state == "open",
        )
        .group_by(holding.c.holder_id)
    )
    return {row.holder_id: row.customers for row in rows}


def _steps_of(connection: Connection, customers: Iterable[str]) -> dict[str, list[tuple[str, int]]]:
    decision = tables.decision
    rows = connection.execute(
        select(decision.c.subject_id, decision.c.code, decision.c.decided_us)
        .where(
            keys_in(connection, ["subject_id"], [(one,) for one in customers]),
            decision.c.code.in_(_RECLAIM_CODES),
        )
        .order_by(decision.c.decided_us)
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for row in rows:
        found.setdefault(row.subject_id, []).append((row.code, row.decided_us))
    return found
