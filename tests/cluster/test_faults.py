"""What may go wrong around the stages, on real components: afterwards nothing is lost and nothing done twice."""

from __future__ import annotations

import signal
import time

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition

from stream.host import TopicReplaced
from stream.kafka.topics import apply, topics_of
from stream.log import Place
from tests.support.cluster import PARTS, Site, drop_topics, posts
from tests.support.rig import post

STAGE_POINTS = ("read", "half the effects", "before commit", "committed")


@pytest.mark.parametrize("point", STAGE_POINTS)
def test_a_worker_killed_at_a_crash_point(site: Site, point: str) -> None:
    door = site.door()
    site.outbox()
    captures = posts(120)
    dying = site.workers("a", LEADFLOW_CRASH_AT=f"{point}:3")
    site.accept(door, captures)
    dying.dead()
    site.workers("a")
    site.wait(lambda: site.count("task") >= 120, "every task")
    site.assert_sound(captures)


def test_the_forwarder_killed_between_the_brokers_and_its_note(site: Site) -> None:
    """What it had sent goes out once more, and the stages know it by its sequence."""
    door = site.door()
    dying = site.part("timers", "t", LEADFLOW_CRASH_AT="forwarded, unrecorded:2")
    site.workers("a")
    captures = posts(60)
    for first in range(0, 60, 20):
        site.accept(door, captures[first : first + 20])
        time.sleep(0.5)
    dying.dead()
    site.part("timers", "t")
    site.wait(lambda: site.count("task") >= 60, "every task")
    site.assert_sound(captures)


def test_two_forwarders_of_which_one_dies(site: Site) -> None:
    door = site.door()
    leader = site.part("timers", "t1")
    site.part("timers", "t2")
    site.workers("a")
    captures = posts(80)
    site.accept(door, captures[:40])
    site.wait(lambda: site.count("task") >= 20, "some tasks")
    leader.kill()
    site.accept(door, captures[40:])
    site.wait(lambda: site.count("task") >= 80, "every task")
    site.assert_sound(captures)


def test_a_zombie_beside_its_successor(site: Site) -> None:
    """A worker stands still for longer than its session, wakes up, and goes on with what it had."""
    door = site.door()
    site.outbox()
    captures = posts(400)
    zombie = site.workers("a")
    site.accept(door, captures[:200])
    site.wait(lambda: site.count("capture") > 20, "the first batches")
    zombie.send(signal.SIGSTOP)
    site.accept(door, captures[200:])
    site.workers("b")
    site.wait(lambda: site.count("task") >= 400, "every task, by the successor", 120)
    zombie.send(signal.SIGCONT)
    more = posts(100, first=1_000)
    site.accept(door, more)
    site.wait(lambda: site.count("task") >= 500, "the tasks of both")
    site.assert_sound([*captures, *more])


def test_offsets_reset_to_the_beginning(site: Site) -> None:
    door = site.door()
    site.outbox()
    worker = site.workers("a")
    captures = posts(100)
    site.accept(door, captures)
    site.wait(lambda: site.count("task") >= 100, "every task")
    site.stop(worker)
    for group in ("parse", "resolve", "route", "deliver"):
        _forget_offsets(site, f"leadflow-{group}")
    site.workers("a")
    more = posts(20, first=500)
    site.accept(door, more)
    site.wait(lambda: site.count("task") >= 120, "the new tasks")
    site.assert_sound([*captures, *more])


def test_a_topic_deleted_and_recreated_stops_the_stage_with_an_alarm(site: Site) -> None:
    door = site.door()
    site.outbox()
    worker = site.workers("a", ["parse"])
    site.accept(door, posts(50))
    site.wait(lambda: site.count("capture") == 50, "the captures")
    drop_topics(site.admin, ["captures"])
    apply(site.admin, topics_of(PARTS), 1)
    door_after = site.door()
    site.accept(door_after, posts(5, first=900))
    site.wait(lambda: "was recreated" in worker.well()[1], "the alarm", 30)
    assert site.count("capture") == 50, "nothing of the new topic was taken for the old one's"
    site.wait(lambda: site.count("alarm") > 0, "a person is told")
    told = site.ask("SELECT what, stage, source_id, code FROM alarm")
    assert told == [("stage_stands", "parse", "captures", "topic_replaced")], "once"
    assert worker.alive


