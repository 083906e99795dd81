"""Plans of undoing a scope: begun once as a job, given back in chunks of one transaction each, as a hand-over is given.

A customer is given back only if nobody decided about it since the job was planned; all else is left, with why.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson
from sqlalchemy import Connection, select

from schemas.company import Company
from schemas.work import Condition, Reason
from store import tables
from store.acts import ActRefused, Command
from store.acts_job import CHUNK, OPEN, changed, job_id_of, jobs, read_job
from store.acts_move import Give, MayGive, drained, is_there, may_have
from store.acts_undo import Left, merged_since
from store.company import company_version, load_company
from store.effects import Effect, Insert, Update
from store.ledger import Credited, credited_by, taken_back
from store.locks import share_company
from store.moves import Held, Move, give, held_of
from store.nurture import last_dates
from store.scope import Given, besides_of
from store.waiting import freed

_HOUR_US = 3_600 * 1_000_000


@dataclass(frozen=True, slots=True)
class Return:
    """One customer of a scope: who gets it, and why it is left where it is, if it is."""

    given: Given
    give: Give
    refused: Left | None


def judge_returns(
    connection: Connection,
    rows: Sequence[tuple[Given, Give]],
    company: Company,
    may_give: MayGive,
    now_us: int,
) -> list[Return]:
    """Find out which customers can be given back, without doing it."""
    may = may_give(company, now_us)
    customers = [given.customer_id for given, _ in rows]
    held, merged = held_of(connection, customers, lock=False), merged_since(connection, customers)
    oldest_us = now_us - company.undo_hours * _HOUR_US

    def why(given: Given, to: Give) -> Left | None:
        has = held.get(given.customer_id)
        if given.customer_id in merged:
            return "merged"
        if has is None:
            return "erased"
        if not given.stands or has.decision_id != given.decision_id:
            return "moved_on"
        if given.first_us < oldest_us:
            return "too_old"
        both = ((has.holder_kind, has.holder_id), (to.kind, to.holder_id))
        if not all(may_have(may, *one) for one in both):
            return "not_below"
        if not is_there(company, to.kind, to.holder_id):
            return "holder_gone"
        return "there_already" if both[0] == both[1] else None

    return [Return(given, to, why(given, to)) for given, to in rows]


@dataclass
class BeginReturn:
    """The plan that begins to undo a scope (the command's scope is its name): the job, and who is to get what back."""

    returns: Sequence[Return]
    spec: dict[str, Any]
    decisions: Collection[str] = ()
    """Of the scope: collaborators and claims that they brought end with the beginning."""

    def __call__(self, connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
        """Write the job and its rows. Refused: no reason, one that is under way, and nothing to give back."""
        if not (command.reason or "").strip():
            raise ActRefused("reason_missing", "Say why it is undone; whoever gets them back will ask.")
        share_company(connection)
        if under_way := jobs(connection, command.scope_id, OPEN):
            job_id = under_way[0].job_id
            raise ActRefused("job_under_way", f"{job_id} is under way: leadflow handover show {job_id}")
        beside, claims = besides_of(connection, self.decisions)
        if all(one.refused for one in self.returns) and not beside and not claims:
            why = ", ".join(sorted({str(one.refused) for one in self.returns})) or "it gave nothing"
            raise ActRefused("nothing_to_move", f"Nothing can be given back: {why}; add --preview.")
        job_id = job_id_of(command)
        row = {
            "job_id": job_id,
            "kind": "undo",
            "person_id": command.scope_id,
            "actor": command.actor,
            "reason": command.reason,
            "state": "running",
            "spec_json": orjson.dumps({**self.spec, "leaving": False, "had": []}).decode(),
            "items": len(self.returns),
            "next_item": 0,
            "made_us": now_us,
        }
        items = (_item(job_id, number, one) for number, one in enumerate(self.returns))
        return [Insert("job", row), *items, *_ended((beside, claims), command, now_us)]


def _ended(besides: tuple[list[Any], list[str]], command: Command, now_us: int) -> Iterator[Effect]:
    beside, claims = besides
    for row in beside:
        yield Update("holding", dict(row._mapping), {"to_us": max(now_us, row.from_us + 1)})
    over = {"state": "refused", "ended_us": now_us, "ended_by": command.act_id}
    for claim_id in claims:
        yield Update("claim", {"claim_id": claim_id}, dict(over))


def _item(job_id: str, number: int, one: Return) -> Insert:
    said = {
        "team_id": one.give.team_id,
        "rule_id": one.give.rule_id,
        "conditions": [each.model_dump() for each in one.give.conditions],
        "decision_id": one.given.decision_id,
        "decisions": one.given.decisions,
        "act_id": one.given.first_act,
        "protected_until_us": one.given.before_protected_us,
    }
    row = {
        "job_id": job_id,
        "number": number,
        "customer_id": one.given.customer_id,
        "holder_kind": one.give.kind,
        "holder_id": one.give.holder_id,
        "reason_json": orjson.dumps(said).decode(),
        "state": "left" if one.refused else "open",
        "code": one.refused,
    }
    return Insert("job_item", row)


def give_back_chunk(connection: Connection, command: Command, now_us: int) -> Sequence[Effect]:
    """Give back the next CHUNK rows of a job (the command's scope): what is still as it was when the job was planned."""
    share_company(connection)
    company = load_company(connection, company_version(connection))
    job = read_job(connection, command.scope_id)
    item = tables.job_item
    end = job.next_item + CHUNK
    of_job = (item.c.job_id == job.job_id, item.c.number >= job.next_item, item.c.number < end)
    rows = connection.execute(select(item).where(*of_job).order_by(item.c.number)).mappings().all()
    due = [row for row in rows if row["state"] == "open"]
    customers = [row["customer_id"] for row in due]
    held, merged = held_of(connection, customers), merged_since(connection, customers)
    said = {row["customer_id"]: orjson.loads(row["reason_json"]) for row in due}
    credits = {act_id: credited_by(connection, act_id) for act_id in _acts(said)}
    effects: list[Effect] = []
    back: list[tuple[Any, Held]] = []
    for row in due:
        has = held.get(row["customer_id"])
        why = _stays(row, has, said[row["customer_id"]], company, row["customer_id"] in merged)
        key = {"job_id": job.job_id, "number": row["number"]}
        effects.append(Update("job_item", key, {"state": "left" if why else "given", "code": why}))
        if why is None and has is not None:
            back.append((row, has))
    aside = last_dates(connection, (has.customer_id for row, has in back if row["holder_kind"] == "nurture"))
    losing = {has.customer_id: has.holder_id for _, has in back if has.holder_kind == "person"}
    undone = [each for _, has in back for each in said[has.customer_id]["decisions"]]
    effects += taken_back(connection, undone, (now_us, company.zone), command.act_id)
    effects += _given_back(back, said, (credits, aside), (company, command, now_us))
    effects += freed(connection, losing.values(), command, now_us)
    return [*effects, changed(job.job_id, next_item=job.next_item + len(rows))]


def _acts(said: dict[str, dict[str, Any]]) -> list[str]:
    return sorted({one["act_id"] for one in said.values() if one["act_id"]})


def _stays(row: Any, held: Held | None, said: dict[str, Any], company: Company, merged: bool) -> Left | None:
    if merged:
        return "merged"
    if held is None:
        return "erased"
    if held.decision_id != said["decision_id"]:
        return "moved_on"
    return None if is_there(company, row["holder_kind"], row["holder_id"]) else "holder_gone"


def _given_back(
    back: Sequence[tuple[Any, Held]],
    said: dict[str, dict[str, Any]],
    known: tuple[dict[str, dict[str, Credited]], dict[str, int]],
    seen: tuple[Company, Command, int],
) -> list[Effect]:
    company, command, now_us = seen
    credits, aside = known
    effects: list[Effect] = []
    first: dict[tuple[str, str], str] = {}
    queues: dict[str, int] = {}
    for row, has in back:
        tells = said[has.customer_id]
        kind, holder_id = row["holder_kind"], row["holder_id"]
        at_us = max(now_us, has.after_us)
        as_before = replace(has, protected_until_us=tells["protected_until_us"])
        both = (has.holder_id, holder_id)
        move = Move(as_before, command, at_us, told_with=first.get(both))
        first.setdefault(both, move.decision_id)
        ruled = tells["rule_id"] is not None
        reason = Reason(
            code="moved" if ruled else "moved_back",
            book_version=company.book_version if ruled else None,
            rule_id=tells["rule_id"],
            conditions=tuple(Condition.model_validate(one) for one in tells["conditions"]),
            team_id=tells["team_id"] or (holder_id if kind == "queue" else None),
        )
        credit = credits.get(tells["act_id"] or "", {}).get(has.customer_id)
        if credit is not None and credit.person_id == holder_id:
            reason = reason.model_copy(update={"grade": credit.grade, "standing": credit.standing})
            effects += credit.again(move.decision_id, (at_us, company.zone))
        if kind == "nurture":
            reason = reason.model_copy(update={"wakes_us": max(at_us, aside.get(has.customer_id, 0))})
        effects += give(move, kind, holder_id, reason)
        if kind == "queue":
            queues[holder_id] = max(at_us, queues.get(holder_id, 0))
    return [*effects, *drained(queues)]
