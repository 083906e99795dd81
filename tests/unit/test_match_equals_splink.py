"""Our scorer and Splink say the same of every pair, on the same model, Chinese included."""

from __future__ import annotations

import pytest
from splink import DuckDBAPI, Linker

from enrich.match.model import Level, MatchModel, default_model
from enrich.match.record import Record
from enrich.match.splink_settings import frequencies_of, register_comparisons, settings_of, table_of
from tests.support.people import made_records

RECORDS = 460
PAIRS = RECORDS * (RECORDS - 1) // 2
WITHIN = 1e-6


def weights_of(model: MatchModel, level: Level, records: list[Record]) -> dict[tuple[int, int], float]:
    """Return Splink's weight of every pair."""
    api = DuckDBAPI()
    api.duckdb_con.execute("SET enable_progress_bar = false")
    register_comparisons(api.duckdb_con, records)
    used = model.customer if level == "customer" else model.contact
    linker = Linker(api.register(table_of(records)), settings_of(used), log_level=None)
    for name in ("name", "company"):
        table = api.register(frequencies_of(model, name, records))
        linker.table_management.register_term_frequency_lookup(table, name)
    scored = linker.inference.predict().as_duckdbpyrelation()
    rows = scored.select("unique_id_l, unique_id_r, match_weight").fetchall()
    return {(left, right): weight for left, right, weight in rows}


@pytest.mark.parametrize("level", ["contact", "customer"])
def test_both_weigh_every_pair_alike(level: Level) -> None:
    model, records = default_model(), made_records(RECORDS)
    weights = weights_of(model, level, records)
    assert len(weights) == PAIRS > 100_000

    used = model.customer if level == "customer" else model.contact
    asked = [(i, j) for i, j in weights if model.of(records[i], records[j], level) is used]
    worst = max(abs(weights[i, j] - model.sum_of(records[i], records[j], level)) for i, j in asked)

    assert worst <= WITHIN
    assert len(asked) > (100_000 if level == "contact" else 25_000)


def test_the_pairs_are_worth_comparing() -> None:
    """Most levels occur, on Chinese and on other records: a test of pairs that are all plainly other says little."""
    model, records = default_model(), made_records(RECORDS)
    met = {
        (at, level)
        for i, one in enumerate(records)
        for other in records[:i]
        for at, level in enumerate(model.levels(one, other))
    }
    assert len(met) >= 40
    chinese = sum(any(name.chinese for name in record.names) for record in records)
    assert RECORDS * 0.3 < chinese < RECORDS * 0.7
    assert any(len(record.names) > 1 for record in records)
