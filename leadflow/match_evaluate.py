"""`leadflow match evaluate`: how well a labelled file is recognised, and what Splink makes of it in the same run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from leadflow.match_why import Maps, ModelFile, Question, model_from
from leadflow.terminal import fail, language

if TYPE_CHECKING:
    from enrich.match.evaluate import Evaluation
    from enrich.match.measure import Score
    from enrich.match.model import Level


def evaluate(
    file: Annotated[Path, typer.Argument(help="CSV file, one record a row")],
    truth: Annotated[str, typer.Option(help="Column that says which records are one; only for measuring")],
    *,
    level: Question = "contact",
    map_: Maps = None,
    orders: Annotated[int, typer.Option(min=1, max=100, help="Orders of arrival to take the mean of")] = 3,
    model: ModelFile = None,
    peer: Annotated[bool, typer.Option(help="Run Splink on the same records (needs the extra train)")] = True,
    answers: Annotated[
        int, typer.Option(min=0, help="So many reviews are answered by the truth, to see what that buys")
    ] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Stream a labelled file record by record, and print how well it was grouped, beside Splink.

    The model is fitted, and the threshold found, without looking at the labels.
    """
    import orjson

    from enrich.match.evaluate import evaluate as run
    from enrich.match.splink_peer import PeerUnavailable
    from leadflow.match_files import FileRefused, read_maps, read_rows

    if level not in ("contact", "customer"):
        fail(
            f"--level is contact or customer; {level!r} is neither.",
            f"--level 只能是 contact 或 customer，没有 {level!r}。",
        )
    question: Level = "customer" if level == "customer" else "contact"
    try:
        maps = read_maps(map_ or ())
        rows = list(read_rows(file, maps))
        if rows and truth not in rows[0].cells:
            raise FileRefused(f"{file} has no column {truth}", f"{file} 中没有列 {truth}")
    except FileRefused as refused:
        fail(refused.en, refused.zh)
    if len(rows) < 2:
        fail(f"{file} has fewer than two records", f"{file} 中不足两条记录")
    texts = [peer_texts(row.cells, maps) for row in rows] if peer else None
    labels = [(row.cells.get(truth) or "").strip() or None for row in rows]
    records = [row.record for row in rows]
    try:
        found = run(
            records,
            labels,
            question,
            orders=orders,
            peer_texts=texts,
            base=model_from(model) if model else None,
            answers=answers,
        )
    except PeerUnavailable as missing:
        fail(
            f"{missing}, or leave it out: --no-peer",
            "对比需要 Splink。请运行：pip install 'leadflow[train]'，或用 --no-peer 略去对比",
        )
    if json:
        typer.echo(orjson.dumps(as_json(found), option=orjson.OPT_INDENT_2).decode())
        return
    for line in lines_of(found):
        typer.echo(line)


def peer_texts(cells: Any, maps: dict[str, str]) -> dict[str, str]:
    """Return a row as somebody would hand it to Splink: small letters, no spaces around, nothing for empty cells."""
    from enrich.match.record import FIELDS

    texts: dict[str, str] = {}
    for column, name in (maps or {column: column for column in cells if column in FIELDS}).items():
        if name != "channel" and (text := (cells.get(column) or "").strip().casefold()):
            texts.setdefault(name, text)
    return texts


def as_json(found: Evaluation) -> dict[str, Any]:
    """Return an evaluation as plain values."""
    told = asdict(found)
    told["bands"] = found.bands._asdict()
    told["pairs"], told["clusters"] = found.pairs._asdict(), found.clusters._asdict()
    told["blocked"] = found.blocked._asdict()
    told["splink"] = None
    if found.peer:
        untuned = found.peer.untuned
        told["splink"] = {
            "pairs": untuned.pairs._asdict(),
            "clusters": untuned.clusters._asdict(),
            "best_with_truth": {"threshold": found.peer.best_threshold, **found.peer.best._asdict()},
            "records_per_second": found.peer.records_per_second,
        }
    del told["peer"]
    if found.answered:
        told["answered"] = {
            **found.answered._asdict(),
            "bands": found.answered.bands._asdict(),
            "pairs": found.answered.pairs._asdict(),
        }
    return told


