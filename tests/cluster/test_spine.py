"""The whole path on real Kafka, Faust and PostgreSQL: what a door accepted becomes one owner and one task."""

from __future__ import annotations

import re
from pathlib import Path

from ingest.email.door import MAX_MAIL_BYTES
from leadflow.clock import wall_clock_us
from tests.support.cluster import Site, posts
from tests.support.rig import post, small_company


def test_what_is_accepted_is_routed_once(site: Site) -> None:
    door = site.door()
    site.outbox()
    site.workers()
    captures = posts(300)
    site.accept(door, captures)
    site.accept(door, captures)  # every message twice
    site.wait(lambda: site.count("task") >= 300, "300 tasks")
    assert site.count("capture") == site.count("lead") == site.count("customer") == 300
    site.assert_sound(captures)
    assert site.ask("SELECT count(*) FROM dead") == [(0,)]


def test_the_largest_mail_a_door_takes_passes_and_nothing_waits_behind_it(site: Site) -> None:
    door = site.door()
    site.outbox()
    site.workers()
    large = post(made="large", name="大客户", phone="13812345678", message="x" * (MAX_MAIL_BYTES - 100))
    small = posts(1)
    site.accept(door, [large])
    site.accept(door, small)
    site.wait(lambda: site.count("capture") == 2, "both captures")
    site.wait(lambda: site.count("task") >= 1, "the small one's task")
    assert door.spooled_bytes == 0
    found = site.cluster.capture(large.capture_id)
    assert found is not None
    assert found.body == large.body


def test_a_stages_process_shows_what_it_did(site: Site) -> None:
    door = site.door()
    site.outbox()
    worker = site.workers()
    captures = posts(40)
    site.accept(door, captures)
    site.wait(lambda: site.count("task") >= 40, "40 tasks")
    assert worker.events("parse") == 40
    shown = worker.metrics()
    assert 'leadflow_stage_troubles_total{kind="deadlock",stage="route"} 0.0' in shown
    assert float(re.findall(r'^leadflow_batch_seconds_count{stage="parse"} (\S+)$', shown, re.M)[0]) > 0
    assert 'leadflow_backlog_events{stage="deliver"}' in shown


def test_raw_bytes_are_read_back_from_the_topic(site: Site) -> None:
    door = site.door()
    site.outbox()
    site.workers(stages=("parse",))
    (capture,) = posts(1)
    site.accept(door, [capture])
    site.wait(lambda: site.count("capture") == 1, "the capture")
    found = site.cluster.capture(capture.capture_id)
    assert found is not None
    assert found.body == capture.body


def test_assignments_can_be_read_by_others_and_captures_cannot(site: Site) -> None:
    door = site.door()
    site.outbox()
    site.workers()
    site.accept(door, posts(1))
    site.wait(lambda: site.count("task") == 1, "the task")
    site.wait(lambda: bool(site.messages("assignments")), "the assignment")
    ((headers, value),) = site.messages("assignments")
    assert headers["ce_type"] == b"leadflow.assignment.v1"
    assert headers["content-type"] == b"application/json"
    assert b'"customer_id"' in value
    ((headers, value),) = site.messages("captures")
    assert headers["content-type"] == b"application/octet-stream"
    assert "客户0".encode() not in value
    assert b"13800000000" not in value


def test_two_who_came_at_once_to_two_workers_are_one_customer_within_seconds(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    site = Site(tmp_path, brokers, database_url, small_company(matching="join"))
    try:
        door = site.door()
        site.part("timers", "timers")
        site.workers("a")
        site.workers("b")
        same = {"company": "北京大恒信息技术有限公司", "city": "北京"}
        for number in range(8):
            one, other = (
                post(
                    made=f"{number}{side}",
                    name="欧阳上官司马诸葛夏侯皇甫尉迟公孙"[number * 2 : number * 2 + 2] + "静怡",
                    phone=f"13{side}{number}5550000",
                    at_us=wall_clock_us(),
                    **same,
                )
                for side in (8, 9)
            )
            site.accept(door, [one, other])
        site.wait(lambda: site.count("task") >= 8, "their tasks")
        site.wait(lambda: site.ask(_PEOPLE) == [(8,)], "one contact for every two leads", 20)
    finally:
        site.close()


_PEOPLE = """
SELECT count(DISTINCT coalesce(alias.now_id, membership.contact_id)) FROM membership
LEFT JOIN alias ON alias.old_id = membership.contact_id WHERE membership.to_us IS NULL
"""
