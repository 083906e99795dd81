"""Sending what is due: several destinations side by side, each in order, and each result recorded at once.

A delivery is sent, then recorded. Killed in between, it is sent again under the same id: at least once outside, and
recognisable. Several processes may send: each claims the lanes it sends from (`sinks.claims`). Started again under its
name, a process has its own claims back at once; another one takes them over when they have run out.

What people read is gathered: after a message its lane rests for a while, and what has come by then goes out as one. Which
message tells a delivery is on record before the first try, so that a repeat has the same content and the same id.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import structlog
from sqlalchemy import Connection, update
from sqlalchemy.exc import DBAPIError

from schemas.company import Company
from schemas.ids import make_id
from schemas.outward import Assigned
from schemas.sinks import ReadSettings, SinkSettings
from sinks import read
from sinks.claims import claim, forget_gathered, leave_to_gather, release, taken
from sinks.hold import held, hold, is_to_be_held
from sinks.ladder import STEP_ASIDE_AFTER, dice_of, next_attempt
from sinks.port import Abilities, Answer, Later, Message, Never, Outside, Taken
from sinks.quiet import AT_ONCE, QUIET
from sinks.registry import SINKS, BadSink, read_sink
from sinks.robot import Robot
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
GATHER_MOST = 500
"""How many deliveries one message tells at most: each is recorded in the transaction of its result."""
CrashAt = Literal["gathered, unsent", "sent, unrecorded"]
_NOT_TAKEN = frozenset({"busy", "no_secret", "login_refused", "no_starttls", "bad_certificate"})
"""Answers to a first try after which the destination surely has nothing: what waits may be told in another message, with
what came since."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Not to be sent at all: the customer was erased or has somebody else, or the sink is gone."""

    code: str


@dataclass(frozen=True, slots=True)
class Result:
    """How one try of a message ended, for each delivery that it tells."""

    lane: str
    ends: tuple[tuple[read.Row, Answer | Dropped], ...]
    gather_us: int = 0
    """How long the lane rests and gathers if it was taken."""
    is_new: bool = False
    """Whether nobody could have the message before this try."""


@dataclass(frozen=True, slots=True)
class _Job:
    """A message to be sent, and what was known when it was picked. Its first delivery is the first of its lane."""

    picked: read.Picked
    facts: read.Facts
    company: Company
    at_us: int

    @property
    def rows(self) -> tuple[read.Row, ...]:
        return self.picked.rows

    @property
    def lane(self) -> str:
        return str(self.rows[0]["lane"])

    @property
    def message_id(self) -> str:
        return str(self.rows[0]["told_in"] or self.rows[0]["delivery_id"])

    def all(self, answer: Answer | Dropped) -> Result:
        return Result(self.lane, tuple((row, answer) for row in self.rows))


