"""How well the matching recognises people or companies in labelled records, held against Splink on the same ones.

The truth is used to measure, and for nothing else: model, prior and bands are found without it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from time import perf_counter
from typing import NamedTuple

from enrich.match.block import keys_of
from enrich.match.calibrate import calibrate
from enrich.match.cluster import Bands, Found
from enrich.match.measure import Measured, Score, mean, measure
from enrich.match.model import Level, MatchModel, default_model
from enrich.match.record import Record
from enrich.match.resolver import Resolver
from enrich.match.splink_peer import PeerFailed, Texts, components, run_splink
from enrich.match.train import TrainingUnavailable, train
from enrich.match.tuning import Answer, retuned

LEAST_TRAINED = 500
"""Records from which on the model is fitted to them. Fewer hold too few pairs of one person to learn levels from:
then the model that comes with Leadflow is used, and only the prior is found."""
MOST_TRUE_PAIRS = 200_000
"""Pairs of one customer looked at for what blocking finds."""
_THRESHOLDS = (
    0.001, 0.003, 0.01, 0.03, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9999,
    0.99999,
)  # fmt: skip
"""Of Splink, to find its best with the truth."""


class Blocked(NamedTuple):
    """What keys find of the pairs that are one."""

    recall: float
    """The share that has a key in common."""
    lost_by_cap: float
    """The share that has one, but only such as is hot, and no refined one."""


class Peer(NamedTuple):
    """Splink on the same records."""

    untuned: Measured
    """At `splink_peer.CERTAIN`."""
    best: Score
    """Of pairs, at the threshold that the truth shows to be best."""
    best_threshold: float
    records_per_second: float


class Answered(NamedTuple):
    """What a reviewer's answers bought, who knows the truth: the bands they led to, and the grouping by these."""

    answers: int
    offered: int
    """Pairs that were for a person to look at in the first order of arrival, from which the answered ones were taken."""
    bands: Bands
    pairs: Score
    reviewed: float
    """The share of records that a person is asked about by then."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Shares are means over the orders of arrival."""

    records: int
    true_clusters: int
    level: Level
    model: str
    """What the model was made from."""
    prior: float
    bands: Bands
    pairs: Score
    clusters: Score
    f1_by_order: tuple[float, ...]
    records_per_second: float
    """Of streaming, in one thread; reading and training left out."""
    compared_per_record: float
    reviewed: float
    """The share of records that a person is asked about."""
    shared_values: int
    """Mailboxes and phones that were found to sit on too many."""
    blocked: Blocked
    peer: Peer | None
    """None where Splink was not asked, or gave up."""
    peer_failed: str = ""
    """Why it gave up, in its own words."""
    answered: Answered | None = None
    """None where no answers were asked for."""


def evaluate(
    records: Sequence[Record],
    truth: Sequence[Hashable | None],
    level: Level = "contact",
    *,
    orders: int = 3,
    peer_texts: Sequence[Texts] | None = None,
    base: MatchModel | None = None,
    answers: int = 0,
) -> Evaluation:
    """Stream the records in several orders of arrival, and measure what they were grouped to.

    `base` is the model to begin with, by default the one that comes with Leadflow. Splink runs where
    `peer_texts` gives it the records' texts. So many `answers` to what is for review are then given by the truth, and
    move the bands; the records are streamed once more.
    """
    model, bands, _ = calibrate(records, _fitted(records, level, base or default_model()), level)
    arrivals = [_arrival(len(records), order) for order in range(orders)]
    stream = _Stream(records, truth, model, level)
    first = stream.run(bands, arrivals)
    answered = None
    if answers:
        said = _answers(first.offered, answers)
        tuned = retuned(bands, said).bands
        then = stream.run(tuned, arrivals)
        answered = Answered(len(said), len(first.offered), tuned, _pairs_of(then), then.reviewed)
    peer, failed = None, ""
    if peer_texts is not None:
        try:
            peer = _peer(peer_texts, truth)
        except PeerFailed as error:
            failed = str(error)
    return Evaluation(
        len(records),
        first.measured[-1].true,
        level,
        model.made_from,
        (model.customer if level == "customer" else model.contact).prior,
        bands,
        _pairs_of(first),
        mean([one.clusters for one in first.measured]),
        tuple(one.pairs.f1 for one in first.measured),
        len(records) * orders / max(first.seconds, 1e-9),
        first.resolver.weighed / (len(records) or 1),
        first.reviewed,
        len(first.resolver.shared),
        _blocked(records, truth, first.resolver),
        peer,
        failed,
        answered,
    )


