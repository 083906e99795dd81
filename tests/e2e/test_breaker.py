"""A source that fails is held and replayed in order; the others go on; a stage stops only when most of them fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete

from schemas.capture import Capture
from schemas.company import Company
from store import tables
from store.acts import ActRefused, Command, Plan, perform
from store.acts_dead import discard, replay
from store.breakers import Opening, open_breakers, put_breaker, reset
from store.company import put_company
from store.views import balance
from stream.breaker import Policy
from stream.watch import Forgetting, StageStopped
from tests.support.rig import HOUR, MINUTE, MONDAY_10, SECOND, Rig
from tests.support.senders import bad, good, senders

POLICY = Policy(share=0.5, window_us=HOUR, minimum=5)
MAPPED = {"fields": {"sj": "phone"}}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, company=senders("site", "fair", "shop"), policy=POLICY)
    yield made
    made.close()


def act(rig: Rig, plan: Plan, subject: str, key: str) -> None:
    command = Command("act", "ann", key, subject, "mapped")
    perform(rig.store, command, plan, MONDAY_10 + SECOND, rig.files.store_log.append)


def put(rig: Rig, company: Company) -> None:
    with rig.store.write() as connection:
        put_company(connection, company, 0)


def states(rig: Rig) -> Counter[str]:
    return Counter(row["state"] for row in rig.rows("dead"))


def bad_posts(source_id: str, first: int, count: int) -> list[Capture]:
    return [bad(source_id, number, MONDAY_10 + number) for number in range(first, first + count)]


def test_a_rebuilt_form_is_held_after_a_few_refusals_and_the_others_go_on(rig: Rig) -> None:
    rig.feed([*bad_posts("site", 0, 12), *(good("fair", number) for number in range(3))])
    rig.run()
    assert states(rig) == {"open": 5, "held": 7}
    assert len(rig.rows("task")) == 3
    with rig.store.read() as connection:
        (breaker,) = open_breakers(connection)
        sums = balance(connection, MONDAY_10)
    told = {key: breaker[key] for key in ("source_id", "stage", "state", "code", "tried", "refused", "held")}
    assert told == {
        "source_id": "site",
        "stage": "parse",
        "state": "open",
        "code": "no_known_field",
        "tried": 5,
        "refused": 5,
        "held": 7,
    }
    assert sums.adds_up
    assert (sums.received, sums.to_repair, sums.owned) == (15, 12, 3)


def test_good_ones_of_a_held_source_wait_too_and_come_in_order_after_the_reset(rig: Rig) -> None:
    rig.feed([*bad_posts("site", 0, 7), good("site", 7), *bad_posts("site", 8, 2)])
    rig.run()
    assert rig.rows("task") == []
    put(rig, senders("site", "fair", "shop", **MAPPED))
    act(rig, reset(), "site", "reset")
    rig.feed([good("site", 10)])
    rig.run()
    assert states(rig) == {"open": 5, "replayed": 6}
    assert rig.rows("breaker") == []
    leads = sorted(rig.rows("lead"), key=lambda row: int(row["trace_id"], 16))
    assert [int(row["trace_id"], 16) for row in leads] == [5, 6, 7, 8, 9, 10]
    assert len(rig.rows("task")) == 6
    (made,) = (row for row in rig.rows("act"))
    assert (made["actor"], made["reason"], made["scope_id"]) == ("ann", "mapped", "site")


def test_a_correction_that_was_held_joins_the_lead_of_the_first_also_when_a_third_comes_during_the_replay(
    rig: Rig,
) -> None:
    first, second, third = (
        good("site", 100 + number, MONDAY_10 + number, idem_key="same") for number in range(3)
    )
    rig.feed([*bad_posts("site", 0, 5), first, second])
    rig.run()
    act(rig, reset(), "site", "reset")
    rig.feed([third])
    rig.run()
    joined = {int(row["trace_id"], 16): row["joined_lead_id"] for row in rig.rows("lead")}
    lead_of_first = next(row["lead_id"] for row in rig.rows("lead") if int(row["trace_id"], 16) == 100)
    assert joined == {100: None, 101: lead_of_first, 102: lead_of_first}


def test_a_reset_without_a_remedy_opens_again_and_keeps_the_rest(rig: Rig) -> None:
    rig.feed(bad_posts("site", 0, 30))
    rig.run()
    assert states(rig) == {"open": 5, "held": 25}
    act(rig, reset(), "site", "reset")
    rig.run()
    assert states(rig) == {"open": 10, "held": 20}
    assert [row["state"] for row in rig.rows("breaker")] == ["open"]
    assert len(rig.rows("alarm")) == 2, "a person is told again"


def test_a_reset_of_what_is_not_held_is_refused(rig: Rig) -> None:
    with pytest.raises(ActRefused, match="No breaker of site is open"):
        act(rig, reset(), "site", "reset")
    assert rig.rows("act") == []


def test_a_senders_retry_is_held_once(rig: Rig) -> None:
    late = bad("site", 9)
    rig.feed([*bad_posts("site", 0, 5), late, late])
    rig.run()
    rig.feed([late])
    rig.run()
    assert states(rig) == {"open": 5, "held": 1}


def test_retries_do_not_dilute_the_share(rig: Rig) -> None:
    rig.feed([again for one in bad_posts("site", 0, 8) for again in [one] * 4])
    rig.run()
    assert states(rig) == {"open": 5, "held": 3}


def test_what_went_well_an_hour_ago_does_not_hide_what_fails_now(rig: Rig) -> None:
    rig.feed([good("site", number, MONDAY_10 - 2 * HOUR + number * SECOND) for number in range(100, 150)])
    rig.run()
    rig.feed(bad_posts("site", 0, 7))
    rig.run()
    assert states(rig) == {"open": 5, "held": 2}


def test_a_share_that_is_small_enough_stays_with_single_dead_letters(rig: Rig) -> None:
    for number in range(40):
        make = bad if number % 3 == 0 else good
        rig.feed([make("site", number, MONDAY_10 + number * MINUTE)])
    rig.run()
    assert states(rig) == {"open": 14}
    assert rig.rows("breaker") == []


def test_most_sources_failing_at_once_stop_the_stage_and_nothing_is_skipped(rig: Rig) -> None:
    rig.feed([good("shop", 1)])
    rig.run()
    rig.feed([*bad_posts("site", 0, 6), *bad_posts("fair", 0, 6), good("shop", 2)])
    for _ in range(3):
        with pytest.raises(StageStopped, match="stage 'parse' stopped: 2 sources fail at once"):
            rig.run()
    assert states(rig) == {"open": 5 + 4, "held": 1}, "the refusal that stopped it is not recorded"
    assert {row["state"] for row in rig.rows("breaker")} == {"open", "stopped"}

    put(rig, senders("site", "fair", "shop", **MAPPED))
    act(rig, reset(), "*", "reset all")
    rig.run()
    assert states(rig) == {"open": 9, "replayed": 1}
    assert rig.rows("breaker") == []
    assert len(rig.rows("task")) == 5, "of site the held one, of fair the last two, of shop both"


def test_the_only_source_of_a_company_never_stops_the_stage(tmp_path: Path) -> None:
    rig = Rig(tmp_path, company=senders("site"), policy=POLICY)
    rig.feed(bad_posts("site", 0, 12))
    rig.run()
    assert states(rig) == {"open": 5, "held": 7}
    rig.close()


def test_a_fault_of_ours_in_resolve_holds_there(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr("enrich.gateway.resolve", broken)
        rig.feed([good("site", number, MONDAY_10 + number) for number in range(8)])
        rig.run()
    letters = [(row["stage"], row["source_id"], row["state"]) for row in rig.rows("dead")]
    assert Counter(letters) == {("resolve", "site", "open"): 5, ("resolve", "site", "held"): 3}
    with rig.store.read() as connection:
        sums = balance(connection, MONDAY_10)
    assert (sums.received, sums.to_repair, sums.adds_up) == (8, 8, True)
    act(rig, reset(), "site", "reset")
    rig.run()
    for row in rig.rows("dead"):
        if row["state"] == "open":
            act(rig, replay(), row["dead_id"], row["dead_id"])
    rig.run()
    assert len(rig.rows("task")) == 8


def test_a_probe_passes_an_open_breaker_and_counts_for_nothing(rig: Rig) -> None:
    rig.feed([*bad_posts("site", 0, 6), good("site", 7, purpose="probe")])
    rig.run()
    assert [row["purpose"] for row in rig.rows("lead")] == ["probe"]
    rig.feed([bad("shop", number, purpose="probe") for number in range(9)])
    rig.run()
    assert [row["source_id"] for row in rig.rows("breaker")] == ["site"]


def test_what_is_held_can_be_discarded_and_not_replayed_one_by_one(rig: Rig) -> None:
    rig.feed(bad_posts("site", 0, 6))
    rig.run()
    held = next(row["dead_id"] for row in rig.rows("dead") if row["state"] == "held")
    with pytest.raises(ActRefused, match="breaker reset") as refused:
        act(rig, replay(), held, "replay")
    assert refused.value.code == "dead_letter_held"
    act(rig, discard(), held, "discard")
    act(rig, reset(), "site", "reset")
    rig.run()
    assert states(rig) == {"open": 5, "discarded": 1}
    assert rig.rows("breaker") == []


def test_counts_are_kept_as_long_as_they_count(rig: Rig) -> None:
    rig.feed([good("site", number, MONDAY_10 + number * 10 * MINUTE) for number in range(12)])
    rig.run()
    Forgetting(rig.store, POLICY).turn(MONDAY_10 + 110 * MINUTE)
    assert [row["from_us"] - MONDAY_10 for row in rig.rows("breaker_count") if row["stage"] == "parse"] == [
        number * 10 * MINUTE for number in range(5, 12)
    ]


def test_what_a_person_repaired_does_not_wait_with_its_source(rig: Rig) -> None:
    refused = bad("site", 1)
    rig.feed([refused, *bad_posts("site", 2, 6)])
    rig.run()
    rig.feed([good("site", 50, idem_key="repair", parent_id=refused.capture_id), good("site", 51)])
    rig.run()
    assert [int(row["trace_id"], 16) for row in rig.rows("lead")] == [50]


def test_a_worker_that_opens_what_another_has_opened_tells_nobody_again(rig: Rig) -> None:
    for moment in (MONDAY_10, MONDAY_10 + SECOND):
        with rig.store.write() as connection:
            put_breaker(connection, "parse", "site", Opening("open", moment, 5, 5, "no_known_field"))
    assert [row["since_us"] for row in rig.rows("breaker")] == [MONDAY_10]
    assert len(rig.rows("alarm")) == 1


def test_what_the_log_keeps_no_longer_is_said_and_stops_nobody(rig: Rig) -> None:
    rig.feed(bad_posts("site", 0, 8))
    rig.run()
    put(rig, senders("site", "fair", "shop", **MAPPED))
    with rig.files.doors.write() as connection:
        connection.execute(delete(tables.door_log).where(tables.door_log.c.off == 6))
    act(rig, reset(), "site", "reset")
    rig.run()
    assert states(rig) == {"open": 6, "replayed": 2}
    assert [row["off"] for row in rig.rows("dead") if row["code"] == "no_raw_bytes"] == [6]
    assert rig.rows("breaker") == []
