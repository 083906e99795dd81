"""A destination that refuses everything is held: no dead letter a lead, a person told, and sent in order after a reset."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from sinks.alarms import Alarms, Ways
from sinks.hold import blames_destination
from sinks.port import outside
from store.acts import Command, perform
from store.breakers import open_breakers, reset
from store.company import CompanyCache, load_company, put_company
from tests.e2e.test_console_pages import client_of
from tests.e2e.test_mails_to_owners import ANN, BO, with_mail
from tests.e2e.test_webhooks import feed, rig_with
from tests.support.postbox import Postbox
from tests.support.receiver import Receiver, crm
from tests.support.rig import DAY, MINUTE, MONDAY_10, Rig, post
from tests.support.sending import Clock, dispatching, send_all


def reset_now(rig: Rig, key: str, at_us: int) -> None:
    command = Command("reset_breaker", "ann", f"reset {key} {at_us}", key)
    perform(rig.store, command, reset(), at_us, rig.files.store_log.append)


def states(rig: Rig) -> Counter[str]:
    return Counter(row["state"] for row in rig.rows("delivery"))


@pytest.mark.parametrize("status", [404, 401, 410, 301])
def test_a_wrong_address_holds_the_destination_and_all_go_out_in_order_after_the_reset(
    tmp_path: Path, receiver: Receiver, status: int
) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    receiver.answer = lambda _id, _times: status
    feed(rig, 20)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        assert states(rig) == {"failed": 2, "waiting": 18}
        assert len(rig.rows("dead")) == 2
        assert len(receiver.came) == 3, "and it is left alone"
        with rig.store.read() as connection:
            (held,) = open_breakers(connection)
        assert (held["source_id"], held["stage"], held["held"]) == ("sinks.crm", "deliver", 18)

        clock.at_us += 5 * DAY
        send_all(dispatcher)
        assert states(rig) == {"failed": 2, "waiting": 18}, "nothing is given up meanwhile"

        receiver.answer = lambda _id, _times: 204
        reset_now(rig, "sinks.crm", clock.at_us)
        send_all(dispatcher)
    assert states(rig) == {"failed": 2, "sent": 18}
    rows = [row for row in rig.rows("delivery") if row["state"] == "sent"]
    in_order = [
        row["event_id"] for row in sorted(rows, key=lambda row: (row["decided_us"], row["delivery_id"]))
    ]
    assert receiver.events == in_order
    assert rig.rows("breaker") == []
    rig.close()


def test_a_reset_without_a_remedy_costs_no_more_dead_letters(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    receiver.answer = lambda _id, _times: 404
    feed(rig, 6)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
        reset_now(rig, "sinks.crm", clock.at_us)
        clock.at_us += MINUTE
        send_all(dispatcher)
    assert states(rig) == {"failed": 2, "waiting": 4}
    assert [row["state"] for row in rig.rows("breaker")] == ["open"]
    rig.close()


def test_leads_that_the_destination_cannot_take_hold_nobody_up(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    receiver.answer = lambda _id, _times: 422
    feed(rig, 6)
    with dispatching(rig, Clock(MONDAY_10 + MINUTE)) as dispatcher:
        send_all(dispatcher)
    assert states(rig) == {"failed": 6}
    assert rig.rows("breaker") == []
    rig.close()


def test_one_that_is_taken_between_begins_the_count_anew(tmp_path: Path, receiver: Receiver) -> None:
    rig = rig_with(tmp_path, crm(receiver))
    feed(rig, 9)
    order: list[str] = []

    def answer(webhook_id: str, _times: int) -> int:
        order.append(webhook_id)
        return 204 if len(order) % 3 == 0 else 404

    receiver.answer = answer
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        for _ in range(9):
            clock.at_us += 1
            dispatcher.turn()
            send_all(dispatcher)
    assert states(rig) == {"failed": 6, "sent": 3}
    rig.close()


def test_a_mailbox_that_is_gone_holds_that_persons_mail_alone(tmp_path: Path, postbox: Postbox) -> None:
    rig = Rig(tmp_path, company=with_mail(postbox, {"ann": ANN, "bo": BO}))
    rig.feed(post(made=f"m{n}", name=f"客户{n}", phone=f"139{n:08d}") for n in range(24))
    rig.run()
    postbox.refuse = {ANN: "550 5.1.1 no such user"}
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
    found = Counter((row["dest"], row["state"]) for row in rig.rows("delivery"))
    assert found["ann", "failed"] == 2
    assert found["ann", "waiting"] >= 3
    assert {state for dest, state in found if dest == "bo"} == {"sent"}
    assert [row["source_id"] for row in rig.rows("breaker")] == ["sinks.mail/ann"]
    rig.close()


def test_a_person_is_told_which_destination_is_held(
    tmp_path: Path, receiver: Receiver, postbox: Postbox
) -> None:
    rig = rig_with(tmp_path, crm(receiver), postbox.sink(events=["queue"]), responsible_id="ann")
    with rig.store.write() as connection:
        company = load_company(connection, 1)
        ann = company.people["ann"].model_copy(update={"email": ANN, "language": "en"})
        put_company(connection, company.model_copy(update={"people": {**company.people, "ann": ann}}), 0)
    receiver.answer = lambda _id, _times: 404
    feed(rig, 5)
    clock = Clock(MONDAY_10 + MINUTE)
    with dispatching(rig, clock) as dispatcher:
        send_all(dispatcher)
    alarms = Alarms(rig.store, CompanyCache(), outside(tmp_path), clock, Ways())
    assert alarms.turn() == 1
    alarms.stop()
    for language, said in {
        "zh": "「CRM」不再接收：连续 3 次被拒绝",
        "en": "CRM takes nothing any more",
    }.items():
        page = client_of(rig).get(f"/needs-repair?lang={language}").text
        assert said in page
        assert "leadflow breaker reset sinks.crm" in page
    ((_, mail),) = postbox.came
    assert mail["Subject"] == "CRM takes nothing any more and is held"
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "leadflow breaker reset sinks.crm" in text
    assert "refused" in text
    rig.close()


@pytest.mark.parametrize(
    ("code", "answer", "blamed"),
    [
        ("refused", "404", True),
        ("refused", "403", True),
        ("refused", "550", True),
        ("refused", "422", False),
        ("refused", "400", False),
        ("refused", "554", False),
        ("gone", "410", True),
        ("login_refused", "535", True),
        ("unreachable", None, True),
        ("bug", None, False),
    ],
)
def test_what_a_refusal_speaks_of(code: str, answer: str | None, blamed: bool) -> None:
    assert blames_destination(code, answer) is blamed