class Dispatcher:
    """Sends deliveries until stopped.

    `worker` is this process's own name among those that send; `link_for` makes the one-time link that a message (its id, person) carries, the same at each try;
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
        crash_point: Callable[[CrashAt], None] = lambda _name: None,
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
            company, picked = self._settle(results, now_us)
            if any(len(one.rows) > 1 for one in picked):
                self._crash_point("gathered, unsent")
            for job in self._jobs(company, picked, now_us):
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
            return bool(rows and self._chosen(connection, rows, self._companies.get(connection), (), now_us))

    def _settle(
        self, results: Sequence[Result], now_us: int, *, start: bool = True
    ) -> tuple[Company, list[read.Picked]]:
        """Write the results there are, free their lanes, and claim the next, in one short transaction."""
        if results:
            self._crash_point("sent, unrecorded")
        answered = [result.lane for result in results]
        with self._store.write() as connection:
            for result in results:
                _write(connection, result, now_us)
                if result.gather_us and any(isinstance(answer, Taken) for _, answer in result.ends):
                    leave_to_gather(connection, result.lane, self._worker, now_us + result.gather_us)
            release(connection, answered, self._worker)
            if results:
                forget_gathered(connection, now_us)
            company = self._companies.get(connection)
            picked = self._claimed(connection, company, answered, now_us) if start else []
        with self._lock:
            del self._results[: len(results)]
            for lane in answered:
                self._under_way.pop(lane, None)
        return company, picked

    def _claimed(
        self, connection: Connection, company: Company, answered: Collection[str], now_us: int
    ) -> list[read.Picked]:
        """Claim the lanes of what is to be sent now; return what goes out of each then."""
        due = read.due(connection, now_us)
        wanted = {row["lane"] for row in self._chosen(connection, due, company, answered, now_us)}
        if not wanted:
            return []
        mine = claim(connection, wanted, self._worker, now_us)
        rows = [row for row in read.due(connection, now_us) if row["lane"] in mine]
        # Somebody else may have sent what was first, and let the lane go, before it was claimed.
        release(connection, mine - {row["lane"] for row in rows}, self._worker)
        return [_picked(connection, row, company, now_us) for row in rows]

    def _chosen(
        self,
        connection: Connection,
        rows: Sequence[read.Row],
        company: Company,
        answered: Collection[str],
        now_us: int,
    ) -> list[read.Row]:
        """Return what may be sent: the lane is free and gathers nothing, the destination not held, and the sink has room."""
        on_hold = held(connection) if rows else ()
        elsewhere = taken(connection, self._worker, now_us) if rows else ()
        with self._lock:
            under_way = {lane: sink for lane, sink in self._under_way.items() if lane not in answered}
        busy, chosen = Counter(under_way.values()), []
        for row in rows:
            sink_id = row["sink_id"]
            # One that is switched off waits until it is on again, one that is held until it is reset.
            if (
                row["lane"] in under_way
                or row["lane"] in elsewhere
                or destination_key(sink_id, row["dest"]) in on_hold
                or sink_id in company.sinks_off
                or busy[sink_id] >= _room(sink_id, company)
            ):
                continue
            busy[sink_id] += 1
            chosen.append(row)
        return chosen

    def _jobs(self, company: Company, picked: Sequence[read.Picked], now_us: int) -> list[_Job]:
        if not picked:
            return []
        with self._store.read() as connection:
            facts = read.gather(connection, company, [row for one in picked for row in one.rows], self._gaps)
        return [_Job(one, facts, company, now_us) for one in picked]

    def _start(self, job: _Job) -> None:
        lane = job.lane
        with self._lock:
            self._under_way[lane] = job.rows[0]["sink_id"]
        try:
            threading.Thread(target=self._send, args=(job,), name="send", daemon=True).start()
        except RuntimeError:  # no more threads: the lane stays free, and its turn comes again
            with self._lock:
                del self._under_way[lane]
            raise

    def _send(self, job: _Job) -> None:
        """Send one message, in a thread of its own."""
        try:
            result = self._answered(job)
        except DBAPIError as error:  # nothing was sent: its turn comes again, as the same message
            log.error("dispatch_failed", error=type(error).__name__)
            self._stopping.wait(RETRY_S)
            with self._lock:
                self._under_way.pop(job.lane, None)
            return
        except Exception as error:
            if self._stopping.is_set():
                return  # cut off by the stop: it is sent again after the start
            log.error("send_bug", delivery_id=job.message_id, error=type(error).__name__)
            result = job.all(Never("bug"))
        self._done(result)

    def _answered(self, job: _Job) -> Result:
        head, company = job.rows[0], job.company
        if head["sink_id"] not in company.sinks:
            return job.all(Dropped("sink_gone"))
        try:
            kind, settings = read_sink(company.sinks[head["sink_id"]])
        except BadSink:
            return job.all(Later("bad_sink"))
        told, left_out = self._told(job, settings)
        if not told:
            return Result(job.lane, tuple((row, left_out[row["delivery_id"]]) for row in job.rows))
        rendered = kind.render(settings, self._message(job, kind.abilities, settings, told))
        answer: Answer = kind.send(settings, rendered, self._outside)
        ends = tuple((row, left_out.get(row["delivery_id"], answer)) for row in job.rows)
        return Result(job.lane, ends, _gather_us(settings, job.lane), job.picked.is_new)

    def _told(
        self, job: _Job, settings: SinkSettings
    ) -> tuple[list[tuple[read.Row, Assigned]], Mapping[str, Dropped]]:
        """Return what is still to be told, and by delivery why the others are not."""
        told: list[tuple[read.Row, Assigned]] = []
        left_out: dict[str, Dropped] = {}
        for row in job.rows:
            assigned = read.tell(row, job.facts, job.company, self._public_url)
            if assigned is None:
                left_out[row["delivery_id"]] = Dropped("erased")
            elif isinstance(settings, ReadSettings) and _moved_on(row, job.facts):
                left_out[row["delivery_id"]] = Dropped("moved_on")
            else:
                told.append((row, assigned))
        return told, left_out

    def _message(
        self,
        job: _Job,
        abilities: Abilities,
        settings: SinkSettings,
        told: Sequence[tuple[read.Row, Assigned]],
    ) -> Message:
        head = job.rows[0]
        dest = head["dest"]
        # By what is set now: a robot may have become a group's, or another person's, since this was decided.
        is_for_one = abilities.to_people or (isinstance(settings, Robot) and settings.person == dest)
        several, link = [one for _, one in told], None
        if is_for_one and dest in job.company.people:
            link = self._link(job.message_id, dest, several[0] if len(told) == 1 else None)
            if len(told) > 1:
                for number, (row, one) in enumerate(told[: abilities.lists]):
                    own = self._link(row["delivery_id"], dest, one)
                    several[number] = one.model_copy(update={"link": own or one.link})
        return Message(
            delivery_id=job.message_id,
            attempt=head["attempt"] + 1,
            at_us=job.at_us,
            zone=job.company.zone,
            company=job.company.name,
            assigned=several[0],
            recipient=read.recipient(head, job.company) if abilities.to_people else None,
            more=tuple(several[1:]),
            link=link,
        )

    def _link(self, message_id: str, person_id: str, assigned: Assigned | None) -> str | None:
        """Return a one-time link for a person: to a task that is theirs or that they may take, else to their first page."""
        link = self._link_for(message_id, person_id)
        if link is None or assigned is None or assigned.task is None or assigned.together > 1:
            return link
        is_theirs = assigned.holder.id == person_id or assigned.why == "call_now"
        return f"{link}?task={assigned.task.task_id}" if is_theirs else link

    def _done(self, result: Result) -> None:
        with self._lock:
            self._results.append(result)
        self._wake.set()


def _room(sink_id: str, company: Company) -> int:
    """Return how many sends of a sink may run at once; one that cannot be read is settled without any."""
    kind = SINKS.get(str(company.sinks.get(sink_id, {}).get("kind")))
    return kind.abilities.side_by_side if kind else 1


def _picked(connection: Connection, head: read.Row, company: Company, now_us: int) -> read.Picked:
    """Return what goes out in one message with the first of a lane; where the sink cannot be read, that alone."""
    try:
        _, settings = read_sink(company.sinks[head["sink_id"]])
    except (BadSink, KeyError):
        return read.Picked((head,))
    if not isinstance(settings, ReadSettings):
        return read.Picked(({**head, "told_in": None},))
    lane = head["lane"]
    is_alone = lane.endswith(AT_ONCE) or not (settings.gather_s or lane.endswith(QUIET))
    return read.gathered(connection, head, now_us, 1 if is_alone else GATHER_MOST, _message_id)


def _message_id(rows: Sequence[read.Row]) -> str:
    """Return the id of a message by what it tells: a delivery alone gives it its own."""
    ids = [row["delivery_id"] for row in rows]
    return str(ids[0]) if len(ids) == 1 else make_id("msg", *ids)


def _gather_us(settings: SinkSettings, lane: str) -> int:
    if not isinstance(settings, ReadSettings) or lane.endswith(AT_ONCE):
        return 0
    return settings.gather_s * 1_000_000


def _moved_on(row: read.Row, facts: read.Facts) -> bool:
    """Tell whether what people would read no longer holds: somebody else has the customer they are to look after.

    One delivery tells of a whole set that was given at once: it holds as long as they have one of it.
    """
    if facts.together.get(row["decision_id"], 1) > 1:
        return facts.still[row["decision_id"]] == 0
    is_theirs = row["dest"] in (row["holder_id"], row["sink_id"]) or row["holder_kind"] == "queue"
    return is_theirs and facts.owners.get(row["customer_id"]) != str(row["holder_id"])


def _write(connection: Connection, result: Result, now_us: int) -> None:
    """Record how a try ended. A destination is held once, by the first delivery that is one too many."""
    delivery, on_hold = tables.delivery, False
    for row, answer in result.ends:
        values, letter = outcome(row, answer, now_us, is_open=result.is_new and result.gather_us > 0)
        is_held = letter is not None and is_to_be_held(connection, row, values["code"], values["answer"])
        if is_held:
            values, letter = {**values, "state": "waiting", "attempt": 0, "next_us": now_us}, None
        waiting = (delivery.c.delivery_id == row["delivery_id"]) & (delivery.c.state == "waiting")
        # What was taken is sent, even if the customer was erased in the same second; what was not stays dropped.
        mine = delivery.c.delivery_id == row["delivery_id"] if isinstance(answer, Taken) else waiting
        changed = connection.execute(update(delivery).where(mine).values(**values)).rowcount
        if letter is not None and changed:
            insert_ignore(connection, tables.dead, [letter])
        if is_held and changed and not on_hold:
            on_hold = True
            log.error("destination_held", sink=row["sink_id"], code=values["code"])
            hold(connection, row, values["code"], now_us)


def outcome(
    row: read.Row, answer: Answer | Dropped, now_us: int, *, is_open: bool = False
) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return what a try changes in its delivery, and the dead letter it leads to, if any. Pure.

    `is_open`: where messages are gathered, one that nobody had before and surely has not now is put together anew at its
    next try. It grows with what waits and holds up nothing, so it does not step aside, and is tried as often as what does.
    """
    values: dict[str, Any] = {"answered_us": now_us}
    match answer:
        case Taken():
            return {**values, "state": "sent", "code": None, "answer": answer.answer}, None
        case Dropped():
            return {**values, "state": "dropped", "code": answer.code, "answer": None}, None
    if isinstance(answer, Later) and answer.code == "busy" and answer.answer is None:
        # Our own pace: nothing was tried, and whoever waits for it must not fall behind those who come later.
        values |= {"next_us": now_us + round(answer.wait_s * 1_000_000)}
        return values | ({"told_in": None} if is_open else {}), None
    failed = row["attempt"] + 1
    values |= {"attempt": failed, "code": answer.code, "answer": answer.answer}
    if isinstance(answer, Later):
        message_id = row["told_in"] or row["delivery_id"]
        is_open = is_open and answer.code in _NOT_TAKEN
        step = min(failed, STEP_ASIDE_AFTER - 1) if is_open else failed
        next_us = next_attempt(step, row["since_us"], now_us, answer.wait_s, dice_of(message_id, failed))
        if next_us is not None:
            values["next_us"] = next_us
            if is_open:
                values["told_in"] = None
            elif failed >= STEP_ASIDE_AFTER:
                values["lane"] = message_id
            return values, None
    return {**values, "state": "failed", "told_in": None}, _dead_letter(row, answer, now_us)


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
