"""Sending what is due: several destinations side by side, each in order, and each result recorded at once.

A delivery is sent, then recorded. Killed in between, it is sent again under the same id: at least once outside, and
recognisable. Several processes may send: each claims the lanes it sends from (`sinks.claims`). Started again under its
name, a process has its own claims back at once; another one takes them over when they have run out.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, update
from sqlalchemy.exc import DBAPIError

from schemas.company import Company
from schemas.ids import make_id
from sinks import read
from sinks.claims import claim, release
from sinks.hold import held, hold, is_to_be_held
from sinks.ladder import STEP_ASIDE_AFTER, dice_of, next_attempt
from sinks.port import Answer, Later, Message, Never, Outside, Taken
from sinks.quiet import QUIET
from sinks.registry import SINKS, BadSink, read_sink
from sinks.trouble import HINTS, said
from store import tables
from store.breakers import destination_key
from store.bulk import insert_ignore
from store.company import CompanyCache
from store.database import Database

log = structlog.get_logger()

IDLE_S = 0.25
"""How long dispatch sleeps when nothing is due. The stages wake it, so this bounds how late a retry is."""
RETRY_S = 1.0
"""Pause after the store failed."""
PATIENCE_S = 5.0
"""How long a stop waits for sends that are under way; what is not answered by then is sent again after the start."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Not to be sent at all: the customer was erased, or the sink is gone."""

    code: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one try ended."""

    row: read.Row
    answer: Answer | Dropped


@dataclass(frozen=True, slots=True)
class _Job:
    """A delivery to be sent, and what was known when it was picked."""

    row: read.Row
    facts: read.Facts
    company: Company
    at_us: int


class Dispatcher:
    """Sends deliveries until stopped.

    `worker` is this process's own name among those that send; `link_for` makes the one-time link that a message (delivery id, person) carries, the same at each try;
    `crash_point` is where tests may kill the process.
    """

    def __init__(
        self,
        store: Database,
        companies: CompanyCache,
        outside: Outside,
        clock: Callable[[], int],
        *,
        worker: str = "leadflow",
        public_url: str | None = None,
        gaps: read.Gaps = lambda _connection, _company, _customers: {},
        link_for: Callable[[str, str], str | None] = lambda _delivery_id, _person_id: None,
        crash_point: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._companies = companies
        self._outside = outside
        self._clock = clock
        self._worker = worker
        self._public_url = public_url
        self._gaps = gaps
        self._link_for = link_for
        self._crash_point = crash_point
        self._lock = threading.Lock()
        self._results: list[Result] = []
        self._under_way: dict[str, str] = {}
        """Lane to sink, from the moment a delivery is picked until its result is recorded."""
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dispatch", daemon=True)

    def start(self) -> None:
        """Start sending."""
        self._thread.start()

    def stop(self) -> None:
        """Start nothing new, and record what is answered within PATIENCE_S."""
        self._stopping.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join()
        self._outside.http.close()

    def wake(self) -> None:
        """Look at once: there may be something new."""
        self._wake.set()

    def turn(self) -> int:
        """Record what was answered, start what is due; return how many sends are under way."""
        now_us = self._clock()
        with self._lock:
            results = list(self._results)
        if results or self._something_is_due(now_us):
            company, rows = self._settle(results, now_us)
            for job in self._jobs(company, rows, now_us):
                self._start(job)
        with self._lock:
            return len(self._under_way)

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                self.turn()
            except Exception as error:  # the store failed: nothing is lost, since nothing was recorded
                log.error("dispatch_failed", error=type(error).__name__)
                self._stopping.wait(RETRY_S)
                continue
            self._wake.wait(IDLE_S)
        self._finish()

    def _finish(self) -> None:
        give_up = time.monotonic() + PATIENCE_S
        try:
            while time.monotonic() < give_up:
                self._wake.clear()
                with self._lock:
                    results = list(self._results)
                if results:
                    self._settle(results, self._clock(), start=False)
                with self._lock:
                    if not self._under_way:
                        return
                self._wake.wait(IDLE_S)
        except DBAPIError as error:
            log.error("dispatch_failed", error=type(error).__name__)

    def _something_is_due(self, now_us: int) -> bool:
        """Tell whether something can be sent, without keeping the store's writers waiting to find out."""
        with self._store.read() as connection:
            rows = read.due(connection, now_us)
            return bool(rows and self._chosen(connection, rows, self._companies.get(connection), ()))

    def _settle(
        self, results: Sequence[Result], now_us: int, *, start: bool = True
    ) -> tuple[Company, list[read.Row]]:
        """Write the results there are, free their lanes, and claim the next, in one short transaction."""
        if results:
            self._crash_point()
        answered = [result.row["lane"] for result in results]
        with self._store.write() as connection:
            for result in results:
                _write(connection, result, now_us)
            release(connection, answered, self._worker)
            company = self._companies.get(connection)
            rows = self._claimed(connection, company, answered, now_us) if start else []
        with self._lock:
            del self._results[: len(results)]
            for lane in answered:
                self._under_way.pop(lane, None)
        return company, rows

    def _claimed(
        self, connection: Connection, company: Company, answered: Collection[str], now_us: int
    ) -> list[read.Row]:
        """Claim the lanes of what is to be sent now; return what is first in them then."""
        due = read.due(connection, now_us)
        wanted = {row["lane"] for row in self._chosen(connection, due, company, answered)}
        if not wanted:
            return []
        mine = claim(connection, wanted, self._worker, now_us)
        rows = [row for row in read.due(connection, now_us) if row["lane"] in mine]
        # Somebody else may have sent what was first, and let the lane go, before it was claimed.
        release(connection, mine - {row["lane"] for row in rows}, self._worker)
        return rows

    def _chosen(
        self,
        connection: Connection,
        rows: Sequence[read.Row],
        company: Company,
        answered: Collection[str],
    ) -> list[read.Row]:
        """Return what may be sent: the lane is free here, the destination not held, and the sink has room."""
        on_hold = held(connection) if rows else ()
        with self._lock:
            under_way = {lane: sink for lane, sink in self._under_way.items() if lane not in answered}
        busy, chosen = Counter(under_way.values()), []
        for row in rows:
            sink_id = row["sink_id"]
            # One that is switched off waits until it is on again, one that is held until it is reset.
            if (
                row["lane"] in under_way
                or destination_key(sink_id, row["dest"]) in on_hold
                or sink_id in company.sinks_off
                or busy[sink_id] >= _room(sink_id, company)
            ):
                continue
            busy[sink_id] += 1
            chosen.append(row)
        return chosen

    def _jobs(self, company: Company, rows: Sequence[read.Row], now_us: int) -> list[_Job]:
        if not rows:
            return []
        with self._store.read() as connection:
            facts = read.gather(connection, company, rows, self._gaps)
        return [_Job(row, facts, company, now_us) for row in rows]

    def _start(self, job: _Job) -> None:
        lane = job.row["lane"]
        with self._lock:
            self._under_way[lane] = job.row["sink_id"]
        try:
            threading.Thread(target=self._send, args=(job,), name="send", daemon=True).start()
        except RuntimeError:  # no more threads: the lane stays free, and its turn comes again
            with self._lock:
                del self._under_way[lane]
            raise

    def _send(self, job: _Job) -> None:
        """Send one delivery, in a thread of its own."""
        answer: Answer | Dropped
        try:
            answer = self._answer(job)
        except Exception as error:
            if self._stopping.is_set():
                return  # cut off by the stop: it is sent again after the start
            log.error("send_bug", delivery_id=job.row["delivery_id"], error=type(error).__name__)
            answer = Never("bug")
        self._done(Result(job.row, answer))

    def _answer(self, job: _Job) -> Answer | Dropped:
        row, company = job.row, job.company
        if row["sink_id"] not in company.sinks:
            return Dropped("sink_gone")
        try:
            kind, settings = read_sink(company.sinks[row["sink_id"]])
        except BadSink:
            return Later("bad_sink")
        if row["lane"].endswith(QUIET) and job.facts.owners.get(row["customer_id"]) != row["dest"]:
            return Dropped("moved_on")
        assigned = read.tell(row, job.facts, company, self._public_url)
        if assigned is None:
            return Dropped("erased")
        recipient = read.recipient(row, company) if kind.abilities.to_people else None
        if recipient is not None and (link := self._link_for(row["delivery_id"], row["dest"])):
            assigned = assigned.model_copy(update={"link": link})
        message = Message(
            delivery_id=row["delivery_id"],
            attempt=row["attempt"] + 1,
            at_us=job.at_us,
            zone=company.zone,
            company=company.name,
            assigned=assigned,
            recipient=recipient,
        )
        rendered = kind.render(settings, message)
        answer: Answer = kind.send(settings, rendered, self._outside)
        return answer

    def _done(self, result: Result) -> None:
        with self._lock:
            self._results.append(result)
        self._wake.set()


