"""The breaker's judgement, for any counts; and that any cutting into batches holds the same events."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.capture import Capture
from schemas.lead import Lead
from store.acts import ActRefused, Command, perform
from store.breakers import reset
from store.company import put_company
from stream.breaker import Count, Policy, fails, judge, survey
from stream.log import Place
from stream.watch import StageStopped
from tests.property.test_one_state import IN_MEMORY, thorough
from tests.support.rig import HOUR, MINUTE, MONDAY_10, Rig
from tests.support.senders import bad, good, senders

POLICY = Policy(share=0.5, window_us=10 * MINUTE, minimum=4)

counts = st.builds(
    lambda tried, share: Count(tried, int(tried * share)),
    st.integers(0, 60),
    st.sampled_from([0, 0.3, 0.5, 0.9, 1]),
)
companies = st.dictionaries(st.sampled_from("abcdefg"), counts, min_size=1)


@given(count=counts, more=st.integers(1, 50))
def test_further_refusals_never_close_what_fails(count: Count, more: int) -> None:
    if fails(POLICY, count):
        assert fails(POLICY, Count(count.tried + more, count.refused + more))


@given(count=counts)
def test_a_source_fails_only_with_enough_tries_and_too_large_a_share(count: Count) -> None:
    assert fails(POLICY, count) == (count.tried >= 4 and count.refused * 2 >= count.tried)


@given(sources=companies, opened=st.sets(st.sampled_from("abcdefg")))
def test_a_stage_stops_only_when_most_of_several_sources_fail(
    sources: dict[str, Count], opened: set[str]
) -> None:
    for source, count in sources.items():
        verdict = judge(POLICY, source, sources, opened)
        if verdict == "go_on":
            assert not fails(POLICY, count)
            continue
        found = survey(POLICY, sources, opened)
        assert source in found.failing
        assert found.failing <= found.heard
        well = found.heard - found.failing
        assert (verdict == "stop") == (len(found.failing) > max(1, len(well)))


def test_the_only_source_of_a_company_is_held_and_its_stage_goes_on() -> None:
    assert judge(POLICY, "site", {"site": Count(100, 100)}, ()) == "hold"


def test_with_two_sources_both_must_fail() -> None:
    assert judge(POLICY, "site", {"site": Count(100, 100), "mail": Count(1, 0)}, ()) == "hold"
    assert judge(POLICY, "site", {"site": Count(100, 100), "mail": Count(9, 9)}, ()) == "stop"
    assert judge(POLICY, "site", {"site": Count(100, 100)}, {"mail"}) == "stop"


@st.composite
def histories(draw: Callable[..., Any]) -> list[Capture]:
    """Good and bad posts of three sources, with retries, in an order and at times that may step back."""
    made: list[Capture] = []
    now = MONDAY_10
    pool = draw(st.sampled_from(["aaabc", "ab", "abc"]))
    for number in range(draw(st.integers(1, 40))):
        now += draw(st.sampled_from([0, 0, 1, MINUTE, 3 * MINUTE, HOUR, -MINUTE]))
        source = draw(st.sampled_from(pool))
        if made and draw(st.integers(0, 9)) == 0:
            made.append(draw(st.sampled_from(made)))
            continue
        kind = draw(st.sampled_from([good, bad, bad]))
        made.append(kind(source, number, at_us=now))
    return made


@contextmanager
def a_rig(batch_max: int = 1_000) -> Iterator[Rig]:
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        rig = Rig(Path(folder), company=senders("a", "b", "c"), batch_max=batch_max, policy=POLICY)
        yield rig
        rig.close()


def run(rig: Rig) -> None:
    """Let each stage work until nothing is left to do, or it has stopped."""
    for host in rig.hosts:
        with suppress(StageStopped):
            while host.run_once():
                pass


def replay_everything(rig: Rig, later: list[Capture]) -> None:
    """Map the fields of the rebuilt forms and reset, while `later` arrives, until nothing is held any more."""
    with rig.store.write() as connection:
        put_company(connection, senders("a", "b", "c", fields={"sj": "phone"}), 0)
    for number in itertools.count():
        if not rig.rows("breaker") and not later:
            return
        command = Command("reset_breaker", "ann", f"reset {number}", "*")
        with suppress(ActRefused):  # all of them are being replayed
            perform(rig.store, command, reset(), MONDAY_10, rig.files.store_log.append)
        rig.feed(later[:2])
        del later[:2]
        for host in rig.hosts:
            with suppress(StageStopped):
                host.run_once()
        if not later:
            run(rig)


UNCUT = ("dead", "capture", "lead", "breaker", "breaker_count", "alarm")


@settings(thorough, max_examples=60)
@given(data=st.data(), history=histories())
def test_any_cutting_into_batches_holds_the_same_events(data: st.DataObject, history: list[Capture]) -> None:
    with a_rig() as rig:
        rig.feed(history)
        run(rig)
        whole = {name: rig.rows(name) for name in UNCUT}
    with a_rig(data.draw(st.sampled_from([1, 2, 3, 7]))) as rig:
        chunk = data.draw(st.integers(1, len(history)))
        for start in range(0, len(history), chunk):
            rig.feed(history[start : start + chunk])
            run(rig)
        assert {name: rig.rows(name) for name in UNCUT} == whole


@settings(thorough, max_examples=60)
@given(data=st.data(), history=histories())
def test_after_a_reset_everything_was_tried_once_and_in_order(
    data: st.DataObject, history: list[Capture]
) -> None:
    later = history[data.draw(st.integers(1, len(history))) :]
    with a_rig(data.draw(st.sampled_from([1, 2, 1_000]))) as rig:
        rig.feed(history[: len(history) - len(later)])
        run(rig)
        replay_everything(rig, later)
        run(rig)
        letters, captures = rig.rows("dead"), rig.rows("capture")
        refused = {row["capture_id"] for row in letters if row["state"] == "open"}
        assert {row["state"] for row in letters} <= {"open", "replayed"}
        assert {row["capture_id"] for row in captures} == {one.capture_id for one in history}
        assert refused == {row["capture_id"] for row in captures if row["result"] == "refused"}
        assert len(rig.rows("lead")) == len(captures) - len(refused)
        places = {row["capture_id"]: (row["source_id"], row["off"]) for row in captures}
        leads = rig.readers["leads"].read(Place("leads"), 0, len(captures))
        told = [places[one.event.read(Lead).capture_id] for one in leads]
        for source_id in "abc":
            offs = [off for one, off in told if one == source_id]
            assert offs == sorted(offs), "one of a source overtook another"
