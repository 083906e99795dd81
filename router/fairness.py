"""The proof of fairness: what each person received and was entitled to, added up from the decisions themselves. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from schemas.shares import LEAD, parts_of


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger with the decision behind it."""

    at_us: int
    team_id: str
    grade: str
    person_id: str
    kind: str
    delta: int
    decision_id: str
    customer_id: str
    lead_id: str | None
    act_id: str | None
    standing: tuple[tuple[str, int], ...]
    """Who could have had it, with their shares; empty for what was taken."""


@dataclass(slots=True)
class Line:
    """One person of a team, for leads of one grade."""

    team_id: str
    grade: str
    person_id: str
    received: int = 0
    """Credits taken off."""
    credited: int = 0
    parts: int = 0
    """What they were entitled to, in parts of a lead (schemas.shares)."""
    entries: list[Entry] = field(default_factory=list)

    @property
    def entitled(self) -> float:
        """What they were entitled to, in leads."""
        return self.parts / LEAD

    @property
    def difference(self) -> float:
        """Received less entitled."""
        return (self.received * LEAD - self.parts) / LEAD


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Return the entry of a row of `store.views.ledger_entries`."""
    standing = tuple((str(one[0]), int(one[1])) for one in row["reason"].get("standing", ()))
    names = ("at_us", "team_id", "grade", "person_id", "kind", "delta", "decision_id", "act_id", "lead_id")
    return Entry(**{name: row[name] for name in names}, customer_id=row["subject_id"], standing=standing)


def lines_of(entries: Iterable[Entry]) -> list[Line]:
    """Return the sums by team, grade and person: each entry gives those who could have had it their part of it."""
    lines: dict[tuple[str, str, str], Line] = {}

    def line(entry: Entry, person_id: str) -> Line:
        key = (entry.team_id, entry.grade, person_id)
        return lines.setdefault(key, Line(*key))

    for entry in entries:
        own = line(entry, entry.person_id)
        own.received += entry.delta
        own.credited += entry.delta < 0
        own.entries.append(entry)
        standing = entry.standing or ((entry.person_id, 1),)
        for (person_id, _), part in zip(standing, parts_of([one[1] for one in standing]), strict=True):
            line(entry, person_id).parts += part * entry.delta
    return [lines[key] for key in sorted(lines)]
