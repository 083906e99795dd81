"""What a scope did: which customers it gave to whom, whose they were before, and what of it cannot be taken back.

A scope is all that one person did, all that one version of a rule book decided, or all that came of an import, within a
time. Of each customer only the last decisions in a row that are of the scope count: what somebody else decided since stands.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, or_, select

from schemas.work import ASKED, HolderKind
from store import tables
from store.bulk import keys_in

GIVES = (
    "move", "hand_over", "take", "return", "claim", "release", "register", "decide_claim", "auto_move", "undo", "give_back",
)  # fmt: skip
"""Verbs of acts that give customers away and can be taken back alone; whose customer a merge made it, an unmerge undoes."""
_AT_ONCE = 5_000
"""Customers whose holdings are read at once."""


@dataclass(frozen=True, slots=True)
class Scope:
    """All that was done from `since_us` to before `until_us`: by a person, by a version of a rule book, or of an import."""

    since_us: int
    until_us: int
    by: str | None = None
    book_version: str | None = None
    imported: tuple[str, ...] = ()
    """Sources, captures (as a receipt names them) or both."""


@dataclass(frozen=True, slots=True)
class Given:
    """A customer that a scope gave away: whose it is now, since which decision, and whose it was before."""

    customer_id: str
    now: tuple[HolderKind, str]
    decision_id: str
    before: tuple[HolderKind, str]
    before_protected_us: int | None
    first_us: int
    """When the first of the decisions that are taken back was made."""
    first_act: str | None
    """The act behind that one, if it was one."""
    stands: bool
    """False: somebody else decided since."""
    decisions: tuple[str, ...] = ()
    """That are taken back, in their order."""


def given_by(connection: Connection, scope: Scope) -> tuple[list[Given], set[str]]:
    """Return what a scope gave, in the order of the customers' ids, and its decisions; what is back already is not in it."""
    decisions = _decided(connection, scope)
    customers = sorted({customer_id for customer_id, _ in decisions.values()})
    found: list[Given] = []
    for start in range(0, len(customers), _AT_ONCE):
        for history in _histories(connection, customers[start : start + _AT_ONCE]):
            one = _given(history, decisions, follows=scope.by is None)
            if one is not None:
                found.append(one)
    return found, set(decisions)


def _given(
    history: Sequence[Any], decisions: dict[str, tuple[str, str | None]], *, follows: bool
) -> Given | None:
    """Return what the scope did to one customer; `follows`: what went on out of a queue it was put in is of it, too."""
    of_scope: list[bool] = []
    for row in history:
        drained = row.stage == "route" and row.lead_id is None
        mine = row.decision_id in decisions or (follows and drained and bool(of_scope) and of_scope[-1])
        if mine and row.decision_id not in decisions:
            decisions[row.decision_id] = (row.customer_id, None)
        of_scope.append(mine)
    last = len(history) - 1
    stands = history[last].to_us is None and of_scope[last]
    end = last if stands else max((at for at, mine in enumerate(of_scope) if mine), default=0)
    first = end
    while first > 0 and of_scope[first - 1]:
        first -= 1
    if first == 0 or not of_scope[end]:
        return None  # it never was anybody else's
    before, now = history[first - 1], history[last]
    if (before.holder_kind, before.holder_id) == (now.holder_kind, now.holder_id) and now.to_us is None:
        return None
    return Given(
        now.customer_id,
        (now.holder_kind, now.holder_id),
        now.decision_id,
        (before.holder_kind, before.holder_id),
        before.protected_until_us,
        history[first].from_us,
        decisions.get(history[first].decision_id, ("", None))[1],
        stands,
        tuple(row.decision_id for row in history[first : end + 1]),
    )


def _histories(connection: Connection, customers: Sequence[str]) -> Iterator[list[Any]]:
    """Yield who had each of these customers, one after the other, with the decisions behind it."""
    holding, decision = tables.holding, tables.decision
    wanted = keys_in(connection, ["holding.customer_id"], [(one,) for one in customers])
    rows = connection.execute(
        select(holding, decision.c.stage, decision.c.lead_id)
        .outerjoin(decision, decision.c.decision_id == holding.c.decision_id)
        .where(wanted, holding.c.role == "owner")
        .order_by(holding.c.customer_id, holding.c.from_us)
    )
    history: list[Any] = []
    for row in rows:
        if history and history[0].customer_id != row.customer_id:
            yield history
            history = []
        history.append(row)
    if history:
        yield history


