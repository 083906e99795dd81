"""Fitting the match model to somebody's own records, without labels, by Splink (the extra `train`).

u comes from random pairs, m by expectation maximisation over several blocking rules, the prior from how many
matches a rule holds and how many of all matches it should hold. What was seen too seldom keeps its stated value:
that counts as some observations.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from math import exp2
from statistics import median
from typing import TYPE_CHECKING, Any

from enrich.match.compare import COMPARISONS
from enrich.match.frequency import Frequencies, term
from enrich.match.model import LevelModel, MatchModel, Odds, default_model
from enrich.match.record import Record

if TYPE_CHECKING:
    from splink import DuckDBAPI, Linker

STATED_MATCHES = 100
"""The stated m of a comparison weigh like as many matches: a few dozen are no reason to believe anything new."""
STATED_COUNTS = 5
"""A stated u weighs like as many random pairs at its level, or fewer where it is small; and a level met less often
on both sides keeps the bits that were stated."""
LEAST_RECORDS = 50
"""Fewer records teach nothing."""
LEAST_PAIRS = 50
"""A blocking rule with fewer pairs teaches nothing."""
LEAST_TERMS = 5
"""A name or brand is kept (as a number) if at least so many different people or companies have it: no single
person can be told from the model file."""
ROUNDS = 2
"""Random pairs of few records hold pairs of one person, which are taken off u once m and prior are known; the second
round is with that u."""
FEW_ROUNDS = 20
START = 0.1
"""The share of one person's pairs among those of a blocking rule, to begin with; it is learnt."""

_TEACH = ("email", "phone", "name", "national_id", "birth_date")
"""What is a person's own. Pairs that share a workplace or household are unlike random ones without being one person,
and would be learnt as such."""


