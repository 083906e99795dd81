"""However the stream is cut, repeated or clocked, and whichever database holds it: one state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from schemas.capture import Capture
from schemas.shares import LEAD
from store.database import Database
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, empty, post, small_company

PHONES = [
    "13812345678",
    "+86 138-1234-5678",
    "13987654321",
    "021-52345678转801",
    "13800138000",
    "",
    "nonsense",
]
EMAILS = ["wei.zhang@daheng-it.cn", "li@daheng-it.cn", "zw1987@qq.com", "info@daheng-it.cn", ""]
NAMES = ["张伟", "张 伟先生", "Li Na", ""]
COMPANIES = ["上海大恒信息技术有限公司", "科技有限公司", ""]


@st.composite
def captures(draw: Callable[..., Any]) -> list[Capture]:
    """Posts of few people with few keys, so that they meet; clocks that step back, and nights and weekends."""
    made, now = [], MONDAY_10
    for number in range(draw(st.integers(1, 14))):
        now += draw(st.sampled_from([0, 1, SECOND, MINUTE, HOUR, 9 * HOUR, 3 * DAY, -1, -SECOND, -2 * HOUR]))
        fields = {
            "name": draw(st.sampled_from(NAMES)),
            "phone": draw(st.sampled_from(PHONES)),
            "email": draw(st.sampled_from(EMAILS)),
            "company": draw(st.sampled_from(COMPANIES)),
            "message": draw(st.sampled_from(["叉车", "pallet trucks"])),
        }
        key = draw(st.one_of(st.none(), st.sampled_from(["k1", "k2", "k3"])))
        made.append(post(at_us=now, key=key, made=f"m{number}", **fields))
    return made


thorough = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Shrinking replays a pipeline thousands of times; the histories are short enough to read as they are.
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    print_blob=True,
)

SINKS = {
    "crm": {"sink_id": "crm", "kind": "faulty", "name": "CRM", "channels": ["web"]},
    "night": {
        "sink_id": "night",
        "kind": "faulty",
        "name": "值班",
        "events": ["queue"],
        "teams": ["company"],
    },
}
"""Two ways out, so that deliver has something to decide; the second one takes a queue's only."""

IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""Thousands of tiny commits: what fsync does is not what these tests are about."""


class Cuts:
    """A schedule: which batch size, and whether a stage takes its turn now or later."""

    def __init__(self, draw: Callable[..., Any], count: int) -> None:
        self.batch = draw(st.sampled_from([1, 2, 3, 5, 1_000]))
        self.chunk = draw(st.integers(1, max(1, count)))
        self.turns = draw(st.lists(st.integers(0, 2), max_size=12))


@contextmanager
def a_rig(store: Database | None = None, batch_max: int = 1_000) -> Iterator[Rig]:
    with TemporaryDirectory(dir=IN_MEMORY) as folder:
        rig = Rig(
            Path(folder), store, batch_max=batch_max, company=small_company(sinks=SINKS, matching="join")
        )
        try:
            yield rig
        finally:
            if store is None:
                rig.close()
            else:
                rig.files.doors.close()


def play(rig: Rig, history: list[Capture], cuts: Cuts | None = None) -> dict[str, list[dict[str, Any]]]:
    """Feed and run, then let every timer of the next two weeks fire one after the other."""
    if cuts is None:
        rig.feed(history)
    else:
        for start in range(0, len(history), cuts.chunk):
            rig.feed(history[start : start + cuts.chunk])
            for stage in cuts.turns:
                rig.step(stage)
    rig.run()
    rig.fire(MONDAY_10 + 60 * DAY)
    return rig.state()


PLACES = {"progress", "topic_head"}
"""Tables that count places in the log: repeats take places (and keys) of their own."""


@settings(thorough, max_examples=60)
@given(data=st.data(), history=captures())
def test_any_cutting_into_batches_gives_the_same_state(data: st.DataObject, history: list[Capture]) -> None:
    with a_rig() as rig:
        whole = play(rig, history)
    cuts = Cuts(data.draw, len(history))
    with a_rig(batch_max=cuts.batch) as rig:
        assert play(rig, history, cuts) == whole


@settings(thorough, max_examples=40)
@given(data=st.data(), history=captures())
def test_repeats_of_any_capture_change_nothing(data: st.DataObject, history: list[Capture]) -> None:
    repeated = [again for one in history for again in [one] * data.draw(st.integers(1, 3))]
    with a_rig() as rig:
        once = _without_places(play(rig, history))
    with a_rig(batch_max=data.draw(st.sampled_from([1, 2, 1_000]))) as rig:
        assert _without_places(play(rig, repeated)) == once


@settings(thorough, max_examples=25)
@given(data=st.data(), history=captures())
def test_sqlite_and_postgres_end_in_the_same_state(
    postgres: Database, data: st.DataObject, history: list[Capture]
) -> None:
    with a_rig() as rig:
        sqlite = play(rig, history)
    empty(postgres)
    cuts = Cuts(data.draw, len(history))
    with a_rig(postgres, batch_max=cuts.batch) as rig:
        assert play(rig, history, cuts) == sqlite


@settings(thorough, max_examples=40)
@given(history=captures())
def test_every_lead_has_one_customer_and_every_customer_one_holder(history: list[Capture]) -> None:
    with a_rig() as rig:
        state = play(rig, history)
    open_memberships = [row["lead_id"] for row in state["membership"] if row["to_us"] is None]
    assert sorted(open_memberships) == sorted(row["lead_id"] for row in state["lead"])
    holders = [row["customer_id"] for row in state["holding"] if row["to_us"] is None]
    assert sorted(holders) == sorted(row["customer_id"] for row in state["customer"])
    assert not [row for row in state["holding"] if row["to_us"] is None and row["holder_id"] == "intake"]
    assert state["dead"] == []
    told = Counter(row["decision_id"] for row in state["delivery"] if row["sink_id"] == "crm")
    assert told == Counter(row["decision_id"] for row in state["decision"] if row["stage"] == "route")
    received = sum(row["received"] for row in state["ledger_total"])
    assert received == len(state["ledger"])
    assert sum(row["entitled"] for row in state["ledger_total"]) == received * LEAD


@pytest.mark.parametrize("table", ["membership", "holding", "binding", "contact_customer"])
def test_intervals_follow_on_without_overlap(rig: Rig, table: str) -> None:
    for number in range(12):
        moment = MONDAY_10 + (number % 3 - 1) * HOUR
        rig.feed([post(at_us=moment, made=str(number), phone=PHONES[number % 2], email=EMAILS[number % 3])])
        rig.run()
    rows = rig.rows(table)
    assert rows
    assert all(row["to_us"] is None or row["to_us"] > row["from_us"] for row in rows)


def _without_places(state: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    return {
        name: [{key: value for key, value in row.items() if key not in ("off", "key_id")} for row in rows]
        for name, rows in state.items()
        if name not in PLACES
    }
