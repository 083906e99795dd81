"""The command line: run, apply, ingest, export, dead letters, orphans, erase."""

from __future__ import annotations

import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from schemas.base import Language
    from schemas.company import Company

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
dead = typer.Typer(no_args_is_help=True, help="What needs repair: list, show, repair, replay, discard.")
app.add_typer(dead, name="dead")

Actor = Annotated[str, typer.Option(envvar="LEADFLOW_ACTOR", help="Who does it")]


@app.command()
def run() -> None:
    """Run doors, stages and console in one process, until stopped."""
    from leadflow.clock import new_id
    from leadflow.embedded import Embedded, open_files
    from leadflow.lock import AlreadyRunning, take_lock
    from leadflow.logs import set_up_logs
    from leadflow.server import serve
    from leadflow.settings import Settings
    from stream import crash

    settings = Settings()
    set_up_logs(settings.log_json)
    crash.arm(dict(os.environ))
    url, token = f"http://127.0.0.1:{settings.http_port}", new_id()
    try:
        lock = take_lock(settings.data, url, smtp_port=settings.smtp_port, probe_token=token)
    except AlreadyRunning as running:
        _fail(str(running))
    serve(Embedded(open_files(settings.data, settings.wal_limit_bytes), token, settings.public_url), settings)
    lock.close()


@app.command()
def demo() -> None:
    """Run the demo company on its own data folder: 90 days of history, then live leads."""
    from leadflow.clock import new_id
    from leadflow.demo.run import FOLDER, demo_main, demo_settings
    from leadflow.demo.seed import NotADemo
    from leadflow.lock import AlreadyRunning, take_lock
    from leadflow.logs import set_up_logs
    from leadflow.settings import Settings
    from stream import crash

    os.environ.setdefault("LEADFLOW_DATA", str(FOLDER))  # before Settings(), which reads its leadflow.toml
    settings = demo_settings(Settings())
    set_up_logs(settings.log_json)
    crash.arm(dict(os.environ))
    url, token = f"http://127.0.0.1:{settings.http_port}", new_id()
    try:
        lock = take_lock(settings.data, url, smtp_port=settings.smtp_port, probe_token=token)
        demo_main(settings, token)
    except (AlreadyRunning, NotADemo) as refused:
        _fail(str(refused))
    lock.close()


@app.command()
def check(path: Annotated[Path, typer.Argument(help="Folder or zip of the company's files")]) -> None:
    """Check the company's files; each problem names file, line and fix. Exit 1 if there are any."""
    from ingest.registry import FORMATS
    from leadflow.clock import wall_clock_us
    from router.book import read_book
    from sales.check import check as problems_of
    from sinks.registry import SETTINGS

    company = _company_from(path)
    formats = {name: one.settings for name, one in FORMATS.items()}
    problems = problems_of(
        company, read_book=read_book, formats=formats, sinks=SETTINGS, now_us=wall_clock_us()
    )
    for problem in problems:
        typer.echo(problem.text("en"))
    typer.echo(f"{len(problems)} problems", err=bool(problems))
    raise typer.Exit(1 if problems else 0)


@app.command()
def company(folder: Annotated[Path, typer.Argument(help="Folder to write into")]) -> None:
    """Write the company as files, to be edited and applied; secrets are left out."""
    from sales.files import write_folder
    from store.company import company_version, load_company

    with _reading() as connection:
        write_folder(load_company(connection, company_version(connection)), folder)
    typer.echo(f"written to {folder}; edit, then: leadflow diff {folder} and leadflow apply {folder}")


@app.command()
def diff(path: Annotated[Path, typer.Argument(help="Folder or zip of the company's files")]) -> None:
    """Show what `apply` would change."""
    from sales.diff import diff as changes_of
    from store.company import company_version, load_company

    with _reading() as connection:
        old = load_company(connection, company_version(connection))
    for change in changes_of(old, _company_from(path)):
        typer.echo(change.text("en"))


@app.command()
def apply(
    path: Annotated[Path, typer.Argument(help="Folder or zip of the company's files")],
    actor: Actor = "operator",
) -> None:
    """Write the company's files into the store; a running host takes them up at once."""
    company = _company_from(path)
    answer = _operate("apply", make=True, id="company", actor=actor, company=company.model_dump(mode="json"))
    for change in answer["changes"]:
        typer.echo(change)
    typer.echo(f"{len(answer['changes'])} changes")


@app.command()
def doctor() -> None:
    """Check this installation and send a marked probe through every open door; exit 0 if all is well."""
    from leadflow.doctor import examine
    from leadflow.settings import Settings

    settings = Settings()
    sound = True
    for finding in examine(settings):
        sound = sound and finding.is_well
        typer.echo(("ok    " if finding.is_well else "FAIL  ") + finding.what)
        if finding.fix and not finding.is_well:
            typer.echo(f"      fix: {finding.fix}")
    raise typer.Exit(0 if sound else 1)


@app.command()
def orphans() -> None:
    """List open customers without a holder, or over 60 s in intake; exit 1 if there are any."""
    from leadflow.clock import wall_clock_us
    from store.views import orphans as find

    with _reading() as connection:
        found = find(connection, wall_clock_us())
    for row in found:
        typer.echo(f"{row['customer_id']}\t{row['holder_id'] or '-'}")
    typer.echo(f"{len(found)} without owner", err=bool(found))
    raise typer.Exit(1 if found else 0)


