"""Webhooks to a real receiver: every assignment arrives, in order, signed, under one id whatever happens."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

from store.acts import Command, perform
from store.acts_dead import replay
from store.acts_erase import erase, find_erasure
from store.company import load_company, put_company, replace_company
from tests.support.certificate import self_signed
from tests.support.receiver import Receiver, crm
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company
from tests.support.sending import Clock, dispatching, send_all


def rig_with(folder: Path, *sinks: dict[str, Any], **company: Any) -> Rig:
    return Rig(folder, company=small_company(sinks={one["sink_id"]: one for one in sinks}, **company))


def feed(rig: Rig, count: int, start: int = 0) -> None:
    """Let so many new customers come in and be assigned, a second apart."""
    rig.feed(
        post(
            at_us=MONDAY_10 + (start + number) * SECOND,
            made=f"m{start + number}",
            name=f"客户{start + number}",
            phone=f"139{start + number:08d}",
            message="叉车\n两台",
        )
        for number in range(count)
    )
    rig.run()


def test_an_assignment_arrives_with_lead_owner_and_due_time(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 1)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock, "https://leads.haichuan.example/") as dispatcher:
        send_all(dispatcher)
    (task,) = rig.rows("task")
    (delivery,) = rig.rows("delivery")
    (arrived,) = receiver.taken
    data = arrived.content["data"]
    assert arrived.content["type"] == "leadflow.assigned.v1"
    assert arrived.webhook_id == delivery["delivery_id"]
    assert data["holder"]["id"] == task["holder_id"]
    assert data["task"]["task_id"] == task["task_id"]
    assert data["task"]["due"] == "2026-11-23T02:30:00.000001Z"
    assert data["lead"]["fields"]["phone"] == "+8613900000000"
    assert data["lead"]["channel"] == "web"
    assert data["why"] == "weighted_turn"
    assert data["link"] == f"https://leads.haichuan.example/inbox/{task['holder_id']}"
    assert (delivery["state"], delivery["answer"]) == ("sent", "204")
    rig.close()


def test_a_destination_that_is_down_gets_everything_later_in_order(
    tmp_path: Path, receiver: Receiver
) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    receiver.close()
    feed(rig, 5)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        assert {row["state"] for row in rig.rows("delivery")} == {"waiting"}
        first, *behind = sorted(rig.rows("delivery"), key=lambda row: row["decided_us"])
        assert (first["attempt"], first["code"]) == (1, "unreachable")
        assert [row["attempt"] for row in behind] == [0] * 4, "the line waits for its first"
        clock.at_us = first["next_us"] - 1
        send_all(dispatcher)
        receiver.open()
        send_all(dispatcher)
        assert receiver.came == [], "not before its time"
        clock.at_us += 1
        send_all(dispatcher)
    decided = [row["event_id"] for row in sorted(rig.rows("delivery"), key=lambda row: row["decided_us"])]
    assert receiver.events == decided
    assert {row["state"] for row in rig.rows("delivery")} == {"sent"}
    rig.close()


def test_a_dead_destination_delays_no_other(tmp_path: Path, receiver: Receiver) -> None:
    dead = Receiver(port=1)  # nobody listens there
    rig = rig_with(tmp_path, crm(receiver), crm(dead, sink_id="old-crm"))
    feed(rig, 10)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
    states = [(row["sink_id"], row["state"]) for row in rig.rows("delivery")]
    assert states.count(("crm", "sent")) == 10
    assert states.count(("old-crm", "waiting")) == 10
    rig.close()


def test_a_silent_destination_holds_up_nobody(tmp_path: Path, receiver: Receiver) -> None:
    held = threading.Event()

    def hang(_id: str, _times: int) -> int:
        held.wait(20)
        return 204

    silent = Receiver(answer=hang)
    silent.open()
    rig = rig_with(tmp_path, crm(receiver), crm(silent, sink_id="a-silent-one"))
    feed(rig, 5)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        give_up = time.monotonic() + 10
        while len(receiver.taken) < 5 and time.monotonic() < give_up:
            dispatcher.turn()
            time.sleep(0.005)
        assert len(receiver.taken) == 5
        assert silent.taken == []
        held.set()
        send_all(dispatcher)
    assert len(silent.taken) == 5
    silent.close()
    rig.close()


def test_a_lost_answer_repeats_the_same_id(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda _id, times: None if times == 0 else 200
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 1)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        clock.at_us += MINUTE
        send_all(dispatcher)
    assert len(receiver.came) == 2
    assert len({one.webhook_id for one in receiver.came}) == 1
    assert receiver.came[0].content == receiver.came[1].content
    rig.close()


def test_retry_after_is_honoured(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda _id, times: 429 if times == 0 else 200
    receiver.headers = {"retry-after": "120"}
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 1)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        (delivery,) = rig.rows("delivery")
        assert delivery["next_us"] == clock.at_us + 120 * SECOND
        assert (delivery["code"], delivery["answer"]) == ("busy", "429")
    rig.close()


def replay_letter(rig: Rig, dead_id: str, at_us: int, key: str = "again") -> None:
    command = Command("replay", "ann", key, dead_id)
    assert perform(rig.store, command, replay(), at_us, rig.files.store_log.append)


def test_a_refusal_becomes_a_dead_letter_and_is_replayed_under_the_same_id(
    tmp_path: Path, receiver: Receiver
) -> None:
    status = 410
    receiver.answer = lambda _id, _times: status
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 2)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        letters = rig.rows("dead")
        assert [(row["stage"], row["code"], row["state"]) for row in letters] == [
            ("deliver", "gone", "open")
        ] * 2
        assert all("replay" in row["hint"] and "410" in row["message"] for row in letters)
        assert {row["state"] for row in rig.rows("delivery")} == {"failed"}
        replay_letter(rig, letters[0]["dead_id"], clock.at_us)
        send_all(dispatcher)  # refused once more: a second letter
        again = [row for row in rig.rows("dead") if row["attempt"] == 2]
        assert [row["event_id"] for row in again] == [letters[0]["event_id"]]
        status = 200
        replay_letter(rig, again[0]["dead_id"], clock.at_us, "third")
        send_all(dispatcher)
    assert [one.webhook_id for one in receiver.taken] == [letters[0]["event_id"]]
    assert sorted(row["state"] for row in rig.rows("delivery")) == ["failed", "sent"]
    assert sorted(row["state"] for row in rig.rows("dead")) == ["open", "replayed", "replayed"]
    rig.close()


def test_after_three_days_it_is_given_up_and_called_for(tmp_path: Path, receiver: Receiver) -> None:
    receiver.close()
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 1)
    clock = Clock(MONDAY_10 + MINUTE)
    tries = 0
    with dispatching(rig, clock) as dispatcher:
        while (delivery := rig.rows("delivery")[0])["state"] == "waiting":
            clock.at_us = max(clock.at_us, delivery["next_us"])
            send_all(dispatcher)
            tries += 1
    assert delivery["state"] == "failed"
    assert 3 * DAY <= clock.at_us - delivery["since_us"] < 3 * DAY + 15 * HOUR
    assert 10 < tries < 25
    assert [row["code"] for row in rig.rows("dead")] == ["unreachable"]
    rig.close()


def test_one_that_the_destination_chokes_on_steps_aside(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 3)
    poison = min(rig.rows("delivery"), key=lambda row: row["decided_us"])["delivery_id"]
    receiver.answer = lambda webhook_id, _times: 500 if webhook_id == poison else 200
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        for _ in range(5):
            send_all(dispatcher)
            assert receiver.taken == []
            clock.at_us = next(row["next_us"] for row in rig.rows("delivery") if row["delivery_id"] == poison)
        send_all(dispatcher)
    assert len(receiver.taken) == 2
    states = {row["delivery_id"]: row["state"] for row in rig.rows("delivery")}
    assert states[poison] == "waiting", "it goes on by itself"
    rig.close()


def test_a_certificate_that_nobody_vouches_for_gets_nothing(tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.open(self_signed(tmp_path)[1])
    rig = rig_with(tmp_path, crm(receiver, url=receiver.url.replace("http:", "https:")))
    feed(rig, 1)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    assert receiver.came == []
    assert [(row["state"], row["code"]) for row in rig.rows("delivery")] == [("waiting", "bad_certificate")]
    receiver.close()
    rig.close()


def test_redirects_are_not_followed(tmp_path: Path, receiver: Receiver) -> None:
    receiver.answer = lambda _id, _times: 307
    receiver.headers = {"location": "http://127.0.0.1:1/elsewhere"}
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 1)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    assert len(receiver.came) == 1
    assert [row["code"] for row in rig.rows("dead")] == ["redirected"]
    rig.close()


def test_without_a_secret_nothing_goes_out_unsigned(tmp_path: Path, receiver: Receiver) -> None:
    bare = crm(receiver)
    del bare["secret"]
    rig = rig_with(tmp_path, bare)
    feed(rig, 1)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        assert receiver.came == []
        assert [row["code"] for row in rig.rows("delivery")] == ["no_secret"]
        with rig.store.write() as connection:
            put_company(connection, small_company(sinks={"crm": crm(receiver)}), 0)
        clock.at_us += MINUTE
        send_all(dispatcher)
    assert len(receiver.taken) == 1
    rig.close()


def test_probes_and_demo_leads_stay_inside_unless_the_sink_says_so(
    tmp_path: Path, receiver: Receiver
) -> None:
    rig = rig_with(tmp_path, crm(receiver), crm(receiver, sink_id="try-out", purposes=["test"]))
    for number, purpose in enumerate(("probe", "demo", "test")):
        rig.feed([post(made=str(number), purpose=purpose, phone=f"1390000000{number}")])
    rig.run()
    assert [(row["sink_id"], row["purpose"]) for row in rig.rows("delivery")] == [("try-out", "test")]
    rig.close()


def test_a_sink_taken_out_is_dropped_and_one_switched_off_waits(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver), crm(receiver, sink_id="old"))
    feed(rig, 1)
    with rig.store.read() as connection:
        company = load_company(connection, 1)
    off = company.model_copy(update={"sinks": {}, "sinks_off": {"crm": company.sinks["crm"]}})
    with rig.store.write() as connection:
        replace_company(connection, company, off, 0)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    found = {row["sink_id"]: (row["state"], row["code"]) for row in rig.rows("delivery")}
    assert found == {"crm": ("waiting", None), "old": ("dropped", "sink_gone")}
    assert receiver.came == []
    rig.close()


def test_who_took_a_customer_out_of_a_queue_is_told_with_the_lead_and_its_task(
    tmp_path: Path, receiver: Receiver
) -> None:
    rig = rig_with(tmp_path, crm(receiver, channels=["web"]))
    saturday = MONDAY_10 - 2 * DAY
    rig.feed([post(at_us=saturday, phone="13812345678", name="张伟")])
    rig.run()
    rig.fire(MONDAY_10)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    waiting, given = (one.content["data"] for one in receiver.taken)
    assert (waiting["why"], waiting["holder"]["kind"]) == ("waiting", "queue")
    assert (given["why"], given["holder"]["kind"]) == ("weighted_turn", "person")
    assert given["lead"] == waiting["lead"]
    assert given["task"]["task_id"] == waiting["task"]["task_id"]
    rig.close()


def test_an_erased_customer_is_not_told_of_any_more(tmp_path: Path, receiver: Receiver) -> None:
    receiver.close()
    rig = rig_with(tmp_path, crm(receiver), crm(receiver, sink_id="gone", url="http://127.0.0.1:9/"))
    feed(rig, 2)
    clock = Clock(MONDAY_10 + MINUTE)
    one, other = rig.rows("customer")
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        with rig.store.read() as connection:
            erasure = find_erasure(connection, "act_1", one["customer_id"])
        command = Command("erase", "ann", "erase", one["customer_id"])
        perform(rig.store, command, erase(erasure), clock.at_us, rig.files.store_log.append)
        receiver.open()
        clock.at_us += DAY
        send_all(dispatcher)
    assert {post.content["data"]["customer_id"] for post in receiver.taken} == {other["customer_id"]}
    states = {row["state"] for row in rig.rows("delivery") if row["customer_id"] == one["customer_id"]}
    assert states == {"dropped"}
    rig.close()
