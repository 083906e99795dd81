"""The command line; its groups and `init` have files of their own."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from pathlib import Path
from typing import Annotated

import typer

from leadflow.cli_backup import backup, restore
from leadflow.cli_breaker import breaker
from leadflow.cli_cluster import console, doors, sinks, stages, timers, topics
from leadflow.cli_collisions import collisions, register
from leadflow.cli_erasures import erasures, withdraw
from leadflow.cli_handover import handover
from leadflow.cli_import import lists
from leadflow.cli_init import init
from leadflow.cli_marketing import alias, campaigns, orders, spend, stage
from leadflow.cli_match import match
from leadflow.cli_migrate import migrate
from leadflow.cli_move import move
from leadflow.cli_moves import moves
from leadflow.cli_people import people
from leadflow.cli_pools import claim, pool, pools, release
from leadflow.cli_reports import first_touch, sources
from leadflow.cli_routing import absences, away, back, fairness, nurture, why_not
from leadflow.cli_rules import rules
from leadflow.cli_rules_simulate import simulate
from leadflow.cli_segments import segments
from leadflow.cli_service import service
from leadflow.cli_source import source
from leadflow.cli_taken import taken
from leadflow.cli_token import token
from leadflow.cli_undo import undo
from leadflow.match_subject import subject
from leadflow.terminal import (
    Actor,
    company_from,
    fail,
    language,
    looking,
    operate,
    reading,
    say,
    settings,
    tell_left,
)

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
dead = typer.Typer(no_args_is_help=True, help="What needs repair: list, show, repair, replay, discard.")
app.command()(init)
app.command()(backup)
app.command()(restore)
app.command()(migrate)
for part in (
    doors,
    stages,
    sinks,
    timers,
    console,
    segments,
    taken,
    move,
    undo,
    register,
    pools,
    claim,
    release,
    campaigns,
    stage,
    alias,
):
    app.command()(part)
app.add_typer(topics, name="topics")
app.add_typer(dead, name="dead")
app.add_typer(breaker, name="breaker")
app.add_typer(token, name="token")
app.add_typer(service, name="service")
app.add_typer(people, name="people")
app.add_typer(match, name="match")
rules.command()(simulate)
app.add_typer(rules, name="rules")
app.add_typer(handover, name="handover")
app.add_typer(pool, name="pool")
app.add_typer(collisions, name="collisions")
app.add_typer(moves, name="moves")
app.add_typer(orders, name="orders")
app.add_typer(spend, name="spend")
app.add_typer(lists, name="import")
app.add_typer(source, name="source")
app.command()(subject)
app.command()(erasures)
app.command()(withdraw)
app.command()(fairness)
app.command()(nurture)
app.command("first-touch")(first_touch)
app.command()(sources)
app.command("why-not")(why_not)
app.command()(absences)
app.command()(away)
app.command()(back)


@app.command()
def run() -> None:
    """Run doors, stages and console in one process, until stopped."""
    from leadflow.lock import AlreadyRunning
    from leadflow.server import run_host
    from store.relocation import NotHere

    try:
        run_host(settings())
    except AlreadyRunning as running:
        fail(str(running))
    except NotHere as elsewhere:
        fail(elsewhere.en, elsewhere.zh)


@app.command()
def demo(
    people: Annotated[int, typer.Option(help="So many people work there; fewer than 24 changes nothing")] = 0,
) -> None:
    """Run the demo company on its own data folder: 90 days of history, then live leads."""
    from leadflow.demo.run import FOLDER, demo_main, demo_settings
    from leadflow.demo.seed import NotADemo
    from leadflow.lock import AlreadyRunning
    from leadflow.logs import set_up_logs

    os.environ.setdefault("LEADFLOW_DATA", str(FOLDER))  # before settings(), which reads its leadflow.toml
    here = demo_settings(settings())
    set_up_logs(here.log_json)
    try:
        code = demo_main(here, people)
    except (AlreadyRunning, NotADemo) as refused:
        fail(str(refused))
    raise typer.Exit(code)


@app.command()
def check(path: Annotated[Path, typer.Argument(help="Folder or zip of the company's files")]) -> None:
    """Check the company's files; each problem names file, line and fix. Exit 1 if there are any."""
    from leadflow.clock import wall_clock_us
    from leadflow.company import problems_of

    problems = problems_of(company_from(path), wall_clock_us())
    for problem in problems:
        typer.echo(problem.text(language()))
    say(f"{len(problems)} problems", f"{len(problems)} 个问题", err=bool(problems))
    raise typer.Exit(1 if problems else 0)


