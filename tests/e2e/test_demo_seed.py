"""The demo's history: played through the real stages, once, whatever stops and starts in between."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from leadflow import pipeline
from leadflow.demo import seed as seeding
from leadflow.demo.cast import prospect
from leadflow.demo.run import demo_company
from leadflow.demo.script import SEED, history
from leadflow.demo.seed import NotADemo, as_it_was, moved_company, seed
from sales.campaign_table import total
from sales.campaigns import campaigns_table, period_of
from store.company import company_version, load_company
from store.views import orphans, tally
from stream.host import StageHost
from tests.support.rig import DAY, HOUR, MONDAY_10, Rig, empty, post
from worktime.localtime import wall_clock, zone_of

SUNDAY_3 = MONDAY_10 - DAY - 7 * HOUR
"""Sunday 22 November 2026, 03:00 in Shanghai."""
DAYS, CUSTOMERS = 6, 220


class EmptyRig(Rig):
    """A data folder in which nothing was set yet."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        empty(self.store)
        with self.store.write() as connection:
            self.files.store_log.create(connection, pipeline.STORE_TOPICS, "store-topic")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[str], Rig]]:
    made: list[Rig] = []

    def one(name: str) -> Rig:
        (tmp_path / name).mkdir()
        made.append(EmptyRig(tmp_path / name))
        return made[-1]

    yield one
    for rig in made:
        rig.close()


def filled(rig: Rig, at_us: int = SUNDAY_3, **changes: Any) -> bool:
    return seed(rig.files, demo_company(), at_us, **{"days": DAYS, "customers": CUSTOMERS, **changes})


def test_campaigns_cost_something_and_brought_something_and_the_rows_add_up(
    make: Callable[[str], Rig],
) -> None:
    rig = make("m")
    assert filled(rig)
    zone = zone_of("Asia/Shanghai")
    last = wall_clock(SUNDAY_3, zone).date()
    with rig.store.read() as connection:
        rows = campaigns_table(connection, period_of(last - timedelta(days=DAYS), last, zone), "campaign")
        leads = connection.exec_driver_sql("SELECT count(*) FROM lead WHERE kind = 'enquiry'").scalar_one()
    found, whole = {row.key: row for row in rows}, total(rows)
    assert whole.leads == leads
    assert whole.won
    assert whole.orders >= whole.won
    assert whole.amount["CNY"] > 0
    assert found["baidu-forklift"].costs["lead"]
    assert found["cemat-2026"].spend == {"CNY": 6_800_000}
    assert found["old-customers"].spend == {}, "nothing is written down of it, and so it has no cost"
    assert found[""].leads


def test_the_history_adds_up_and_nobody_is_without_owner(make: Callable[[str], Rig]) -> None:
    rig = make("a")
    assert filled(rig)
    with rig.store.read() as connection:
        counts = tally(connection)
        assert orphans(connection, SUNDAY_3) == []
    fed = history(SUNDAY_3, DAYS, CUSTOMERS, zone_of("Asia/Shanghai"))
    assert counts["received"] == len({(one.source_id, one.idem_key, one.digest) for one in fed}) < len(fed)
    assert counts["received"] == sum(count for name, count in counts.items() if name != "received")
    assert len(rig.rows("lead")) == counts["lead"]
    assert all(row["code"] == "no_known_field" for row in rig.rows("dead"))
    assert {row["purpose"] for row in rig.rows("lead")} == {"demo"}
    assert rig.hosts[0].backlog() == rig.hosts[1].backlog() == rig.hosts[2].backlog() == 0


def test_every_lead_is_explained_at_its_own_time_and_worked_by_people(make: Callable[[str], Rig]) -> None:
    rig = make("a")
    filled(rig)
    first_us = SUNDAY_3 - (DAYS + 1) * DAY
    leads = {row["lead_id"]: row for row in rig.rows("lead")}
    decisions = rig.rows("decision")
    assert {row["lead_id"] for row in decisions} >= set(leads)
    for row in decisions:
        assert first_us < row["decided_us"] < SUNDAY_3 + DAY
        if row["stage"] == "route" and row["lead_id"]:
            assert row["decided_us"] >= leads[row["lead_id"]]["accepted_us"]
    verbs = Counter(row["verb"] for row in rig.rows("act"))
    assert verbs["outcome"] > 0.7 * len(leads)
    assert verbs["return"] > 0
    assert all(first_us <= row["recorded_us"] <= SUNDAY_3 for row in rig.rows("act"))
    assert len({row["holder_id"] for row in rig.rows("task")}) > 4
    assert len(rig.rows("outcome")) == verbs["outcome"]
    assert rig.rows("customer") != []


