"""What a rule book, or another plan of people, would have done: history through the very functions that decide. Pure.

Leads are taken in the order in which they came, queues drain as people come on shift, and turns go by a ledger that
is kept as the live one is. What people did with their customers later is not repeated, but for one thing: a customer
that was closed counts as closed from then on, whoever has it here. The same seed gives the same answer; without one,
ties fall as they did live.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from router.eligible import Loads, Needs, needs_of
from router.office import Office
from router.route import NOTHING_YET, Case, Holder, Routing, Total, Waits, drain, keeps, named_person, route
from router.strategies import offered_until, strategy_named
from schemas.facts import day_of
from schemas.ids import child_id
from schemas.shares import parts_of
from worktime.localtime import day_start, zone_of

HORIZON_US = 31 * 24 * 3_600 * 1_000_000
"""How long after the last lead queues go on draining: over any holiday. Who waits longer is said to wait still."""

Books = dict[tuple[str, str, str], dict[str, Total]]
"""The ledger: by team, local month and grade what each person received and is entitled to."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lead went, or would have gone."""

    holder: Holder
    """Who got it; the queue it is in, if nobody did."""
    rule_id: str | None = None
    queue: str | None = None
    """The waiting queue through which it came, or where it is."""
    owner_us: int | None = None
    """When a person had it."""
    due_us: int | None = None
    """When its first-response limit ends; None where nothing has to be answered, or nobody knows."""
    stays: bool = False
    """With whoever had its customer already."""
    absent: bool = False
    """Stays with somebody who was away, and nobody stood in."""


@dataclass(frozen=True, slots=True)
class Came:
    """A lead of the history: when it was decided on, what rules may ask of it, and where it went."""

    at_us: int
    lead_id: str
    customer_id: str
    decision_id: str
    """Seeds ties."""
    facts: Mapping[str, str]
    was: Place
    before: Holder | None = None
    """Who had its customer when it came."""
    is_new: bool = True
    """It is to be answered: an enquiry or a missed call, and no addition to one."""
    placed: bool = False
    """By the list it came with, whatever a rule says."""


@dataclass(frozen=True, slots=True)
class Closed:
    """A customer was closed, and until then somebody had it."""

    at_us: int
    customer_id: str
    had: Holder


@dataclass(frozen=True, slots=True)
class Start:
    """How things stood when the history begins."""

    books: Mapping[tuple[str, str, str], Mapping[str, Total]] = field(default_factory=dict)
    open: Mapping[str, int] = field(default_factory=dict)
    """Open customers by person."""


@dataclass(slots=True)
class _Waiting:
    """A customer in a waiting queue, with its leads there and what the newest of them needs."""

    customer_id: str
    leads: list[tuple[Came, Place]]
    needs: Needs
    strategy: str | None
    offered_until_us: int = 0
    """Until then it would be whoever takes it first; who that would have been is not known, so it goes by turn after."""


