"""Finding the customers that move by themselves (moves.csv), for the preview and for the host that does it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, func, select

from leadflow.clock import wall_clock_us
from router.auto_moves import Kept, Past, first, kept, rest_us
from router.office import Office, office_of
from sales.segments import customers_of
from schemas.company import Company
from schemas.moves import AutoRule, moves_version, read_moves
from schemas.units import department_of
from store import tables
from store.acts import ActRefused, Append, perform
from store.acts_auto import AutoMove, auto_command
from store.company import company_version, load_company
from store.database import Database
from store.protection import is_protected
from store.touches import owned
from worktime import working_days_between, working_seconds

log = structlog.get_logger()

EVERY_S = 300.0
"""Between two looks: each reads every open customer. What is late is so by working minutes, and moves at most this late."""
AT_ONCE = 200
"""Customers moved by one turn, each in a transaction of its own: a new table must not hold up what is due meanwhile."""


_AT_ONCE = 5_000
"""Customers whose leads are read at once."""


@dataclass(frozen=True, slots=True)
class Found:
    """A customer to which a rule applies, and why it stays although, if it does."""

    customer_id: str
    owner: str
    decision_id: str | None
    rule: AutoRule
    facts: dict[str, str]
    kept: Kept | None


def plan_moves(connection: Connection, company: Company, text: str, now_us: int) -> list[Found]:
    """Return the customers to which a table applies, those that somebody got last first. Changes nothing."""
    rules = read_moves(text)
    columns = {column for rule in rules for column, _, _ in rule.row.tests}
    held = _held(connection)
    known = _Known(connection, office_of(company), columns, now_us)
    pasts = _pasts(connection, held, now_us - rest_us(company))
    load = Counter(row.holder_id for row in held.values())
    newest_first = sorted(held, key=lambda one: (-held[one].from_us, one))
    found = []
    for customer_id, own in _facts(connection, company, newest_first, now_us):
        row = held[customer_id]
        facts = {**own, **known.of(row, load[row.holder_id])}
        rule = first(rules, facts)
        if rule is None:
            continue
        holders, by = pasts.get(customer_id, ([], []))
        past = Past(row.holder_id, is_protected(row.protected_until_us, now_us), holders, by)
        why = kept(rule, past, company)
        load[row.holder_id] -= why is None
        found.append(Found(customer_id, row.holder_id, row.decision_id, rule, facts, why))
    return found


def _facts(
    connection: Connection, company: Company, customers: Sequence[str], now_us: int
) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield customers in their order with what is known of them, without holding all of it at once."""
    for start in range(0, len(customers), _AT_ONCE):
        some = customers[start : start + _AT_ONCE]
        facts = {one.customer_id: one.facts for one in customers_of(connection, company, now_us, only=some)}
        yield from ((one, facts[one]) for one in some if one in facts)


def _held(connection: Connection) -> dict[str, Any]:
    """Return the open customers that people own, but probes."""
    holding, customer = tables.holding, tables.customer
    rows = connection.execute(
        select(holding)
        .join(customer, customer.c.customer_id == holding.c.customer_id)
        .where(
            customer.c.state == "open",
            customer.c.purpose != "probe",
            holding.c.role == "owner",
            holding.c.holder_kind == "person",
            holding.c.to_us.is_(None),
        )
    )
    return {row.customer_id: row for row in rows}


def _pasts(
    connection: Connection, held: dict[str, Any], since_us: int
) -> dict[str, tuple[list[Any], list[str]]]:
    """Return by customer whose it was since then, and by which rules it moved by itself."""
    holding, decision = tables.holding, tables.decision
    found: dict[str, tuple[list[Any], list[str]]] = {}
    for row in connection.execute(
        select(holding.c.customer_id, holding.c.holder_kind, holding.c.holder_id).where(
            holding.c.role == "owner", holding.c.to_us >= since_us
        )
    ):
        if row.customer_id in held:
            found.setdefault(row.customer_id, ([], []))[0].append((row.holder_kind, row.holder_id))
    moved = select(decision.c.subject_id, decision.c.rule_id).where(
        decision.c.stage == "act", decision.c.code == "auto_moved", decision.c.decided_us >= since_us
    )
    for subject_id, rule_id in connection.execute(moved).all():
        if subject_id in held:
            found.setdefault(subject_id, ([], []))[1].append(str(rule_id))
    return found


