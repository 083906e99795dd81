"""What the pages of operations read and write, on either store: dead letters, doors, acts, alarms, and the draft of the rule book."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest
from sqlalchemy import update

from console.audit import asked_of
from sales.book_draft import EDIT, Draft, add_row, drop_draft, edit_draft, find_draft, set_cells
from store import tables
from store.access import access_id_of, grant, open_access, with_open_link
from store.acts import ActRefused, Command, Plan, perform
from store.acts_dead import replay
from store.alarms import past, raise_alarm
from store.audit import Asked, acts, all_acts
from store.company import CompanyCache
from store.door_health import captures, health
from store.listing import leads
from store.repairs import Wanted, became, codes, letter, letters, oldest
from store.silences import keep_rhythm, rhythms
from tests.support.rig import DAY, HOUR, MINUTE, MONDAY_10, SECOND, Rig, post, small_company


@pytest.fixture(params=["sqlite", "postgresql"])
def both(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    store = request.getfixturevalue("clean_postgres") if request.param == "postgresql" else None
    made = Rig(tmp_path, store)
    yield made
    made.files.doors.close()


def do(rig: Rig, command: Command, plan: Plan, at_us: int = MONDAY_10 + HOUR) -> bool:
    return perform(rig.store, command, plan, at_us, rig.files.store_log.append)


def test_whoever_follows_the_leads_misses_none_that_another_worker_or_a_wrong_clock_stamped(
    both: Rig,
) -> None:
    both.feed([post(made=f"{n}", at_us=MONDAY_10, name=f"客{n}", phone=f"1380000000{n}") for n in range(3)])
    both.run()
    lead, now_us = tables.lead, MONDAY_10 + HOUR
    stamps = (
        now_us - 30 * SECOND,
        now_us - SECOND,
        now_us + HOUR,
    )  # settled, just now, by a clock that was ahead
    ids = sorted(row["lead_id"] for row in both.rows("lead"))
    with both.store.write() as connection:
        for lead_id, at_us in zip(ids, stamps, strict=True):
            connection.execute(update(lead).where(lead.c.lead_id == lead_id).values(resolved_us=at_us))

    def seen(at_us: int) -> list[str]:
        with both.store.read() as connection:
            return [one["lead_id"] for one in leads(connection, 10, after=(0, ""), now_us=at_us)]

    several = both.store.engine.dialect.name == "postgresql"
    assert seen(now_us) == ids[: 1 if several else 2]
    assert seen(now_us + 30 * SECOND) == ids[:2]
    assert seen(now_us + HOUR + 30 * SECOND) == ids


def test_dead_letters_are_paged_selected_and_followed(both: Rig) -> None:
    both.feed(
        [post(made=f"m{n}", wer=f"1381234567{n}") for n in range(5)]
        + [post(made="p", wer="1", purpose="probe")]
    )
    both.run()
    wanted = Wanted(source_id="site", stage="parse", code="no_known_field")
    with both.store.read() as connection:
        first = letters(connection, wanted, None, 2)
        rest = letters(connection, wanted, (first[-1]["refused_us"], first[-1]["dead_id"]), 10)
        ids = [row["dead_id"] for row in (*first, *rest)]
        assert sorted(ids) == sorted(set(ids))
        assert sorted(oldest(connection, wanted, 10)) == sorted(ids)
        assert len(ids) == 5
        assert not letters(connection, Wanted(code="bug"), None, 9)
        assert codes(connection, "open", 100) == ["no_known_field"]
    do(both, Command("replay", "ann", "k", ids[0]), replay())
    both.run()
    with both.store.read() as connection:
        found = letter(connection, ids[0])
        assert found is not None
        assert (found["state"], found["settled"]["actor"]) == ("replayed", "ann")
        again = became(connection, found)["again"]
        assert again is not None
        assert again != ids[0]
        assert letter(connection, "dead_none") is None


def test_a_door_s_health_leaves_probes_out_but_for_the_last_one(both: Rig) -> None:
    both.feed(
        [post(made="1", name="a", phone="13812345678"), post(made="2", at_us=MONDAY_10 + MINUTE, wer="1")]
    )
    both.feed([post(made="3", at_us=MONDAY_10 + 2 * MINUTE, name="c", phone="13812345670", purpose="probe")])
    both.run()
    with both.store.write() as connection:
        for _ in range(2):  # learnt anew every hour
            keep_rhythm(connection, "site", [0.5] * 168, "Asia/Shanghai", MONDAY_10)
    with both.store.read() as connection:
        found = health(connection, ["site", "none"], MONDAY_10 + 30 * MINUTE)
        assert rhythms(connection) == {"site": ((0.5,) * 168, "Asia/Shanghai")}
        last = captures(connection, "site", 2)
    site = found["site"]
    assert (site.last_us, site.hour) == (MONDAY_10 + MINUTE, 3)
    assert (site.probe_us, site.probe_result) == (MONDAY_10 + 2 * MINUTE, "lead")
    assert site.breaker is None
    assert (found["none"].last_us, found["none"].hour) == (None, 0)
    assert [row["accepted_us"] for row in last] == [MONDAY_10 + 2 * MINUTE, MONDAY_10 + MINUTE]


def test_acts_are_paged_by_person_kind_and_time_without_a_gap(both: Rig) -> None:
    for n in range(7):
        command = Command("roles" if n % 2 else "look", "ann" if n < 5 else "bo", f"k{n}", "x")
        do(both, command, lambda *_: (), MONDAY_10 + n // 3)  # several at one moment
    with both.store.read() as connection:
        whole = [row["act_id"] for row in acts(connection, Asked(), 100)]
        paged: list[str] = []
        after = None
        while rows := acts(connection, Asked(after=after), 2):
            paged += [row["act_id"] for row in rows]
            after = (rows[-1]["recorded_us"], rows[-1]["act_id"])
        assert (paged, len(whole)) == (whole, 7)
        assert len(acts(connection, Asked(actor="ann", verb="roles"), 9)) == 2
        assert len(acts(connection, Asked(from_us=MONDAY_10 + 1, to_us=MONDAY_10 + 2), 9)) == 3
        assert len(list(all_acts(connection, Asked(), 3))) == 3


def test_alarms_are_paged_with_their_ways(both: Rig) -> None:
    with both.store.write() as connection:
        for n in range(3):
            raise_alarm(connection, "door_silent", "door", f"s{n}", MONDAY_10)
    with both.store.read() as connection:
        (first, ways), (second, _) = past(connection, None, 2)
        rest = past(connection, (second["at_us"], second["alarm_id"]), 9)
    assert ways == []
    assert len({first["alarm_id"], second["alarm_id"], rest[0][0]["alarm_id"]}) == 3


def test_what_is_over_is_not_read_of_people_s_access(both: Rig) -> None:
    granted: tuple[tuple[Literal["token", "link"], str, int], ...] = (
        ("token", "ann", DAY),
        ("token", "bo", HOUR),
        ("link", "chen", DAY),
    )
    for kind, person, lasts in granted:
        do(
            both,
            Command("grant", "operator", f"{kind}{person}", person),
            grant(kind, f"{kind}{person}", lasts),
        )
    now_us = MONDAY_10 + 3 * HOUR
    with both.store.read() as connection:
        found = open_access(connection, now_us, ("token", "session"))
        assert [one.access_id for one in found] == [access_id_of(Command("grant", "", "tokenann", ""))]
        assert open_access(connection, now_us, ("token", "session"), "bo") == []
        assert with_open_link(connection, now_us, ["ann", "chen"]) == {"chen"}


def test_two_who_edit_the_draft_meet_at_a_cell_and_lose_nothing(both: Rig) -> None:
    company_of = CompanyCache().get

    def edit(key: str, was: dict[str, str], entered: dict[str, str], tab: str = "") -> bool:
        made = set_cells("", 1, was, entered, tab)
        return do(both, Command(EDIT, "ann", key, "rules"), edit_draft(made, company_of))

    def now() -> tuple[str, ...]:
        with both.store.read() as connection:
            return find_draft(connection, company_of(connection)).grids[""].rows[0].cells

    assert now() == ("everything", "", "east", "30")
    edit("1", {"then_respond_within": "30"}, {"then_respond_within": "45"}, tab="a")
    edit(
        "2", {"then_respond_within": "30"}, {"then_respond_within": "50"}, tab="a"
    )  # the same page, before it heard
    edit("3", {"province": ""}, {"province": "江苏"}, tab="b")
    with pytest.raises(ActRefused) as refused:
        edit("4", {"then_respond_within": "30"}, {"then_respond_within": "60"}, tab="c")
    assert refused.value.code == "cell_changed"
    edit("5", {"then_respond_within": "50"}, {"then_respond_within": "60"}, tab="c")
    assert now() == ("everything", "江苏", "east", "60")
    do(both, Command(EDIT, "bo", "6", "rules"), edit_draft(add_row("", 1), company_of))
    with both.store.read() as connection:
        draft: Draft = find_draft(connection, company_of(connection))
    assert [row.cells[0] for row in draft.grids[""].rows] == ["everything", "new-1"]
    with pytest.raises(ActRefused):
        do(both, Command("drop_draft", "bo", "7", "rules"), drop_draft("another", company_of))
    seen = draft.text(None).version
    do(both, Command("drop_draft", "bo", "8", "rules"), drop_draft(seen, company_of))
    assert now() == ("everything", "", "east", "30")


def test_the_last_day_of_an_audit_ends_when_the_day_does_where_clocks_are_set() -> None:
    company = small_company(zone="America/New_York")
    for day, hours in (("2026-03-07", 24), ("2026-03-08", 23), ("2026-11-01", 25)):
        asked = asked_of({"from": day, "to": day}, company)
        assert asked.from_us is not None
        assert asked.to_us == asked.from_us + hours * HOUR, day
    assert asked_of({"from": "nonsense", "to": "9999-12-31"}, company) == Asked()