def test_seeding_a_second_time_changes_nothing(make: Callable[[str], Rig]) -> None:
    rig = make("a")
    filled(rig)
    before = rig.state()
    assert not filled(rig, at_us=SUNDAY_3 + 9 * DAY, customers=500)
    assert rig.state() == before


class Killed(BaseException):
    """Stands for SIGKILL: no handler of errors sees it."""


@pytest.fixture
def kill_after(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    def arm(what: str, times: int) -> None:
        owner: Any = {"stage": StageHost, "act": seeding, "timer": seeding, "company": seeding}[what]
        name = {"stage": "_commit", "act": "perform", "timer": "fire_due", "company": "publish"}[what]
        real, calls = getattr(owner, name), iter(range(times))

        def counted(*args: Any, **kwargs: Any) -> Any:
            if next(calls, None) is None:
                monkeypatch.setattr(owner, name, real)
                raise Killed
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, counted)

    return arm


def test_killed_anywhere_it_ends_in_the_state_of_one_go(
    make: Callable[[str], Rig], kill_after: Callable[[str, int], None]
) -> None:
    broken = make("broken")
    kills = [("company", 0), ("stage", 0), ("stage", 4), ("act", 7), ("timer", 3), ("stage", 9), ("act", 30)]
    for number, (what, times) in enumerate(kills):
        kill_after(what, times)
        with pytest.raises(Killed):
            filled(broken, at_us=SUNDAY_3 + number * HOUR)
    # Begun anew hours later, it still ends at the moment for which it was begun. Nothing was fed before the
    # first kill, so that one does not count.
    assert filled(broken, at_us=SUNDAY_3 + DAY)
    begun = make("begun")
    assert filled(begun, at_us=SUNDAY_3 + HOUR)
    assert broken.state() == begun.state()
    assert len(begun.rows("act")) > 80


def test_a_folder_with_other_data_is_left_alone(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.feed([post(key="k", name="张伟")])
    rig.run()
    before = rig.state()
    with pytest.raises(NotADemo, match="LEADFLOW_DATA"):
        filled(rig)
    assert rig.state() == before
    rig.close()


def test_who_leaves_is_there_until_then_and_returns_what_is_open(make: Callable[[str], Rig]) -> None:
    rig = make("a")
    company = demo_company()
    book = "rule,then_team\nall,bj-sales\n"
    members = tuple(
        one
        for one in company.members
        if one.unit_id != "bj-sales" or one.person_id in ("qian-hao", "zhao-gang")
    )
    company = company.model_copy(update={"book_csv": book, "book_version": "b", "members": members})
    moved = moved_company(company, MONDAY_10)
    gone_us = next(one.to_us for one in moved.members if one.person_id == "qian-hao")
    assert gone_us is not None
    assert as_it_was(moved, gone_us - 1).people["qian-hao"].state == "active"
    assert as_it_was(moved, gone_us).people["qian-hao"].state == "left"
    assert seed(rig.files, company, MONDAY_10, days=36, customers=60)
    given = [row for row in rig.rows("holding") if row["holder_id"] == "qian-hao"]
    assert given
    assert all(row["from_us"] < gone_us for row in given)
    assert [
        row for row in rig.rows("task") if row["holder_id"] == "qian-hao" and row["state"] == "open"
    ] == []
    with rig.store.read() as connection:
        found = load_company(connection, company_version(connection))
    assert found.people["qian-hao"].state == "left"
    assert found.version > 1


def test_invented_people_are_nobody() -> None:
    for number in range(400):
        who = prospect(SEED, number)
        assert who.phone == "" or who.phone.startswith("154") or "-1" in who.phone
        assert who.email == "" or who.email.endswith(".example") or who.email.startswith("demo-")


def test_the_same_day_has_the_same_history() -> None:
    zone = zone_of("Asia/Shanghai")
    first = history(SUNDAY_3, 4, 60, zone)
    assert first == history(SUNDAY_3, 4, 60, zone)
    assert [one.accepted_us for one in first] == sorted(one.accepted_us for one in first)
    assert all(one.accepted_us < SUNDAY_3 for one in first)
