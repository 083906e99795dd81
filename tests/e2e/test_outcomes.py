"""What follows from an outcome: attempts on a ladder, a next step on a date, or the end of the work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from router.office import office_of
from sales.outcomes import CONTACT, NEXT_STEP_MINUTES, Next, Said, next_step, record_contact, record_outcome
from schemas.company import Choice
from schemas.events import Event
from schemas.outcomes import OutcomeCode
from schemas.work import Task
from store import tables
from store.acts import ActRefused, Command, perform
from store.database import Database
from store.views import balance, inbox, orphans
from stream.log import Place
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, Rig, post, small_company

NOW = MONDAY_10 + 5 * MINUTE
LADDER = (60, 240, 480)
COMPANY = small_company(
    choices=(
        Choice(
            list="outcome", code="no_answer", name_zh="无人接听", name_en="No answer", retry_minutes=LADDER
        ),
        Choice(list="no_need", code="price", name_zh="价格过高", name_en="Price"),
    )
)


@pytest.fixture(params=["sqlite", "postgresql"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """One customer with one open task."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store, company=COMPANY)
    made.feed([post(made="1", name="张伟", phone="13812345678")])
    made.run()
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def say(rig: Rig, code: OutcomeCode, at_us: int = NOW, **more: object) -> None:
    (task,) = open_tasks(rig)
    command = Command("outcome", str(task["holder_id"]), f"{code} {at_us}", str(task["task_id"]))
    plan = record_outcome(Said(code, **more), COMPANY, office_of(COMPANY).due)  # type: ignore[arg-type]
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)


def open_tasks(rig: Rig) -> list[dict[str, object]]:
    return [row for row in rig.rows("task") if row["state"] == "open"]


def state_of(rig: Rig) -> str:
    (customer,) = rig.rows("customer")
    return str(customer["state"])


def test_nobody_answers_so_the_same_task_comes_again_up_the_ladder(rig: Rig) -> None:
    at_us = NOW
    for minutes in LADDER[:2]:
        say(rig, "no_answer", at_us)
        (task,) = open_tasks(rig)
        assert task["origin"] == "first_response"
        assert task["due_us"] == at_us + minutes * MINUTE, "within one working day, minutes are minutes"
        at_us += minutes * MINUTE
    say(rig, "no_answer", at_us)
    (task,) = open_tasks(rig)
    # 15:05 and eight working hours: 2 h 55 min are left on Monday, the rest is Tuesday's.
    assert task["due_us"] == MONDAY_10 - HOUR + DAY + 8 * HOUR - (175 * MINUTE)
    assert state_of(rig) == "open"


def test_at_the_end_of_the_ladder_somebody_has_to_decide(rig: Rig) -> None:
    for attempt in range(len(LADDER)):
        say(rig, "no_answer", NOW + attempt)
    with pytest.raises(ActRefused) as refused:
        say(rig, "no_answer", NOW + HOUR)
    assert refused.value.code == "ladder_ended"
    assert len(open_tasks(rig)) == 1, "nothing was changed"
    say(rig, "no_answer", NOW + 2 * HOUR, next_us=NOW + 7 * DAY)
    assert open_tasks(rig)[0]["due_us"] == NOW + 7 * DAY, "a date is a decision"


def test_a_conversation_in_between_starts_the_ladder_anew(rig: Rig) -> None:
    say(rig, "no_answer", NOW)
    say(rig, "interested", NOW + MINUTE)
    say(rig, "no_answer", NOW + 2 * MINUTE)
    (task,) = open_tasks(rig)
    assert task["due_us"] == NOW + 2 * MINUTE + LADDER[0] * MINUTE
    assert task["origin"] == "plan", "what was to be tried again is the planned step"


def test_later_comes_back_on_its_date_and_to_the_same_person(rig: Rig) -> None:
    (before,) = open_tasks(rig)
    say(rig, "later", next_us=NOW + 30 * DAY, note="年后再谈")
    (after,) = open_tasks(rig)
    assert (after["due_us"], after["origin"]) == (NOW + 30 * DAY, "plan")
    assert after["holder_id"] == before["holder_id"]
    with rig.store.read() as connection:
        (shown,) = inbox(connection, str(after["holder_id"]))
    assert (shown["last"]["code"], shown["last"]["note"]) == ("later", "年后再谈")


def test_a_next_step_is_sent_on_like_any_task(rig: Rig) -> None:
    say(rig, "interested")
    events: list[Event] = [one.event for one in rig.readers["tasks"].read(Place("tasks"), 0, 10)]
    (first, second) = [event.read(Task) for event in events]
    assert second.task_id == open_tasks(rig)[0]["task_id"]
    assert (second.decision_id, second.ordinal) == (first.decision_id, 1)
    assert events[0].trace_id == events[1].trace_id, "one trace from the bytes to the last step"


def test_no_need_closes_the_customer_who_stays_with_its_owner(rig: Rig) -> None:
    say(rig, "no_need", reason="price")
    assert open_tasks(rig) == []
    assert state_of(rig) == "closed"
    assert rig.rows("outcome", "code", "reason") == [{"code": "no_need", "reason": "price"}]
    (holding,) = [row for row in rig.rows("holding") if row["to_us"] is None]
    assert holding["holder_kind"] == "person"
    with rig.store.read() as connection:
        total = balance(connection, NOW + HOUR)
        assert orphans(connection, NOW + HOUR) == []
    assert (total.received, total.closed, total.owned, total.adds_up) == (1, 1, 0, True)


