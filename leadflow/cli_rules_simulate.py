"""`leadflow rules simulate`: what a rule book, or another plan of people, would have done with what came."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from leadflow.cli_rules import company_with_book
from leadflow.terminal import company_from, fail, problems_end, reading, say
from leadflow.terminal import language as of_terminal

if TYPE_CHECKING:
    from leadflow.simulation.run import Run
    from schemas.company import Company

# Everything heavy is imported inside the command: `leadflow --help` answers in a tenth of a second.

_MOST_PROBLEMS = 20


def simulate(
    draft: Annotated[
        Path | None,
        typer.Argument(help="Folder, rules.csv or rules.xlsx; without it the book in force"),
    ] = None,
    *,
    since: Annotated[str, typer.Option(help="First day of the history: 2026-11-01")] = "",
    until: Annotated[str, typer.Option(help="Last day; default: up to now")] = "",
    leads: Annotated[
        Path | None,
        typer.Option(help="A sheet of leads with their owners (CSV or XLSX) instead of the store"),
    ] = None,
    company: Annotated[
        Path | None, typer.Option(help="Folder of a company: its people and shifts, under the draft's rules")
    ] = None,
    away: Annotated[
        list[str] | None, typer.Option(help="As if somebody had been away: PERSON or PERSON:FROM..TO")
    ] = None,
    starter: Annotated[
        list[str] | None, typer.Option(help="As if somebody more had been there: PERSON:TEAM[:SHARE]")
    ] = None,
    seed: Annotated[str, typer.Option(help="Of ties; without it they fall as they did")] = "",
    language: Annotated[Literal["zh", "en"] | None, typer.Option(help="Default: the terminal's")] = None,
    json: Annotated[bool, typer.Option("--json", help="As JSON")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write a page with charts, which needs no network")
    ] = None,
) -> None:
    """Take history through a draft of the rule book: who would have had what. Changes nothing. Exit 1 if one is lost."""
    import orjson

    from leadflow.company import problems_of_book
    from leadflow.simulation.run import told
    from leadflow.simulation.shown import lines, page
    from schemas.decision_table import TableError

    ours = _company(draft, company)
    for problem in problems_of_book(ours)[:_MOST_PROBLEMS]:
        typer.echo(problem.text(of_terminal()), err=True)
    try:
        run = (
            _of_sheet(ours, leads, away, starter, seed)
            if leads
            else _of_store(ours, (since, until), away, starter, seed)
        )
    except TableError:
        fail("The draft cannot be read; see above", "草案无法读取，见上")
    if html is not None:
        try:
            html.write_text(page(run, language or of_terminal()), "utf-8")
        except OSError as error:
            fail(f"{html}: {error.strerror}", f"无法写入 {html}：{error.strerror}")
    if json:
        typer.echo(orjson.dumps(told(run), option=orjson.OPT_INDENT_2).decode())
    else:
        typer.echo("\n".join(lines(run, language or of_terminal())))
    if html is not None:
        say(f"written to {html}", f"已写入 {html}", err=True)
    raise typer.Exit(1 if run.orphans else 0)


def _company(draft: Path | None, folder: Path | None) -> Company:
    """Return whose people and rules are tried: of the files where they are a whole company, else of the store."""
    from sales.book_files import read_book_text
    from sales.problems import CompanyError

    if folder is None:
        return company_with_book(draft)
    ours = company_from(folder)
    if draft is None:
        return ours
    try:
        return ours.model_copy(update=read_book_text(draft).fields())
    except CompanyError as error:
        problems_end(error.problems)


def _of_store(
    company: Company, days: tuple[str, str], away: list[str] | None, starter: list[str] | None, seed: str
) -> Run:
    from leadflow.clock import wall_clock_us
    from leadflow.simulation.run import Run, simulated
    from leadflow.simulation.store import history, received, start
    from router.office import office_of

    since_us, until_us = _days(*days, company.zone, wall_clock_us())
    ours = _what_if(company, away, starter, (since_us, until_us))
    run = Run(office_of(ours), since_us, until_us, seed)
    with reading() as connection:
        run.before = received(connection, ours.zone, since_us, until_us, credits=False)
        return simulated(
            run, history(connection, ours, since_us, until_us), start(connection, ours, since_us)
        )


def _of_sheet(
    company: Company, path: Path, away: list[str] | None, starter: list[str] | None, seed: str
) -> Run:
    from leadflow.simulation.run import Run, simulated
    from leadflow.simulation.sheet import SheetError, read_sheet
    from router.office import office_of

    try:
        sheet = read_sheet(path, company)
    except SheetError as error:
        for en, zh in error.wrong[:_MOST_PROBLEMS]:
            say(f"{path.name}, {en}", f"{path.name}，{zh}", err=True)
        fail(f"{len(error.wrong)} problems in {path}", f"{path} 中有 {len(error.wrong)} 个问题")
    ours = _what_if(company, away, starter, (sheet.since_us, sheet.until_us))
    run, would = Run(office_of(ours), sheet.since_us, sheet.until_us, seed), {}
    simulated(run, sheet.leads, seen=lambda came, place: would.update({came.lead_id: place.holder}))
    run.collisions = sheet.collisions(would)
    return run


def _what_if(
    company: Company, away: list[str] | None, starter: list[str] | None, during: tuple[int, int]
) -> Company:
    from leadflow.simulation.what_if import WhatIfError, with_away, with_starter

    try:
        for one in starter or ():
            company = with_starter(company, one)
        for one in away or ():
            company = with_away(company, one, *during)
    except WhatIfError as error:
        fail(error.en, error.zh)
    return company


def _days(since: str, until: str, zone_name: str, now_us: int) -> tuple[int, int]:
    from sales.cells import DAY, TO, CellError
    from worktime.localtime import zone_of

    zone = zone_of(zone_name)
    if not since:
        fail(
            "Say from which day on: --since 2026-11-01, or give a sheet: --leads FILE",
            "请指定开始日期：--since 2026-11-01，或用 --leads 指定线索表格",
        )
    try:
        since_us, until_us = DAY.read(since, zone), TO.read(until, zone) if until else now_us + 1
    except CellError:
        fail(
            f"{since} or {until or 'now'} is no day such as 2026-11-30.",
            f"{since} 或 {until or '现在'} 不是 2026-11-30 这样的日期。",
        )
    if until_us <= since_us:
        fail("The end lies before the beginning", "结束早于开始")
    return since_us, until_us