class Simulation:
    """A run over one history by one office."""

    def __init__(self, office: Office, start: Start | None = None, seed: str = "") -> None:
        self.office = office
        self._seed = seed
        self._start = start or Start()
        self._books: Books = {where: dict(totals) for where, totals in self._start.books.items()}
        self._owners: dict[str, Holder] = {}
        self._open: Counter[str] = Counter(self._start.open)
        self._closed: set[str] = set()
        self._today: Counter[str] = Counter()
        self._day = ""
        self._queues: dict[str, dict[str, _Waiting]] = {}
        self._timers: list[tuple[int, str]] = []
        self._set: set[tuple[int, str]] = set()
        self._opens: dict[tuple[str, str | None, _Fit], int] = {}
        people = office.company.people
        self._capped = {
            team: any(one.person_id in people and people[one.person_id].is_capped for one in members)
            for team, members in office.members.items()
        }
        self._last: dict[tuple[str, str], int] = {}
        for (team, _, _), totals in self._books.items():
            for person, (_, _, last_us) in totals.items():
                self._last[team, person] = max(last_us, self._last.get((team, person), 0))

    def run(self, history: Iterable[Came | Closed]) -> Iterator[tuple[Came, Place]]:
        """Yield every lead of a history, once it is clear who has it. The history is in the order of time."""
        at_us = 0
        for one in history:
            at_us = one.at_us
            if self._timers and self._timers[0][0] <= at_us:
                yield from self._drained(at_us)
            if isinstance(one, Closed):
                yield from self._close(one)
            else:
                yield from self._decided(one)
        yield from self._drained(at_us + HORIZON_US)
        for queue in self._queues.values():
            for waiting in queue.values():
                yield from waiting.leads

    def given(self) -> Books:
        """Return what the run entered in the ledger: what people received and were entitled to of this history."""
        found: Books = {}
        for where, totals in self._books.items():
            before = self._start.books.get(where, {})
            for person, (received, entitled, last_us) in totals.items():
                had = before.get(person, NOTHING_YET)
                total = (received - had[0], entitled - had[1], last_us)
                if total[:2] != (0, 0):
                    found.setdefault(where, {})[person] = total
        return found

    def _decided(self, came: Came) -> Iterator[tuple[Came, Place]]:
        at_us, customer_id, office = came.at_us, came.customer_id, self.office
        holder = self._owners.get(customer_id) or came.before
        kept = keeps(holder, office, at_us) if holder is not None else None
        if kept is not None:
            self._owners[customer_id] = kept.holder
            if came.is_new and customer_id in self._closed:
                self._closed.discard(customer_id)
                self._open[kept.holder.holder_id] += 1
            yield came, self._stayed(came, kept)
            return
        if came.placed:
            if came.was.holder.kind != "queue":
                self._owners[customer_id] = came.was.holder
            if came.was.holder.kind == "person":
                self._open[came.was.holder.holder_id] += 1
            yield came, came.was
            return
        found, needs = office.book.first(came.facts), needs_of(came.facts)
        rule = found[0] if found else None
        case = self._case(came, (rule.team, rule.strategy) if rule else ("", None), at_us, needs)
        routing = route(found, office, case)
        due_us = self._due(came, routing)
        if routing.holder.kind == "person":
            waits = self._leave(customer_id)
            self._give(customer_id, routing, at_us)
            yield came, Place(routing.holder, routing.reason.rule_id, None, at_us, due_us)
            yield from self._with(waits, routing.holder, at_us)
            return
        if routing.holder.kind != "queue":  # a pool, where people help themselves
            waits = self._leave(customer_id)
            self._owners[customer_id] = routing.holder
            yield came, Place(routing.holder, routing.reason.rule_id, None, None, due_us)
            yield from self._with(waits, routing.holder, None)
            return
        place = Place(routing.holder, routing.reason.rule_id, routing.holder.holder_id, None, due_us)
        self._queue(came, place, needs, routing.reason.strategy)
        if rule is not None and routing.reason.code == "waiting":
            self._wait(rule.team, rule.strategy, at_us, needs)
        if rule is not None and routing.reason.code == "call_now":
            self._queues[rule.team][came.customer_id].offered_until_us = offered_until(rule.strategy, at_us)
            self._opens_at(offered_until(rule.strategy, at_us), rule.team)

    def _queue(self, came: Came, place: Place, needs: Needs, strategy: str | None) -> None:
        """Have a lead wait; one whose customer waits there already waits at its place, by what it came by."""
        queue = self._queues.setdefault(place.holder.holder_id, {})
        waits = queue.get(came.customer_id)
        if waits is None:
            other = self._leave(came.customer_id)
            waits = _Waiting(came.customer_id, other.leads if other else [], needs, strategy)
            queue[came.customer_id] = waits
        waits.leads.append((came, place))
        waits.needs = needs
        self._owners[came.customer_id] = place.holder

    def _stayed(self, came: Came, kept: Routing) -> Place:
        holder, stand_in = kept.holder, kept.reason.stand_in
        absent = stand_in is None and self.office.why_not(holder.holder_id, came.at_us) == "away"
        due_us = self._due(came, kept)
        return Place(holder, None, None, came.at_us, due_us, stays=True, absent=absent)

    def _due(self, came: Came, routing: Routing) -> int | None:
        if not came.is_new:
            return None
        holder_id = routing.reason.stand_in or routing.holder.holder_id
        return self.office.due(holder_id, came.at_us, routing.respond_within_minutes)

    def _leave(self, customer_id: str) -> _Waiting | None:
        """Take a customer out of the queue it is in, if it is in one."""
        holder = self._owners.get(customer_id)
        if holder is None or holder.kind != "queue":
            return None
        return self._queues[holder.holder_id].pop(customer_id, None)

    @staticmethod
    def _with(waits: _Waiting | None, holder: Holder, at_us: int | None) -> Iterator[tuple[Came, Place]]:
        """Yield the leads of a customer that waited, now that it is somewhere else."""
        for came, place in waits.leads if waits is not None else ():
            yield came, Place(holder, place.rule_id, place.queue, at_us, place.due_us)

    def _drained(self, upto_us: int) -> Iterator[tuple[Came, Place]]:
        """Yield what is taken out of queues until a moment, as people come on shift."""
        while self._timers and self._timers[0][0] <= upto_us:
            timer = heapq.heappop(self._timers)
            self._set.discard(timer)
            due_us, team_id = timer
            if queue := self._queues.get(team_id):
                yield from self._shared_out(team_id, queue, due_us)

    def _shared_out(
        self, team_id: str, queue: dict[str, _Waiting], due_us: int
    ) -> Iterator[tuple[Came, Place]]:
        """Give what waits to whoever can take it, oldest first, as `router.gateway` does when a queue opens."""
        at_us = due_us + 1
        event_id = child_id("evt", team_id, "/timers", f"queue_opens:{team_id}:{due_us}", 0)
        in_vain: set[tuple[str | None, _Fit]] = set()
        for waits in list(queue.values()):
            way = (waits.strategy, _fit(waits.needs))
            if way in in_vain or at_us < waits.offered_until_us:
                continue  # whom it needs was not there a moment ago, and nobody has come since
            newest = waits.leads[-1][0]
            case = self._case(newest, (team_id, waits.strategy), at_us, waits.needs)
            decision_id = self._seeded(child_id("dec", event_id, "route", waits.customer_id))
            case = Case(at_us, decision_id, case.grade, case.totals, case.needs, case.loads)
            taken = drain(team_id, self.office, case, Waits(waits.strategy))
            if taken is not None:
                del queue[waits.customer_id]
                self._give(waits.customer_id, taken, at_us)
                yield from self._with(waits, taken.holder, at_us)
                continue
            in_vain.add(way)
            self._wait(team_id, waits.strategy, at_us, waits.needs)
            if not self.office.could_take(team_id, at_us, loads=case.loads)[0]:
                self._wait(team_id, None, at_us, _ANYTHING)
                return

    def _wait(self, team_id: str, strategy: str | None, at_us: int, needs: Needs) -> None:
        """Set the timer for the moment at which somebody of a team may next take something with these needs."""
        named = named_person(strategy_named(strategy), team_id, self.office)
        way = (team_id, named, _fit(needs))
        if not self._capped.get(team_id) and self._opens.get(way, 0) > at_us:
            return  # the timer that is set already: without caps nobody can take it before
        zone = zone_of(self.office.company.zone)
        tomorrow_us = day_start(day_start(at_us, zone) + 36 * 3_600_000_000, zone)
        opens_us = self.office.opens(
            team_id, at_us, needs, self._loads(at_us), only=named, tomorrow_us=tomorrow_us
        )
        if opens_us is None:
            return
        self._opens[way] = opens_us
        self._opens_at(opens_us, team_id)

    def _opens_at(self, opens_us: int, team_id: str) -> None:
        if (opens_us, team_id) not in self._set:
            self._set.add((opens_us, team_id))
            heapq.heappush(self._timers, (opens_us, team_id))

    def _case(self, came: Came, way: tuple[str, str | None], at_us: int, needs: Needs) -> Case:
        team_id, strategy = way
        grade = came.facts["grade"]
        month = day_of(self.office.company.zone, at_us)[:7]
        totals: Mapping[str, Total] = self._books.get((team_id, month, grade), {})
        if strategy == "least_recent":
            members = (one.person_id for one in self.office.members.get(team_id, ()))
            totals = {
                one: (*totals.get(one, NOTHING_YET)[:2], self._last_of(team_id, one, at_us))
                for one in members
            }
        return Case(at_us, self._seeded(came.decision_id), grade, totals, needs, self._loads(at_us))

    def _last_of(self, team_id: str, person_id: str, at_us: int) -> int:
        """Return when the team last gave somebody something, this month or the last; 0 for never."""
        zone, last_us = self.office.company.zone, self._last.get((team_id, person_id), 0)
        recent = {day_of(zone, at_us)[:7], day_of(zone, at_us - _MONTH_US)[:7]}
        return last_us if last_us and day_of(zone, last_us)[:7] in recent else 0

    def _seeded(self, decision_id: str) -> str:
        return f"{self._seed} {decision_id}" if self._seed else decision_id

    def _loads(self, at_us: int) -> Loads:
        day = day_of(self.office.company.zone, at_us)
        if day != self._day:
            self._day = day
            self._today.clear()
        return Loads(self._open, self._today)

    def _give(self, customer_id: str, routing: Routing, at_us: int) -> None:
        """Enter what somebody got, as the ledger does."""
        chosen, reason = routing.holder.holder_id, routing.reason
        self._owners[customer_id] = routing.holder
        self._closed.discard(customer_id)
        self._open[chosen] += 1
        self._today[chosen] += 1
        team_id = routing.counts_for or ""
        self._last[team_id, chosen] = at_us
        where = (team_id, day_of(self.office.company.zone, at_us)[:7], reason.grade or "")
        totals = self._books.setdefault(where, {})
        for (person_id, *_), part in zip(
            reason.standing, parts_of([one[1] for one in reason.standing]), strict=True
        ):
            received, entitled, last_us = totals.get(person_id, NOTHING_YET)
            got = person_id == chosen
            totals[person_id] = (received + got, entitled + part, at_us if got else last_us)

    def _close(self, closed: Closed) -> Iterator[tuple[Came, Place]]:
        """Count a customer as closed; whoever had reached their cap may then get what waits."""
        holder = self._owners.get(closed.customer_id, closed.had)
        if holder.kind != "person" or closed.customer_id in self._closed:
            return
        person_id = holder.holder_id
        self._closed.add(closed.customer_id)
        self._owners[closed.customer_id] = holder
        self._open[person_id] -= 1
        person = self.office.company.people.get(person_id)
        if person is None or person.open_cap is None:
            return
        for team_id, queue in self._queues.items():
            if queue and any(one.person_id == person_id for one in self.office.members.get(team_id, ())):
                yield from self._shared_out(team_id, queue, closed.at_us)


_Fit = tuple[str, str, str]
_ANYTHING = Needs()
_MONTH_US = 28 * 86_400_000_000
"""So long before any moment it is the same local month or the one before."""


def _fit(needs: Needs) -> _Fit:
    """Return what decides whether anybody can take a lead; what it is about only says who knows most of it."""
    return needs.language, needs.line, needs.territory
