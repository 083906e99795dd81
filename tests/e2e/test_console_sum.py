"""The sum on the first page adds up at every instant, and each lead stands where people would look for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from schemas.capture import Capture
from schemas.company import Absence
from store import tables
from store.acts import Command, perform
from store.acts_dead import discard, repaired, replay
from store.database import Database
from store.views import Balance, balance, orphans
from tests.support.rig import HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company


@pytest.fixture(params=["sqlite", "postgresql"])
def any_rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    """A rig on each database: the sum is one statement, and both must read it alike."""
    store: Database | None = None
    if request.param == "postgresql":
        store = request.getfixturevalue("clean_postgres")
    made = Rig(tmp_path, store=store)
    yield made
    made.files.doors.close()
    if store is None:
        made.files.store.close()


def sum_of(rig: Rig, now_us: int = MONDAY_10 + SECOND) -> Balance:
    with rig.store.read() as connection:
        return balance(connection, now_us)


def act(rig: Rig, verb: str, dead_id: str) -> None:
    plans = {"replay": replay, "discard": discard, "repair": repaired}
    command = Command(verb, "ann", f"{verb} {dead_id}", dead_id)
    perform(rig.store, command, plans[verb](), MONDAY_10, rig.files.store_log.append)


def test_everything_received_stands_in_one_place(any_rig: Rig) -> None:
    any_rig.feed(
        [
            post(made="1", phone="13812345678"),
            post(made="2", phone="13912345678"),
            post(made="3", phone="13812345678", website_hp="robot"),
            post(made="4", wer="13812345678"),
            post(made="5", phone="13700000001", purpose="probe"),
        ]
    )
    any_rig.run()
    found = sum_of(any_rig)
    assert found == Balance(received=4, owned=2, waiting=0, not_leads=1, to_repair=1)
    assert found.adds_up


def test_the_sum_adds_up_between_any_two_stages(any_rig: Rig) -> None:
    any_rig.feed([post(made=str(n), phone=f"1381234567{n}") for n in range(3)])
    assert sum_of(any_rig).received == 0, "not read yet: the door has it"
    any_rig.step(0)
    assert sum_of(any_rig) == Balance(received=3, waiting=3)
    any_rig.step(1)
    in_intake = sum_of(any_rig)
    assert (in_intake.received, in_intake.waiting, in_intake.adds_up) == (3, 3, True)
    any_rig.step(2)
    assert sum_of(any_rig) == Balance(received=3, owned=3)


def test_a_customer_stuck_in_intake_is_without_owner_after_a_minute(rig: Rig) -> None:
    rig.feed([post(made="1", phone="13812345678")])
    rig.step(0)
    rig.step(1)
    later = MONDAY_10 + 2 * MINUTE
    found = sum_of(rig, later)
    assert (found.waiting, found.without_owner, found.adds_up) == (0, 1, True)
    with rig.store.read() as connection:
        assert len(orphans(connection, later)) == found.without_owner


def test_a_customer_whose_holder_vanished_is_seen(rig: Rig) -> None:
    rig.feed([post(made="1", phone="13812345678")])
    rig.run()
    with rig.store.write() as connection:
        connection.execute(update(tables.holding).values(to_us=MONDAY_10 + SECOND))
    found = sum_of(rig)
    assert (found.owned, found.without_owner, found.adds_up) == (0, 1, True)


def test_a_closed_customer_is_no_alarm(rig: Rig) -> None:
    rig.feed([post(made="1", phone="13812345678")])
    rig.run()
    with rig.store.write() as connection:
        connection.execute(update(tables.holding).values(to_us=MONDAY_10 + SECOND))
        connection.execute(update(tables.customer).values(state="closed"))
    assert sum_of(rig) == Balance(received=1, closed=1)


def test_the_oldest_waiting_is_told(tmp_path: Path) -> None:
    away = tuple(
        Absence(person_id=one, from_us=0, to_us=MONDAY_10 + 8 * HOUR) for one in ("ann", "bo", "chen")
    )
    rig = Rig(tmp_path, company=small_company(absences=away))
    rig.feed(
        [
            post(made="1", phone="13812345678"),
            post(made="2", phone="13912345678", at_us=MONDAY_10 + MINUTE),
            post(made="3", phone="13712345678", at_us=MONDAY_10 - HOUR, purpose="probe"),
        ]
    )
    rig.run()
    found = sum_of(rig)
    assert (found.received, found.waiting, found.adds_up) == (2, 2, True)
    assert found.oldest_waiting_us is not None
    assert 0 <= found.oldest_waiting_us - MONDAY_10 < SECOND
    rig.close()


def test_a_dead_letter_moves_through_the_sum_as_it_is_worked(any_rig: Rig) -> None:
    any_rig.feed([post(made=str(n), wer="13812345678", nr=str(n)) for n in range(3)])
    any_rig.run()
    assert sum_of(any_rig) == Balance(received=3, to_repair=3)
    first, second, third = any_rig.rows("dead")

    act(any_rig, "discard", first["dead_id"])
    assert sum_of(any_rig) == Balance(received=3, not_leads=1, to_repair=2)

    repair = post(made="r", phone="13812345678")
    repair = repair.model_copy(update={"parent_id": second["capture_id"]})
    any_rig.feed([repair])
    any_rig.run()
    act(any_rig, "repair", second["dead_id"])
    assert sum_of(any_rig) == Balance(received=3, owned=1, not_leads=1, to_repair=1)

    act(any_rig, "replay", third["dead_id"])
    any_rig.run()
    assert sum_of(any_rig) == Balance(received=3, owned=1, not_leads=1, to_repair=1), "refused again"


def test_a_fault_of_ours_in_any_stage_is_to_repair(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    for number, stage in enumerate(("ingest.gateway.parse_capture", "enrich.gateway.resolve")):
        with monkeypatch.context() as patch:
            patch.setattr(stage, broken)
            rig.feed(
                [
                    post(made=str(number), phone=f"1381234567{number}").model_copy(
                        update={"trace_id": f"{number:032x}"}
                    )
                ]
            )
            rig.run()
        assert sum_of(rig) == Balance(received=number + 1, to_repair=number + 1)


KINDS = st.sampled_from(["lead", "again", "robot", "unknown", "probe", "incomplete"])


@given(
    received=st.lists(st.tuples(KINDS, st.integers(0, 4)), max_size=12), stages=st.lists(st.integers(0, 2))
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_adds_up_whatever_came_in_and_however_far_each_stage_is(
    tmp_path_factory: pytest.TempPathFactory, received: list[tuple[str, int]], stages: list[int]
) -> None:
    rig = Rig(tmp_path_factory.mktemp("rig"), batch_max=3)
    rig.feed(_capture(kind, who, number) for number, (kind, who) in enumerate(received))
    for stage in stages:
        rig.step(stage)
        assert sum_of(rig).adds_up
    rig.run()
    found = sum_of(rig)
    rig.close()
    assert found.adds_up
    counted = [kind for kind, _ in received]
    assert found.received == len(counted) - counted.count("probe")
    assert found.owned == counted.count("lead") + counted.count("again")
    assert found.to_repair == counted.count("unknown")


def _capture(kind: str, who: int, number: int) -> Capture:
    made = f"{kind}{number}"
    if kind == "unknown":
        return post(made=made, wer=f"{who}")
    fields = {"phone": f"1381234567{who}", "message": made}
    if kind == "robot":
        fields["website_hp"] = "x"
    purpose = "probe" if kind == "probe" else "real"
    capture = post(made=made, purpose=purpose, **fields)  # type: ignore[arg-type]
    if kind == "incomplete":
        return capture.model_copy(update={"meta": {**capture.meta, "incomplete": "email"}})
    return capture