class _Known:
    """What the columns of a table ask besides a customer's own facts; nothing is read that none asks."""

    def __init__(self, connection: Connection, office: Office, columns: set[str], now_us: int) -> None:
        self._office, self._now_us = office, now_us
        self._due = _earliest_due(connection, now_us) if "late_minutes" in columns else {}
        idle = owned(connection) if "idle_days" in columns else []
        self._touched = {one.customer_id: one.touched_us for one in idle}
        self._outcomes = _newest_outcomes(connection) if "outcome" in columns else {}

    def of(self, row: Any, load: int) -> dict[str, str]:
        """Return what is known of one customer; `load`: how many open ones its owner has."""
        company = self._office.company
        team = self._office.places.get(row.holder_id, "")
        person = company.people.get(row.holder_id)
        calendar, now_us = self._office.calendar_of_id(row.holder_id), self._now_us
        due_us, touched_us = self._due.get(row.customer_id), self._touched.get(row.customer_id)
        cap = person.open_cap if person else None
        return {
            "owner_team": team,
            "owner_department": department_of(company, team) or "",
            "late_minutes": str(working_seconds(calendar, due_us, now_us) // 60) if due_us else "0",
            "idle_days": str(working_days_between(calendar, touched_us, now_us)) if touched_us else "0",
            "over_cap": str(max(0, load - cap)) if cap is not None else "0",
            "outcome": self._outcomes.get(row.customer_id, ""),
        }


def _earliest_due(connection: Connection, now_us: int) -> dict[str, int]:
    task = tables.task
    rows = connection.execute(
        select(task.c.customer_id, func.min(task.c.due_us))
        .where(task.c.state == "open", task.c.due_us < now_us)
        .group_by(task.c.customer_id)
    )
    return {row[0]: int(row[1]) for row in rows}


def _newest_outcomes(connection: Connection) -> dict[str, str]:
    outcome = tables.outcome
    rows = connection.execute(
        select(outcome.c.customer_id, outcome.c.code).order_by(outcome.c.recorded_us, outcome.c.outcome_id)
    )
    return {row.customer_id: row.code for row in rows}


def move_now(store: Database, append: Append, now_us: int, at_once: int = AT_ONCE) -> int:
    """Move what the company's table moves, so many at most; return how many did."""
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        if not company.moves_csv:
            return 0
        due = [one for one in plan_moves(connection, company, company.moves_csv, now_us) if one.kept is None]
    return sum(_moved(store, append, company, one, now_us) for one in due[:at_once])


def _moved(store: Database, append: Append, company: Company, one: Found, now_us: int) -> bool:
    said = moves_version(str(company.moves_csv)), one.rule.row.name, one.rule.row.conditions(one.facts)
    plan = AutoMove(one.decision_id, one.rule.kind, one.rule.target, said)
    try:
        return perform(store, auto_command(one.customer_id, one.decision_id, said[1]), plan, now_us, append)
    except ActRefused:
        return False  # somebody decided about it meanwhile


class AutoMoves:
    """Moves customers by themselves, in a thread of its own: a look at all of them must hold up no lead.

    Any number of processes may: each move is done once.
    """

    def __init__(self, store: Database, append: Append) -> None:
        self._store, self._append = store, append
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="auto-moves", daemon=True)

    def start(self) -> None:
        """Start looking; the first time after EVERY_S."""
        self._thread.start()

    def stop(self) -> None:
        """End the look at hand."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(EVERY_S):
            try:
                move_now(self._store, self._append, wall_clock_us())
            except Exception as error:
                log.error("auto_moves_wait", error=type(error).__name__)
