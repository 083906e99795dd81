"""Driving a hand-over to its end, one transaction at a time: by whoever asks for it, and by the host that runs.

What is next follows from the job's row alone, and every step has a key made from it. So it does not matter who takes
a step, how often it is tried, or at which point a process was killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import orjson
import structlog
from sqlalchemy import Connection, select

from leadflow.choosing import ChoiceError, Part, read_part, read_plan, share_out
from leadflow.handover_leave import come_back, leave
from schemas.company import Company
from store import tables
from store.acts import ITSELF, ActRefused, Append, Command, Plan, perform
from store.acts_job import (
    GIVING,
    Job,
    chunk_to_undo,
    extend,
    give_chunk,
    jobs,
    next_chunk,
    read_job,
    to_state,
    while_giving,
)
from store.acts_move import Give, owned_by
from store.acts_scope import give_back_chunk
from store.acts_undo import Undo
from store.belongings import belongings
from store.certificates import certify
from store.company import company_version, load_company
from store.database import Database

log = structlog.get_logger()

EVERY_S = 1.0
"""Between two looks for hand-overs that wait to go on, or stand-ins whose time is over."""


def parts_of(spec: dict[str, Any], company: Company) -> list[Part]:
    """Return the parts of a hand-over as they were written. Raises ChoiceError."""
    named = read_plan(spec["plan_csv"], company) if spec["plan_csv"] else []
    return [*named, *(read_part(text, company) for text in spec["parts"])]


def planned(
    connection: Connection, company: Company, person_id: str, spec: dict[str, Any], now_us: int
) -> tuple[list[Give], list[str]]:
    """Return who is to get which of a person's customers, and those that no part takes: dry run and apply alike."""
    mine = owned_by(connection, person_id)
    return share_out(connection, company, mine, parts_of(spec, company), now_us, without=person_id)


def spec_of(
    connection: Connection, company: Company, person_id: str, asked: dict[str, Any], now_us: int
) -> dict[str, Any]:
    """Return what a job keeps: what was asked for, and what the person had besides customers."""
    had = belongings(connection, company, person_id, now_us)
    places = [
        {"unit_id": one.unit_id, "from_us": one.from_us, "to_us": one.to_us}
        for one in company.members
        if one.person_id == person_id and (one.to_us is None or one.to_us > now_us)
    ]
    kept = [[one.kind, one.object_id] for one in had if one.kind != "customer"] if asked["leaving"] else []
    return {**asked, "had": kept, "places": places}


def advance(store: Database, append: Append, job_id: str, now_us: int) -> bool:
    """Take a job's next step; return whether there may be more to do now. Raises ActRefused where a person is needed."""

    def do(command: Command, plan: Plan) -> bool:
        perform(store, command, plan, now_us, append)
        return True

    with store.read() as connection:
        job = read_job(connection, job_id)
        undone_next = chunk_to_undo(connection, job_id) if job.state in ("returning", "undoing") else None
    if job.state in GIVING:
        return _give_on(store, job, now_us, lambda command, plan: do(command, while_giving(plan)))
    if job.state == "covering":
        if job.until_us is None or job.until_us > now_us:
            return False
        return do(Command("hand_back", ITSELF, f"{job_id}:return", job_id), to_state("returning"))
    if job.state not in ("returning", "undoing"):
        return False
    if undone_next is not None:
        undo = Undo(lambda _company, _now: lambda _holder: True, in_time=False)
        return do(Command("undo", _who(job), f"undo:{undone_next}", undone_next, undoes=undone_next), undo)
    ended = "returned" if job.state == "returning" else "undone"
    return do(Command("hand_back", _who(job), f"{job_id}:{ended}", job_id), to_state(ended, over=True))


def _who(job: Job) -> str:
    return ITSELF if job.state == "returning" else str(job.code or job.actor)


def _give_on(store: Database, job: Job, now_us: int, do: Callable[[Command, Plan], bool]) -> bool:
    def command(verb: str, what: str) -> Command:
        return Command(verb, job.actor, f"{job.job_id}:{what}", job.job_id, job.reason)

    if job.next_item < job.items:
        return do(next_chunk(job), give_back_chunk if job.kind == "undo" else give_chunk)
    if job.kind == "undo":
        do(command("end_undo", "end"), to_state("done", over=True))
        return False
    more = _came_meanwhile(store, job, now_us)
    if more:
        return do(command("hand_over_more", f"more:{job.items}"), extend(more))
    if job.until_us is not None:
        return do(command("cover", "cover"), to_state("covering"))
    if job.leaving and _is_here(store, job.person_id):
        do(command("leave", f"leave:{job.made_us}"), leave)
    do(command("certify", "certify"), certify)
    return False


