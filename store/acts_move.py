"""The act by which a manager gives customers to others: one or a whole set, and why a row of it is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from sqlalchemy import Connection, select

from schemas.company import Company
from schemas.work import Condition, HolderKind, Reason
from store import tables
from store.acts import ActRefused, Command
from store.acts_inbox import QUEUE_OPENS
from store.company import company_version, load_company
from store.effects import Effect, Insert
from store.ledger import moved_away
from store.locks import share_company
from store.moves import Held, Move, give, held_of
from store.nurture import put_aside_by
from store.present import present_ids
from store.waiting import freed

INTAKE, PROBE = "intake", "probe"
"""Built-in queues: what is on its way through the stages, and what belongs to no figure."""

RowRefused = Literal[
    "unknown_customer",
    "in_intake",
    "not_below",
    "target_not_below",
    "there_already",
    "holder_gone",
    "moved_on",
]
"""Why one row of many is left where it is (see leadflow.move_words)."""

MayGive = Callable[[Company, int], Callable[[str], bool]]
"""Tells of the company at a moment whether the actor may give away, and give to, a person or unit."""


@dataclass(frozen=True, slots=True)
class Give:
    """One customer, under any of its ids, and who is to have it; by which rule, if it was by one."""

    customer_id: str
    kind: HolderKind
    holder_id: str
    team_id: str | None = None
    rule_id: str | None = None
    conditions: tuple[Condition, ...] = ()

    def reason(self, code: Literal["moved", "handed_over"], company: Company) -> Reason:
        """Return the reason to be recorded."""
        return Reason(
            code=code,
            book_version=company.book_version if self.rule_id else None,
            rule_id=self.rule_id,
            conditions=self.conditions,
            team_id=self.team_id or (self.holder_id if self.kind == "queue" else None),
            pool_id=self.holder_id if self.kind == "pool" else None,
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """One row: whose it is now, and why it is refused, if it is."""

    give: Give
    held: Held | None
    refused: RowRefused | None


def judge(
    connection: Connection,
    gives: Sequence[Give],
    seen: tuple[Company, Callable[[str], bool]],
    *,
    owner: str | None = None,
    lock: bool = False,
) -> list[Judged]:
    """Find out which rows can be given, without doing it. With `owner`, only what this person still has."""
    company, may = seen
    names = present_ids(connection, (one.customer_id for one in gives))
    held = held_of(connection, names.values(), lock=lock)
    aside = put_aside_by(connection, [key for key, has in held.items() if has.holder_kind == "nurture"])
    found, taken = [], set[str]()
    for one in gives:
        name = names[one.customer_id]
        has = held.get(name)
        whose = aside.get(name) if has is None or has.holder_kind == "nurture" else has.holder_id
        why = _refused(one, has, whose, company, may)
        if why is None and (name in taken or (owner is not None and has and not _has(has, owner))):
            why = "moved_on" if owner is not None and name not in taken else "there_already"
        if why is None:
            taken.add(name)
        found.append(Judged(one, has, why))
    return found


def _has(held: Held, owner: str) -> bool:
    return (held.holder_kind, held.holder_id) == ("person", owner)


def _refused(
    one: Give,
    held: Held | None,
    whose: str | None,
    company: Company,
    may: Callable[[str], bool],
) -> RowRefused | None:
    """Return why a row is refused; `whose` it is to give away: its holder's, or who had it before it was put aside."""
    if held is None:
        return "unknown_customer"
    if held.holder_id in (INTAKE, PROBE) and held.holder_kind == "queue":
        return "in_intake"
    if not may(whose or ""):  # before all that would tell who has what is not below
        return "not_below"
    if not is_there(company, one.kind, one.holder_id):
        return "holder_gone"
    if (held.holder_kind, held.holder_id) == (one.kind, one.holder_id):
        return "there_already"
    return None if may(one.holder_id) else "target_not_below"


def may_have(may: Callable[[str], bool], kind: str, holder_id: str) -> bool:
    """Tell whether something may go back to a holder: what was put aside before was nobody's, so any manager may."""
    return kind == "nurture" or may(holder_id)