class TrainingUnavailable(RuntimeError):
    """Training needs Splink. Fix: pip install 'leadflow[train]'"""

    def __str__(self) -> str:
        return str(self.__doc__)


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model, and what it was fitted on."""

    model: MatchModel
    records: int
    random_pairs: int
    blocked_pairs: Mapping[str, int]
    """By blocking rule; rules that found too few pairs are left out."""


def train(
    records: Sequence[Record], base: MatchModel | None = None, *, max_pairs: int = 1_000_000, seed: int = 1
) -> Trained:
    """Fit the model to records, beginning from `base` (the default model).

    Raises TrainingUnavailable without Splink. Of the customer question only the prior and the frequencies are learnt:
    which pairs are one company without being one person cannot be told without labels.
    """
    base = base or default_model()
    model = replace(base, frequencies=observed_frequencies(records, base.frequencies))
    _require_splink()
    if len(records) < LEAST_RECORDS:
        return Trained(model, len(records), 0, {})
    with _quiet():
        splink = _Splink(records, max_pairs, seed)
        random = splink.random_pairs_by_level(model)
        contact = replace(model.contact, odds=fitted(model.contact, {}, random))
        blocked: Mapping[str, int] = {}
        for _ in range(ROUNDS):
            matches, prior, blocked = splink.matches_by_level(model, contact)
            if not blocked:  # nothing to learn from: what is stated stays, but for the prior
                contact = replace(model.contact, prior=prior_of_few(model, records))
                break
            stated = replace(model.contact, prior=prior)
            contact = replace(stated, odds=fitted(stated, matches, random))
        customer = replace(model.customer, prior=splink.customer_prior(model.customer))
    pairs = sum(blocked.values())
    made_from = (
        f"Trained on {len(records):,} records: u from {splink.random_pairs:,} random pairs, "
        f"m from {pairs:,} pairs blocked by {', '.join(blocked) or 'nothing'}."
    )
    whole = MatchModel(contact, customer, model.frequencies, made_from)
    return Trained(whole, len(records), splink.random_pairs, blocked)


def _require_splink() -> None:
    try:
        import numpy  # noqa: F401  # DuckDB's functions in Python need it
        import splink  # noqa: F401
    except ImportError as missing:
        raise TrainingUnavailable from missing


def observed_frequencies(records: Sequence[Record], stated: Frequencies) -> Frequencies:
    """Return the stated frequencies, with those of the records for what occurs often enough in them.

    Counted are different full names, and companies of one name in different regions, not records: somebody who writes
    ten times does not make their name common, nor does a company that is spelt in ten ways.
    """
    names = {(name.family, name.given, name.text) for record in records for name in record.names}
    named = {(company.core, company.place) for record in records for company in record.companies}
    companies = {(core, place) for core, place in named if place} | {(core, "") for core, _ in named}
    return replace(
        stated,
        family={**stated.family, **_shares(Counter(family for family, _, _ in names if family))},
        given={**stated.given, **_shares(Counter(given for _, given, _ in names if given))},
        company={**stated.company, **_shares(Counter(core for core, _ in companies))},
    )


def _shares(counts: Counter[str]) -> dict[int, float]:
    total = counts.total()
    return {term(text): count / total for text, count in counts.items() if count >= LEAST_TERMS}


def prior_of_few(model: MatchModel, records: Sequence[Record]) -> float:
    """Return the prior under which the records hold as many matches as it expects, by the pairs with anything alike.

    For so few of them that nothing else can be learnt.
    """
    from enrich.match.splink_settings import table_of

    columns = table_of(records).to_pydict()
    pairs: set[tuple[int, int]] = set()
    for comparison in COMPARISONS:
        groups: dict[str, list[int]] = {}
        for number, value in enumerate(columns[comparison.name]):
            if columns[f"few_{comparison.name}"][number]:
                groups.setdefault(value, []).append(number)
        pairs.update(pair for group in groups.values() for pair in combinations(group, 2))
    every = len(records) * (len(records) - 1) / 2
    prior = model.contact.prior
    for _ in range(FEW_ROUNDS if pairs else 0):
        now = model.with_prior(prior)
        expected = sum((1 / (1 + exp2(-now.weigh(records[i], records[j]))) for i, j in pairs), 0.0)
        prior = min(max(expected / every, model.contact.prior), 0.5)
    return prior


Counts = Mapping[str, Sequence[float]]
"""By comparison, how many pairs were met at each level."""


def fitted(stated: LevelModel, matches: Counts, random: Counts) -> dict[str, tuple[Odds, ...]]:
    """Return m and u by how often matches and random pairs were met at each level.

    Random pairs hold some of one person: they are taken off by the model's prior.
    """
    odds = {}
    for name, row in stated.odds.items():
        none = [0.0] * len(row)
        met, pairs = matches.get(name, none), random.get(name, none)
        ms = _shares_of([n + STATED_MATCHES * one.m for n, one in zip(met, row, strict=True)])
        of_one = [sum(pairs) * stated.prior * m for m in ms]
        of_two = [max(0.0, count - one) for count, one in zip(pairs, of_one, strict=True)]
        few = [min(one.u * max(sum(of_two), 1), STATED_COUNTS) for one in row]
        us = _shares_of([n + more for n, more in zip(of_two, few, strict=True)])
        seldom = [max(pair) < STATED_COUNTS for pair in zip(met, of_two, strict=True)]
        odds[name] = tuple(
            Odds(m, m * one.u / one.m if keeps else u)
            for one, m, u, keeps in zip(row, ms, us, seldom, strict=True)
        )
    return odds


def _shares_of(counts: Sequence[float]) -> list[float]:
    total = sum(counts)
    return [max(count / total, 1e-12) for count in counts]


class _Splink:
    """One DuckDB with the records in it, and the steps of Splink on them."""

    def __init__(self, records: Sequence[Record], max_pairs: int, seed: int) -> None:
        import duckdb
        from splink import DuckDBAPI

        from enrich.match import splink_settings

        self._settings = splink_settings
        self._records = records
        self._max_pairs = max_pairs
        self._seed = seed
        connection = duckdb.connect()
        connection.execute("SET enable_progress_bar = false")
        self._api: DuckDBAPI = DuckDBAPI(connection)
        splink_settings.register_comparisons(connection, records)
        table = splink_settings.table_of(records, to_learn=True)
        self._input = self._api.register(table)
        self._filled = {c.name: 1 - table[c.name].null_count / len(records) for c in COMPARISONS}
        self._table = table
        self.random_pairs = min(max_pairs, len(records) * (len(records) - 1) // 2)

    def random_pairs_by_level(self, model: MatchModel) -> dict[str, list[float]]:
        """Return how many of the random pairs reach each level, by comparison."""
        linker = self._linker(model, model.contact, with_u=False)
        linker.training.estimate_u_using_random_sampling(
            self._max_pairs, seed=self._seed, min_count_per_level=None, num_chunks=1
        )
        found = {}
        for comparison in linker.misc.save_model_to_json()["comparisons"]:
            name = comparison["output_column_name"]
            levels = [one for one in comparison["comparison_levels"] if not one.get("is_null_level")]
            seen = self.random_pairs * self._filled[name] ** 2
            found[name] = [seen * _share(one.get("u_probability")) for one in levels]
        return found

    def matches_by_level(
        self, model: MatchModel, level: LevelModel
    ) -> tuple[dict[str, list[float]], float, dict[str, int]]:
        """Return how many matches reach each level, the prior, and the pairs of each blocking rule, by EM."""
        linker = self._linker(model, replace(level, prior=START))
        counts = {c.name: [0.0] * len(c.levels) for c in COMPARISONS}
        blocked: dict[str, int] = {}
        matches: dict[str, float] = {}
        for rule in _TEACH:
            if (pairs := self._pairs(rule)) < LEAST_PAIRS:
                continue
            try:
                learnt = linker.training.estimate_parameters_using_expectation_maximisation(
                    f"l.{rule} = r.{rule} AND l.few_{rule} AND r.few_{rule}",
                    max_pairs=self._max_pairs,
                    record_sample_proportion=1.0,
                ).core_model_settings
            except ValueError:
                continue  # Splink refuses an m that underflowed to 0: the rule holds no match that shows that level
            blocked[rule] = pairs
            matches[rule] = learnt.probability_two_random_records_match * pairs
            for comparison in learnt.comparisons:
                name = comparison.output_column_name
                weight = matches[rule] * self._filled[name] ** 2
                for index, one in enumerate(
                    one for one in comparison.comparison_levels if not one.is_null_level
                ):
                    counts[name][index] += weight * _share(one.m_probability)
        priors = [
            self._prior(found, rule, counts[rule][0] / sum(counts[rule]))
            for rule, found in matches.items()
            if counts[rule][0] >= 1
        ]
        return counts, median(priors) if priors else level.prior, blocked

    def customer_prior(self, level: LevelModel) -> float:
        """Return the probability that two random records are of one company, by how many name it alike."""
        groups = Counter(value for value in self._table["company"].to_pylist() if value is not None)
        pairs = _pairs_in(groups)
        return (
            self._prior(pairs, "company", level.odds["company"][0].m) if pairs >= LEAST_PAIRS else level.prior
        )

    def _prior(self, matches: float, rule: str, of_all: float) -> float:
        """Return the prior if a rule holds so many matches, and this share of all that state a value for it."""
        every: float = len(self._records) * (len(self._records) - 1) / 2 * self._filled[rule] ** 2
        return min(max(matches / of_all / every, 1e-9), 0.5)

    def _linker(self, model: MatchModel, level: LevelModel, *, with_u: bool = True) -> Linker:
        from splink import Linker

        linker = Linker(self._input, self._settings.settings_of(level, with_u=with_u), log_level=None)
        for name in ("name", "company"):
            table = self._settings.frequencies_of(model, name, self._records)
            linker.table_management.register_term_frequency_lookup(self._api.register(table), name)
        return linker

    def _pairs(self, rule: str) -> int:
        table = self._table.select([rule, f"few_{rule}"]).to_pydict()
        return _pairs_in(Counter(value for value, few in zip(*table.values(), strict=True) if few))


def _pairs_in(groups: Counter[str]) -> int:
    return sum(count * (count - 1) // 2 for count in groups.values())


def _share(value: Any) -> float:
    """Return a share as Splink gives it; what it did not observe is 0, or by its own rule 1e-6."""
    return float(value) if isinstance(value, (int, float)) else 0.0


@contextmanager
def _quiet() -> Iterator[None]:
    """Splink tells its steps at length; what matters is in `Trained`."""
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)
