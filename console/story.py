"""The story of a lead as steps in the order in which they happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_ORDER = ("received", "refused", "read", "recognised", "decided", "task", "delivery", "outcome")
"""What comes first of two steps at the same microsecond."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step: when, what kind, and the row (with what belongs to it) that the page shows."""

    at_us: int
    kind: str
    row: Mapping[str, Any]


def steps(told: Mapping[str, list[dict[str, Any]]]) -> list[Step]:
    """Put what `store.views.story` found into order."""
    return sorted(_steps(told), key=lambda step: (step.at_us, _ORDER.index(step.kind)))


def _steps(told: Mapping[str, list[dict[str, Any]]]) -> Iterator[Step]:
    for row in told["captures"]:
        yield Step(row["accepted_us"], "received", row)
    for row in told["dead"]:
        yield Step(row["refused_us"], "refused", row)
    memberships = {row["lead_id"]: row for row in told["memberships"] if row["to_us"] is None}
    for row in told["leads"]:
        lead_id = row["lead_id"]
        yield Step(row["resolved_us"], "read", row)
        evidence = [one for one in told["evidence"] if one["lead_id"] == lead_id]
        if (membership := memberships.get(lead_id)) is not None:
            yield Step(row["resolved_us"], "recognised", {**membership, "evidence": evidence})
    holders = {
        row["decision_id"]: (row["holder_kind"], row["holder_id"])
        for row in told["holdings"]
        if row["decision_id"] is not None
    }
    for row in told["decisions"]:
        kind, holder_id = holders.get(row["decision_id"]) or _holder_at(told["holdings"], row)
        yield Step(row["decided_us"], "decided", {**row, "holder_kind": kind, "holder_id": holder_id})
    for row in told["tasks"]:
        yield Step(row["created_us"], "task", row)
    for row in told["deliveries"]:
        yield Step(row["answered_us"] or row["decided_us"], "delivery", row)
    for row in told["outcomes"]:
        yield Step(row["recorded_us"], "outcome", row)


def _holder_at(holdings: list[dict[str, Any]], decision: Mapping[str, Any]) -> tuple[str, str]:
    """Return who had the customer when a decision left it where it was."""
    for row in holdings:
        began = row["from_us"] <= decision["decided_us"]
        if (
            row["customer_id"] == decision["subject_id"]
            and row["role"] == "owner"
            and began
            and (row["to_us"] is None or decision["decided_us"] < row["to_us"])
        ):
            return row["holder_kind"], row["holder_id"]
    return "queue", ""