def is_there(company: Company, kind: str, holder_id: str) -> bool:
    """Tell whether a person works here, or a unit or pool exists, so that it can hold a customer."""
    if kind == "person":
        person = company.people.get(holder_id)
        return person is not None and person.state == "active"
    if kind == "nurture":
        return any(one.code == holder_id for one in company.choices_of("nurture"))
    return holder_id in (company.pools if kind == "pool" else company.units)


def given(
    judged: Iterable[Judged],
    command: Command,
    company: Company,
    now_us: int,
    code: Literal["moved", "handed_over"],
) -> list[Effect]:
    """Return the effects of all rows that are not refused: holders, tasks, decisions, and the news of it."""
    effects: list[Effect] = []
    first: dict[tuple[str, str], str] = {}
    queues: dict[str, int] = {}
    for one in judged:
        if one.refused is not None or one.held is None:
            continue
        to = one.give
        both = (one.held.holder_id, to.holder_id)
        at_us = max(now_us, one.held.after_us)
        move = Move(one.held, command, at_us, told_with=first.get(both))
        first.setdefault(both, move.decision_id)
        effects += give(move, to.kind, to.holder_id, to.reason(code, company))
        if to.kind == "queue":
            queues[to.holder_id] = max(at_us, queues.get(to.holder_id, 0))
    return [*effects, *drained(queues)]


def drained(queues: dict[str, int]) -> list[Effect]:
    """Return the timers by which queues that got something are drained, each from its moment on."""
    return [
        Insert("timer", {"kind": QUEUE_OPENS, "subject_id": queue, "due_us": due_us})
        for queue, due_us in sorted(queues.items())
    ]


@dataclass
class Moving:
    """The plan of a move of one customer or of many; `judged` afterwards says what became of each."""

    gives: Sequence[Give]
    may_give: MayGive
    judged: list[Judged] = field(default_factory=list)

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Give what can be given. Refused: without a reason, and when every single row is."""
        if not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why they are moved; both sides will ask.")
        share_company(connection)
        company = load_company(connection, company_version(connection))
        may = self.may_give(company, now_us)
        self.judged = judge(connection, self.gives, (company, may), lock=True)
        if all(one.refused for one in self.judged):
            why = sorted({str(one.refused) for one in self.judged}) or ["nothing was chosen"]
            raise ActRefused("nothing_to_move", f"No customer can be moved: {', '.join(why)}.")
        losing = {
            one.held.customer_id: one.held.holder_id
            for one in self.judged
            if one.refused is None and one.held is not None and one.held.holder_kind == "person"
        }
        return [
            *given(self.judged, command, company, now_us, "moved"),
            *moved_away(connection, losing, (now_us, company.zone), command.act_id),
            *freed(connection, losing.values(), command, now_us),
            *left_by(command, self._left()),
        ]

    def _left(self) -> list[tuple[str, str]]:
        moved = {one.held.customer_id for one in self.judged if one.held and one.refused is None}
        return [
            (one.held.customer_id, one.refused)
            for one in self.judged
            if one.held and one.refused and one.held.customer_id not in moved
        ]


def left_by(command: Command, rows: Iterable[tuple[str, str]]) -> list[Effect]:
    """Return the effects that keep which customers an act leaves where they are, and why."""
    return [
        Insert("act_left", {"act_id": command.act_id, "customer_id": customer_id, "code": code})
        for customer_id, code in sorted(dict(rows).items())
    ]


def owned_by(connection: Connection, owner: str) -> list[str]:
    """Return all customers that a person owns, open and closed ones, in the order of their ids."""
    holding = tables.holding
    return list(
        connection.execute(
            select(holding.c.customer_id)
            .where(
                holding.c.holder_kind == "person",
                holding.c.holder_id == owner,
                holding.c.role == "owner",
                holding.c.to_us.is_(None),
            )
            .order_by(holding.c.customer_id)
        ).scalars()
    )
