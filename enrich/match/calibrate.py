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
    """Pairs that are one, by the weights, among those looked at; fewer than `LEAST_MATCHES` change nothing."""


class _Weighed(NamedTuple):
    """Pairs of a sample, with the prior that they imply."""

    model: MatchModel
    pairs: Sequence[tuple[Record, Record]]
    bits: Sequence[float]
    expected: float


def calibrate(
    records: Sequence[Record], model: MatchModel, level: Level, precision: float = PRECISION, seed: int = 1
) -> Calibration:
    """Return the model with the prior that the records' own weights imply, and its bands.

    For the customer question both priors are found: that of the contact question answers where no company is named.
    """
    found = _weighed(records, model, "contact", seed)
    if level == "customer":
        found = _weighed(_of_companies(records), found.model, level, seed)
    return Calibration(found.model, bands_at(found.bits, precision), found.expected)


def calibrate_arrival(
    records: Sequence[Record], model: MatchModel, stated: Bands, precision: float, seed: int = 1
) -> tuple[MatchModel, dict[Level, Calibration]]:
    """Return the model with both priors of the records, and the bands for what is left to it at arrival.

    There identifiers decide first, so the precision is that of the pairs which none recognises: the easy ones do not
    pay for them. `review` begins at even odds. Too few matches among these pairs leave a band as it was stated.
    """
    found: dict[Level, Calibration] = {}
    for level, of in (("contact", records), ("customer", _of_companies(records))):
        question: Level = "customer" if level == "customer" else "contact"
        weighed = _weighed(of, model, question, seed)
        model = weighed.model
        left = [
            bits
            for (one, other), bits in zip(weighed.pairs, weighed.bits, strict=True)
            if bits >= EVEN and not is_recognised(one, other)
        ]
        expected = sum(map(_probability, left), 0.0)
        bands = Bands(bands_at(left, precision).same, EVEN) if expected >= LEAST_MATCHES else stated
        found[question] = Calibration(model, bands, expected)
    return model, found


def is_recognised(one: Record, other: Record) -> bool:
    """Tell whether an identifier of a person, a mailbox or a mobile, makes two records one before any model is asked."""
    mails = {mail.address for mail in one.emails if mail.kind != "role"}
    mobiles = {phone.e164 for phone in one.phones if phone.line == "mobile"}
    return any(mail.address in mails for mail in other.emails) or any(
        phone.e164 in mobiles for phone in other.phones
    )


def _of_companies(records: Sequence[Record]) -> list[Record]:
    return [one for one in records if one.names_company]


def _weighed(records: Sequence[Record], model: MatchModel, level: Level, seed: int) -> _Weighed:
    """Look at all pairs of a sample; where these hold too few matches, at those that share a key in a larger one.

    If even these are too few, the prior stays what it was.
    """
    chance = random.Random(seed)  # noqa: S311  # a sample, no secret
    before = (model.customer if level == "customer" else model.contact).prior
    pairs: list[tuple[Record, Record]] = []
    bits: list[float] = []
    expected = 0.0
    for size, pairs_of in ((SAMPLE, _all_pairs), (LARGER_SAMPLE, _blocked_pairs)):
        chosen = chance.sample(records, min(size, len(records)))
        pairs = list(pairs_of(chosen, level))
        bits = [model.weigh(one, other, level) for one, other in pairs]
        every = len(chosen) * (len(chosen) - 1) // 2
        prior = prior_of(bits, before, every)
        expected = prior * every
        if expected >= LEAST_MATCHES:
            shift = log2(prior / (1 - prior)) - log2(before / (1 - before))
            return _Weighed(_with_prior(model, level, prior), pairs, [one + shift for one in bits], expected)
    return _Weighed(model, pairs, bits, expected)


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
        total += _probability(bits)
        if total >= precision * count:
            same = bits
    if not kept or total >= precision * len(kept):
        same = EVEN
    return Bands(same, min(LEAST_REVIEWED, same))


def _probability(bits: float) -> float:
    return float(1 / (1 + 2.0**-bits))


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