@app.command()
def explain(
    any_id: Annotated[
        str, typer.Argument(help="Id of a trace, capture, lead, task, decision or dead letter")
    ],
) -> None:
    """Tell the whole story of something, from the raw bytes to the outcome."""
    from leadflow.embedded import read_files
    from leadflow.explain import explain as lines_of
    from leadflow.settings import Settings

    language: Language = "zh" if os.environ.get("LANG", "").startswith("zh") else "en"
    files = read_files(_existing(Settings().data))
    try:
        lines = list(lines_of(files, any_id, language))
    finally:
        files.close()
    if not lines:
        _fail(f"Nothing is on record under {any_id}")
    typer.echo("\n".join(lines))


@app.command()
def export(
    what: Annotated[str, typer.Argument(help="leads, customers, assignments, tasks, deliveries or dead")],
) -> None:
    """Write JSON Lines to standard output; probes are left out."""
    import orjson

    from leadflow.exports import EXPORTS

    if what not in EXPORTS:
        _fail(f"{what!r} cannot be exported; one of: {', '.join(EXPORTS)}")
    with _reading() as connection:
        for row in EXPORTS[what](connection):
            sys.stdout.buffer.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


@app.command()
def ingest(
    source: Annotated[str, typer.Option(help="The source it is to count as")], files: list[Path]
) -> None:
    """Take files, such as .eml, as if each had come through the source's door."""
    for file in files:
        answer = _operate("ingest", source=source, name=file.name, body=b64encode(file.read_bytes()).decode())
        typer.echo(f"{file}\t{answer['receipt']}\t{answer['trace_id']}")


@app.command()
def erase(customer: str, actor: Actor = "operator", reason: str = "asked by the person") -> None:
    """Erase a customer: raw bytes lose their key, what is readable is deleted, ids and decisions stay."""
    answer = _operate("erase", id=customer, actor=actor, reason=reason)
    typer.echo(f"erased: {answer['leads']} leads, {answer['captures']} captures ({answer['act_id']})")


@dead.command("list")
def dead_list() -> None:
    """List what needs repair."""
    from leadflow.exports import dead as letters

    with _reading() as connection:
        for row in letters(connection):
            if row["state"] == "open":
                typer.echo(f"{row['dead_id']}\t{row['stage']}\t{row['code']}\t{row['message']}")


@dead.command("show")
def dead_show(
    dead_id: str, raw: Annotated[bool, typer.Option(help="Only the raw bytes, to a file or pipe")] = False
) -> None:
    """Show what is wrong with a dead letter, what to do, and its raw bytes."""
    from leadflow.embedded import read_files
    from leadflow.exports import dead as letters
    from leadflow.settings import Settings

    files = read_files(_existing(Settings().data))
    try:
        with files.store.read() as connection:
            row = next((one for one in letters(connection) if one["dead_id"] == dead_id), None)
        if row is None:
            _fail(f"There is no dead letter {dead_id}; see: leadflow dead list")
        capture = files.capture(row["capture_id"]) if row["capture_id"] else None
    finally:
        files.close()
    if not raw:
        for key, value in row.items():
            typer.echo(f"{key:12}{value if value is not None else '-'}")
        typer.echo("raw bytes" if capture else "raw bytes: gone")
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
    answer = _operate("repair", id=dead_id, actor=actor, body=body, type=content_type)
    typer.echo(f"repaired as {answer['capture_id']}")


@dead.command("replay")
def dead_replay(dead_ids: list[str], actor: Actor = "operator") -> None:
    """Decide again, after the cause (a source, a rule, a fault of ours) was put right."""
    for dead_id in dead_ids:
        _operate("replay", id=dead_id, actor=actor)
        typer.echo(f"{dead_id}\treplayed")


@dead.command("discard")
def dead_discard(dead_ids: list[str], actor: Actor = "operator", reason: str = "") -> None:
    """Give dead letters up; their raw bytes stay."""
    for dead_id in dead_ids:
        _operate("discard", id=dead_id, actor=actor, reason=reason)
        typer.echo(f"{dead_id}\tdiscarded")


def _company_from(path: Path) -> Company:
    from ingest.registry import FORMATS
    from router.book import read_book
    from sales.files import read_company
    from sales.problems import CompanyError
    from sinks.registry import SETTINGS

    try:
        formats = {name: one.settings for name, one in FORMATS.items()}
        return read_company(path, read_book=read_book, formats=formats, sinks=SETTINGS)
    except CompanyError as error:
        for problem in error.problems:
            typer.echo(problem.text("en"), err=True)
        _fail(f"{len(error.problems)} problems; nothing was changed")


def _operate(verb: str, *, make: bool = False, **payload: Any) -> dict[str, Any]:
    from leadflow.operate import operate
    from leadflow.settings import Settings
    from store.acts import ActRefused

    settings = Settings()
    if not make:
        _existing(settings.data)
    try:
        return operate(settings, verb, payload)
    except ActRefused as refused:
        _fail(str(refused))
    except OSError as error:
        _fail(f"The running Leadflow does not answer ({error}). See its log, or stop it and try again.")


@contextmanager
def _reading() -> Iterator[Connection]:
    from leadflow.settings import Settings
    from store.database import open_sqlite

    store = open_sqlite(_existing(Settings().data) / "store.db")
    try:
        with store.read() as connection:
            yield connection
    finally:
        store.close()


def _existing(folder: Path) -> Path:
    if not (folder / "store.db").exists():
        _fail(f"There is no Leadflow data in {folder}. Set LEADFLOW_DATA, or start with: leadflow run")
    return folder


def _fail(message: str) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(2)


def main() -> None:
    """Entry point of the `leadflow` command."""
    app()


if __name__ == "__main__":
    main()
