"""The match model as Splink settings, its comparisons being ours.

DuckDB's own string distances count bytes, so that 张伟 and 章伟 would be two apart. Splink therefore asks our
comparisons, as vectorised functions of two record numbers: both sides agree by construction. Needs the extra
`train`; imported only where that is there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import duckdb
import pyarrow as pa
from duckdb.func import PythonUDFType

from enrich.match.compare import COMPARISONS, MISSING, Comparison
from enrich.match.model import LevelModel, MatchModel
from enrich.match.record import Record


def register_comparisons(connection: duckdb.DuckDBPyConnection, records: Sequence[Record]) -> None:
    """Give DuckDB a function `level_NAME(i, j)` for every comparison: the level of the records numbered i and j."""
    for comparison in COMPARISONS:
        connection.create_function(
            f"level_{comparison.name}",
            _vectorised(comparison, records),
            ["BIGINT", "BIGINT"],
            "BIGINT",
            type=PythonUDFType.ARROW,
        )


def _vectorised(comparison: Comparison, records: Sequence[Record]) -> Any:
    level = comparison.level
    known: dict[int, int] = {}

    def levels(left: Any, right: Any) -> Any:
        """Splink asks for each level in turn, a few thousand pairs at a time: the answer is kept as long."""
        if len(known) > _KEPT:
            known.clear()
        found = []
        for i, j in zip(left.to_pylist(), right.to_pylist(), strict=True):
            pair = i << 32 | j
            at = known.get(pair)
            if at is None:
                at = known[pair] = level(records[i], records[j])
            found.append(at)
        return pa.array(found, pa.int64())

    return levels


_KEPT = 20_000


def table_of(records: Sequence[Record], *, to_learn: bool = False) -> pa.Table:
    """Return the table that Splink reads.

    The record's number; for each comparison what it has, NULL for none; and whether pairs that have this alike can
    teach (`few_NAME`). `to_learn` leaves out the identifiers that many records share: they say nothing of how often two people
    have one mailbox.
    """
    columns: dict[str, list[Any]] = {"unique_id": list(range(len(records)))}
    for comparison in COMPARISONS:
        name = comparison.name
        values = [value_of(name, record) for record in records]
        often = Counter(values)
        few = [
            value is not None and often[value] <= MOST_ALIKE and _is_personal(name, record)
            for value, record in zip(values, records, strict=True)
        ]
        columns[f"few_{name}"] = few
        if to_learn and name in _IDENTIFIERS:
            values = [
                value if kept or not _is_personal(name, record) else None
                for value, kept, record in zip(values, few, records, strict=True)
            ]
        columns[name] = values
    return pa.table(columns, schema=_schema())


_IDENTIFIERS = ("email", "phone", "national_id")
MOST_ALIKE = 10
"""A value that more records have is rather shared by many (a front desk's mailbox) than one person's."""


def _is_personal(comparison: str, record: Record) -> bool:
    if comparison == "email":
        return all(email.kind != "role" for email in record.emails)
    if comparison == "phone":
        return all(phone.line in ("mobile", "unknown") for phone in record.phones)
    return True


def frequencies_of(model: MatchModel, comparison: str, records: Sequence[Record]) -> pa.Table:
    """Return Splink's look-up table of how frequent each value of a comparison is, by the model."""
    found: dict[str, float] = {}
    for record in records:
        if (value := value_of(comparison, record)) is not None:
            found[value] = model.frequencies.of_record(comparison, record)
    return pa.table({comparison: list(found), f"tf_{comparison}": list(found.values())})


def value_of(comparison: str, record: Record) -> str | None:
    """Return all that a record has for a comparison as one text; None for nothing. Alike texts make pairs to learn from."""
    texts: Iterable[str]
    match comparison:
        case "name":
            texts = (name.text for name in record.names)
        case "phone":
            texts = (phone.e164 + phone.extension for phone in record.phones)
        case "email":
            texts = (email.address for email in record.emails)
        case "company":
            texts = (company.text for company in record.companies)
        case "address":
            texts = (address.text for address in record.addresses)
        case "area":
            texts = (*record.postcodes, *record.cities, *record.regions)
        case "birth_date":
            texts = (date.digits for date in record.birth_dates)
        case "national_id":
            texts = record.national_ids
        case _:
            texts = (" ".join(sorted(words)) for words in record.others)
    return "|".join(texts) or None


def settings_of(level: LevelModel, *, with_u: bool = True) -> dict[str, Any]:
    """Return Splink's settings of a model: prior, and of each comparison the levels with m, and u unless to be found."""
    return {
        "link_type": "dedupe_only",
        "probability_two_random_records_match": level.prior,
        "unique_id_column_name": "unique_id",
        "retain_matching_columns": False,
        "retain_intermediate_calculation_columns": False,
        "blocking_rules_to_generate_predictions": ["1=1"],
        "comparisons": [
            {
                "output_column_name": comparison.name,
                "comparison_levels": list(_levels(comparison, level, with_u=with_u)),
            }
            for comparison in COMPARISONS
        ],
    }


def _levels(comparison: Comparison, model: LevelModel, *, with_u: bool) -> Iterable[dict[str, Any]]:
    name = comparison.name
    call = f"level_{name}(unique_id_l, unique_id_r)"
    yield {
        "sql_condition": f"{name}_l IS NULL OR {name}_r IS NULL OR {call} = {MISSING}",
        "label_for_charts": "missing",
        "is_null_level": True,
    }
    last = len(comparison.levels) - 1
    for index, level in enumerate(comparison.levels):
        described: dict[str, Any] = {
            "sql_condition": f"{call} = {index}" if index < last else "ELSE",
            "label_for_charts": level,
            "m_probability": model.odds[name][index].m,
        }
        if with_u:
            described["u_probability"] = model.odds[name][index].u
        weight = model.frequency_weight.get(name, 0.0)
        if level in comparison.frequent and weight > 0:
            described |= {
                "tf_adjustment_column": name,
                "tf_adjustment_weight": weight,
                "disable_tf_exact_match_detection": True,
            }
        yield described


def _schema() -> pa.Schema:
    names = [comparison.name for comparison in COMPARISONS]
    values = [(name, pa.string()) for name in names]
    return pa.schema([("unique_id", pa.int64()), *values, *((f"few_{name}", pa.bool_()) for name in names)])