@app.command()
def company(folder: Annotated[Path, typer.Argument(help="Folder to write into")]) -> None:
    """Write the company as files, to be edited and applied; secrets are left out."""
    from sales.files import write_folder
    from store.company import company_version, load_company

    with reading() as connection:
        write_folder(load_company(connection, company_version(connection)), folder)
    say(
        f"written to {folder}; edit, then: leadflow diff {folder} and leadflow apply {folder}",
        f"已写入 {folder}；修改后请运行：leadflow diff {folder}，再运行 leadflow apply {folder}",
    )


@app.command()
def diff(path: Annotated[Path, typer.Argument(help="Folder or zip of the company's files")]) -> None:
    """Show what `apply` would change."""
    from sales.diff import diff as changes_of
    from store.company import company_version, load_company

    with reading() as connection:
        old = load_company(connection, company_version(connection))
    for change in changes_of(old, company_from(path)):
        typer.echo(change.text(language()))


@app.command()
def apply(
    path: Annotated[Path, typer.Argument(help="Folder or zip of the company's files")],
    actor: Actor = "operator",
) -> None:
    """Write the company's files into the store; a running host takes them up at once."""
    company = company_from(path)
    answer = operate("apply", make=True, id="company", actor=actor, company=company.model_dump(mode="json"))
    for change in answer["changes"]:
        typer.echo(change)
    tell_left(answer["left"])
    say(f"{len(answer['changes'])} changes", f"{len(answer['changes'])} 处变更")


@app.command()
def doctor() -> None:
    """Check this installation and send a marked probe through every open door; exit 0 if all is well."""
    from leadflow.doctor import examine

    here = settings()
    sound = True
    for finding in examine(here):
        sound = sound and finding.is_well
        mark = "FAIL  " if not finding.is_well else "warn  " if finding.is_warning else "ok    "
        typer.echo(mark + finding.what)
        if finding.fix and (finding.is_warning or not finding.is_well):
            say(f"      fix: {finding.fix}", f"      处理办法：{finding.fix}")
    raise typer.Exit(0 if sound else 1)


@app.command()
def orphans() -> None:
    """List open customers without a holder, or over 60 s in intake; exit 1 if there are any."""
    from leadflow.clock import wall_clock_us
    from store.views import orphans as find

    with reading() as connection:
        found = find(connection, wall_clock_us())
    for row in found:
        typer.echo(f"{row['customer_id']}\t{row['holder_id'] or '-'}")
    say(f"{len(found)} without owner", f"无主客户 {len(found)} 个", err=bool(found))
    raise typer.Exit(1 if found else 0)


@app.command()
def neglected(
    days: Annotated[int, typer.Option(min=1, help="Working days of the owner without a touch")] = 5,
) -> None:
    """List customers that somebody owns, with no step ahead and no touch for days, and what lies in queues and pools too long; exit 1 if there are any."""
    from leadflow.clock import wall_clock_us
    from router.office import office_of
    from sales.neglected import neglected as judge
    from sales.neglected import too_old
    from store.company import company_version, load_company
    from store.touches import owned, waiting

    with reading() as connection:
        office = office_of(load_company(connection, company_version(connection)))
        rows, lying = owned(connection), waiting(connection)
    now_us = wall_clock_us()
    found = judge(rows, office.calendar_of_id, now_us, days)
    old = too_old(lying, office.calendar_of_holder, now_us, (days, office.company.pools))
    for one in found:
        typer.echo(f"{one.customer_id}\t{one.person_id}\t{one.working_days}")
    for lies in old:
        typer.echo(f"{lies.customer_id}\t{lies.kind}:{lies.holder_id}\t{lies.working_days}")
    say(f"{len(found)} neglected", f"被搁置的客户 {len(found)} 个", err=bool(found))
    if old:
        say(f"{len(old)} too long in queues and pools", f"在待分配和公海中过久 {len(old)} 个", err=True)
    raise typer.Exit(1 if found or old else 0)