def _is_here(store: Database, person_id: str) -> bool:
    person = tables.person
    with store.read() as connection:
        return (
            connection.execute(
                select(person.c.state).where(person.c.person_id == person_id)
            ).scalar_one_or_none()
            == "active"
        )


def _came_meanwhile(store: Database, job: Job, now_us: int) -> list[Give]:
    """Return what came to the person since the job began, and is not a row of it yet."""
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
        item = tables.job_item
        known = set(
            connection.execute(select(item.c.customer_id).where(item.c.job_id == job.job_id)).scalars()
        )
        new = [one for one in owned_by(connection, job.person_id) if one not in known]
        if not new:
            return []
        gives, _ = share_out(
            connection, company, new, parts_of(job.spec, company), now_us, without=job.person_id
        )
        return gives


def begin_undo(store: Database, append: Append, job: Job, actor: str, now_us: int) -> None:
    """Begin to undo a job: a leaver is back first, so that they can have their customers again.

    Raises ActRefused for one that was given back before, and one that is too old.
    """
    with store.read() as connection:
        company = load_company(connection, company_version(connection))
    if job.state in ("returned", "undone", "returning", "undoing"):
        raise ActRefused("undone_already", f"{job.job_id} was given back already.")
    if now_us - job.made_us > company.undo_hours * 3_600_000_000:
        raise ActRefused(
            "undo_too_late",
            f"{job.job_id} is older than {company.undo_hours} hours (undo_hours in company.toml); hand them over anew.",
        )
    if job.leaving and company.people[job.person_id].state == "left":
        perform(
            store, Command("come_back", actor, f"{job.job_id}:back", job.job_id), come_back, now_us, append
        )
    undoing = to_state("undoing", code=actor)
    perform(store, Command("hand_back", actor, f"{job.job_id}:undo", job.job_id), undoing, now_us, append)


def run(store: Database, append: Append, job_id: str, clock: Callable[[], int], seconds: float) -> bool:
    """Go on with a job for so long; return whether there is more to do."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if not advance(store, append, job_id, clock()):
            return False
        if store.wal_is_full():  # no stage may be running that sees to it
            store.checkpoint()
    return True


class HandOvers:
    """Goes on with what was cut off, and ends stand-ins in time, for a loop that has nothing else to do at the moment."""

    def __init__(self, store: Database, append: Append) -> None:
        self._store = store
        self._append = append
        self._next_s = 0.0

    def turn(self, now_us: int) -> int:
        """Take one step of each hand-over that waits for nobody; return how many were taken."""
        if time.monotonic() < self._next_s:
            return 0
        with self._store.read() as connection:
            due = [
                job
                for job in jobs(connection, states=("running", "covering", "returning", "undoing"))
                if job.state != "covering" or (job.until_us is not None and job.until_us <= now_us)
            ]
        for job in due:
            try:
                advance(self._store, self._append, job.job_id, now_us)
            except (ActRefused, ChoiceError) as refused:
                code = refused.code if isinstance(refused, ActRefused) else "choice"
                log.warning("hand_over_stopped", job=job.job_id, code=code)
                stop = Command("hand_over_stop", ITSELF, f"{job.job_id}:stop:{now_us}", job.job_id)
                perform(self._store, stop, to_state("stopped", code=code), now_us, self._append)
        if not due:
            self._next_s = time.monotonic() + EVERY_S
        return len(due)


def happened(
    connection: Connection, customers: Sequence[str], from_us: int, to_us: int
) -> dict[str, list[str]]:
    """Return what was done about these customers in between, by the codes of outcomes, one list each."""
    outcome = tables.outcome
    found: dict[str, list[str]] = {}
    for row in connection.execute(
        select(outcome.c.customer_id, outcome.c.code)
        .where(outcome.c.recorded_us >= from_us, outcome.c.recorded_us < to_us)
        .order_by(outcome.c.recorded_us)
    ):
        found.setdefault(row.customer_id, []).append(row.code)
    wanted = set(customers)
    return {one: codes for one, codes in found.items() if one in wanted}


def as_json(value: Any) -> str:
    """Return a value as indented JSON, for a file that people read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
