"""The allocation ledger, for acts: what somebody takes, and what is credited back.

It is kept by local month, team and lead grade. What route gives is entered by `router.gateway`, in the same rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal

import orjson
from sqlalchemy import Connection, select

from schemas.facts import day_of
from schemas.shares import LEAD, parts_of
from store import tables
from store.bulk import keys_in
from store.effects import Count, Effect, Insert

Standing = tuple[tuple[str, int, int, int, int], ...]
"""Of each who could have had a lead: person, share, received, entitled, the strategy's number (`schemas.work.Reason`)."""
Credit = Literal["invalid", "moved"]
"""Why something received is credited back: it was no lead, or a manager gave it to somebody else."""

NO_GRADE = "-"
"""The grade of a customer none of whose leads has one."""


def period_of(at_us: int, zone: str) -> str:
    """Return the local month, such as `2026-11`: long enough for few leads to be shared out evenly."""
    return day_of(zone, at_us)[:7]


def entered(
    decision_id: str, person_id: str, where: tuple[str, str, str], at_us: int, kind: str = "received"
) -> dict[str, object]:
    """Return a row of the ledger; `where` is team, period and grade."""
    team_id, period, grade = where
    return {
        "decision_id": decision_id,
        "person_id": person_id,
        "kind": kind,
        "team_id": team_id,
        "period": period,
        "grade": grade,
        "delta": 1 if kind == "received" else -1,
        "at_us": at_us,
    }


def taken(decision_id: str, person_id: str, where: tuple[str, str, str], at_us: int) -> list[Effect]:
    """Return the entry of what somebody took, not being given it: received, and entitled to as well.

    So it neither uses up a turn nor earns those one who were not there.
    """
    row = entered(decision_id, person_id, where, at_us)
    return [Insert("ledger", row), Count(*where, person_id, 1, LEAD, at_us)]


def credited(
    connection: Connection, about: tuple[str, str | None], why: Credit, at: tuple[int, str], act_id: str
) -> list[Effect]:
    """Return the entries that credit back what somebody last received of a customer; none if that was done before.

    `about` is the customer and, if only one of its leads is meant, that lead: what was received for an earlier one
    stays.

    Whoever received it has one less, and nobody who could have had it is entitled to their part of it any more: as if
    it had never come. That counts in the month of the credit (`at` is the moment and the company's zone), so that it
    changes the next turns. A decision is credited once, for whatever reason first.
    """
    ledger, decision = tables.ledger, tables.decision
    customer_id, lead_id = about
    rows = connection.execute(
        select(ledger, decision.c.reason_json, decision.c.lead_id)
        .join(decision, decision.c.decision_id == ledger.c.decision_id)
        .where(decision.c.subject_id == customer_id)
        .order_by(decision.c.decided_us.desc(), decision.c.decision_id, ledger.c.delta)
    ).all()
    if not rows or rows[0].delta < 0:
        return []
    given = rows[0]
    if lead_id is not None and given.lead_id not in (None, lead_id):
        return []
    return _credit(given, why, at, act_id)


def _credit(given: Any, why: Credit, at: tuple[int, str], act_id: str) -> list[Effect]:
    at_us, zone = at
    where = (given.team_id, period_of(at_us, zone), given.grade)
    row = entered(given.decision_id, given.person_id, where, at_us, why)
    return [
        Insert("ledger", {**row, "act_id": act_id}),
        *_counts(where, given.person_id, _standing(given), -1, at_us=0),
    ]


def _counts(
    where: tuple[str, str, str], person_id: str, standing: Standing, sign: int, at_us: int
) -> list[Effect]:
    """Return what one entry adds to the sums: whoever received it, and everybody who could have had it."""
    parts = parts_of([row[1] for row in standing])
    return [
        Count(*where, one[0], sign * (one[0] == person_id), sign * part, at_us if one[0] == person_id else 0)
        for one, part in zip(standing, parts, strict=True)
    ]


def _standing(row: Any) -> Standing:
    """Return who could have had a lead; of what was decided before that was recorded, who received it."""
    standing = orjson.loads(row.reason_json).get("standing") or [[row.person_id, 1, 0, 0, 0]]
    return tuple(tuple(one) for one in standing)


def moved_away(
    connection: Connection, losing: Mapping[str, str], at: tuple[int, str], act_id: str
) -> list[Effect]:
    """Return the entries that credit back what a manager gives to somebody else; `losing`: customer to who had it.

    Only what this person received in the same month: a re-allocation of last year's customers gives nobody a hundred
    turns.
    """
    ledger, decision = tables.ledger, tables.decision
    rows = connection.execute(
        select(ledger, decision.c.reason_json, decision.c.subject_id)
        .join(decision, decision.c.decision_id == ledger.c.decision_id)
        .where(keys_in(connection, ["decision.subject_id"], [(one,) for one in losing]))
        .order_by(decision.c.subject_id, decision.c.decided_us.desc(), decision.c.decision_id, ledger.c.delta)
    )
    effects: list[Effect] = []
    for customer_id, entries in groupby(rows, key=lambda row: str(row.subject_id)):
        last = next(entries)
        if last.delta > 0 and last.person_id == losing[customer_id] and last.period == period_of(*at):
            effects += _credit(last, "moved", at, act_id)
    return effects


def taken_back(
    connection: Connection, decisions: Iterable[str], at: tuple[int, str], act_id: str
) -> list[Effect]:
    """Return the entries that credit back what these decisions gave, as they are undone; once at most, as ever."""
    ledger, decision = tables.ledger, tables.decision
    names = [(one,) for one in sorted(set(decisions))]
    rows = connection.execute(
        select(ledger, decision.c.reason_json)
        .join(decision, decision.c.decision_id == ledger.c.decision_id)
        .where(keys_in(connection, ["ledger.decision_id"], names))
        .order_by(ledger.c.decision_id, ledger.c.delta)
    )
    effects: list[Effect] = []
    for _, entries in groupby(rows, key=lambda row: str(row.decision_id)):
        first = next(entries)
        if first.delta > 0:
            effects += _credit(first, "moved", at, act_id)
    return effects


@dataclass(frozen=True, slots=True)
class Credited:
    """What a move had credited back of one customer, so that its undoing can enter it again."""

    person_id: str
    team_id: str
    grade: str
    standing: Standing

    def again(self, decision_id: str, at: tuple[int, str]) -> list[Effect]:
        """Return the entry by which the person has received it after all."""
        where = (self.team_id, period_of(*at), self.grade)
        row = entered(decision_id, self.person_id, where, at[0])
        return [Insert("ledger", row), *_counts(where, self.person_id, self.standing, 1, at_us=0)]


def credited_by(connection: Connection, act_id: str) -> dict[str, Credited]:
    """Return what an act credited back, by customer."""
    ledger, decision = tables.ledger, tables.decision
    rows = connection.execute(
        select(ledger, decision.c.reason_json, decision.c.subject_id)
        .join(decision, decision.c.decision_id == ledger.c.decision_id)
        .where(ledger.c.act_id == act_id, ledger.c.kind == "moved")
    )
    return {row.subject_id: Credited(row.person_id, row.team_id, row.grade, _standing(row)) for row in rows}


def grade_of(connection: Connection, lead_id: str | None) -> str:
    """Return the grade of a lead, as the ledger knows it."""
    table = tables.lead
    found = connection.execute(select(table.c.grade).where(table.c.lead_id == lead_id)).scalar_one_or_none()
    return found or NO_GRADE
