"""What the console's pages of operations have done: see console.operations.Operations."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from leadflow.clock import wall_clock_us
from leadflow.company import problems_of_book
from leadflow.door_watch import holidays
from leadflow.engine import Engine
from leadflow.operate import VERBS
from leadflow.rhythm import Rhythm
from leadflow.rule_problems import problems_in
from leadflow.simulation.run import Run, simulated, told
from leadflow.simulation.store import history, received, start
from leadflow.source_new import advice, wanted_of
from router.office import office_of
from sales.problems import Problem
from schemas.base import Language
from schemas.company import Company
from store import tables
from store.acts import ActRefused
from store.silences import rhythms


@dataclass(frozen=True)
class OperationsDesk:
    """Operations over an engine."""

    engine: Engine
    url: str
    """Under which the other side reaches us."""
    _simulating: threading.Lock = field(default_factory=threading.Lock)

    def do(self, verb: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Do what the command line does under this verb. Raises ActRefused."""
        return VERBS[verb](self.engine, payload)

    def problems_of_book(self, company: Company, *, thorough: bool) -> Sequence[Problem]:
        """Return what is wrong or odd in a company's book; not thorough: only what keeps it from being put in force."""
        return problems_in(company, with_overlaps=True) if thorough else problems_of_book(company)

    def simulated(self, company: Company, since_us: int, most: int) -> dict[str, Any]:
        """Return who would have had the last leads since a moment, one simulation at a time. Raises ActRefused."""
        if not self._simulating.acquire(blocking=False):
            raise ActRefused("simulating", "Somebody simulates just now; try again in a moment.")
        try:
            return self._simulated(company, since_us, most)
        finally:
            self._simulating.release()

    def _simulated(self, company: Company, since_us: int, most: int) -> dict[str, Any]:
        now_us, decision = wall_clock_us(), tables.decision
        run_of = (decision.c.stage == "route") & decision.c.lead_id.is_not(None)
        with self.engine.files.store.read() as connection:
            newest = connection.execute(
                select(decision.c.decided_us)
                .where(run_of, decision.c.decided_us >= since_us)
                .order_by(decision.c.decided_us.desc())
                .offset(most)
                .limit(1)
            ).scalar_one_or_none()
            from_us = since_us if newest is None else newest + 1
            run = Run(office_of(company), from_us, now_us + 1, "")
            run.before = received(connection, company.zone, from_us, now_us + 1, credits=False)
            leads = history(connection, company, from_us, now_us + 1)
            return told(simulated(run, leads, start(connection, company, from_us)))

    def expected(
        self, source_id: str, company: Company, from_us: int, to_us: int
    ) -> tuple[float, float] | None:
        """Return how much a door usually takes in a week, and between two moments; None while that is being learnt."""
        with self.engine.files.store.read() as connection:
            found = rhythms(connection).get(source_id)
        if found is None:
            return None
        rhythm = Rhythm(found[0], ZoneInfo(found[1]))
        closed = holidays(company, rhythm.zone, from_us, to_us)
        return rhythm.weekly, rhythm.expected(max(from_us, to_us - _LONGEST_US), to_us, closed)

    def advice(self, section: Mapping[str, Any], language: Language) -> list[str]:
        """Return what the other side of a source needs, as `leadflow source new` prints it."""
        wanted = wanted_of(section)
        return advice(wanted, section, self.url, language) if wanted is not None else []


_LONGEST_US = 28 * 24 * 3_600_000_000
"""A door that has been silent for longer is not counted hour by hour any further."""
