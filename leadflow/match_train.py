"""`leadflow match train`: the match model fitted to a file of records, without labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadflow.terminal import fail, reading, say

if TYPE_CHECKING:
    from enrich.match.record import Record

MOST_LEADS = 200_000
"""Leads of the store that are learnt from: more make it slower and not finer."""


def train(
    file: Annotated[
        Path | None, typer.Argument(help="CSV file of leads or customers; without it the leads of the store")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="File to write the model to")],
    map_: Annotated[
        list[str] | None, typer.Option("--map", help="What a column holds: surname=family_name")
    ] = None,
    max_pairs: Annotated[
        int, typer.Option(min=1000, help="Pairs looked at, of each kind: more is slower and finer")
    ] = 1_000_000,
    seed: Annotated[int, typer.Option(help="Which random pairs")] = 1,
) -> None:
    """Fit the match model to leads without labels (needs the extra train), and write it as JSON."""
    from enrich.match.train import TrainingUnavailable
    from enrich.match.train import train as fit
    from leadflow.match_files import FileRefused, read_maps, read_rows

    try:
        records = [row.record for row in read_rows(file, read_maps(map_ or ()))] if file else _of_store()
        trained = fit(records, max_pairs=max_pairs, seed=seed)
    except FileRefused as refused:
        fail(refused.en, refused.zh)
    except TrainingUnavailable as missing:
        fail(str(missing), "训练需要 Splink。请运行：pip install 'leadflow[train]'")
    out.write_bytes(trained.model.dump())
    rules = ", ".join(f"{rule} {pairs:,}" for rule, pairs in trained.blocked_pairs.items()) or "-"
    say(
        f"{trained.records:,} records, {trained.random_pairs:,} random pairs; pairs by rule: {rules}. Written to {out}",
        f"{trained.records:,} 条记录，{trained.random_pairs:,} 个随机配对；各规则配对数：{rules}。已写入 {out}",
    )


def _of_store() -> list[Record]:
    from enrich.live import kept_records

    with reading() as connection:
        return kept_records(connection, MOST_LEADS)