def _room(sink_id: str, company: Company) -> int:
    """Return how many sends of a sink may run at once; one that cannot be read is settled without any."""
    kind = SINKS.get(str(company.sinks.get(sink_id, {}).get("kind")))
    return kind.abilities.side_by_side if kind else 1


def _write(connection: Connection, result: Result, now_us: int) -> None:
    row, answer = result.row, result.answer
    values, letter = outcome(row, answer, now_us)
    is_held = letter is not None and is_to_be_held(connection, row, values["code"], values["answer"])
    if is_held:
        values, letter = {**values, "state": "waiting", "attempt": 0, "next_us": now_us}, None
    delivery = tables.delivery
    waiting = (delivery.c.delivery_id == row["delivery_id"]) & (delivery.c.state == "waiting")
    # What was taken is sent, even if the customer was erased in the same second; what was not stays dropped.
    mine = delivery.c.delivery_id == row["delivery_id"] if isinstance(answer, Taken) else waiting
    changed = connection.execute(update(delivery).where(mine).values(**values)).rowcount
    if letter is not None and changed:
        insert_ignore(connection, tables.dead, [letter])
    if is_held and changed:
        log.error("destination_held", sink=row["sink_id"], code=values["code"])
        hold(connection, row, values["code"], now_us)


def outcome(
    row: read.Row, answer: Answer | Dropped, now_us: int
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what a try changes in its delivery, and the dead letter it leads to, if any. Pure."""
    values: dict[str, Any] = {"answered_us": now_us}
    match answer:
        case Taken():
            return {**values, "state": "sent", "code": None, "answer": answer.answer}, None
        case Dropped():
            return {**values, "state": "dropped", "code": answer.code, "answer": None}, None
    failed = row["attempt"] + 1
    values |= {"attempt": failed, "code": answer.code, "answer": answer.answer}
    if isinstance(answer, Later):
        dice = dice_of(row["delivery_id"], failed)
        next_us = next_attempt(failed, row["since_us"], now_us, answer.wait_s, dice)
        if next_us is not None:
            values["next_us"] = next_us
            if failed >= STEP_ASIDE_AFTER:
                values["lane"] = row["delivery_id"]
            return values, None
    return {**values, "state": "failed"}, _dead_letter(row, answer, now_us)


def _dead_letter(row: read.Row, answer: Later | Never, now_us: int) -> dict[str, Any]:
    attempt = row["replays"] + 1
    return {
        "dead_id": make_id("dead", "deliver", row["delivery_id"], attempt),
        "stage": "deliver",
        "event_id": row["delivery_id"],
        "capture_id": None,
        "trace_id": row["trace_id"],
        "attempt": attempt,
        "code": answer.code,
        "field": f"sinks.{row['sink_id']}",
        "message": said(answer.code, answer.answer, row["attempt"] + 1),
        "hint": HINTS[answer.code],
        "state": "open",
        "refused_us": now_us,
        "topic": "delivery",  # a row, not a place in the log: replay makes it wait again
        "part": 0,
        "off": 0,
    }