def test_a_partition_that_is_gone_is_not_taken_for_brokers_that_are_away(site: Site) -> None:
    with pytest.raises(TopicReplaced, match=f"no partition {PARTS}, .* recreated with fewer"):
        site.cluster.reader.head(Place("captures", PARTS))


def test_poison_among_many(site: Site) -> None:
    """A foreign message and a capture that cannot be read become dead letters; the others pass."""
    door = site.door()
    site.outbox()
    captures = posts(200)
    foreign = Producer({"bootstrap.servers": str(site.settings.kafka)})
    foreign.produce("captures", b"\xff not ours", partition=1)
    foreign.produce("captures", b"{}", partition=2, headers=[("ce_id", b"\xff")])
    foreign.flush(10)
    broken = post(made="broken", name="", message="")
    site.accept(door, [*captures[:100], broken, *captures[100:]])
    site.workers("a")
    site.wait(lambda: site.count("task") >= 200, "every task")
    site.wait(lambda: site.count("dead") >= 2, "the dead letters")
    codes = {row[0] for row in site.ask("SELECT code FROM dead WHERE code = 'no_event'")}
    assert codes == {"no_event"}
    assert site.ask("SELECT count(*) FROM dead WHERE code = 'no_event'") == [(2,)]
    site.wait(lambda: len(site.messages("dead")) == site.count("dead"), "the news of each")
    told = [headers for headers, _ in site.messages("dead")]
    places = {
        (one["__connect.errors.topic"], one["__connect.errors.partition"], one["__connect.errors.offset"])
        for one in told
        if one["__connect.errors.exception.class.name"] == b"no_event"
    }
    assert places == {(b"captures", b"1", b"0"), (b"captures", b"2", b"0")}
    assert {one["__connect.errors.stage"] for one in told} == {b"parse"}


def test_two_leads_of_one_customer_in_the_same_instant(site: Site) -> None:
    """By phone alone, by mail alone, by both: on whichever workers they meet, one customer with one owner."""
    door = site.door()
    site.outbox()
    site.workers("a")
    site.workers("b")
    captures = []
    for number in range(40):
        phone, mail = f"139{number:08d}", f"person{number}@daheng-it.cn"
        captures += [
            post(made=f"p{number}", name="张伟", phone=phone),
            post(made=f"b{number}", name="张伟", phone=phone, email=mail),
            post(made=f"e{number}", name="张伟", email=mail),
        ]
    site.accept(door, captures)
    site.wait(lambda: site.count("lead") >= 120, "every lead")
    site.wait(lambda: site.ask(_DECIDED) == [(120,)], "every decision")
    site.assert_sound(captures)
    shared = site.ask(
        "SELECT kind, value FROM lead_identifier JOIN membership USING (lead_id) "
        "WHERE trust = 'trusted' AND to_us IS NULL GROUP BY kind, value HAVING count(DISTINCT customer_id) > 1"
    )
    assert [row for row in shared if row[0] == "phone"] == []


_DECIDED = "SELECT count(*) FROM decision WHERE stage = 'route' AND lead_id IS NOT NULL"


def _forget_offsets(site: Site, group: str) -> None:
    """Set a group's offsets to the beginning, as a careless operator would."""
    (listed,) = site.admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]).values()
    places = [TopicPartition(one.topic, one.partition, 0) for one in listed.result(10).topic_partitions]
    if places:
        wanted = ConsumerGroupTopicPartitions(group, places)
        (done,) = site.admin.alter_consumer_group_offsets([wanted]).values()
        done.result(10)