@dataclass(frozen=True, slots=True)
class _Streamed:
    """What came of the records in some orders of arrival."""

    measured: Sequence[Measured]
    seconds: float
    reviewed: float
    resolver: Resolver
    """Of the last order."""
    offered: Sequence[Answer]
    """Of the first order: what was for review, and what the truth says of it."""


@dataclass(frozen=True, slots=True)
class _Stream:
    records: Sequence[Record]
    truth: Sequence[Hashable | None]
    model: MatchModel
    level: Level

    def run(self, bands: Bands, arrivals: Sequence[Sequence[int]]) -> _Streamed:
        """Stream the records in each order."""
        measured: list[Measured] = []
        offered: list[Answer] = []
        seconds, reviewed, resolver = 0.0, 0, Resolver(self.model, bands, self.level)
        for place, arrival in enumerate(arrivals):
            resolver = Resolver(self.model, bands, self.level)
            for number in arrival:
                start = perf_counter()
                review = resolver.add(self.records[number]).review
                seconds += perf_counter() - start
                reviewed += bool(review)
                if not place:
                    offered += self._answered(resolver, arrival, number, review)
            measured.append(measure([self.truth[number] for number in arrival], resolver.customer))
        passes = len(self.records) * len(arrivals) or 1
        return _Streamed(measured, seconds, reviewed / passes, resolver, offered)

    def _answered(
        self, resolver: Resolver, arrival: Sequence[int], number: int, review: Sequence[Found[int]]
    ) -> Iterator[Answer]:
        """Say of each customer that a record may be of whether most of its members are whom the record is of."""
        real = self.truth[number]
        for found in review if real is not None else ():
            members = Counter(self.truth[arrival[one]] for one in resolver.members_of(found.id))
            yield Answer(found.bits, members.most_common(1)[0][0] == real)


def _arrival(count: int, order: int) -> list[int]:
    arrival = list(range(count))
    random.Random(order).shuffle(arrival)  # noqa: S311  # a sample, no secret
    return arrival


def _answers(offered: Sequence[Answer], count: int) -> list[Answer]:
    return random.Random(1).sample(list(offered), min(count, len(offered)))  # noqa: S311  # a sample, no secret


def _pairs_of(streamed: _Streamed) -> Score:
    return mean([one.pairs for one in streamed.measured])


def _fitted(records: Sequence[Record], level: Level, base: MatchModel) -> MatchModel:
    """Return the model fitted to enough records; of the customer question the stated odds stay.

    Which pairs are one company without being one person cannot be told without labels, and random pairs of a file
    with few companies are too often one company to show what two are like.
    """
    if len(records) < LEAST_TRAINED:
        return base
    try:
        model = train(records, base).model
    except TrainingUnavailable:
        return base
    return replace(model, customer=base.customer)


def _blocked(records: Sequence[Record], truth: Sequence[Hashable | None], resolver: Resolver) -> Blocked:
    together: dict[Hashable, list[int]] = defaultdict(list)
    for number, real in enumerate(truth):
        if real is not None:
            together[real].append(number)
    pairs = [pair for group in together.values() for pair in combinations(group, 2)]
    if not pairs:
        return Blocked(1.0, 0.0)
    if len(pairs) > MOST_TRUE_PAIRS:
        pairs = random.Random(1).sample(pairs, MOST_TRUE_PAIRS)  # noqa: S311  # a sample, no secret
    keys = [frozenset(keys_of(record, resolver.level)) for record in records]
    now = [frozenset(resolver.effective(record)) for record in records]
    have = [(one, other) for one, other in pairs if keys[one] & keys[other]]
    lost = sum(1 for one, other in have if not now[one] & now[other])
    return Blocked(len(have) / len(pairs), lost / len(pairs))


def _peer(texts: Sequence[Texts], truth: Sequence[Hashable | None]) -> Peer:
    found = run_splink(texts)
    by_threshold = [
        (measure(truth, components(len(texts), found.scored, at)).pairs, at) for at in _THRESHOLDS
    ]
    best, threshold = max(by_threshold, key=lambda one: one[0].f1)
    return Peer(measure(truth, found.clusters), best, threshold, found.records_per_second)
