"""Segments: saved filters over customers, as a table that a person reads and changes.

A row is a segment; a customer is in it where all its conditions hold (schemas.decision_table), so one customer
may be in several.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from schemas.decision_table import Row, Shape, read_rows
from schemas.unary import FactKind

CUSTOMER_FACTS: Mapping[str, FactKind] = {
    "kind": "text", "province": "text", "city": "text", "territory": "text", "industry": "text", "product_line": "text",
    "product": "text", "channel": "text", "campaign": "text", "language": "text", "grade": "text", "score": "number",
    "leads": "number", "days_silent": "number", "holder_kind": "text", "holder": "text", "state": "text", "complete": "number",
}  # fmt: skip
"""What a segment may ask about a customer: the newest that its leads say, `score` and `grade` of the newest scored
lead, `leads` how many, `days_silent` since the newest, who holds it, `complete` the share in percent of the required
fields that are known."""

_NAMES = ("name_zh", "name_en")
_SHAPE = Shape("segment", CUSTOMER_FACTS, _NAMES, needed=_NAMES)


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, its names, and the conditions to be in it."""

    row: Row
    name_zh: str
    name_en: str


def read_segments(text: str) -> tuple[Segment, ...]:
    """Read a table of segments from CSV. Raises TableError, which names line, column and fix."""
    return tuple(
        Segment(row, row.cells["name_zh"] or row.name, row.cells["name_en"] or row.name)
        for row in read_rows(text, _SHAPE)
    )
