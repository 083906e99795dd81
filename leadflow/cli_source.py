"""`leadflow source`: try a captured body on a source or a preset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from leadflow.terminal import fail, reading

source = typer.Typer(no_args_is_help=True, help="Ways in: try a captured body.")


@source.command("try")
def try_file(
    file: Annotated[Path, typer.Argument(help="A body as it was received: JSON, a form, an .eml, a CDR row")],
    name: Annotated[str, typer.Option("--source", help="A source of the company")] = "",
    preset: Annotated[
        str, typer.Option(help="Instead: feiyu, baidu, tencent, form-service or salesforce-web-to-lead")
    ] = "",
    content_type: Annotated[
        str, typer.Option(help="Its Content-Type, if it cannot be told from the body")
    ] = "",
) -> None:
    """Show what a body would become – fields, key, time, what is wrong – without taking it in; exit 1 if it is refused."""
    from leadflow.clock import wall_clock_us
    from leadflow.source_try import is_well, tried

    if bool(name) == bool(preset):
        fail("Give either --source or --preset.", "请指定 --source 或 --preset 其中之一。")
    settings = _of_preset(preset) if preset else _of_company(name)
    try:
        body = file.read_bytes()
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", f"无法读取 {file}：{error.strerror}")
    for line in tried(settings, body, wall_clock_us(), content_type):
        typer.echo(line)
    raise typer.Exit(0 if is_well(settings, body, wall_clock_us(), content_type) else 1)


def _of_preset(preset: str) -> dict[str, Any]:
    from ingest.web.presets import PRESETS

    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        fail(f"There is no preset {preset!r}; one of: {known}", f"没有预设 {preset!r}；可选：{known}")
    return {
        "source_id": preset,
        "channel": "web",
        "format": "web.mapped",
        "name": preset,
        "preset": preset,
    }


def _of_company(name: str) -> dict[str, Any]:
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
    found = company.sources.get(name) or company.sources_off.get(name)
    if found is None:
        known = ", ".join([*company.sources, *company.sources_off]) or "-"
        fail(f"There is no source {name!r}; one of: {known}", f"没有接入渠道 {name!r}；可选：{known}")
    return dict(found)
