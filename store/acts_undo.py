"""The act that takes a move (or a chunk of a hand-over) back: exactly what it gave, and nothing that went on since."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sqlalchemy import Connection, select

from schemas.company import Company
from schemas.work import HolderKind, Reason
from store import tables
from store.acts import ActRefused, Command
from store.acts_claim import undecided
from store.acts_job import CHUNKS, holders_of, read_job
from store.acts_move import MayGive, drained, is_there, left_by, may_have
from store.bulk import keys_in
from store.company import company_version, load_company
from store.effects import Effect
from store.ledger import Credited, credited_by, taken_back
from store.locks import share_company
from store.moves import Held, Move, give, held_of
from store.nurture import last_dates
from store.present import present_ids

UNDONE = ("move", "hand_over", "undo", "give_back", "decide_claim", "auto_move")
"""Verbs whose acts can be taken back here; a merge is parted by `leadflow match unmerge`."""
_HOUR_US = 3_600 * 1_000_000

Left = Literal["moved_on", "merged", "erased", "holder_gone", "not_below", "there_already", "too_old"]
"""Why a customer is left where it is now."""


@dataclass(frozen=True, slots=True)
class Back:
    """A customer that goes back: who has it by the act, and who had it before."""

    held: Held
    kind: HolderKind
    holder_id: str
    wakes_us: int | None = None
    """Of a customer that was put aside: until when."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """What taking an act back does: what goes back, what is left and why, and what cannot be taken back."""

    act: dict[str, Any]
    back: tuple[Back, ...]
    left: tuple[tuple[str, Left], ...]
    sent: tuple[dict[str, Any], ...]
    """Deliveries of the act's decisions that went out."""
    credited: Mapping[str, Credited]
    """What the act had credited back, by customer: received again with it."""
    zone: str


def plan_undo(
    connection: Connection,
    act_id: str,
    may_give: MayGive,
    now_us: int,
    *,
    in_time: bool = True,
    lock: bool = False,
) -> Undoing:
    """Find out what undoing would do, without doing it.

    Raises ActRefused for an unknown act, one that gave nothing to anybody, one undone before, and (`in_time`) one
    older than the company allows.
    """
    company = load_company(connection, company_version(connection))
    act = _act(connection, act_id)
    if in_time and now_us - act["recorded_us"] > company.undo_hours * _HOUR_US:
        raise ActRefused(
            "undo_too_late",
            f"{act_id} is older than {company.undo_hours} hours (undo_hours in company.toml); move them by hand.",
        )
    may = may_give(company, now_us)
    rows = _given(connection, act_id)
    if not rows and act["verb"] == "decide_claim" and not all(map(may, _owners(connection, act["scope_id"]))):
        raise ActRefused("not_below", "Its owner is not below you; ask their manager.")
    held = held_of(connection, [row["customer_id"] for row in rows], lock=lock)
    merged = merged_since(connection, [row["customer_id"] for row in rows])
    dates = last_dates(connection, (row["customer_id"] for row in rows if row["before_kind"] == "nurture"))
    back, left = [], list[tuple[str, Left]]()
    for row in rows:
        has = held.get(row["customer_id"])
        why = _stays(row, has, row["customer_id"] in merged, company)
        if why is None and has is not None:
            before = may_have(may, row["before_kind"], row["before_id"])
            why = None if before and may(has.holder_id) else "not_below"
        if why is not None or has is None:
            left.append((row["customer_id"], why or "erased"))
        else:
            as_before = replace(has, protected_until_us=row["before_protected"])
            date = dates.get(row["customer_id"])
            back.append(Back(as_before, row["before_kind"], row["before_id"], date))
    sent = _sent(connection, rows)
    credits = credited_by(connection, act_id)
    return Undoing(act, tuple(back), tuple(left), tuple(sent), credits, company.zone)


def _owners(connection: Connection, customer_id: str) -> list[str]:
    """Return who has a customer now, under whatever id."""
    return list(holders_of(connection, present_ids(connection, [customer_id]).values()).values())


def _stays(row: dict[str, Any], held: Held | None, is_merged: bool, company: Company) -> Left | None:
    if is_merged:
        return "merged"
    if held is None:
        return "erased"
    if held.decision_id != row["decision_id"]:
        return "moved_on"
    return None if is_there(company, row["before_kind"], row["before_id"]) else "holder_gone"


