"""The act by which a customer leaves its owner by itself, as a rule of moves.csv says: recorded, credited and undone as a move is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from schemas.work import Condition, HolderKind, Reason
from store.acts import ITSELF, ActRefused, Command
from store.acts_move import drained, is_there
from store.company import company_version, load_company
from store.effects import Effect
from store.ledger import moved_away
from store.locks import share_company
from store.moves import Move, give, held_customer
from store.protection import is_protected
from store.waiting import freed


@dataclass(frozen=True, slots=True)
class AutoMove:
    """The plan that gives a customer (the command's scope) away by a rule, if nobody decided about it since it was looked at."""

    decision_id: str | None
    """By which its owner had it then."""
    kind: HolderKind
    holder_id: str
    rule: tuple[str, str, tuple[Condition, ...]]
    """Version of the table, name of the row, and the conditions that held."""

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Give it away. Refused: it has another owner by now, is protected, or who is to have it has left."""
        share_company(connection)
        company = load_company(connection, company_version(connection))
        held = held_customer(connection, command.scope_id)
        if held is None or held.holder_kind != "person" or held.decision_id != self.decision_id:
            raise ActRefused("moved_on", "Somebody decided about it since.")
        if is_protected(held.protected_until_us, now_us) or not is_there(company, self.kind, self.holder_id):
            raise ActRefused("moved_on", "It is protected by now, or who is to have it has left.")
        version, name, conditions = self.rule
        at_us = max(now_us, held.after_us)
        reason = Reason(
            code="auto_moved",
            book_version=version,
            rule_id=name,
            conditions=conditions,
            team_id=self.holder_id if self.kind == "queue" else None,
        )
        losing = {held.customer_id: held.holder_id}
        return [
            *moved_away(connection, losing, (at_us, company.zone), command.act_id),
            *give(Move(held, command, at_us), self.kind, self.holder_id, reason),
            *freed(connection, losing.values(), command, at_us),
            *drained({self.holder_id: at_us} if self.kind == "queue" else {}),
        ]


def auto_command(customer_id: str, decision_id: str | None, rule: str) -> Command:
    """Return the command of one automatic move; the same whoever finds it, so that it is done once."""
    return Command(
        "auto_move", ITSELF, f"auto:{customer_id}:{decision_id}:{rule}", customer_id, f"moves.csv: {rule}"
    )
