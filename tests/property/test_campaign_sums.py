"""Whatever came, was sold and was spent: rows add up to the total, periods to the whole, and no table loses a lead or a fen."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sales.campaign_table import Came, Line, Period, Sold, Spent, reckon, total
from sales.life import STAGES, By, Fact, lives

DAY0 = date(2026, 1, 1)
PERIOD = Period(0, 10**9, DAY0, DAY0 + timedelta(days=30))
CODES = st.sampled_from(["", "baidu", "fair"])
STAGES_SAID = st.sampled_from(STAGES)
BYS_SAID: st.SearchStrategy[By] = st.sampled_from(["outcome", "act"])
CURRENCIES = st.sampled_from(["CNY", "USD", "JPY"])


@given(
    minor=st.integers(0, 10**9),
    length=st.integers(0, 400),
    cuts=st.lists(st.integers(-30, 430), max_size=6),
)
def test_parts_of_what_was_spent_add_up_to_the_whole_however_time_is_cut(
    minor: int, length: int, cuts: list[int]
) -> None:
    first = DAY0.toordinal()
    spent = Spent("baidu", first, first + length, minor, "CNY")
    edges = sorted({-60, *cuts, 460})
    parts = [spent.within(first + a, first + b - 1) for a, b in pairwise(edges)]
    assert sum(parts) == minor
    assert all(part >= 0 for part in parts)


@st.composite
def customers(draw: st.DrawFn) -> list[tuple[dict[str, Came], list[Any]]]:
    found = []
    for number in range(draw(st.integers(0, 5))):
        came, facts = {}, []
        for ordinal in range(draw(st.integers(1, 4))):
            lead_id, at_us = f"l{number}-{ordinal}", draw(st.integers(-(10**9), 2 * 10**9))
            came[lead_id] = Came(
                lead_id, f"c{number}", at_us, draw(CODES), "web", "site", draw(st.booleans())
            )
            facts.append(Fact(at_us, lead_id, "", "lead", "new"))
        for at_us, stage, by in draw(
            st.lists(
                st.tuples(st.integers(-(10**9), 2 * 10**9), STAGES_SAID, BYS_SAID),
                max_size=6,
            )
        ):
            facts.append(Fact(at_us, draw(st.sampled_from(sorted(came))), "", by, stage))
        amounts = draw(st.lists(st.tuples(st.integers(0, 10**6), CURRENCIES), max_size=2))
        sold = [Sold(next(iter(came)), "", minor, currency) for minor, currency in amounts]
        rounds = lives(facts)
        shared = [(life, sold if number == 0 else []) for number, life in enumerate(rounds)]
        found.append((came, shared))
    return found


@given(some=customers(), spend=st.lists(st.tuples(CODES, st.integers(0, 10**6), CURRENCIES), max_size=4))
def test_rows_add_up_and_every_way_of_counting_finds_the_same(
    some: list[tuple[dict[str, Came], list[Any]]], spend: list[tuple[str, int, str]]
) -> None:
    spent = [Spent(code, DAY0.toordinal(), DAY0.toordinal(), minor, cur) for code, minor, cur in spend]
    tables = {by: total(reckon(PERIOD, some, spent, by)) for by in ("campaign", "channel", "source")}
    whole = tables["campaign"]
    in_period = [one for came, _ in some for one in came.values() if PERIOD.has(one.at_us)]
    assert (whole.leads, whole.valid) == (len(in_period), sum(one.is_valid for one in in_period))
    for code in ("CNY", "USD", "JPY"):
        assert whole.spend.get(code, 0) == sum(minor for _, minor, cur in spend if cur == code)
    assert whole.won <= whole.opportunities <= whole.contacted
    assert _counts(tables["channel"]) == _counts(tables["source"]) == _counts(whole)
    assert tables["channel"].amount == whole.amount


def _counts(row: Line) -> tuple[int, ...]:
    return row.leads, row.valid, row.contacted, row.opportunities, row.won, row.orders


@given(some=customers())
def test_the_stays_of_a_life_follow_each_other_without_a_gap(
    some: list[tuple[dict[str, Came], list[Any]]],
) -> None:
    for _, shared in some:
        for life, _sold in shared:
            ends = [one.to_us for one in life.stays]
            assert ends[-1] is None
            assert [one.from_us for one in life.stays[1:]] == ends[:-1]
            assert all(one.from_us <= (one.to_us or one.from_us) for one in life.stays)
