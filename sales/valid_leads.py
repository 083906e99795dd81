"""Valid leads: how many enquiries each source or campaign brought, and how many turned out to be none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, case, func, select

from sales.outcomes import INVALID
from store import tables

By = Literal["source", "campaign", "channel"]
_COLUMNS = {"source": "source_id", "campaign": "campaign_id", "channel": "channel"}


@dataclass(frozen=True, slots=True)
class Brought:
    """What came by one source, campaign or channel; `key` is empty for leads of no campaign."""

    key: str
    leads: int
    invalid: int
    won: int

    @property
    def valid(self) -> int:
        """Leads that nobody has found to be none so far."""
        return self.leads - self.invalid


def brought(connection: Connection, by: By, from_us: int, to_us: int) -> list[Brought]:
    """Return it for the enquiries accepted in a stretch of time, most leads first.

    Invalid is a lead of which an outcome said `not_a_lead` or `wrong_number`; won, one whose outcome was `won`.
    """
    lead, task, outcome = tables.lead, tables.task, tables.outcome
    said = (
        select(
            task.c.lead_id,
            func.max(case((outcome.c.code.in_(sorted(INVALID)), 1), else_=0)).label("invalid"),
            func.max(case((outcome.c.code == "won", 1), else_=0)).label("won"),
        )
        .join(outcome, outcome.c.task_id == task.c.task_id)
        .where(task.c.lead_id.is_not(None))
        .group_by(task.c.lead_id)
        .subquery()
    )
    key = func.coalesce(lead.c[_COLUMNS[by]], "")
    rows = connection.execute(
        select(
            key.label("key"),
            func.count().label("leads"),
            func.coalesce(func.sum(said.c.invalid), 0).label("invalid"),
            func.coalesce(func.sum(said.c.won), 0).label("won"),
        )
        .select_from(lead.outerjoin(said, said.c.lead_id == lead.c.lead_id))
        .where(
            lead.c.kind == "enquiry",
            lead.c.purpose.in_(("real", "demo")),
            lead.c.accepted_us >= from_us,
            lead.c.accepted_us < to_us,
        )
        .group_by(key)
    )
    found = [Brought(row.key, int(row.leads), int(row.invalid), int(row.won)) for row in rows]
    return sorted(found, key=lambda one: (-one.leads, one.key))
