"""Answers move the bands to where the bits are worth what was promised, by as much as they say, and never turn them round."""

from __future__ import annotations

import random
from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrich.match.cluster import Bands
from enrich.match.tuning import LEAST_ANSWERS, Answer, Told, Tuned, retuned, told

STATED = Bands(log2(99), 0.0)


def answers_of(shift: float, slope: float, count: int, seed: int = 1) -> list[Answer]:
    """What a reviewer says of a model whose `x` bits are worth `shift + slope * x`."""
    chance = random.Random(seed)
    found = []
    for _ in range(count):
        bits = chance.uniform(-1, 10)
        found.append(Answer(bits, chance.random() < 1 / (1 + 2 ** -(shift + slope * bits))))
    return found


def test_too_few_answers_move_nothing() -> None:
    few = [Answer(3.0, True)] * (LEAST_ANSWERS - 1)
    assert retuned(STATED, few).bands == STATED
    assert retuned(STATED, [*few, Answer(3.0, True)]).bands.same < STATED.same


@pytest.mark.parametrize("shift", [-2.0, 0.0, 2.0])
def test_where_the_prior_is_off_the_bands_move_by_as_much(shift: float) -> None:
    tuned = retuned(STATED, answers_of(shift, 1.0, 600))
    assert tuned.bands.same == pytest.approx(STATED.same - shift, abs=0.9)
    assert tuned.bands.review == pytest.approx(max(STATED.review - shift, STATED.review), abs=0.7)


def test_weights_that_are_too_steep_raise_only_the_upper_band() -> None:
    tuned = retuned(STATED, answers_of(0.0, 0.6, 2000))
    assert tuned.slope == pytest.approx(0.6, abs=0.1)
    assert tuned.bands.same == pytest.approx(STATED.same / 0.6, abs=1.5)
    assert tuned.bands.review == pytest.approx(0.0, abs=0.4)


def test_a_few_dozen_answers_are_held_against_what_is_stated() -> None:
    all_same = retuned(STATED, [Answer(2.0, True)] * LEAST_ANSWERS)
    far_more = retuned(STATED, [Answer(2.0, True)] * 3000)
    assert 0 < all_same.shift < far_more.shift < 8


def test_retuned_again_it_begins_at_what_was_promised() -> None:
    said = answers_of(1.0, 1.0, 200)
    once = retuned(STATED, said)
    assert retuned(once.stated, said) == once


@given(
    st.lists(st.tuples(st.floats(-40, 60), st.booleans()), max_size=80).map(
        lambda some: [Answer(*one) for one in some]
    )
)
def test_whatever_is_answered_review_stays_below_same_and_more_bits_say_more(answers: list[Answer]) -> None:
    tuned = retuned(STATED, answers)
    assert tuned.slope > 0
    assert STATED.review <= tuned.bands.review <= tuned.bands.same
    assert tuned.answers == len(answers)


@given(st.lists(st.floats(-5, 10), min_size=LEAST_ANSWERS, max_size=60), st.integers(0, LEAST_ANSWERS - 1))
def test_one_more_yes_makes_pairs_like_it_no_less_likely(bits: list[float], at: int) -> None:
    """Of two reviewers who differ in one answer only."""
    no = [Answer(one, number % 2 == 0 and number != at) for number, one in enumerate(bits)]
    yes = [Answer(one.bits, one.same or number == at) for number, one in enumerate(no)]
    lower, higher = retuned(STATED, no), retuned(STATED, yes)
    x = bits[at]
    assert higher.shift + higher.slope * x >= lower.shift + lower.slope * x - 1e-6


def test_what_bands_make_of_answered_pairs() -> None:
    said = [Answer(9, True), Answer(7, False), Answer(3, True), Answer(-1, True), Answer(-2, False)]
    assert told(STATED, said) == Told(joined=2, joined_wrongly=1, asked=1, missed=1)
    assert Tuned(STATED, shift=2.0).bands == Bands(STATED.same - 2, 0.0), (
        "nobody was asked below the stated band"
    )
