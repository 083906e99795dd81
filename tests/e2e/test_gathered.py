"""One message for 40 leads: the first is told at once, what comes soon after in one, each once and under one id."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from schemas.company import Absence, Company, book_version
from sinks.alarms import Alarms, Ways
from sinks.dispatch import Dispatcher, outcome
from sinks.port import Later, outside
from sinks.robot import _PACE
from store.alarms import raise_alarm
from store.company import CompanyCache
from store.database import Database
from store.notices import Notice
from tests.e2e.test_moves import move, to
from tests.e2e.test_notices import choose
from tests.e2e.test_pools import office
from tests.support.postbox import Postbox
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company
from tests.support.robots import KEY, Vendor, wecom
from tests.support.sending import Clock, dispatching, send_all

URL = "https://leads.haichuan.example"
NOW = MONDAY_10 + MINUTE
BUSY = 45009
MIDNIGHT = MONDAY_10 + 14 * HOUR


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    _PACE._sent.clear()
    made = wecom()
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Database | None:
    return request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None


def robot(vendor: Vendor, **more: Any) -> dict[str, Any]:
    return {"sink_id": "group", "kind": "wecom", "name": "群", "url": vendor.url, "secret": KEY, **more}


def company(*sinks: dict[str, Any], only: tuple[str, ...] = ("ann",), **more: Any) -> Company:
    """The small company, open at any hour, where leads go to some of its people."""
    away = [
        Absence(person_id=one, from_us=0, to_us=MONDAY_10 + 90 * DAY)
        for one in ("ann", "bo", "chen")
        if one not in only
    ]
    made = small_company(
        absences=tuple(away),
        calendars={},
        responsible_id="chen",
        sinks={s["sink_id"]: s for s in sinks},
        **more,
    )
    people = {
        key: one.model_copy(update={"email": f"{key}@haichuan.example"}) for key, one in made.people.items()
    }
    units = {key: one.model_copy(update={"calendar_id": None}) for key, one in made.units.items()}
    units["east"] = units["east"].model_copy(update={"manager_id": "chen"})
    return made.model_copy(update={"people": people, "units": units})


def feed(rig: Rig, count: int, first: int = 0, at_us: int = MONDAY_10) -> None:
    rig.feed(
        post(at_us=at_us, made=f"m{n}", name=f"客户{n}", phone=f"139{n * 7919:08d}", city="上海")
        for n in range(first, first + count)
    )
    rig.run()


def told_in(rig: Rig, state: str = "sent") -> set[str]:
    return {row["told_in"] for row in rig.rows("delivery") if row["state"] == state}


def test_the_first_is_mailed_at_once_and_what_comes_in_two_minutes_in_one(
    tmp_path: Path, store: Database | None, postbox: Postbox
) -> None:
    rig, clock = Rig(tmp_path, store, company(postbox.sink())), Clock(NOW)
    with dispatching(rig, clock, URL) as dispatcher:
        feed(rig, 1)
        send_all(dispatcher)
        assert [mail["Subject"] for _, mail in postbox.came] == ["新线索：客户0"]
        feed(rig, 20, 1)
        send_all(dispatcher)
        clock.at_us += 2 * MINUTE - SECOND
        feed(rig, 19, 21)
        send_all(dispatcher)
        assert len(postbox.came) == 1, "they are gathered"
    clock.at_us += SECOND
    with dispatching(rig, clock, URL, worker="another") as dispatcher:  # the pause outlives a process
        send_all(dispatcher)
        (_, mail) = postbox.came[-1]
        assert len(postbox.came) == 2
        assert mail["Subject"] == "39 条新线索"
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert {f"客户{n} ·" in text for n in range(1, 40)} == {True}
        assert "客户0 ·" not in text, "what was told alone is not told again"
        assert len(re.findall(rf"^{URL}/inbox/ann\r?$", text, re.MULTILINE)) == 39
        html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        assert html.count("<li><a href=") == 39
        rows = rig.rows("delivery")
        assert {row["state"] for row in rows} == {"sent"}
        ids = {f"<{row['told_in']}@haichuan.example>" for row in rows}
        assert {one["Message-ID"] for _, one in postbox.came} == ids
        clock.at_us += 10 * MINUTE
        feed(rig, 1, 40)
        send_all(dispatcher)
        assert postbox.came[-1][1]["Subject"] == "新线索：客户40", "after a pause it is at once again"
    assert [row["claimed_by"] for row in rig.rows("lane_claim")] == ["(gathering)"]
    rig.files.doors.close()


def test_each_link_of_a_list_is_that_customer_s_own(tmp_path: Path, postbox: Postbox) -> None:
    rig, made = Rig(tmp_path, None, company(postbox.sink())), dict[str, str]()

    def link_for(message_id: str, person_id: str) -> str:
        return made.setdefault(f"{URL}/enter/{message_id}", person_id) and f"{URL}/enter/{message_id}"

    feed(rig, 3)
    with dispatching(rig, Clock(NOW), URL, link_for=link_for) as dispatcher:
        send_all(dispatcher)
    ((_, mail),) = postbox.came
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    tasks = {row["lead_id"]: row["task_id"] for row in rig.rows("task")}
    for row in rig.rows("delivery"):
        assert f"{URL}/enter/{row['delivery_id']}?task={tasks[row['lead_id']]}" in text
    (message_id,) = told_in(rig)
    assert text.rstrip().endswith(f"{URL}/enter/{message_id}"), "and one to the whole day"
    assert set(made.values()) == {"ann"}
    rig.close()


def customers(rig: Rig) -> dict[str, str]:
    """Return the customer of each lead by the number in its name."""
    leads = {row["lead_id"]: re.search(r"客户(\d+)", row["fields_json"]) for row in rig.rows("lead")}
    found = {row["lead_id"]: row["customer_id"] for row in rig.rows("delivery")}
    return {name[1]: found[lead] for lead, name in leads.items() if name is not None and lead in found}


def test_what_moved_on_meanwhile_is_left_out(
    tmp_path: Path, store: Database | None, postbox: Postbox
) -> None:
    rig, clock = Rig(tmp_path, store, company(postbox.sink())), Clock(NOW)
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 1)
        send_all(dispatcher)
        feed(rig, 5, 1)
        move(rig, to("bo", [customers(rig)["3"]]), actor="chen", at_us=MONDAY_10 + SECOND)
        clock.at_us += 3 * MINUTE
        send_all(dispatcher)
    ((_, mail),) = [one for one in postbox.came if one[1]["Subject"] == "4 条新线索"]
    assert "客户3" not in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    dropped = [row for row in rig.rows("delivery") if row["state"] == "dropped"]
    assert [(row["code"], row["customer_id"]) for row in dropped] == [("moved_on", customers(rig)["3"])]
    rig.files.doors.close()


def test_the_group_reads_how_many_and_nothing_of_the_customers(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    rig, clock = Rig(tmp_path, store, company(robot(vendor))), Clock(NOW)
    with dispatching(rig, clock, URL) as dispatcher:
        feed(rig, 1)
        send_all(dispatcher)
        feed(rig, 40, 1)
        clock.at_us += 2 * MINUTE
        send_all(dispatcher)
    first, many = (orjson.dumps(one).decode() for one in vendor.shown)
    (task,) = (row["task_id"] for row in rig.rows("task") if row["lead_id"] == rig_first_lead(rig))
    assert f"{URL}/day?task={task})" in first, "the link leads to the task"
    assert "40 条新线索 → 安" in many
    assert "最早的首次响应时限 11-23 10:30" in many
    assert f"{URL}/day)" in many
    for text in (first, many):
        assert "客户" not in text.replace("客户••", "")
        assert re.search(r"\d{7}", text.replace(task, "").replace(KEY, "")) is None
        assert "/enter/" not in text
    rig.files.doors.close()


def rig_first_lead(rig: Rig) -> str:
    (lead,) = (row["lead_id"] for row in rig.rows("lead") if "客户0" in row["fields_json"])
    return str(lead)


def test_one_person_s_burst_holds_up_nobody_else_s_lead(tmp_path: Path, vendor: Vendor) -> None:
    rig, clock = Rig(tmp_path, None, company(robot(vendor), only=("ann", "bo"))), Clock(NOW)
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 12)
        send_all(dispatcher)
        titles = sorted(one["markdown"]["content"].split("**")[1] for one in vendor.shown)
        assert titles == ["4 条新线索 → 安", "8 条新线索 → 薄"]
    rig.close()


def test_what_a_robot_did_not_take_for_an_hour_comes_as_one_message(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    rig, clock = Rig(tmp_path, store, company(robot(vendor))), Clock(NOW)
    vendor.code = BUSY
    with dispatching(rig, clock) as dispatcher:
        for minute in range(60):
            feed(rig, 1, minute)
            send_all(dispatcher)
            clock.at_us += MINUTE
        assert 3 < vendor.came < 12, "it is spared"
        vendor.code = 0
        clock.at_us += HOUR
        send_all(dispatcher)
        clock.at_us += HOUR
        send_all(dispatcher)
    (shown,) = vendor.shown
    assert "60 条新线索 → 安" in shown["markdown"]["content"]
    assert len(told_in(rig)) == 1
    rig.files.doors.close()


def test_what_a_robot_may_have_shown_comes_again_as_it_was(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    rig, clock = Rig(tmp_path, store, company(robot(vendor))), Clock(NOW)
    vendor.status = 502
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 3)
        send_all(dispatcher)
        (begun,) = told_in(rig, "waiting")
        feed(rig, 5, 3)
        vendor.status, clock.at_us = 200, clock.at_us + MINUTE
        send_all(dispatcher)
        assert "3 条新线索" in vendor.shown[0]["markdown"]["content"]
        assert told_in(rig) == {begun}
        clock.at_us += 2 * MINUTE
        send_all(dispatcher)
    assert "5 条新线索" in vendor.shown[1]["markdown"]["content"]
    assert len(vendor.shown) == 2
    rig.files.doors.close()


def test_an_answer_that_is_sure_says_nothing_of_the_try_before(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    rig, clock = Rig(tmp_path, store, company(robot(vendor))), Clock(NOW)
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 3)
        for vendor.status, vendor.code in ((502, 0), (200, BUSY), (200, BUSY)):
            send_all(dispatcher)
            (begun,) = told_in(rig, "waiting") - {None}
            feed(rig, 1, vendor.came + 10)
            clock.at_us += 3 * MINUTE
        vendor.code = 0
        send_all(dispatcher)
    assert "3 条新线索" in vendor.shown[0]["markdown"]["content"], (
        "the group may have read it at the first try"
    )
    assert told_in(rig) == {begun}
    rig.files.doors.close()


def test_after_hours_without_an_answer_it_is_asked_every_half_hour(tmp_path: Path, vendor: Vendor) -> None:
    rig, clock = Rig(tmp_path, None, company(robot(vendor))), Clock(NOW)
    vendor.code = BUSY
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 1)
        for _ in range(40):
            send_all(dispatcher)
            clock.at_us += 15 * MINUTE
        before = vendor.came
        feed(rig, 1, 1)
        clock.at_us += 36 * MINUTE
        vendor.code = 0
        send_all(dispatcher)
    assert 10 < before < 30
    (shown,) = vendor.shown
    assert "2 条新线索" in shown["markdown"]["content"]
    rig.close()


def test_cut_off_before_sending_it_is_the_same_message_afterwards(
    tmp_path: Path, store: Database | None, postbox: Postbox
) -> None:
    rig, clock = Rig(tmp_path, store, company(postbox.sink())), Clock(NOW)

    def cut_off(point: str) -> None:
        assert point == "gathered, unsent"
        raise SystemExit

    feed(rig, 40)
    with dispatching(rig, clock, crash_point=cut_off) as dispatcher, pytest.raises(SystemExit):
        dispatcher.turn()
    (begun,) = told_in(rig, "waiting")
    feed(rig, 7, 40)
    clock.at_us += 3 * MINUTE
    with dispatching(rig, clock, worker="another") as dispatcher:
        send_all(dispatcher)
        clock.at_us += 3 * MINUTE
        send_all(dispatcher)
    assert [mail["Subject"] for _, mail in postbox.came] == ["40 条新线索", "7 条新线索"]
    assert postbox.came[0][1]["Message-ID"] == f"<{begun}@haichuan.example>"
    rig.files.doors.close()


def test_a_robot_that_is_gone_makes_no_dead_letter_of_each(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    rig, clock = Rig(tmp_path, store, company(robot(vendor))), Clock(NOW)
    vendor.code = 93000
    feed(rig, 40)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
    assert [row["state"] for row in rig.rows("delivery")].count("waiting") == 38
    assert len(rig.rows("dead")) == 2
    assert told_in(rig, "waiting") == {None}
    assert len(rig.rows("breaker")) == 1, "three of its leads were refused: it is held"
    rig.files.doors.close()


def test_a_group_s_quiet_hours_go_over_midnight_and_end_in_one_message(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    sink = robot(vendor, quiet="22:00-07:30", alarms=True)
    rig, clock = Rig(tmp_path, store, company(sink, only=("ann", "bo"))), Clock(MIDNIGHT - HOUR)
    morning = MIDNIGHT + 7 * HOUR + 30 * MINUTE
    with dispatching(rig, clock, URL) as dispatcher:
        feed(rig, 20, at_us=MIDNIGHT - HOUR)
        send_all(dispatcher)
        clock.at_us = MIDNIGHT + HOUR
        feed(rig, 20, 20, at_us=MIDNIGHT + HOUR)
        assert {row["next_us"] for row in rig.rows("delivery")} == {morning}
        clock.at_us = morning - SECOND
        send_all(dispatcher)
        assert vendor.came == 0
        alarms = Alarms(rig.store, CompanyCache(), outside(tmp_path), clock, Ways())
        with rig.store.write() as connection:
            raise_alarm(
                connection,
                "source_held",
                "parse",
                "site",
                clock.at_us,
                tried=9,
                refused=9,
                code="no_known_field",
            )
        assert alarms.turn() == 1, "operations are told at any hour"
        alarms.stop()
        clock.at_us = morning
        send_all(dispatcher)
    _, shown = vendor.shown
    text = shown["markdown"]["content"]
    shares = {one: sum(row["holder_id"] == one for row in rig.rows("delivery")) for one in ("ann", "bo")}
    assert "**40 条新线索**" in text
    assert f"{shares['ann']} → 安" in text
    assert f"{shares['bo']} → 薄" in text
    rig.files.doors.close()


def test_a_group_reads_the_clock_of_its_team(tmp_path: Path, vendor: Vendor) -> None:
    sink = robot(vendor, quiet="22:00-07:30", teams=["east"])
    made = company(sink)
    calendar = {"zone": "America/New_York", "week": {"mon": ["00:00-24:00"], "sun": ["00:00-24:00"]}}
    east = made.units["east"].model_copy(update={"calendar_id": "away"})
    made = made.model_copy(
        update={"units": {**made.units, "east": east}, "calendars": {**made.calendars, "away": calendar}}
    )
    rig = Rig(tmp_path, None, made)
    feed(rig, 1)  # 21:00 on Sunday in New York
    feed(rig, 1, 1, at_us=MONDAY_10 + 2 * HOUR)
    (at_once, later) = sorted(rig.rows("delivery"), key=lambda row: row["decided_us"])
    assert at_once["next_us"] < MONDAY_10 + SECOND
    assert later["next_us"] == MONDAY_10 + 10 * HOUR + 30 * MINUTE, "half past seven there"
    rig.close()


def test_one_s_own_robot_tells_only_theirs_and_as_they_chose(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    sink = robot(vendor, person="ann")
    rig, clock = Rig(tmp_path, store, company(sink, only=("ann", "bo"))), Clock(NOW)

    def link_for(message_id: str, person_id: str) -> str:
        return f"{URL}/enter/{person_id}-{message_id}"

    with dispatching(rig, clock, URL, link_for=link_for) as dispatcher:
        feed(rig, 4)
        (own,) = {row["dest"] for row in rig.rows("delivery")}
        assert own == "ann"
        (only,) = rig.rows("delivery")
        send_all(dispatcher)
        task = next(row["task_id"] for row in rig.rows("task") if row["lead_id"] == only["lead_id"])
        text = vendor.shown[0]["markdown"]["content"]
        assert f"{URL}/enter/ann-{only['delivery_id']}?task={task}" in text
        assert re.search(r"客户\d", text) is None, "masked: it lies with the vendor"
        choose(rig, "ann", Notice(mail=False, quiet=(9 * 60, 18 * 60)))
        feed(rig, 8, 4)
        late = [row for row in rig.rows("delivery") if row["state"] == "waiting"]
        assert {(row["lane"], row["next_us"]) for row in late} == {("group/ann/quiet", MONDAY_10 + 8 * HOUR)}
        choose(rig, "ann", Notice(robot=False), "again")
        feed(rig, 8, 12)
        assert len(rig.rows("delivery")) == 1 + len(late)
        clock.at_us += 8 * HOUR
        send_all(dispatcher)
    many = vendor.shown[1]["markdown"]["content"]
    assert f"{len(late)} 条新线索 → 安" in many
    assert re.search(rf"{URL}/enter/ann-msg_\w+\)", many)
    rig.files.doors.close()


def test_each_alone_where_the_company_wants_it_so(tmp_path: Path, vendor: Vendor) -> None:
    rig, clock = Rig(tmp_path, None, company(robot(vendor, gather_s=0))), Clock(NOW)
    feed(rig, 5)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
    assert len(vendor.shown) == 5
    assert {row["told_in"] == row["delivery_id"] for row in rig.rows("delivery")} == {True}
    assert rig.rows("lane_claim") == []
    rig.close()


def test_what_anybody_may_take_now_waits_for_nothing(tmp_path: Path, postbox: Postbox) -> None:
    book = "rule,then_team,then_strategy,then_respond_within\nhot,east,call_now:5,5\n"
    made = company(postbox.sink(), book_csv=book, book_version=book_version(book))
    rig, clock = Rig(tmp_path, None, made), Clock(NOW)
    with dispatching(rig, clock) as dispatcher:
        for number in range(3):
            feed(rig, 1, number)
            send_all(dispatcher)
    assert len(postbox.came) == 3
    rig.close()


def test_a_set_that_one_act_moved_is_one_message_in_a_group(tmp_path: Path, vendor: Vendor) -> None:
    rig, clock = Rig(tmp_path, None, company(robot(vendor))), Clock(NOW)
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 6)
        send_all(dispatcher)
        move(rig, to("bo", list(customers(rig).values())), actor="chen", at_us=MONDAY_10 + SECOND)
        send_all(dispatcher)
    assert [one["markdown"]["content"].split("**")[1] for one in vendor.shown] == [
        "6 条新线索 → 安",
        "6 个客户变更负责人 → 薄",
    ]
    rig.close()


def test_a_set_is_told_as_long_as_they_have_one_of_it(
    tmp_path: Path, store: Database | None, postbox: Postbox
) -> None:
    rig, clock = Rig(tmp_path, store, company(postbox.sink())), Clock(NOW)
    with dispatching(rig, clock) as dispatcher:
        feed(rig, 6)
        send_all(dispatcher)
        every = list(customers(rig).values())
        move(rig, to("bo", every), actor="chen", at_us=MONDAY_10 + SECOND)
        (first,) = [row["customer_id"] for row in rig.rows("delivery") if row["dest"] == "bo"]
        move(rig, to("ann", [first]), actor="chen", at_us=MONDAY_10 + 2 * SECOND, key="one back")
        clock.at_us += 3 * MINUTE
        send_all(dispatcher)
    assert [row["state"] for row in rig.rows("delivery") if row["dest"] == "bo"][:1] == ["sent"]
    rig.files.doors.close()


def test_waiting_for_a_robot_s_own_pace_is_no_failure() -> None:
    row = {"attempt": 2, "told_in": "msg_1", "delivery_id": "d", "since_us": 0, "replays": 0}
    values, letter = outcome(row, Later("busy", None, 7.5), 1_000_000, is_open=True)
    assert letter is None
    assert values == {"answered_us": 1_000_000, "next_us": 8_500_000, "told_in": None}
    assert outcome(row, Later("busy", "45009", 60.0), 1_000_000)[0]["attempt"] == 3, "theirs is one"


def test_a_group_is_told_whoever_has_it_a_person_or_a_pool(
    tmp_path: Path, store: Database | None, vendor: Vendor
) -> None:
    rig = Rig(tmp_path, store, office(sinks={"group": robot(vendor)}))
    asks: dict[str, Any] = {"name": "客户", "phone": "13900000001", "message": "两台托盘搬运车，下周要"}
    rig.feed(
        [post(made="1", **asks), post(made="2", phone="13900000002"), post(made="3", phone="13900000003")]
    )
    rig.run()
    with dispatching(rig, Clock(NOW), URL) as dispatcher:
        send_all(dispatcher)
    assert {row["state"] for row in rig.rows("delivery")} == {"sent"}
    titles = {one["markdown"]["content"].split("**")[1] for one in vendor.shown}
    (owner,) = {row["holder_id"] for row in rig.rows("delivery") if row["holder_kind"] == "person"}
    assert titles == {f"新线索 → {owner}", "2 条线索待接单：华东公海"}
    rig.files.doors.close()


def test_two_processes_gather_as_one_and_tell_each_lead_once(
    tmp_path: Path, store: Database | None, postbox: Postbox
) -> None:
    rig = Rig(tmp_path, store, company(postbox.sink(gather_s=1)))

    def now() -> int:
        return time.time_ns() // 1_000

    workers = [Dispatcher(rig.store, CompanyCache(), outside(tmp_path), now, worker=w) for w in ("a", "b")]
    for worker in workers:
        worker.start()
    began = time.monotonic()
    for number in range(0, 40, 4):
        feed(rig, 4, number)
        time.sleep(0.05)
    while time.monotonic() < began + 20 and {row["state"] for row in rig.rows("delivery")} != {"sent"}:
        time.sleep(0.05)
    took = time.monotonic() - began
    for worker in workers:
        worker.stop()
    assert {row["state"] for row in rig.rows("delivery")} == {"sent"}
    assert {mail["Message-ID"] for _, mail in postbox.came} == {
        f"<{one}@haichuan.example>" for one in told_in(rig)
    }
    assert 2 <= len(postbox.came) == len(told_in(rig)) <= 2 + took, "one a second at most"
    texts = [mail.get_body(("plain",)).get_content() for _, mail in postbox.came]  # type: ignore[union-attr]
    told = [phone for text in texts for phone in re.findall(r"\+86139\d{8}", text)]
    assert sorted(told) == sorted(f"+86139{n * 7919:08d}" for n in range(40))
    rig.files.doors.close()
