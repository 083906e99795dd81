"""One simulation from a history to figures: everything that the command, the page and the bench show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from router.difference import Difference, Side, Standing, standings
from router.office import Office
from router.simulate import Books, Came, Closed, Place, Simulation, Start
from schemas.facts import day_of


@dataclass(frozen=True, slots=True)
class Collision:
    """One customer that several departments had."""

    customer: str
    """As it was named when it came first."""
    departments: tuple[str, ...]
    owners: tuple[str, ...]
    lines: tuple[int, ...]
    """Where its leads stand in the sheet."""
    would: str
    """Who would have had it in the end."""


@dataclass
class Run:
    """A simulation that is over."""

    office: Office
    since_us: int
    until_us: int
    seed: str
    came: int = 0
    difference: Difference = field(init=False)
    before: Books | None = None
    """The ledger as it was, of the same stretch of time; None where none was kept."""
    after: Books = field(default_factory=dict)
    collisions: list[Collision] | None = None
    """Only of a sheet, where nobody had kept departments apart yet."""

    def __post_init__(self) -> None:
        self.difference = Difference(self.office)

    @property
    def orphans(self) -> int:
        """Leads with nobody and in no queue that there is, and leads that went missing: counted, not assumed."""
        return len(self.difference.orphans) + abs(self.came - self.difference.leads)


def simulated(
    run: Run,
    history: Iterable[Came | Closed],
    start: Start | None = None,
    seen: Callable[[Came, Place], None] | None = None,
) -> Run:
    """Take a history through the rules of a run's office; `seen` is told of each lead."""
    simulation = Simulation(run.office, start, run.seed)
    for came, would in simulation.run(_counted(run, history)):
        run.difference.add(came, would)
        if seen is not None:
            seen(came, would)
    run.after = simulation.given()
    return run


def _counted(run: Run, history: Iterable[Came | Closed]) -> Iterator[Came | Closed]:
    for one in history:
        run.came += isinstance(one, Came)
        yield one


def told(run: Run) -> dict[str, Any]:
    """Return a run as plain data: what `--json` writes, and what the texts and the page are made of."""
    difference, zone = run.difference, run.office.company.zone
    was, would = difference.was, difference.would
    found = {
        "since": day_of(zone, run.since_us),
        "until": day_of(zone, run.until_us - 1),
        "book_version": run.office.book.version,
        "seed": run.seed,
        "leads": difference.leads,
        "stay": difference.stay,
        "same": difference.same,
        "changed": difference.leads - difference.same,
        "moves": [
            {"from": one.holder_id, "to": other.holder_id, "leads": count}
            for (one, other), count in _ranked(difference.moves)
        ],
        "rules": [
            {"before": one, "after": other, "leads": count}
            for (one, other), count in _ranked(difference.rules)
        ],
        "by_rule": [{"rule": rule, "leads": count} for rule, count in _ranked(difference.by_rule)],
        "changed_leads": [
            {
                "lead_id": came.lead_id,
                "came_us": came.at_us,
                "from": came.was.holder.holder_id,
                "to": place.holder.holder_id,
                "rule_before": came.was.rule_id,
                "rule_after": place.rule_id,
            }
            for came, place in difference.changed
        ],
        "load": _load(was, would, "person"),
        "queues": [
            {**row, "queued_before": was.queued[row["holder"]], "queued_after": would.queued[row["holder"]]}
            for row in _load(was, would, "queue", {*was.queued, *would.queued})
        ],
        "fairness": _fairness(run.before, run.after),
        "first_response": {
            "before": _answers(was) if run.before is not None else None,
            "after": _answers(would),
        },
        "orphans": run.orphans,
        "orphan_leads": difference.orphans[:100],
    }
    if run.collisions is not None:
        found["collisions"] = [
            {
                "customer": one.customer,
                "departments": list(one.departments),
                "owners": list(one.owners),
                "lines": list(one.lines),
                "would": one.would,
            }
            for one in run.collisions
        ]
    return found


def _ranked(counts: Counter[Any]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _load(
    was: Side, would: Side, kind: Literal["person", "queue"], more: Iterable[str] = ()
) -> list[dict[str, Any]]:
    counts = [Counter[str](), Counter[str]()]
    for side, count in zip((was, would), counts, strict=True):
        for one, leads in side.load.items():
            if (one.kind == "person") == (kind == "person"):
                count[one.holder_id] += leads
    rows = [
        {"holder": one, "before": counts[0][one], "after": counts[1][one]}
        for one in {*counts[0], *counts[1], *more}
    ]
    return sorted(rows, key=lambda row: (-max(row["before"], row["after"]), row["holder"]))


def _fairness(before: Books | None, after: Books) -> list[dict[str, Any]]:
    lines: dict[tuple[str, str], dict[str, Standing]] = {}
    for when, books in (("before", before), ("after", after)):
        for one in standings(books or {}):
            lines.setdefault((one.team_id, one.person_id), {})[when] = one
    rows = []
    for team_id, person_id in sorted(lines):
        row: dict[str, Any] = {"team": team_id, "person": person_id}
        for when in ("before", "after"):
            one = lines[team_id, person_id].get(when) or Standing(team_id, person_id, 0, 0.0, 0.0)
            is_known = when == "after" or before is not None
            row[f"received_{when}"] = one.received if is_known else None
            row[f"entitled_{when}"] = round(one.entitled, 4) if is_known else None
            row[f"furthest_{when}"] = round(one.furthest, 4) if is_known else None
        rows.append(row)
    return rows


def _answers(side: Side) -> dict[str, Any]:
    return {
        "leads": side.answers,
        "late": side.late,
        "overnight": side.overnight,
        "absent": side.absent,
        "queued": sum(side.queued.values()),
        "waiting": sum(side.waiting.values()),
        "mean_wait_minutes": round(side.waited_us / side.waited / 60e6, 1) if side.waited else 0.0,
        "longest_wait_minutes": round(side.longest_us / 60e6, 1),
    }
