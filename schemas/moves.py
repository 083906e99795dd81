"""Automatic moves (moves.csv): rules by which a customer leaves its owner by itself, as a decision table.

A row is a rule; the first whose conditions hold moves the customer to `then_team` (its queue, to be shared out by turn) or
`then_person`. Conditions are those of segments, and what is known of the owner and of what was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.company import book_version
from schemas.decision_table import Row, Shape, TableError, Wrong, read_rows
from schemas.segments import CUSTOMER_FACTS
from schemas.unary import FactKind
from schemas.work import HolderKind

MOVE_FACTS: Mapping[str, FactKind] = {
    **{name: kind for name, kind in CUSTOMER_FACTS.items() if name not in ("holder_kind", "state")},
    "owner_team": "text", "owner_department": "text", "late_minutes": "number", "idle_days": "number",
    "over_cap": "number", "outcome": "text",
}  # fmt: skip
"""What an automatic move may ask: what a segment may; the owner's team and department; for how many working minutes the
earliest open task is late; for how many working days of the owner nothing was done; by how many open customers the owner
is over their cap; the code of the newest outcome. Only open customers that a person owns are asked about."""
_SHAPE = Shape("move", MOVE_FACTS, ("then_team", "then_person"))
_ONE_TARGET = ("write either then_team or then_person", "请填写 then_team 或 then_person 之一")
_NO_CONDITION = ("this would move every customer; write a condition", "会变更所有客户；请填写条件")


@dataclass(frozen=True, slots=True)
class AutoRule:
    """One row: its conditions, and who gets the customer."""

    row: Row
    kind: HolderKind
    target: str


def read_moves(text: str) -> tuple[AutoRule, ...]:
    """Read a table of automatic moves from CSV. Raises TableError, which names line, column and fix."""
    rules: list[AutoRule] = []
    wrong: list[Wrong] = []
    for row in read_rows(text, _SHAPE):
        team, person = row.cells.get("then_team", ""), row.cells.get("then_person", "")
        if bool(team) == bool(person):
            wrong.append(row.wrong("then_team" if "then_team" in row.cells else "then_person", *_ONE_TARGET))
        if not row.tests:
            wrong.append(Wrong(*_NO_CONDITION, row.line))
        rules.append(AutoRule(row, "queue" if team else "person", team or person))
    if wrong:
        raise TableError(wrong)
    return tuple(rules)


def moves_version(text: str) -> str:
    """Return the version that decisions name: `moves:` and a digest of the table."""
    return f"moves:{book_version(text)}"
