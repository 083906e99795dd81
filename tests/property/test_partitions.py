"""Events of several partitions in one batch: repeats are skipped, gaps are named, nothing is done twice."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import Connection, select

from schemas.events import Event
from schemas.results import Stage as StageName
from store import tables
from store.effects import Effect, Insert
from stream.host import Gap, StageHost, Step, TopicReplaced
from stream.log import Head, Logged, Place
from tests.support.rig import Rig

PARTS = 4


class Partitions:
    """A topic in memory, read as a broker's would be."""

    def __init__(self) -> None:
        self.topic_id = "first"
        self.start = 0
        self.parts: list[list[Logged]] = [[] for _ in range(PARTS)]

    def put(self, part: int, name: str, sequence: int | None = None, off: int | None = None) -> Logged:
        held = self.parts[part]
        off = off if off is not None else (held[-1].off + 1 if held else 0)
        held.append(Logged("leads", part, off, event(name), sequence=sequence))
        return held[-1]

    def read(self, place: Place, from_off: int, limit: int) -> list[Logged]:
        if place.topic != "leads":
            return []
        return [one for one in self.parts[place.part] if one.off >= from_off][:limit]

    def head(self, place: Place) -> Head:
        held = self.parts[place.part] if place.topic == "leads" else []
        return Head(self.topic_id, held[-1].off + 1 if held else 0, self.start)


def event(name: str) -> Event:
    return Event(
        id=name,
        source="/test",
        type="leadflow.lead.v1",
        subject=name,
        key=name,
        time_us=1,
        trace_id="0" * 32,
        purpose="real",
        key_id=None,
        data=b"",
    )


@dataclass
class Noting:
    """A stage that writes each event down once more every time it decides on it."""

    name: StageName = "resolve"
    topics: tuple[str, ...] = ("leads",)
    one_by_one: tuple[str, ...] = ()
    decided: int = 0

    def prepare(self, events: Sequence[Logged]) -> None:
        return None

    def gather(
        self, connection: Connection, prepared: None, events: Sequence[Logged], times: Sequence[int]
    ) -> None:
        return None

    def decide(self, logged: Logged, facts: None, at_us: int) -> Step:
        self.decided += 1
        if logged.event.id == "bad":
            raise RuntimeError
        effect: Effect = Insert(
            "unlisted",
            {
                "kind": "product",
                "value": logged.event.id,
                "lead_id": str(self.decided),
                "at_us": self.decided,
            },
        )
        return Step((effect,))


@pytest.fixture
def topic() -> Partitions:
    return Partitions()


@pytest.fixture
def host(rig: Rig, topic: Partitions) -> StageHost[Any, Any]:
    readers = dict.fromkeys(("leads", "replay"), topic)
    return StageHost(Noting(), readers, rig.store, rig.files.store_log, lambda one: one.time_us)


def noted(rig: Rig) -> list[str]:
    table = tables.unlisted
    with rig.store.read() as connection:
        return list(connection.execute(select(table.c.value).order_by(table.c.at_us)).scalars())


def begin(host: StageHost[Any, Any]) -> None:
    for part in range(PARTS):
        host.verify(Place("leads", part))


