"""Calibration without labels: how many pairs are one, by the scores themselves, and from how many bits to join.

The weights of a model are log2 odds, so a pair is one with probability 1 / (1 + 2^-bits) if the prior is right.
The prior is what changes from file to file: it is the mean of these probabilities over all pairs, and so is found
by repeating that mean (the E and M steps of expectation maximisation with one unknown).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import combinations
from math import log2
from typing import NamedTuple

from enrich.match.block import MOST_CUSTOMERS, keys_of
from enrich.match.cluster import Bands
from enrich.match.model import Level, MatchModel
from enrich.match.record import Record

SAMPLE = 700
"""Records whose pairs are all weighed: 245,000, a second."""
LARGER_SAMPLE = 5000
LEAST_MATCHES = 30
"""Expected matches in the sample below which the prior stays as it was: the estimate would be off by a fifth or more."""
ROUNDS = 60
"""The mean moves by less than a thousandth long before."""
PRECISION = 0.9
"""Of the pairs put together, the share that is to be right by their weights alone. A record joins by several members
and not by one pair, so that what is joined comes out better than this. Wrong joins can be taken back, while what stays
apart is asked again and again for what is known of it."""
EVEN = 0.0
"""No pair is joined that is likelier two than one, however certain all others are."""
LEAST_REVIEWED = -3.17
"""Bits of one in ten: of what a person is shown, a tenth at least is one."""


class Calibration(NamedTuple):
    """A model with the prior of the records at hand, and the bands that follow."""

    model: MatchModel
    bands: Bands
    expected_matches: float
    """Pairs that are one, by the weights, among those looked at."""


def calibrate(
    records: Sequence[Record], model: MatchModel, level: Level, precision: float = PRECISION, seed: int = 1
) -> Calibration:
    """Return the model with the prior that the records' own weights imply, and its bands.

    For the customer question both priors are found: that of the contact question answers where no company is named.
    """
    found = _calibrate(records, model, "contact", precision, seed)
    if level == "contact":
        return found
    return _calibrate([one for one in records if one.names_company], found.model, level, precision, seed)


def _calibrate(
    records: Sequence[Record], model: MatchModel, level: Level, precision: float, seed: int
) -> Calibration:
    """Look at all pairs of a sample; where these hold too few matches, at those that share a key in a larger one.

    If even these are too few, the prior stays what it was.
    """
    chance = random.Random(seed)  # noqa: S311  # a sample, no secret
    before = (model.customer if level == "customer" else model.contact).prior
    weights: list[float] = []
    for size, pairs_of in ((SAMPLE, _all_pairs), (LARGER_SAMPLE, _blocked_pairs)):
        chosen = chance.sample(records, min(size, len(records)))
        weights = [model.weigh(one, other, level) for one, other in pairs_of(chosen, level)]
        every = len(chosen) * (len(chosen) - 1) // 2
        prior = prior_of(weights, before, every)
        if prior * every >= LEAST_MATCHES:
            shift = log2(prior / (1 - prior)) - log2(before / (1 - before))
            bands = bands_at([bits + shift for bits in weights], precision)
            return Calibration(_with_prior(model, level, prior), bands, prior * every)
    return Calibration(model, bands_at(weights, precision), prior * every)


def prior_of(weights: Sequence[float], before: float, every: int) -> float:
    """Return the probability that two records are one, of `every` pairs; those not weighed count as two.

    The weights were made with the prior `before`.
    """
    if not every:
        return before
    start = log2(before / (1 - before))
    odds = [2.0 ** min(bits - start, 500.0) for bits in weights if bits - start > -60]
    prior = before
    for _ in range(ROUNDS):
        rate = prior / (1 - prior)
        prior = sum(one * rate / (1 + one * rate) for one in odds) / every
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


def _all_pairs(records: Sequence[Record], level: Level) -> Iterable[tuple[Record, Record]]:
    return combinations(records, 2)


def _blocked_pairs(records: Sequence[Record], level: Level) -> Iterable[tuple[Record, Record]]:
    under: dict[str, list[int]] = {}
    for number, record in enumerate(records):
        for key in keys_of(record, level):
            under.setdefault(key, []).append(number)
    groups = (group for group in under.values() if len(group) <= MOST_CUSTOMERS)
    pairs = {pair for group in groups for pair in combinations(group, 2)}
    return ((records[one], records[other]) for one, other in sorted(pairs))


def _with_prior(model: MatchModel, level: Level, prior: float) -> MatchModel:
    if level == "customer":
        return replace(model, customer=replace(model.customer, prior=prior))
    return replace(model, contact=replace(model.contact, prior=prior))
