"""Splink as somebody would set it up after its tutorial, on the same records: the peer that `match evaluate` prints.

Comparisons are Splink's own, one for each column by what the column holds; nothing is tuned to a file. Needs the
extra `train`; imported only where that is there.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from splink import Linker

Texts = Mapping[str, str]
"""A record's cleaned text by field; a field that is missing has no entry."""

CERTAIN = 0.9
"""The probability from which on pairs are put together: what Splink's documentation works with."""
LEAST_SCORED = 0.001
"""Pairs below are not asked for."""
RECALL_OF_RULES = 0.7
"""The share of matches that the deterministic rules are said to find, as in the tutorial."""
MOST_PAIRS = 3_000_000
"""A blocking rule with more pairs is left out, as Splink's documentation advises."""
LEAST_PAIRS = 50
"""A rule with fewer pairs is not trained on: Splink refuses, or learns nothing."""

_TRAINING_PAIRS = 1_000_000
_DECISIVE = (
    ("national_id",), ("email",), ("phone",), ("full_name", "birth_date"), ("family_name", "given_name", "birth_date"),
    ("full_name", "company"), ("company",),
)  # fmt: skip


class Peer(NamedTuple):
    """What Splink found."""

    scored: tuple[tuple[int, int, float], ...]
    """Pairs by number of record, with their probability."""
    clusters: tuple[int, ...]
    """Of each record the cluster at `CERTAIN`, by Splink's clustering."""
    records_per_second: float
    """Training left out."""


class PeerUnavailable(RuntimeError):
    """Splink is not installed. Fix: pip install 'leadflow[train]'"""

    def __str__(self) -> str:
        return str(self.__doc__)


class PeerFailed(RuntimeError):
    """Splink could not work with these records; the message is its own."""


def run_splink(records: Sequence[Texts], seed: int = 1) -> Peer:
    """Train Splink on records without labels, score the pairs of its blocking rules, and cluster at `CERTAIN`.

    Raises PeerUnavailable without Splink, PeerFailed where it gives up.
    """
    try:
        import duckdb
        import pyarrow as pa
        from splink import DuckDBAPI, Linker, block_on
        from splink.internals.exceptions import SplinkException
    except ImportError as missing:
        raise PeerUnavailable from missing
    fields = [name for name in _KINDS if sum(name in record for record in records) > len(records) / 50]
    rules = [rule for rule in _rules(fields) if _pairs(records, rule) <= MOST_PAIRS]
    if not rules:
        return Peer((), tuple(range(len(records))), 0.0)
    connection = duckdb.connect()
    connection.execute("SET enable_progress_bar = false")
    api = DuckDBAPI(connection)
    columns: dict[str, list[Any]] = {"unique_id": list(range(len(records)))}
    columns |= {name: [record.get(name) for record in records] for name in fields}
    types = [("unique_id", pa.int64()), *((name, pa.string()) for name in fields)]
    logger = logging.getLogger("splink")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        linker = Linker(
            api.register(pa.table(columns, schema=pa.schema(types))),
            {
                "link_type": "dedupe_only",
                "unique_id_column_name": "unique_id",
                "comparisons": [_comparison(name) for name in fields],
                "blocking_rules_to_generate_predictions": [block_on(*rule) for rule in rules],
                "retain_intermediate_calculation_columns": False,
                "retain_matching_columns": False,
            },
            log_level=None,
        )
        teaching = [rule for rule in rules if _pairs(records, rule) >= LEAST_PAIRS]
        _train(linker, fields, teaching, seed)
        start = perf_counter()
        predictions = linker.inference.predict(threshold_match_probability=LEAST_SCORED)
        clustered = linker.clustering.cluster_pairwise_predictions_at_threshold(
            predictions, threshold_match_probability=CERTAIN
        )
        seconds = perf_counter() - start
        scored = tuple(
            (row["unique_id_l"], row["unique_id_r"], row["match_probability"])
            for row in predictions.as_record_list()
        )
        clusters = {row["unique_id"]: row["cluster_id"] for row in clustered.as_record_list()}
    except (SplinkException, ValueError) as failed:
        raise PeerFailed(f"{type(failed).__name__}: {str(failed).splitlines()[0][:200]}") from failed
    finally:
        logger.setLevel(before)
    return Peer(
        scored, tuple(clusters.get(number, number) for number in range(len(records))), len(records) / seconds
    )


def components(count: int, scored: Sequence[tuple[int, int, float]], threshold: float) -> list[int]:
    """Return the connected components of the pairs from a probability on: what Splink's clustering does."""
    above = list(range(count))

    def top(one: int) -> int:
        while above[one] != one:
            above[one] = one = above[above[one]]
        return one

    for one, other, probability in scored:
        if probability >= threshold:
            above[top(one)] = top(other)
    return [top(one) for one in range(count)]


def _rules(fields: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a blocking rule for each field that tells people or companies apart, as the tutorial does."""
    return [(name,) for name in fields if name not in ("city", "region", "other")]


def _pairs(records: Sequence[Texts], rule: tuple[str, ...]) -> int:
    held = Counter(
        tuple(record[name] for name in rule) for record in records if all(name in record for name in rule)
    )
    return sum(count * (count - 1) // 2 for count in held.values())


def _train(linker: Linker, fields: Sequence[str], rules: Sequence[tuple[str, ...]], seed: int) -> None:
    from splink import block_on
    from splink.internals.exceptions import EMTrainingException

    decisive: list[Any] = [block_on(*rule) for rule in _DECISIVE if all(name in fields for name in rule)]
    if decisive:
        linker.training.estimate_probability_two_random_records_match(decisive, recall=RECALL_OF_RULES)
    linker.training.estimate_u_using_random_sampling(max_pairs=_TRAINING_PAIRS, seed=seed)
    for rule in rules if len(fields) > 1 else ():
        # A rule that Splink cannot learn from (a level never met, a probability of 0) is left out, as a user would.
        with suppress(EMTrainingException, ValueError):
            linker.training.estimate_parameters_using_expectation_maximisation(block_on(*rule))


def _comparison(name: str) -> Any:
    import splink.comparison_library as cl

    match _KINDS[name]:
        case "name":
            return cl.NameComparison(name)
        case "date":
            return cl.DateOfBirthComparison(name, input_is_string=True, invalid_dates_as_null=True)
        case "mail":
            return cl.EmailComparison(name)
        case "number":
            return cl.LevenshteinAtThresholds(name, [1, 2])
        case "text":
            return cl.JaroWinklerAtThresholds(name, [0.92, 0.8])
        case _:
            return cl.ExactMatch(name).configure(term_frequency_adjustments=True)


_KINDS = {
    "full_name": "name", "given_name": "name", "family_name": "name", "company": "text", "phone": "number",
    "email": "mail", "address": "text", "city": "area", "region": "area", "postcode": "area", "birth_date": "date",
    "national_id": "number", "other": "text",
}  # fmt: skip
"""What each field holds."""
