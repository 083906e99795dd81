"""A person is told when a source is held or a stage stops: by mail and webhook, once each; and the heartbeat."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from schemas.outward import Alarm
from sinks.alarms import Alarms, Ways
from sinks.heartbeat import Heartbeat
from sinks.ladder import STEPS_US
from sinks.port import outside
from store import tables
from store.alarms import raise_alarm
from store.company import CompanyCache
from store.database import open_sqlite
from stream.breaker import Policy
from stream.watch import StageStopped, tell_standing
from tests.support.listener import Listener
from tests.support.live import Live
from tests.support.postbox import Postbox
from tests.support.receiver import SECRET, Receiver
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig
from tests.support.senders import bad, good, senders
from tests.support.sending import Clock

POLICY = Policy(share=0.5, window_us=HOUR, minimum=5)
OPS = "ops@haichuan.example"


@pytest.fixture
def rig(tmp_path: Path, postbox: Postbox) -> Iterator[Rig]:
    """Three forms, a mail relay, and Ann, who answers for the default queue and reads English."""
    company = senders("site", "fair", "shop")
    ann = company.people["ann"].model_copy(update={"email": "ann@haichuan.example", "language": "en"})
    company = company.model_copy(
        update={
            "sinks": {"mail": postbox.sink()},
            "responsible_id": "ann",
            "people": {**company.people, "ann": ann},
        }
    )
    company.sources["site"]["name"] = "官网"
    made = Rig(tmp_path, company=company, policy=POLICY)
    yield made
    made.close()


def fail_source(rig: Rig) -> None:
    rig.feed([good("fair", 1), *(bad("site", number, MONDAY_10 + number) for number in range(9))])
    rig.run()


_made: list[Alarms] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    for one in _made:
        one.stop()
    _made.clear()


def alarms_of(rig: Rig, clock: Clock, **ways: str) -> Alarms:
    """Return a teller that is not started: `turn` runs it."""
    _made.append(Alarms(rig.store, CompanyCache(), outside(rig.files.folder), clock, Ways(**ways)))
    return _made[-1]


def text_of(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def test_without_any_setting_whoever_answers_for_the_default_queue_is_told_in_their_language(
    rig: Rig, postbox: Postbox
) -> None:
    fail_source(rig)
    alarms = alarms_of(rig, Clock(), public_url="https://leads.haichuan.example")
    assert (alarms.turn(), alarms.turn()) == (1, 0)
    ((to, mail),) = postbox.came
    assert to == "ann@haichuan.example"
    assert mail["Subject"] == "官网 is held: 5 of 5 could not be handled"
    assert mail["Auto-Submitted"] == "auto-generated", "no machine answers it"
    text = text_of(mail)
    assert "leadflow breaker reset site" in text
    assert "no_known_field" in text
    assert "https://leads.haichuan.example/needs-repair" in text
    assert "138" not in text, "nobody's number is in it"


def test_the_address_of_the_settings_comes_first_in_the_companys_language(rig: Rig, postbox: Postbox) -> None:
    fail_source(rig)
    assert alarms_of(rig, Clock(), mail=OPS).turn() == 1
    ((to, mail),) = postbox.came
    assert to == OPS
    assert mail["Subject"].startswith("接入渠道「官网」已暂扣")
    assert "leadflow breaker reset site" in text_of(mail)


def test_a_signed_webhook_says_the_same(rig: Rig, receiver: Receiver) -> None:
    fail_source(rig)
    assert alarms_of(rig, Clock(), webhook=receiver.url, secret=SECRET).turn() == 2
    (post,) = receiver.taken
    assert post.content["type"] == "leadflow.alarm.v1"
    alarm = Alarm.model_validate_json(orjson.dumps(post.content["data"]))
    assert (alarm.what, alarm.source, alarm.tried, alarm.refused) == ("source_held", "site", 5, 5)
    assert post.webhook_id == alarm.alarm_id


def test_a_stage_that_stopped_is_told(rig: Rig, postbox: Postbox) -> None:
    rig.feed([good("shop", 1)])
    rig.feed([bad(one, number, MONDAY_10 + number) for one in ("site", "fair") for number in range(9)])
    with pytest.raises(StageStopped):
        rig.run()
    assert alarms_of(rig, Clock()).turn() == 2
    # Both are of one moment, and come in either order.
    texts = {mail["Subject"]: text_of(mail) for _, mail in postbox.came}
    subject = "The stage parse has stopped: 2 of 3 sources fail at once"
    assert "leadflow breaker reset --all" in texts[subject]


def test_a_stage_that_stands_is_told_once_an_hour_whoever_finds_it_so(rig: Rig, postbox: Postbox) -> None:
    for at_us in (MONDAY_10, MONDAY_10 + MINUTE, MONDAY_10 + HOUR):
        tell_standing(rig.store, "parse", "captures", "topic_replaced", at_us)
    tell_standing(rig.store, "*", "*", "KeyError", MONDAY_10)
    assert alarms_of(rig, Clock()).turn() == 3
    subjects = [mail["Subject"] for _, mail in postbox.came]
    assert sorted(subjects) == [
        "The stage (all) stands, and will not go on by itself (KeyError)",
        "The stage parse stands, and will not go on by itself (topic_replaced)",
        "The stage parse stands, and will not go on by itself (topic_replaced)",
    ]


def test_a_process_that_is_gone_is_told_in_the_recipients_language(
    rig: Rig, postbox: Postbox, receiver: Receiver
) -> None:
    with rig.store.write() as connection:
        raise_alarm(connection, "process_gone", "stages", "stages-host-a", MONDAY_10)
    assert alarms_of(rig, Clock(), mail=OPS, webhook=receiver.url, secret=SECRET).turn() == 2
    ((_, mail),) = postbox.came
    assert mail["Subject"] == "进程 stages-host-a 失联"
    (post,) = receiver.taken
    alarm = Alarm.model_validate_json(orjson.dumps(post.content["data"]))
    assert (alarm.what, alarm.stage, alarm.source) == ("process_gone", "stages", "stages-host-a")


def test_the_stages_of_one_machine_that_stand_for_good_are_told(tmp_path: Path) -> None:
    """The doors' file was put back without the store's: going on would skip, so nothing goes on until somebody looks."""
    live = Live(tmp_path / "data")
    live.start()
    live.stop()
    doors = open_sqlite(tmp_path / "data" / "doors.db")
    with doors.write() as connection:
        connection.execute(tables.door_head.update().values(topic_id="another"))
    doors.close()
    live.start(statuses=(503,))
    told = live.query("SELECT what, stage, source_id, code FROM alarm")
    live.stop()
    assert told == [("stage_stands", "*", "captures", "topic_replaced")]


def test_what_failed_comes_again_by_itself_and_what_arrived_does_not(
    rig: Rig, postbox: Postbox, receiver: Receiver
) -> None:
    fail_source(rig)
    clock = Clock()
    receiver.answer = lambda _id, times: 404 if times < 2 else 204
    alarms = alarms_of(rig, clock, webhook=receiver.url, secret=SECRET)
    with capture_logs() as logged:
        assert alarms.turn() == 1
    assert [(one["event"], one["way"], one["code"]) for one in logged] == [
        ("alarm_not_told", "webhook", "refused")
    ]
    assert alarms.turn() == 0, "not before its time"
    for step_us in STEPS_US[:2]:
        clock.at_us += 2 * step_us
        alarms.turn()
    assert len(receiver.taken) == 1
    assert len({post.webhook_id for post in receiver.came}) == 1, "one id at every try"
    assert len(postbox.came) == 1


def test_several_processes_tell_it_once(rig: Rig, postbox: Postbox) -> None:
    fail_source(rig)
    several = [alarms_of(rig, Clock()) for _ in range(6)]
    threads = [threading.Thread(target=one.turn) for one in several]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(postbox.came) == 1


def test_a_try_whose_process_died_is_made_again_by_another(
    rig: Rig, postbox: Postbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_source(rig)
    clock = Clock()
    with monkeypatch.context() as patch:
        patch.setattr("sinks.alarms.send_mail", _killed)
        with pytest.raises(KeyboardInterrupt):
            alarms_of(rig, clock).turn()
    clock.at_us += 30 * SECOND
    assert alarms_of(rig, clock).turn() == 0, "it might still be under way"
    clock.at_us += MINUTE
    assert alarms_of(rig, clock).turn() == 1
    assert len(postbox.came) == 1


def _killed(*_args: object) -> None:
    raise KeyboardInterrupt


def test_old_alarms_are_not_told_when_a_way_is_opened_late(rig: Rig, postbox: Postbox) -> None:
    fail_source(rig)
    assert alarms_of(rig, Clock(MONDAY_10 + 4 * DAY)).turn() == 0
    assert postbox.came == []


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_the_heart_beats_while_all_is_well_and_falls_silent_when_not(
    tmp_path: Path, listener: Listener
) -> None:
    trouble: list[str] = []
    beats = Heartbeat((listener.url, None), 0.05, lambda: trouble[0] if trouble else None, outside(tmp_path))
    beats.start()
    give_up = time.monotonic() + 10
    while len(listener.asked) < 3 and time.monotonic() < give_up:
        time.sleep(0.01)
    trouble.append("a stage stopped")
    time.sleep(0.2)
    silent_from = len(listener.asked)
    time.sleep(0.3)
    beats.stop()
    assert silent_from >= 3
    assert len(listener.asked) == silent_from


def test_with_an_address_for_failure_that_is_asked_for(tmp_path: Path, listener: Listener) -> None:
    trouble: list[str] = []
    beats = Heartbeat(
        (listener.url, listener.url + "/fail"), 60, lambda: trouble[0] if trouble else None, outside(tmp_path)
    )
    assert beats.beat()
    trouble.append("a stage stopped")
    assert beats.beat()
    beats.stop()
    assert listener.asked == ["/ping", "/ping/fail"]


def test_a_lost_heartbeat_is_logged_once(tmp_path: Path, listener: Listener) -> None:
    listener.status = 404
    beats = Heartbeat((listener.url, None), 60, lambda: None, outside(tmp_path))
    with capture_logs() as logged:
        assert not beats.beat()
        assert not beats.beat()
    beats.stop()
    assert [(one["event"], one["code"]) for one in logged] == [("heartbeat_lost", "404")]
