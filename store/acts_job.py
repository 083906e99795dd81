"""Plans of a hand-over: begun once, given in chunks of one transaction each, returned or undone in the same chunks.

    begun → running → done                      (`returned`, `undone`: given back)
                    → covering → returning →    (a stand-in, until a moment)
    stopped: something that a person has to put right; applied again, it goes on

Each chunk has a key of its own, made from the job and its first row, so that a job that was killed at any point is
taken up by anybody, and nothing is given twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy import Connection, func, select

from schemas.ids import make_id
from schemas.work import Condition
from store import tables
from store.acts import ActRefused, Command, Plan
from store.acts_move import Give, Judged, MayGive, given, judge
from store.bulk import keys_in
from store.company import company_version, load_company
from store.effects import Effect, Insert, Update
from store.locks import share_company

CHUNK = 500
"""Customers given in one transaction: some 50 ms of the store's lock on SQLite, a fraction of what a lead may wait."""

CHUNKS = ("hand_over", "give_back")
"""Verbs of a job's chunks: of a hand-over, and of undoing a scope."""

OPEN = ("running", "covering", "returning", "undoing", "stopped")
"""States of a job that is not over."""
GOING = ("running", "stopped")
"""States in which a job goes on when somebody asks for another one of the same person."""


@dataclass(frozen=True, slots=True)
class Job:
    """A hand-over as it stands in its row."""

    job_id: str
    kind: str
    """`hand_over`, or `undo` of a scope (store.acts_scope)."""
    person_id: str
    actor: str
    reason: str
    state: str
    spec: dict[str, Any]
    items: int
    next_item: int
    until_us: int | None
    made_us: int
    ended_us: int | None
    code: str | None

    @property
    def leaving(self) -> bool:
        """Tell whether the person leaves, so that everything of theirs goes."""
        return bool(self.spec["leaving"])

    @property
    def units(self) -> frozenset[str]:
        """The units that the person belonged to when it was begun."""
        return frozenset(one["unit_id"] for one in self.spec.get("places", ()))


def read_job(connection: Connection, job_id: str, *, lock: bool = False) -> Job:
    """Return a job; with `lock` nobody else changes it meanwhile. Raises ActRefused for an unknown one."""
    table = tables.job
    asked = select(table).where(table.c.job_id == job_id)
    row = connection.execute(asked.with_for_update() if lock else asked).mappings().one_or_none()
    if row is None:
        raise ActRefused("unknown_job", f"There is no hand-over {job_id}; see: leadflow handover show")
    return _job(row)


def jobs(connection: Connection, person_id: str | None = None, states: Sequence[str] = ()) -> list[Job]:
    """Return jobs, of one person or in some states only, the newest first."""
    table = tables.job
    query = select(table).order_by(table.c.made_us.desc(), table.c.job_id)
    if person_id is not None:
        query = query.where(table.c.person_id == person_id)
    if states:
        query = query.where(table.c.state.in_(states))
    return [_job(row) for row in connection.execute(query).mappings()]


def _job(row: Any) -> Job:
    values = {key: row[key] for key in Job.__slots__ if key != "spec"}
    return Job(**values, spec=orjson.loads(row["spec_json"]))


