"""A source that fails, on real Kafka and PostgreSQL: held by whichever worker meets it, and replayed in order."""

from __future__ import annotations

from collections import Counter

from confluent_kafka import TopicPartition

from leadflow.clock import wall_clock_us
from schemas.capture import Capture
from store.acts import Command, perform
from store.breakers import reset
from store.company import put_company
from stream.log import Place
from tests.support.cluster import PARTS, Site
from tests.support.senders import bad, good, senders

FEW = {"LEADFLOW_BREAKER_MINIMUM": "5"}


def rebuilt(first: int, count: int) -> list[Capture]:
    return [bad("site", number, wall_clock_us()) for number in range(first, first + count)]


def test_workers_hold_a_source_together_and_replay_it_after_a_kill(site: Site) -> None:
    with site.cluster.store.write() as connection:
        put_company(connection, senders("site", "fair", "shop"), 0)
    door = site.door()
    site.outbox()
    first, second = (site.workers(member, ("parse",), **FEW) for member in ("a", "b"))
    site.workers("c", ("resolve", "route"))
    site.accept(door, [*rebuilt(0, 200), *(good("fair", number, wall_clock_us()) for number in range(40))])
    site.wait(lambda: site.count("dead") == 200 and site.count("task") == 40, "all but those of fair refused")
    states = Counter(state for (state,) in site.ask("SELECT state FROM dead"))
    assert site.ask("SELECT source_id, stage, state FROM breaker") == [("site", "parse", "open")]
    assert states["held"] > 0
    assert first.well()[0], "one source that fails makes nobody unwell"
    assert second.well()[0]
    (held_id,) = site.ask("SELECT capture_id FROM dead WHERE state = 'held' LIMIT 1")[0]
    raw = site.cluster.capture(held_id)
    assert raw is not None
    assert raw.body.startswith(b"sj=138")

    with site.cluster.store.write() as connection:
        put_company(connection, senders("site", "fair", "shop", fields={"sj": "phone"}), 0)
    first.kill()
    command = Command("reset_breaker", "ann", "reset", "site", "fields mapped")
    perform(site.cluster.store, command, reset(), wall_clock_us(), site.cluster.store_log.append)
    site.accept(door, rebuilt(1_000, 40))
    site.workers("a", ("parse",), **FEW)  # as whoever runs it would start it again
    whole = 40 + 200 + 40 - states["open"]
    site.wait(lambda: site.count("task") == whole and site.count("breaker") == 0, "everything replayed")
    after = Counter(state for (state,) in site.ask("SELECT state FROM dead"))
    assert after["open"] == states["open"]
    assert set(after) == {"open", "replayed"}
    assert site.count("lead") == site.count("customer") == whole
    parsed = site.ask(
        "SELECT capture.part, capture.off FROM log JOIN lead_capture ON lead_id = subject AND role = 'origin' "
        "JOIN capture USING (capture_id) WHERE topic = 'leads' AND source_id = 'site' ORDER BY log.off"
    )
    for part in range(PARTS):
        offs = [off for one, off in parsed if one == part]
        assert offs == sorted(offs), "one of a partition overtook another"


def test_what_a_topic_keeps_no_longer_is_passed_over(site: Site) -> None:
    door = site.door()
    site.accept(door, [good("site", number, wall_clock_us()) for number in range(60)])
    reader = site.cluster.reader
    place = next(
        Place("captures", part) for part in range(PARTS) if reader.head(Place("captures", part)).end > 3
    )
    whole = reader.read(place, 0, 100)
    gone = site.admin.delete_records([TopicPartition(place.topic, place.part, 2)])
    for done in gone.values():
        done.result(30)
    assert [one.off for one in reader.read(place, 0, 100)] == [one.off for one in whole][2:]
    assert [one.off for one in reader.read(place, 3, 1)] == [3]
    assert reader.read(place, len(whole), 10) == []
