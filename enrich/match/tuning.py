"""What reviewers' answers do to the bands: the bits stay, but what they are worth is learnt. Pure.

A model promises that a pair of `x` bits is one with log2 odds `x`. Answers show log2 odds of `shift + slope * x`:
logistic regression (Platt 1999) of two unknowns, which begins at the promise (shift 0, slope 1) and leaves it only as
far as the answers outweigh what is stated below (the most probable value; Gaussian, so there is exactly one). The
slope stays above 0: more bits are never less likely to be one. The bands move to where the bits are again worth what
was promised of them: 99 % stays 99 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log
from typing import NamedTuple

from enrich.match.cluster import CLIP, Band, Bands, clipped

LEAST_ANSWERS = 30
"""Answers below which nothing moves: two dozen can all agree by chance where one in ten is otherwise."""
SHIFT_SPREAD = 2.0
"""Bits: that the prior is wrong by a factor of four is nothing unusual, that it is by sixteen is."""
SLOPE_SPREAD = 0.25
"""That the weights of dependent comparisons are a quarter too steep is nothing unusual either."""
LEAST_SLOPE = 0.2
_ROUNDS = 50


class Answer(NamedTuple):
    """What somebody said of a pair that was offered with so many bits."""

    bits: float
    same: bool


@dataclass(frozen=True, slots=True)
class Tuned:
    """The bands of one question: as the model promises them, and what answers made of that."""

    stated: Bands
    shift: float = 0.0
    slope: float = 1.0
    answers: int = 0

    @property
    def bands(self) -> Bands:
        """The bits from which on the promise holds, by the answers; not below the stated `review`, where nobody was asked."""
        moved = ((bits - self.shift) / self.slope for bits in self.stated)
        return Bands(*(max(bits, self.stated.review) for bits in moved))


class Told(NamedTuple):
    """What bands make of pairs whose answer is known."""

    joined: int
    joined_wrongly: int
    asked: int
    missed: int
    """Pairs that are one, and were neither joined nor asked about."""


def retuned(stated: Bands, answers: Sequence[Answer]) -> Tuned:
    """Return the bands that answers ask for, from what the model promised; too few change nothing."""
    if len(answers) < LEAST_ANSWERS:
        return Tuned(stated, answers=len(answers))
    shift, slope = _fit(answers)
    return Tuned(stated, shift, slope, len(answers))


def _fit(answers: Sequence[Answer]) -> tuple[float, float]:
    shift, slope = _top(answers, 0.0, 1.0)
    if (
        slope < LEAST_SLOPE
    ):  # then the most probable value that is allowed has just this slope: the function is concave
        return _top(answers, shift, LEAST_SLOPE, turn=False)
    return shift, slope


def _top(answers: Sequence[Answer], shift: float, slope: float, *, turn: bool = True) -> tuple[float, float]:
    """Climb a concave function of two unknowns by Newton's method, each step halved until it is uphill.

    Without `turn` the slope stays what it is.
    """
    best = _likelihood(answers, shift, slope)
    for _ in range(_ROUNDS):
        step = _newton(answers, shift, slope, turn=turn)
        size = 1.0
        while size > 1e-6:
            there = shift + size * step[0], slope + size * step[1]
            found = _likelihood(answers, *there)
            if found > best:
                break
            size /= 2
        else:
            break
        (shift, slope), best = there, found
    return shift, slope


def _likelihood(answers: Sequence[Answer], shift: float, slope: float) -> float:
    """Natural logarithm of how likely the answers are, and the stated spread of shift and slope."""
    total = -((shift / SHIFT_SPREAD) ** 2 + ((slope - 1) / SLOPE_SPREAD) ** 2) / 2
    for bits, same in answers:
        odds = log(2) * (shift + slope * clipped(bits))
        total -= log(1 + exp(-odds if same else odds))
    return total


def _newton(answers: Sequence[Answer], shift: float, slope: float, *, turn: bool) -> tuple[float, float]:
    up, up_slope = -shift / SHIFT_SPREAD**2, -(slope - 1) / SLOPE_SPREAD**2
    a, b, c = 1 / SHIFT_SPREAD**2, 0.0, 1 / SLOPE_SPREAD**2
    for bits, same in answers:
        x = log(2) * clipped(bits)
        chance = 1 / (1 + exp(-(log(2) * shift + slope * x)))
        miss, bend = same - chance, chance * (1 - chance)
        up, up_slope = up + log(2) * miss, up_slope + x * miss
        a, b, c = a + log(2) ** 2 * bend, b + log(2) * x * bend, c + x * x * bend
    if not turn:
        return up / a, 0.0
    area = a * c - b * b
    return (c * up - b * up_slope) / area, (a * up_slope - b * up) / area


def told(bands: Bands, answers: Sequence[Answer]) -> Told:
    """Return what bands would have made of the pairs that were answered."""
    by: dict[Band, list[bool]] = {"same": [], "review": [], "apart": []}
    for bits, same in answers:
        by[bands.of(min(bits, CLIP))].append(same)
    return Told(len(by["same"]), by["same"].count(False), len(by["review"]), by["apart"].count(True))
