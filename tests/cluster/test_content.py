"""Large bodies beside the stream, in a folder and on a real server of the S3 protocol."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from leadflow.clock import wall_clock_us
from leadflow.cluster import NotReady, open_cluster
from leadflow.doctor_cluster import examine_content
from schemas.capture import Capture
from stream.content import BESIDE_BYTES
from tests.support.cluster import Site, posts
from tests.support.rig import post
from tools.servers import S3Server

BUCKET = "leads"


def large_post(made: str) -> Capture:
    text = "采购明细 " * BESIDE_BYTES
    return post(made=made, name="大客户", phone="13812345678", message=text, at_us=wall_clock_us())


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"), BUCKET)
    server.start()
    yield server
    server.kill()


@pytest.fixture(params=["folder", "bucket"])
def content(
    request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> str:
    if request.param == "folder":
        (tmp_path / "bodies").mkdir()
        return f"file://{tmp_path / 'bodies'}"
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{tmp_path.name}"


@pytest.fixture
def beside(tmp_path: Path, brokers: str, database_url: str, content: str) -> Iterator[Site]:
    made = Site(tmp_path, brokers, database_url, content=content)
    yield made
    made.close()


def test_a_large_body_goes_beside_the_stream_and_a_small_one_with_it(beside: Site) -> None:
    door = beside.door()
    beside.outbox()
    beside.workers()
    large, small = large_post("large"), *posts(1)
    beside.accept(door, [large, small])
    beside.wait(lambda: beside.count("task") == 2, "a task for each")
    sent = {
        headers["ce_subject"].decode(): (headers, value) for headers, value in beside.messages("captures")
    }
    headers, value = sent[large.capture_id]
    assert (headers["ce_dataref"], value) == (b"captures/" + headers["ce_id"], b"")
    assert "ce_dataref" not in sent[small.capture_id][0]
    found = beside.cluster.capture(large.capture_id)
    assert found is not None
    assert found.body == large.body
    assert examine_content(beside.cluster.content).is_well
    beside.assert_sound([large, small])


def test_while_the_store_of_bodies_is_away_the_door_spools(
    tmp_path: Path, brokers: str, database_url: str, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    site = Site(tmp_path, brokers, database_url, content=f"s3://{BUCKET}/away")
    try:
        door = site.door()
        site.outbox()
        site.workers()
        s3.kill()
        large, small = large_post("large"), *posts(1)
        site.accept(door, [large])
        site.accept(door, [small])
        assert door.spooled_bytes > BESIDE_BYTES
        assert not examine_content(site.cluster.content).is_well
        s3.start()
        site.wait(lambda: site.count("task") == 2, "a task for each", 90)
        assert door.spooled_bytes == 0
        site.assert_sound([large, small])
    finally:
        site.close()


def test_a_body_that_is_gone_becomes_a_letter_and_nothing_waits_behind_it(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    bodies = tmp_path / "bodies"
    bodies.mkdir()
    site = Site(tmp_path, brokers, database_url, content=f"file://{bodies}")
    try:
        door = site.door()
        site.outbox()
        large, small = large_post("large"), *posts(1)
        site.accept(door, [large])
        (kept,) = (bodies / "captures").iterdir()
        kept.rename(tmp_path / "lost")
        site.accept(door, [small])
        site.workers()
        site.wait(lambda: site.count("task") == 1 and site.count("dead") == 1, "the small one, and a letter")
        assert site.ask("SELECT stage, code FROM dead") == [("parse", "no_raw_bytes")]
    finally:
        site.close()


def test_a_body_that_was_lost_later_leaves_the_rest_of_the_story(
    tmp_path: Path, brokers: str, database_url: str
) -> None:
    bodies = tmp_path / "bodies"
    bodies.mkdir()
    site = Site(tmp_path, brokers, database_url, content=f"file://{bodies}")
    try:
        door = site.door()
        site.outbox()
        site.workers()
        large = large_post("large")
        site.accept(door, [large])
        site.wait(lambda: site.count("task") == 1, "a task")
        (kept,) = (bodies / "captures").iterdir()
        kept.unlink()
        assert site.cluster.capture(large.capture_id) is None
    finally:
        site.close()


def test_a_folder_that_is_not_there_is_not_made(tmp_path: Path, brokers: str, database_url: str) -> None:
    site = Site(tmp_path, brokers, database_url)
    try:
        nowhere = site.settings.model_copy(update={"content": f"file://{tmp_path}/not-mounted"})
        with pytest.raises(NotReady, match=r"LEADFLOW_CONTENT: .*not-mounted does not exist"):
            open_cluster(nowhere)
    finally:
        site.close()