def _decided(connection: Connection, scope: Scope) -> dict[str, tuple[str, str | None]]:
    """Return the decisions of a scope: each with its customer, and the act behind it if it was one."""
    decision, act = tables.decision, tables.act
    query = select(decision.c.decision_id, decision.c.subject_id, decision.c.stage, decision.c.event_id)
    within = (decision.c.decided_us >= scope.since_us, decision.c.decided_us < scope.until_us)
    if scope.by is not None:
        mine = query.join(act, (act.c.act_id == decision.c.event_id) & (decision.c.stage == "act"))
        query = mine.where(
            act.c.actor == scope.by,
            act.c.verb.in_(GIVES),
            act.c.recorded_us >= scope.since_us,
            act.c.recorded_us < scope.until_us,
        )
    elif scope.book_version is not None:
        query = query.where(decision.c.book_version == scope.book_version, *within)
    else:
        query = query.where(decision.c.lead_id.in_(_imported(scope.imported)), *within)
    return {
        row.decision_id: (row.subject_id, row.event_id if row.stage == "act" else None)
        for row in connection.execute(query)
    }


def _imported(said: Collection[str]) -> Any:
    """Return the leads that came by these captures or sources."""
    lead, by = tables.lead, tables.lead_capture
    return (
        select(lead.c.lead_id)
        .outerjoin(by, by.c.lead_id == lead.c.lead_id)
        .where(or_(lead.c.source_id.in_(said), by.c.capture_id.in_(said)))
    )


def besides_of(connection: Connection, decisions: Collection[str]) -> tuple[list[Any], list[str]]:
    """Return what decisions brought besides owners and still stands: collaborators (keys of holdings), and open claims."""
    holding, claim = tables.holding, tables.claim
    names = sorted(decisions)
    beside: list[Any] = []
    claims: list[str] = []
    for start in range(0, len(names), _AT_ONCE):
        some = [(one,) for one in names[start : start + _AT_ONCE]]
        beside += connection.execute(
            select(holding.c.customer_id, holding.c.role, holding.c.from_us).where(
                keys_in(connection, ["decision_id"], some),
                holding.c.role == "collaborator",
                holding.c.to_us.is_(None),
            )
        ).all()
        caused = keys_in(connection, ["caused_by"], some)
        claims += connection.execute(
            select(claim.c.claim_id).where(caused, claim.c.state == "open")
        ).scalars()
    return beside, claims


Lasting = Literal["sent", "task_done", "act"]
"""What cannot be taken back: something that went out, a task that was done, an act of another kind."""


def lasting(
    connection: Connection, scope: Scope, decisions: Collection[str]
) -> list[tuple[Lasting, str, int]]:
    """Return what a scope did that cannot be taken back: its kind, what it was, and how many."""
    delivery, task = tables.delivery, tables.task
    sent, done = Counter[str](), 0
    names = sorted(decisions)
    for start in range(0, len(names), _AT_ONCE):
        some = [(one,) for one in names[start : start + _AT_ONCE]]
        wanted = keys_in(connection, ["decision_id"], some)
        for row in connection.execute(
            select(delivery.c.sink_id, delivery.c.dest).where(wanted, delivery.c.state == "sent")
        ):
            sent[f"{row.sink_id} → {row.dest}"] += 1
        if scope.by is None:
            ended = select(task.c.task_id).where(wanted, task.c.state == "done")
            done += len(connection.execute(ended).all())
    acts = _other_acts(connection, scope) if scope.by is not None else {}
    found: list[tuple[Lasting, str, int]] = [("sent", to, count) for to, count in sorted(sent.items())]
    found += [("task_done", "", done)] if done else []
    return found + [("act", verb, count) for verb, count in sorted(acts.items())]


def _other_acts(connection: Connection, scope: Scope) -> Mapping[str, int]:
    """Count by verb what a person did besides giving customers away."""
    act = tables.act
    rows = connection.execute(
        select(act.c.verb, func.count())
        .where(
            act.c.actor == scope.by,
            act.c.recorded_us >= scope.since_us,
            act.c.recorded_us < scope.until_us,
            act.c.verb.not_in((*GIVES, ASKED)),
            act.c.scope_id.not_like("job!_%", escape="!"),  # steps of a job, whose beginning is told of
        )
        .group_by(act.c.verb)
    )
    return {verb: int(count) for verb, count in rows}