@dataclass
class Begin:
    """The plan that begins a hand-over (the command's scope is the person): its job, and who is to get what.

    `judged` beforehand, since judging a hundred thousand takes seconds that the store's lock is not for: each chunk judges anew.
    """

    judged: Sequence[Judged]
    spec: dict[str, Any]
    until_us: int | None
    may_give: MayGive

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Write the job and its rows. Refused: no reason, a job that is under way, and nothing to hand over."""
        if not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why they are handed over; whoever gets them will ask.")
        share_company(connection)
        company = load_company(connection, company_version(connection))
        under_way = jobs(connection, command.scope_id, OPEN)
        if under_way:
            raise ActRefused(
                "job_under_way",
                f"{under_way[0].job_id} is under way: leadflow handover show {under_way[0].job_id}",
            )
        may = self.may_give(company, now_us)
        if not may(command.scope_id):
            raise ActRefused(
                "not_below", f"{command.scope_id} is not below {command.actor}; ask their manager."
            )
        judged = self.judged
        refused = sorted({str(one.refused) for one in judged if one.refused})
        if judged and not self.spec["leaving"] and all(one.refused for one in judged):
            raise ActRefused("nothing_to_move", f"No customer can be handed over: {', '.join(refused)}.")
        if not judged and not self.spec["leaving"]:
            raise ActRefused("nothing_to_move", "No part takes any of their customers.")
        if refused and self.spec["leaving"]:
            raise ActRefused(
                "left_over", f"Customers would be left behind: {', '.join(refused)}; see the dry run."
            )
        job_id = job_id_of(command)
        row = {
            "job_id": job_id,
            "kind": "hand_over",
            "person_id": command.scope_id,
            "actor": command.actor,
            "reason": command.reason,
            "state": "running",
            "spec_json": orjson.dumps(self.spec).decode(),
            "items": len(judged),
            "next_item": 0,
            "until_us": self.until_us,
            "made_us": now_us,
        }
        return [Insert("job", row), *_rows(job_id, 0, judged)]


def job_id_of(command: Command) -> str:
    """Return the id of the job that a command begins."""
    return make_id("job", command.act_id)


def _rows(job_id: str, start: int, judged: Iterable[Judged]) -> list[Effect]:
    return [
        Insert(
            "job_item",
            {
                "job_id": job_id,
                "number": number,
                "customer_id": one.held.customer_id if one.held else one.give.customer_id,
                "holder_kind": one.give.kind,
                "holder_id": one.give.holder_id,
                "reason_json": orjson.dumps(
                    {
                        "team_id": one.give.team_id,
                        "rule_id": one.give.rule_id,
                        "conditions": [each.model_dump() for each in one.give.conditions],
                    }
                ).decode(),
                "state": "left" if one.refused else "open",
                "code": one.refused,
            },
        )
        for number, one in enumerate(judged, start)
    ]


def extend(gives: Sequence[Give]) -> Any:
    """Return the plan that adds what came to the person meanwhile to their job (the command's scope)."""

    def plan(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        share_company(connection)
        company = load_company(connection, company_version(connection))
        job = read_job(connection, command.scope_id)
        judged = judge(connection, gives, (company, lambda _holder: True), owner=job.person_id)
        more = [one for one in judged if one.held is not None]
        return [*_rows(job.job_id, job.items, more), changed(job.job_id, items=job.items + len(more))]

    return plan


def next_chunk(job: Job) -> Command:
    """Return the command of the chunk that is due; its key says which one it is."""
    verb = "give_back" if job.kind == "undo" else "hand_over"
    return Command(verb, job.actor, f"{job.job_id}:{job.next_item}", job.job_id, job.reason)


def give_chunk(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Give the next CHUNK rows of a job (the command's scope): what the person still has, to who still works here."""
    share_company(connection)
    company = load_company(connection, company_version(connection))
    job = read_job(connection, command.scope_id)
    item = tables.job_item
    of_job = (
        item.c.job_id == job.job_id,
        item.c.number >= job.next_item,
        item.c.number < job.next_item + CHUNK,
    )
    rows = connection.execute(select(item).where(*of_job).order_by(item.c.number)).mappings().all()
    due = [row for row in rows if row["state"] == "open"]
    gives = [_give(row) for row in due]
    judged = judge(connection, gives, (company, lambda _holder: True), owner=job.person_id, lock=True)
    states = [
        Update(
            "job_item",
            {"job_id": job.job_id, "number": row["number"]},
            {"state": "left" if one.refused else "given", "code": one.refused},
        )
        for row, one in zip(due, judged, strict=True)
    ]
    return [
        *given(judged, command, company, now_us, "handed_over"),
        *states,
        changed(job.job_id, next_item=job.next_item + len(rows)),
    ]


def _give(row: Any) -> Give:
    said = orjson.loads(row["reason_json"])
    conditions = tuple(Condition.model_validate(one) for one in said["conditions"])
    return Give(
        row["customer_id"], row["holder_kind"], row["holder_id"], said["team_id"], said["rule_id"], conditions
    )


GIVING: Sequence[str] = ("running", "stopped")
"""States in which a job gives; it stopped where a person was needed."""


def while_giving(plan: Plan) -> Plan:
    """Return a plan over a job (the command's scope) that does nothing once somebody has begun to undo the job."""

    def guarded(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        if read_job(connection, command.scope_id, lock=True).state not in GIVING:
            return []
        return plan(connection, command, now_us)

    return guarded


def to_state(state: str, *, code: str | None = None, over: bool = False) -> Any:
    """Return the plan that brings a job (the command's scope) into a state; `over`: nothing more happens to it."""

    def plan(_connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        values: dict[str, Any] = {"state": state, "code": code}
        return [changed(command.scope_id, **values, **({"ended_us": now_us} if over else {}))]

    return plan


def changed(job_id: str, **values: Any) -> Update:
    """Return the effect that sets columns of a job."""
    return Update("job", {"job_id": job_id}, values)


def chunk_to_undo(connection: Connection, job_id: str) -> str | None:
    """Return the last act of a job that gave something and was not taken back; None if there is none."""
    act = tables.act
    undone = select(act.c.undoes).where(act.c.undoes.is_not(None))
    return connection.execute(
        select(act.c.act_id)
        .where(act.c.scope_id == job_id, act.c.verb.in_(CHUNKS), act.c.act_id.not_in(undone))
        .order_by(act.c.recorded_us.desc(), act.c.act_id)
        .limit(1)
    ).scalar_one_or_none()


def counts(connection: Connection, job_id: str) -> dict[tuple[str, str | None], int]:
    """Return how many rows of a job are in each state, by the code of those that are left."""
    item = tables.job_item
    rows = connection.execute(
        select(item.c.state, item.c.code, func.count())
        .where(item.c.job_id == job_id)
        .group_by(item.c.state, item.c.code)
    )
    return {(state, code): int(count) for state, code, count in rows}


def items(connection: Connection, job_id: str, state: str | None = None) -> list[dict[str, Any]]:
    """Return the rows of a job in order, of one state only."""
    item = tables.job_item
    query = select(item).where(item.c.job_id == job_id).order_by(item.c.number)
    query = query.where(item.c.state == state) if state else query
    return [dict(row) for row in connection.execute(query).mappings()]


def holders_of(connection: Connection, customers: Iterable[str]) -> dict[str, str]:
    """Return who owns each of these customers now; those that nobody owns are not in it."""
    holding = tables.holding
    wanted = keys_in(connection, ["customer_id"], [(one,) for one in customers])
    rows = connection.execute(
        select(holding.c.customer_id, holding.c.holder_id).where(
            wanted, holding.c.role == "owner", holding.c.to_us.is_(None)
        )
    )
    return {row.customer_id: row.holder_id for row in rows}
