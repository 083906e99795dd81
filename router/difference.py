"""What a simulation comes to: who would have had what, beside who had it; counted as the leads go by. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from router.office import Office
from router.route import Holder
from router.simulate import Books, Came, Place
from schemas.facts import day_of
from schemas.shares import LEAD

EXAMPLES = 200
"""Leads that are listed one by one; the counts have all."""


@dataclass(slots=True)
class Side:
    """How it was, or would have been."""

    load: Counter[Holder] = field(default_factory=Counter)
    """Leads by who got them, or in which queue they still are."""
    queued: Counter[str] = field(default_factory=Counter)
    """Leads that nobody could take at once, by the queue."""
    answers: int = 0
    """Leads with a first-response limit."""
    late: int = 0
    """Of these: with a person only after the limit, or with nobody."""
    overnight: int = 0
    """Of these: the limit ends on a later day than the lead came, so the customer waits till then."""
    absent: int = 0
    """Stay with somebody who was away, and nobody stood in."""
    waited: int = 0
    """Leads that a person had out of a queue."""
    waited_us: int = 0
    """How long these waited, all together."""
    longest_us: int = 0

    def add(self, came: Came, place: Place, zone: str) -> None:
        """Count one lead."""
        self.load[place.holder] += 1
        self.absent += place.absent
        if place.queue is not None:
            self.queued[place.queue] += 1
            if place.owner_us is not None:
                self.waited += 1
                self.waited_us += place.owner_us - came.at_us
                self.longest_us = max(self.longest_us, place.owner_us - came.at_us)
        if place.due_us is not None:
            self.answers += 1
            self.late += place.owner_us is None or place.owner_us > place.due_us
            self.overnight += day_of(zone, place.due_us) != day_of(zone, came.at_us)

    @property
    def waiting(self) -> dict[str, int]:
        """Leads that are still with nobody, by queue."""
        return {
            who.holder_id: count
            for who, count in sorted(self.load.items(), key=_by_count)
            if who.kind != "person"
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person received of a team, and was entitled to, in leads."""

    team_id: str
    person_id: str
    received: int
    entitled: float
    furthest: float
    """The greatest distance between the two in one month and grade, which is what turns go by."""


@dataclass(slots=True)
class Difference:
    """What would have been other than it was."""

    office: Office
    leads: int = 0
    stay: int = 0
    """With who had their customer already."""
    same: int = 0
    was: Side = field(default_factory=Side)
    would: Side = field(default_factory=Side)
    moves: Counter[tuple[Holder, Holder]] = field(default_factory=Counter)
    """(who got it, who would have)."""
    rules: Counter[tuple[str | None, str | None]] = field(default_factory=Counter)
    """(rule that counted, rule that would have), where they differ."""
    by_rule: Counter[str | None] = field(default_factory=Counter)
    changed: list[tuple[Came, Place]] = field(default_factory=list)
    """The first leads that somebody else would have had."""
    orphans: list[str] = field(default_factory=list)
    """Leads that would be with nobody who works here, and in no queue that there is."""

    def add(self, came: Came, would: Place) -> None:
        """Count one lead."""
        was, zone = came.was, self.office.company.zone
        self.leads += 1
        self.stay += would.stays
        self.was.add(came, was, zone)
        self.would.add(came, would, zone)
        if not would.stays:
            self.by_rule[would.rule_id] += 1
            if would.rule_id != was.rule_id:
                self.rules[was.rule_id, would.rule_id] += 1
        if was.holder == would.holder:
            self.same += 1
        else:
            self.moves[was.holder, would.holder] += 1
            if len(self.changed) < EXAMPLES:
                self.changed.append((came, would))
        if not self._is_there(would.holder):
            self.orphans.append(came.lead_id)

    def _is_there(self, holder: Holder) -> bool:
        if holder.kind == "person":
            return self.office.works_here(holder.holder_id)
        return holder.kind != "queue" or holder.holder_id in self.office.company.units


def standings(books: Books) -> list[Standing]:
    """Return what each person of each team received and was entitled to, over all months and grades of a ledger."""
    sums: dict[tuple[str, str], tuple[int, int, float]] = {}
    for (team_id, _, _), totals in books.items():
        for person_id, (received, parts, _) in totals.items():
            had = sums.get((team_id, person_id), (0, 0, 0.0))
            apart = abs(received * LEAD - parts) / LEAD
            sums[team_id, person_id] = (had[0] + received, had[1] + parts, max(had[2], apart))
    return [Standing(*who, sums[who][0], sums[who][1] / LEAD, sums[who][2]) for who in sorted(sums)]


def _by_count(item: tuple[Holder, int]) -> tuple[int, str]:
    return -item[1], item[0].holder_id
