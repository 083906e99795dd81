"""What came of a task: the outcome a salesperson records, and what it asks for next."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Frozen, Micros

OutcomeCode = Literal[
    "no_answer", "interested", "later", "no_need", "wrong_number", "not_a_lead", "won", "nurture"
]
"""no_answer climbs a retry ladder; later needs a date; the next four end the work on this lead;
nurture puts the customer aside until a date, see `sales.nurture`."""


class Outcome(Frozen):
    """One recorded outcome of one task."""

    outcome_id: str
    task_id: str
    customer_id: str
    person_id: str
    code: OutcomeCode
    reason: str | None = Field(None, description="Which entry of the company's list, e.g. of `no_need`")
    note: str | None = Field(None, description="Free text of the salesperson")
    next_us: Micros | None = Field(None, description="When to take it up again")
    recorded_us: Micros
