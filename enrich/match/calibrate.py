"""Calibration without labels: how many pairs are one, by the scores themselves, and from how many bits to join.

The weights of a model are log2 odds, so a pair is one with probability 1 / (1 + 2^-bits) if the prior is right.
The prior is what changes from file to file: it is the mean of these probabilities over all pairs, and so is found
by repeating that mean (the E and M steps of expectation maximisation with one unknown).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from math import log2

from enrich.match.cluster import Bands
from enrich.match.model import Level, LevelModel, MatchModel
from enrich.match.record import Record

SAMPLE = 700
"""Records whose pairs are all weighed: 245,000, a second."""
LEAST_MATCHES = 30
"""Expected matches in the sample below which the prior stays as it was: the estimate would be off by a fifth or more."""
ROUNDS = 60
"""The mean moves by less than a thousandth long before."""
PRECISION = 0.95
"""Of the pairs put together by one decision, the share that is to be right. Wrong ones can be parted again, and what
stays apart costs every owner who asks a known customer for what is known: an error in twenty is the usual balance."""
EVEN = 0.0
"""No pair is joined that is likelier two than one, however certain all others are."""
LEAST_REVIEWED = -3.17
"""Bits of one in ten: of what a person is shown, a tenth at least is one."""


def calibrated(records: Sequence[Record], model: MatchModel, level: Level, seed: int = 1) -> MatchModel:
    """Return the model with the prior that the records' own weights imply, if they hold enough matches to tell."""
    chosen = random.Random(seed).sample(records, min(SAMPLE, len(records)))
    weights = [model.weigh(one, other, level) for one, other in combinations(chosen, 2)]
    of = model.customer if level == "customer" else model.contact
    prior = prior_of(weights, of.prior)
    if prior * len(weights) < LEAST_MATCHES:
        return model
    return replace(model, contact=_with(model.contact, prior), customer=_with(model.customer, prior))


def prior_of(weights: Sequence[float], before: float) -> float:
    """Return the probability that two of the weighed pairs' records are one; weights were made with prior `before`."""
    if not weights:
        return before
    start = log2(before / (1 - before))
    odds = [2.0 ** min(bits - start, 500.0) for bits in weights]
    prior = before
    for _ in range(ROUNDS):
        rate = prior / (1 - prior)
        prior = sum(one * rate / (1 + one * rate) for one in odds) / len(odds)
        prior = min(max(prior, 1e-9), 0.5)
    return prior


def bands_at(weights: Sequence[float], precision: float = PRECISION) -> Bands:
    """Return the bands of a stated precision, by the weights of candidate pairs.

    `same` begins where the mean probability of all pairs above comes to `precision`, and not below even odds.
    """
    same, total = EVEN, 0.0
    kept = [bits for bits in sorted(weights, reverse=True) if bits >= EVEN]
    for count, bits in enumerate(kept, start=1):
        total += 1 / (1 + 2.0**-bits)
        if total >= precision * count:
            same = bits
    if not kept or total >= precision * len(kept):
        same = EVEN
    return Bands(same, min(LEAST_REVIEWED, same))


def _with(model: LevelModel, prior: float) -> LevelModel:
    return replace(model, prior=prior)
