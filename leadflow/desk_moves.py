"""What the console's page of moves has done: see console.move.Mover. The same acts as `leadflow move` and `leadflow undo`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leadflow.above import may_give_as
from leadflow.choosing import Part, share_out
from leadflow.clock import wall_clock_us
from leadflow.engine import Engine
from leadflow.operate_moves import do_move, do_undo, gives_to
from router.share_out import TargetError, read_target
from schemas.company import Role
from schemas.ids import make_id
from store.acts import ActRefused
from store.acts_move import Give, Judged, judge
from store.acts_undo import Undoing, plan_undo


@dataclass(frozen=True)
class ConsoleMoves:
    """Moves over an engine."""

    engine: Engine

    def preview(
        self, customers: Sequence[str], to: str, actor: str, role: Role | None = None
    ) -> list[Judged]:
        """Return what would become of each customer."""
        now_us = wall_clock_us()
        with self.engine.files.store.read() as connection:
            company = self.engine.companies.get(connection)
            gives = self._gives(customers, to)
            may = may_give_as(actor, role)(company, now_us)
            return judge(connection, gives, (company, may))

    def move(self, customers: Sequence[str], to: str, about: Mapping[str, str]) -> str:
        """Move them; return the act."""
        gives = self._gives(customers, to)
        names = [one.customer_id for one in gives]
        scope = names[0] if len(names) == 1 else make_id("set", *names)
        return str(do_move(self.engine, {**about, "id": scope, "gives": gives_to(gives)})["act_id"])

    def undoing(self, act_id: str, actor: str, role: Role | None = None) -> Undoing:
        """Return what taking an act back would do."""
        with self.engine.files.store.read() as connection:
            return plan_undo(connection, act_id, may_give_as(actor, role), wall_clock_us())

    def undo(self, act_id: str, actor: str, reason: str, role: Role | None = None) -> str:
        """Take an act back; return the act that did."""
        payload = {"id": act_id, "actor": actor, "reason": reason, "key": f"undo:{act_id}"}
        payload |= {"acting_role": role} if role else {}
        return str(do_undo(self.engine, payload)["act_id"])

    def _gives(self, customers: Sequence[str], to: str) -> list[Give]:
        with self.engine.files.store.read() as connection:
            company = self.engine.companies.get(connection)
            try:
                part = Part(read_target(to, company))
            except TargetError:
                raise ActRefused("choice", "Choose who is to have them.") from None
            return share_out(connection, company, customers, [part], wall_clock_us())[0]
