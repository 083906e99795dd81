"""`leadflow match why` and `why-not`: the sum of two leads, or of two rows of a file, line by line."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadflow.terminal import fail, language, reading

if TYPE_CHECKING:
    from enrich.match.model import Level, MatchModel
    from enrich.match.record import Record
    from enrich.match.story import Story

Id = Annotated[str, typer.Argument(help="Id of a record")]
File = Annotated[
    Path | None, typer.Option(help="CSV file with both records; without it they are leads of the store")
]
Maps = Annotated[list[str] | None, typer.Option("--map", help="What a column holds: surname=family_name")]
IdColumn = Annotated[
    str | None, typer.Option(help="Column with the ids; without it the number of the row, from 1")
]
ModelFile = Annotated[
    Path | None,
    typer.Option("--model", help="A trained model; without it the one in use, or of a file the default one"),
]
Question = Annotated[str, typer.Option("--level", help="contact or customer")]


def why(
    one: Id,
    other: Id,
    *,
    file: File = None,
    map_: Maps = None,
    id_column: IdColumn = None,
    model: ModelFile = None,
    level: Question = "contact",
) -> None:
    """Print why two records are one or not: prior, a line a comparison with both values, and the sum in bits."""
    records = _records((one, other), file, map_, id_column)
    story = _story(_in_use() if model is None and file is None else model_from(model), level, *records)
    for line in story.text(language()):
        typer.echo(line)


def why_not(
    one: Id,
    other: Id,
    *,
    file: File = None,
    map_: Maps = None,
    id_column: IdColumn = None,
    model: ModelFile = None,
    level: Question = "contact",
) -> None:
    """Print what keeps two records apart: the same sum, then what speaks against, the heaviest first."""
    records = _records((one, other), file, map_, id_column)
    story = _story(_in_use() if model is None and file is None else model_from(model), level, *records)
    for line in (*story.text(language()), *story.against(language())):
        typer.echo(line)


def _story(model: MatchModel, level: str, one: Record, other: Record) -> Story:
    from enrich.match.story import story_of

    if level not in ("contact", "customer"):
        fail(
            f"--level is contact or customer; {level!r} is neither.",
            f"--level 只能是 contact 或 customer，没有 {level!r}。",
        )
    question: Level = "customer" if level == "customer" else "contact"
    return story_of(model, one, other, question)


def _in_use() -> MatchModel:
    from enrich.live import live

    with reading() as connection:
        return live(connection).model


def _records(
    ids: tuple[str, str], file: Path | None, maps: list[str] | None, id_column: str | None
) -> tuple[Record, Record]:
    from leadflow.match_files import FileRefused, read_maps, read_rows

    if file is None:
        return _of_leads(ids)
    try:
        rows = read_rows(file, read_maps(maps or ()), id_column)
        found = {row.record.record_id: row.record for row in rows if row.record.record_id in ids}
    except FileRefused as refused:
        fail(refused.en, refused.zh)
    for one in ids:
        if one not in found:
            fail(f"{file} has no record {one}", f"{file} 中没有记录 {one}")
    return found[ids[0]], found[ids[1]]


def _of_leads(ids: tuple[str, str]) -> tuple[Record, Record]:
    from enrich.match.pack import unpack
    from store.similar import records_of

    with reading() as connection:
        found = {row.lead_id: unpack(row.packed) for row in records_of(connection, ids)}
    for one in ids:
        if one not in found:
            fail(
                f"There is no lead {one} with anything to compare; see: leadflow export leads",
                f"没有线索 {one}，或其中没有可比较的内容；请查看：leadflow export leads",
            )
    return found[ids[0]], found[ids[1]]


def model_from(path: Path | None) -> MatchModel:
    """Return the model of a file, or the default one; end with 2 where the file holds none."""
    from enrich.match.model import NotAModel, default_model, load_model

    if path is None:
        return default_model()
    try:
        return load_model(path.read_bytes())
    except NotAModel as wrong:
        fail(f"{path} is no match model: {wrong}", f"{path} 不是匹配模型：{wrong}")
    except OSError as error:
        fail(f"{path}: {error.strerror}", f"无法读取 {path}：{error.strerror}")