def test_a_closed_customer_who_asks_again_is_open_again_and_with_the_same_owner(rig: Rig) -> None:
    say(rig, "won")
    (held,) = [row["holder_id"] for row in rig.rows("holding") if row["to_us"] is None]
    rig.feed([post(made="2", phone="13812345678", at_us=NOW + DAY)])
    rig.run()
    assert state_of(rig) == "open"
    (task,) = open_tasks(rig)
    assert task["holder_id"] == held


def test_a_customer_with_another_task_is_not_closed(rig: Rig) -> None:
    rig.feed([post(made="2", phone="13812345678", at_us=NOW + MINUTE)])
    rig.run()
    first, _second = open_tasks(rig)
    plan = record_outcome(Said("wrong_number"), COMPANY, office_of(COMPANY).due)
    command = Command("outcome", str(first["holder_id"]), "k", str(first["task_id"]))
    perform(rig.store, command, plan, NOW + HOUR, rig.files.store_log.append)
    assert state_of(rig) == "open"
    assert len(open_tasks(rig)) == 1


@pytest.mark.parametrize("reason", [None, "nonsense"])
def test_a_reason_of_the_company_s_list_is_wanted(rig: Rig, reason: str | None) -> None:
    before = rig.state()
    with pytest.raises(ActRefused) as refused:
        say(rig, "no_need", reason=reason)
    assert refused.value.code == "outcome_reason_missing"
    assert "price" in str(refused.value)
    assert rig.state() == before


@pytest.mark.parametrize(
    ("said", "attempts", "expected"),
    [
        (Said("no_answer"), 0, Next(None, 60, True)),
        (Said("no_answer"), 2, Next(None, 480, True)),
        (Said("no_answer", next_us=7), 9, Next(7, None, True)),
        (Said("interested"), 0, Next(None, NEXT_STEP_MINUTES, False)),
        (Said("interested", next_us=7), 0, Next(7, None, False)),
        (Said("later", next_us=7), 0, Next(7, None, False)),
        (Said("no_need"), 0, None),
        (Said("no_need", next_us=7), 0, Next(7, None, False)),
        (Said("wrong_number"), 0, None),
        (Said("not_a_lead"), 0, None),
        (Said("won"), 0, None),
    ],
)
def test_the_next_step_of_each_outcome(said: Said, attempts: int, expected: Next | None) -> None:
    assert next_step(said, attempts, LADDER) == expected


def test_later_without_a_date_is_refused() -> None:
    with pytest.raises(ActRefused, match="date"):
        next_step(Said("later"), 0, LADDER)


def contact(rig: Rig, code: OutcomeCode, at_us: int, key: str = "", **more: object) -> None:
    (customer,) = rig.rows("customer")
    command = Command(CONTACT, "ann", key or f"contact {at_us}", str(customer["customer_id"]))
    plan = record_contact(Said(code, **more), COMPANY, office_of(COMPANY).due)  # type: ignore[arg-type]
    perform(rig.store, command, plan, at_us, rig.files.store_log.append)


def test_a_buyer_whom_their_owner_calls_again_is_open_until_the_next_step_is_done(rig: Rig) -> None:
    say(rig, "won")
    assert state_of(rig) == "closed"
    contact(rig, "interested", NOW + DAY, note="wants a second one", next_us=NOW + 3 * DAY)
    assert state_of(rig) == "open"
    (task,) = open_tasks(rig)
    assert (task["origin"], task["due_us"]) == ("plan", NOW + 3 * DAY)
    last = max(rig.rows("outcome"), key=lambda row: row["recorded_us"])
    assert (last["code"], last["note"]) == ("interested", "wants a second one")
    with pytest.raises(ActRefused, match="is open: record the outcome there"):
        contact(rig, "interested", NOW + DAY + HOUR)
    contact(rig, "interested", NOW + DAY, next_us=NOW + 3 * DAY)  # the same click again
    assert len(rig.rows("outcome")) == 2
    say(rig, "no_need", NOW + 4 * DAY, reason="price")
    assert state_of(rig) == "closed"
    with rig.store.read() as connection:
        assert orphans(connection, NOW + 5 * DAY) == []
        assert balance(connection, NOW + 5 * DAY).adds_up


def test_a_contact_that_leads_to_nothing_leaves_no_task(rig: Rig) -> None:
    say(rig, "no_need", reason="price")
    contact(rig, "no_need", NOW + DAY, reason="price", note="still too dear")
    assert open_tasks(rig) == []
    assert state_of(rig) == "closed"
    assert len(rig.rows("task")) == len(rig.rows("outcome")) == 2


def test_whom_nobody_worked_is_not_opened_again(rig: Rig) -> None:
    with rig.store.write() as connection:
        connection.execute(update(tables.task).values(state="cancelled", ended_us=NOW))
        connection.execute(
            update(tables.customer).values(state="closed")
        )  # as a list that was taken back leaves them
    with pytest.raises(ActRefused, match="closed for good"):
        contact(rig, "interested", NOW + DAY)