def lines_of(found: Evaluation) -> list[str]:
    """Return an evaluation as lines to read, in the language of the terminal."""
    chinese = language() == "zh"
    spread = max(found.f1_by_order) - min(found.f1_by_order)
    head = (
        f"{found.records:,} 条记录，实际 {found.true_clusters:,} 个，每秒 {found.records_per_second:,.0f} 条"
        if chinese
        else f"{found.records:,} records of {found.true_clusters:,}; {found.records_per_second:,.0f} records/s"
    )
    names = ("准确率", "召回率", "F1") if chinese else ("precision", "recall", "F1")
    rows = [
        ("Leadflow: " + ("成对" if chinese else "pairs"), found.pairs),
        ("Leadflow: " + ("整组一致" if chinese else "exact clusters"), found.clusters),
    ]
    if found.answered:
        count = found.answered.answers
        text = f"Leadflow: {count} 条答复后" if chinese else f"Leadflow: after {count} answers"
        rows.append((text, found.answered.pairs))
    if found.peer:
        rows += [
            ("Splink p≥0.9: " + ("成对" if chinese else "pairs"), found.peer.untuned.pairs),
            ("Splink p≥0.9: " + ("整组一致" if chinese else "exact clusters"), found.peer.untuned.clusters),
            ("Splink " + ("按标注选最佳阈值" if chinese else "at its best, by the labels"), found.peer.best),
        ]
    bands = found.bands
    tail = (
        [
            f"F1 因到达顺序相差 {spread:.3f}；每条记录比较 {found.compared_per_record:.1f} 条；待人工确认 {found.reviewed:.1%}",
            f"分块召回率 {found.blocked.recall:.1%}，因上限损失 {found.blocked.lost_by_cap:.2%}；共用号码或邮箱 {found.shared_values}",
            f"先验 {found.prior:.2g}；同一：{bands.same:.1f} 比特起，人工确认：{bands.review:.1f} 比特起。{found.model}",
        ]
        if chinese
        else [
            f"F1 differs by {spread:.3f} between orders; {found.compared_per_record:.1f} compared per record; "
            f"{found.reviewed:.1%} for review",
            f"blocking finds {found.blocked.recall:.1%}, the cap loses {found.blocked.lost_by_cap:.2%}; "
            f"{found.shared_values} shared mailboxes or phones",
            f"prior {found.prior:.2g}; same from {bands.same:.1f} bits, review from {bands.review:.1f}. {found.model}",
        ]
    )
    if found.answered:
        then = found.answered
        moved = (f"{bands.same:.1f} → {then.bands.same:.1f}", f"{bands.review:.1f} → {then.bands.review:.1f}")
        tail.append(
            f"首轮待确认 {then.offered} 对，按标注答复 {then.answers} 对：同一 {moved[0]}，人工确认 {moved[1]} 比特；"
            f"待人工确认 {found.reviewed:.1%} → {then.reviewed:.1%}"
            if chinese
            else f"of {then.offered} pairs for review {then.answers} answered by the labels: same {moved[0]}, "
            f"review {moved[1]} bits; {found.reviewed:.1%} → {then.reviewed:.1%} for review"
        )
    width = max(_width(name) for name, _ in rows)
    table = [" " * width + "".join(_pad(name, 12) for name in names)]
    table += [name + " " * (width - _width(name)) + _cells(score) for name, score in rows]
    if found.peer_failed:
        tail.append(f"Splink: {found.peer_failed}")
    return [head, *table, *tail]


def _cells(score: Score) -> str:
    return "".join(f"{share:12.3f}" for share in score)


def _pad(text: str, to: int) -> str:
    return " " * (to - _width(text)) + text


def _width(text: str) -> int:
    """Return the columns of a text in a terminal: two for a Chinese sign."""
    return sum(2 if "\u2e80" <= sign <= "\uffef" else 1 for sign in text)
