"""A compiled book decides as its rows do when asked one by one, and as the decision engine zen does; it reads back as written."""

from __future__ import annotations

import csv
import io
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.data.rules import random_book, random_facts
from bench.rules import values_of, zen_of
from router.book import MAIN, SHAPE, read_book
from schemas.decision_table import read_rows
from schemas.unary import Exactly, FactKind, Item, Starts, UnaryTest, Within, read_test

COLUMNS: dict[str, FactKind] = {
    "city": "text", "province": "text", "score": "number", "came_on": "date", "has_phone": "yes_no",
}  # fmt: skip
WORDS = st.text(alphabet='ab上海,，"（）*-\\ n', min_size=1, max_size=4)
NUMBERS = st.integers(-3, 12).map(float)
DAYS = st.integers(1, 9).map(lambda day: f"2026-01-0{day}")


@st.composite
def _within(draw: st.DrawFn, bounds: st.SearchStrategy[Any]) -> Within:
    low, high = sorted((draw(bounds), draw(bounds)))
    form = draw(st.sampled_from(("above", "below", "equal", "between")))
    if form == "above":
        return Within(low, None, draw(st.booleans()))
    if form == "below":
        return Within(None, low, True, draw(st.booleans()))
    if form == "equal" or low == high:
        return Within(low, low)
    return Within(low, high, draw(st.booleans()), draw(st.booleans()))


def _items(kind: FactKind) -> st.SearchStrategy[Item]:
    unknown = st.just(Exactly(""))
    match kind:
        case "number":
            return unknown | _within(NUMBERS)
        case "date":
            return unknown | _within(DAYS)
        case "yes_no":
            return unknown | st.sampled_from((Exactly("yes"), Exactly("no")))
    prefix = st.text(alphabet="ab上海", min_size=1, max_size=2).map(Starts)
    return unknown | WORDS.map(Exactly) | prefix


def _test(kind: FactKind) -> st.SearchStrategy[UnaryTest]:
    items = st.lists(_items(kind), min_size=1, max_size=3, unique=True).map(tuple)
    return st.builds(UnaryTest, items, st.booleans())


@given(kind=st.sampled_from(("text", "number", "date", "yes_no")), data=st.data())
def test_a_test_written_back_reads_the_same(kind: FactKind, data: st.DataObject) -> None:
    test = data.draw(_test(kind))
    assert read_test(test.text, kind) == test


FACTS = st.fixed_dictionaries(
    {
        "city": st.just("") | WORDS,
        "province": st.just("") | WORDS,
        "score": st.just("") | st.integers(-4, 13).map(str),
        "came_on": st.just("") | DAYS,
        "has_phone": st.sampled_from(("yes", "no", "")),
    }
)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({}, optional={one: _test(kind) for one, kind in COLUMNS.items()}), max_size=30
    ),
    asked=st.lists(FACTS, min_size=1, max_size=20),
)
def test_the_compiled_book_decides_as_its_rows_one_by_one(
    rows: list[dict[str, UnaryTest]], asked: list[dict[str, str]]
) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["rule", *COLUMNS, "then_team"])
    for number, row in enumerate(rows):
        cells = [row[one].text if one in row else "" for one in COLUMNS]
        writer.writerow([f"r{number}", *cells, "a"])
    book = read_book(out.getvalue())
    rules = book.tables[MAIN].rules
    assert [{column: test for column, _, test in rule.row.tests} for rule in rules] == rows
    for facts in asked:
        found = book.first(facts)
        expected = next((rule for rule in rules if rule.row.holds(facts)), None)
        assert (found[0] if found else None) == expected
        if found:
            assert found[1] == found[0].row.conditions(facts)


@pytest.mark.parametrize("seed", range(8))
def test_a_random_book_decides_as_zen_does(seed: int) -> None:
    random = Random(seed)
    book = read_book(random_book(random, random.choice((3, 20, 150))))
    engine, key = zen_of(book)
    for _ in range(500):
        facts = random_facts(random)
        found = book.first(facts)
        assert found is not None
        assert engine.evaluate(key, values_of(facts))["result"] == {"rule": found[0].row.name}


@pytest.mark.parametrize("seed", range(3))
def test_a_table_reads_the_same_when_its_tests_are_written_back(seed: int) -> None:
    rows = read_rows(random_book(Random(seed), 100), SHAPE)
    for row in rows:
        for column, _, test in row.tests:
            assert read_test(test.text, SHAPE.facts[column]) == test