def test_a_batch_of_all_partitions_is_done_once(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    events = [topic.put(number % PARTS, f"e{number}") for number in range(20)]
    begin(host)
    assert host.handle(events) == 20
    assert host.handle(events) == 0
    assert noted(rig) == [f"e{number}" for number in range(20)]
    assert [host.next_of(Place("leads", part)) for part in range(PARTS)] == [5] * PARTS


def test_a_gap_in_one_partition_is_named_and_nothing_is_done(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    events = [topic.put(number % PARTS, f"e{number}") for number in range(12)]
    begin(host)
    with pytest.raises(Gap) as gap:
        host.handle([one for one in events if one.event.id != "e5"])
    assert (gap.value.place, gap.value.found) == (Place("leads", 1), 2)
    assert noted(rig) == []
    host.run_place(Place("leads", 1))
    assert noted(rig) == ["e1", "e5", "e9"]


def test_what_was_forwarded_twice_is_decided_once(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    for sequence in (0, 3, 7, 3, 7, 9):
        topic.put(2, f"s{sequence}", sequence)
    begin(host)
    host.run_place(Place("leads", 2))
    assert noted(rig) == ["s0", "s3", "s7", "s9"]
    assert host.next_of(Place("leads", 2)) == 6
    again = topic.put(2, "s9", 9)
    assert host.handle([again]) == 0
    assert host.next_of(Place("leads", 2)) == 7


def test_offsets_that_hold_nothing_are_passed_over_only_when_read_there(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    topic.put(0, "a", off=0)
    late = topic.put(0, "b", off=4)
    begin(host)
    with pytest.raises(Gap):
        host.handle([late])
    assert host.run_place(Place("leads", 0)) == 2
    assert noted(rig) == ["a", "b"]


def test_a_bad_event_among_partitions_alone_is_refused(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    events = [topic.put(number % PARTS, "bad" if number == 6 else f"e{number}") for number in range(12)]
    begin(host)
    assert host.handle(events) == 12
    assert sorted(noted(rig)) == sorted(f"e{number}" for number in range(12) if number != 6)
    (dead,) = rig.rows("dead")
    assert (dead["code"], dead["part"], dead["off"]) == ("bug", 2, 1)


def test_a_foreign_message_is_refused_at_its_place(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    foreign = replace(topic.put(3, "x"), fault="no ce_id header")
    begin(host)
    host.handle([foreign, topic.put(3, "good")])
    (dead,) = rig.rows("dead")
    assert (dead["code"], dead["topic"], dead["part"], dead["off"]) == ("no_event", "leads", 3, 0)
    assert noted(rig) == ["good"]


@pytest.mark.parametrize("change", ["recreated", "cut", "shorter"])
def test_a_replaced_or_cut_topic_stops_the_stage(
    host: StageHost[Any, Any], topic: Partitions, change: str
) -> None:
    for number in range(4):
        topic.put(0, f"e{number}")
    host.run_place(Place("leads", 0))
    if change == "recreated":
        topic.topic_id = "second"
    elif change == "cut":
        topic.start = 5
    else:
        del topic.parts[0][2:]
    for look in (host.run_place, host.verify):
        with pytest.raises(TopicReplaced):
            look(Place("leads", 0))


@pytest.mark.parametrize("has_begun", [False, True])
@pytest.mark.parametrize("look", ["run_place", "verify", "verify_topics"])
def test_a_host_overtaken_while_it_looks_sees_no_other_topic(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions, look: str, has_begun: bool
) -> None:
    """Another worker does what came since the end was read: the place is beyond that end, and all is well."""
    place = Place("leads", 0)
    topic.put(0, "first")
    if has_begun:
        host.run_place(place)
    overtaken = Overtaken(topic, lambda: host.run_place(place))
    readers = dict.fromkeys(("leads", "replay"), overtaken)
    slow = StageHost(Noting(), readers, rig.store, rig.files.store_log, lambda one: one.time_us)
    match look:
        case "run_place":
            slow.run_place(place)
        case "verify":
            slow.verify(place)
        case _:
            slow.verify_topics()
    host.run_place(place)
    assert noted(rig) == [one.event.id for one in topic.parts[0]]


class Overtaken:
    """A topic that grows, and whose new event another worker does, right after somebody has looked at its end."""

    def __init__(self, topic: Partitions, overtake: Callable[[], object]) -> None:
        self._topic = topic
        self._overtake = overtake
        self.read = topic.read

    def head(self, place: Place) -> Head:
        found = self._topic.head(place)
        self._topic.put(0, f"later {len(self._topic.parts[0])}")
        self._overtake()
        return found


def test_two_hosts_that_share_all_partitions_do_each_event_once(
    rig: Rig, host: StageHost[Any, Any], topic: Partitions
) -> None:
    """As after a rebalance: the old worker goes on with what it had read."""
    dice = random.Random(7)
    events = [topic.put(number % PARTS, f"e{number}") for number in range(200)]
    begin(host)
    readers = dict.fromkeys(("leads", "replay"), topic)
    zombie = StageHost(Noting(), readers, rig.store, rig.files.store_log, lambda one: one.time_us)
    at = [0, 0]
    while min(at) < len(events):
        turn = dice.randrange(2)
        batch = events[at[turn] : at[turn] + dice.randrange(1, 30)]
        at[turn] += len(batch)
        worker = (host, zombie)[turn]
        while True:
            try:
                worker.handle(batch)
                break
            except Gap as gap:
                worker.run_place(gap.place)
    assert sorted(noted(rig)) == sorted(one.event.id for one in events)