@dataclass
class Undo:
    """The plan that takes the command's `undoes` back; `undoing` afterwards says what became of it."""

    may_give: MayGive
    in_time: bool = True
    undoing: Undoing | None = field(default=None)

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Give back what is still as the act left it."""
        share_company(connection)
        act_id = str(command.undoes)
        found = plan_undo(connection, act_id, self.may_give, now_us, in_time=self.in_time, lock=True)
        self.undoing = found
        if found.left and not found.back and all(why == "not_below" for _, why in found.left):
            raise ActRefused(
                "not_below", "None of it is below you; who is above both sides can take it back."
            )
        given = [one.held.decision_id for one in found.back if one.held.decision_id is not None]
        credits = taken_back(connection, given, (now_us, found.zone), command.act_id)
        left = [customer_id for customer_id, _ in found.left]
        claims = undecided(connection, act_id, left, now_us)
        return [*credits, *given_back(found, command, now_us), *claims, *left_by(command, found.left)]


def given_back(undoing: Undoing, command: Command, now_us: int) -> list[Effect]:
    """Return the effects by which everything that goes back does."""
    effects: list[Effect] = []
    first: dict[tuple[str, str], str] = {}
    queues: dict[str, int] = {}
    for one in undoing.back:
        both = (one.held.holder_id, one.holder_id)
        at_us = max(now_us, one.held.after_us)
        move = Move(one.held, command, at_us, told_with=first.get(both))
        first.setdefault(both, move.decision_id)
        team_id = one.holder_id if one.kind == "queue" else None
        pool_id = one.holder_id if one.kind == "pool" else None
        reason = Reason(code="moved_back", team_id=team_id, pool_id=pool_id)
        credit = undoing.credited.get(one.held.customer_id)
        if credit is not None and credit.person_id == one.holder_id:
            reason = reason.model_copy(update={"grade": credit.grade, "standing": credit.standing})
            effects += credit.again(move.decision_id, (at_us, undoing.zone))
        if one.kind == "nurture":
            reason = reason.model_copy(update={"wakes_us": max(at_us, one.wakes_us or 0)})
        effects += give(move, one.kind, one.holder_id, reason)
        if one.kind == "queue":
            queues[one.holder_id] = max(at_us, queues.get(one.holder_id, 0))
    return [*effects, *drained(queues)]


def _act(connection: Connection, act_id: str) -> dict[str, Any]:
    act = tables.act
    row = connection.execute(select(act).where(act.c.act_id == act_id)).mappings().one_or_none()
    if row is None:
        raise ActRefused(
            "unknown_act",
            f"There is no act {act_id}; an act's id stands in its answer and in `leadflow explain`.",
        )
    if row["verb"] not in UNDONE:
        raise ActRefused(
            "not_undoable", f"{act_id} is a {row['verb']}; only moves and hand-overs are undone here."
        )
    by = connection.execute(select(act.c.act_id).where(act.c.undoes == act_id)).scalar_one_or_none()
    if by is not None:
        raise ActRefused("undone_already", f"{act_id} was undone by {by}; to do it again, undo that one.")
    return dict(row)


def _given(connection: Connection, act_id: str) -> list[dict[str, Any]]:
    """Return what an act gave: customer, decision, and who had it before, in the order of the customers' ids."""
    decision, now = tables.decision, tables.holding.alias("now")
    before = tables.holding.alias("before")
    rows = connection.execute(
        select(
            now.c.customer_id,
            now.c.decision_id,
            before.c.holder_kind.label("before_kind"),
            before.c.holder_id.label("before_id"),
            before.c.protected_until_us.label("before_protected"),
        )
        .select_from(decision)
        .join(
            now,
            (now.c.customer_id == decision.c.subject_id)
            & (now.c.decision_id == decision.c.decision_id)
            & (now.c.role == "owner"),
        )
        .join(
            before,
            (before.c.customer_id == now.c.customer_id)
            & (before.c.role == "owner")
            & (before.c.to_us == now.c.from_us),
        )
        .where(decision.c.stage == "act", decision.c.event_id == act_id)
        .order_by(now.c.customer_id)
    )
    return [dict(row) for row in rows.mappings()]


def merged_since(connection: Connection, customers: Sequence[str]) -> set[str]:
    """Return those of these customers that are part of another one by now."""
    alias = tables.alias
    wanted = keys_in(connection, ["old_id"], [(one,) for one in customers])
    return set(connection.execute(select(alias.c.old_id).where(wanted)).scalars())


def _sent(connection: Connection, given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    delivery = tables.delivery
    decisions = {row["decision_id"] for row in given}
    wanted = keys_in(connection, ["customer_id"], [(row["customer_id"],) for row in given])
    rows = connection.execute(
        select(delivery).where(wanted, delivery.c.state == "sent").order_by(delivery.c.delivery_id)
    )
    return [dict(row) for row in rows.mappings() if row["decision_id"] in decisions]


def what_job_undoes(
    connection: Connection, job_id: str
) -> tuple[list[tuple[str, str, int]], list[tuple[str, Left]], int, int]:
    """Return what undoing a hand-over would do, all its chunks together.

    (sink, recipient, how many) that went out; (customer, why) that is left; how many go back; how many tokens and
    links ended for good. Raises ActRefused for an unknown job.
    """
    job = read_job(connection, job_id)
    act = tables.act
    chunks = connection.execute(
        select(act.c.act_id).where(act.c.scope_id == job_id, act.c.verb.in_(CHUNKS))
    ).scalars()
    sent: Counter[tuple[str, str]] = Counter()
    left: list[tuple[str, Left]] = []
    back = 0
    company = load_company(connection, company_version(connection))
    people = {**company.people}
    if job.person_id in people:  # a leaver comes back first
        people[job.person_id] = people[job.person_id].model_copy(update={"state": "active"})
    here = company.model_copy(update={"people": people})
    for act_id in list(chunks):
        rows = _given(connection, act_id)
        customers = [row["customer_id"] for row in rows]
        held, merged = held_of(connection, customers, lock=False), merged_since(connection, customers)
        for row in rows:
            one = row["customer_id"]
            why = _stays(row, held.get(one), one in merged, here)
            back += why is None
            left += [(one, why)] if why is not None else []
        sent.update((row["sink_id"], row["dest"]) for row in _sent(connection, rows))
    ended = len([kind for kind, _ in job.spec["had"] if kind == "access"]) if job.leaving else 0
    return [(*to, count) for to, count in sorted(sent.items())], left, back, ended
