"""What the console's page of hand-overs has done: see console.handover.HandOver. The same acts as `leadflow handover`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.handover import Begun, Planned, Undone
from leadflow.above import may_give_as
from leadflow.choosing import ChoiceError
from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.handover_job import planned
from leadflow.handover_leave import without
from leadflow.operate_moves import do_hand_back, do_hand_over
from schemas.company import Role
from store.acts import ActRefused
from store.acts_move import judge
from store.acts_undo import what_job_undoes
from store.belongings import belongings


@dataclass(frozen=True)
class ConsoleHandOver:
    """Hand-overs over an engine."""

    engine: Engine

    def plan(self, person_id: str, asked: Mapping[str, Any], actor: str, role: Role | None = None) -> Planned:
        """Return exactly who would get which of a person's customers."""
        now_us = wall_clock_us()
        with self.engine.files.store.read() as connection:
            company = self.engine.companies.get(connection)
            if person_id not in company.people:
                raise ActRefused("unknown_person", f"There is nobody {person_id!r}.")
            try:
                gives, left = planned(connection, company, person_id, dict(asked), now_us)
            except ChoiceError as error:
                raise ActRefused("choice", str(error)) from None
            if asked["leaving"]:
                without(company, person_id, asked["duties_to"], now_us)
            may = may_give_as(actor, role)(company, now_us)
            judged = judge(connection, gives, (company, may), owner=person_id)
            return Planned(judged, len(left), belongings(connection, company, person_id, now_us))

    def begin(self, person_id: str, asked: Mapping[str, Any], about: Mapping[str, str]) -> Begun:
        """Begin a hand-over, and go on with it for some seconds; the engine's own thread does the rest."""
        done = do_hand_over(self.engine, {**asked, **about, "id": person_id})
        return Begun(str(done["job_id"]), bool(done["resumed"]))

    def undoing(self, job_id: str) -> Undone:
        """Return what undoing a hand-over would do."""
        with self.engine.files.store.read() as connection:
            sent, left, back, ended = what_job_undoes(connection, job_id)
        return Undone(tuple(sent), tuple(code for _, code in left), back, ended)

    def undo(self, job_id: str, actor: str, reason: str, role: Role | None = None) -> None:
        """Undo a hand-over for some seconds; the engine's own thread goes on."""
        do_hand_back(self.engine, {"id": job_id, "actor": actor, "reason": reason, "acting_role": role})