@app.command()
def explain(
    any_id: Annotated[
        str, typer.Argument(help="Id of a trace, capture, lead, task, decision or dead letter")
    ],
) -> None:
    """Tell the whole story of something, from the raw bytes to the outcome."""
    from leadflow.explain import explain as lines_of

    with looking() as files:
        lines = list(lines_of(files, any_id, language()))
    if not lines:
        fail(f"Nothing is on record under {any_id}", f"没有关于 {any_id} 的记录")
    typer.echo("\n".join(lines))


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="leads, customers, assignments, tasks, deliveries or dead")],
    out: Annotated[
        Path | None, typer.Option(help="Leads or customers as a table: .csv or .xlsx", dir_okay=False)
    ] = None,
) -> None:
    """Write JSON Lines to standard output; probes are left out. A table comes in again as it is, by `leadflow import`."""
    import orjson

    from leadflow.export_tables import TABLES, write_table
    from leadflow.exports import EXPORTS

    if out is not None:
        if what not in TABLES or out.suffix not in (".csv", ".xlsx"):
            fail(
                "Tables are leads and customers, as FILE.csv or FILE.xlsx",
                "可导出为表格的有 leads 和 customers，文件名须以 .csv 或 .xlsx 结尾",
            )
        with reading() as connection:
            count = write_table(connection, what, out)
        say(f"{count} rows in {out}", f"{count} 行已写入 {out}")
        return

    if what not in EXPORTS:
        known = ", ".join(EXPORTS)
        fail(f"{what!r} cannot be exported; one of: {known}", f"无法导出 {what!r}；可选：{known}")
    with reading() as connection:
        for row in EXPORTS[what](connection):
            sys.stdout.buffer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


@app.command()
def ingest(
    source: Annotated[str, typer.Option(help="The source it is to count as")], files: list[Path]
) -> None:
    """Take files, such as .eml, as if each had come through the source's door."""
    for file in files:
        answer = operate("ingest", source=source, name=file.name, body=b64encode(file.read_bytes()).decode())
        typer.echo(f"{file}\t{answer['receipt']}\t{answer['trace_id']}")


@app.command()
def erase(customer: str, actor: Actor = "operator", reason: str = "asked by the person") -> None:
    """Erase a customer: raw bytes lose their key, what is readable is deleted, ids and decisions stay."""
    answer = operate("erase", id=customer, actor=actor, reason=reason)
    leads, captures, act_id = answer["leads"], answer["captures"], answer["act_id"]
    say(
        f"erased: {leads} leads, {captures} captures ({act_id})",
        f"已删除：线索 {leads} 条，原始记录 {captures} 条（{act_id}）",
    )


@dead.command("list")
def dead_list() -> None:
    """List what needs repair."""
    from leadflow.exports import dead as letters

    with reading() as connection:
        for row in letters(connection):
            if row["state"] == "open":
                typer.echo(f"{row['dead_id']}\t{row['stage']}\t{row['code']}\t{row['message']}")


@dead.command("show")
def dead_show(
    dead_id: str, raw: Annotated[bool, typer.Option(help="Only the raw bytes, to a file or pipe")] = False
) -> None:
    """Show what is wrong with a dead letter, what to do, and its raw bytes."""
    from leadflow.exports import dead as letters

    with looking() as files:
        with files.store.read() as connection:
            row = next((one for one in letters(connection) if one["dead_id"] == dead_id), None)
        if row is None:
            fail(
                f"There is no dead letter {dead_id}; see: leadflow dead list",
                f"没有待修复记录 {dead_id}；请查看：leadflow dead list",
            )
        capture = files.capture(row["capture_id"]) if row["capture_id"] else None
    if not raw:
        for key, value in row.items():
            typer.echo(f"{key:12}{value if value is not None else '-'}")
        if capture is None:
            say("raw bytes: gone", "原始内容：已删除")
        else:
            say("raw bytes", "原始内容")
    if capture is not None:
        sys.stdout.flush()
        sys.stdout.buffer.write(capture.body)


@dead.command("repair")
def dead_repair(
    dead_id: str,
    file: Annotated[Path, typer.Argument(help="The corrected bytes; start from: dead show --raw")],
    actor: Actor = "operator",
    content_type: Annotated[str, typer.Option(help="If that was wrong, too")] = "",
) -> None:
    """Send corrected bytes through the same door; the refused ones are kept beside them."""
    body = b64encode(file.read_bytes()).decode()
    answer = operate("repair", id=dead_id, actor=actor, body=body, type=content_type)
    say(f"repaired as {answer['capture_id']}", f"已修复为 {answer['capture_id']}")


@dead.command("replay")
def dead_replay(dead_ids: list[str], actor: Actor = "operator") -> None:
    """Decide again, after the cause (a source, a rule, a fault of ours) was put right."""
    for dead_id in dead_ids:
        operate("replay", id=dead_id, actor=actor)
        typer.echo(f"{dead_id}\treplayed")


@dead.command("discard")
def dead_discard(dead_ids: list[str], actor: Actor = "operator", reason: str = "") -> None:
    """Give dead letters up; their raw bytes stay."""
    for dead_id in dead_ids:
        operate("discard", id=dead_id, actor=actor, reason=reason)
        typer.echo(f"{dead_id}\tdiscarded")


def main() -> None:
    """Entry point of the `leadflow` command."""
    app()


if __name__ == "__main__":
    main()
