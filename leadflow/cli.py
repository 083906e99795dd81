"""The command line: `leadflow run`, `explain`, `orphans`, `export` and the rest; texts come from babel."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.command()
def run() -> None:
    """Run doors, stages and console in one process, until stopped."""
    from leadflow.embedded import Embedded, open_files
    from leadflow.logs import set_up_logs
    from leadflow.server import serve
    from leadflow.settings import Settings
    from stream import crash

    settings = Settings()
    set_up_logs(settings.log_json)
    crash.arm(dict(os.environ))
    serve(Embedded(open_files(settings.data, settings.wal_limit_bytes)), settings)


@app.command()
def orphans() -> None:
    """List open customers without a holder; exit 1 if there are any."""
    from leadflow.embedded import wall_clock_us
    from leadflow.settings import Settings
    from store.database import open_sqlite
    from store.views import orphans as find

    store = open_sqlite(_existing(Settings().data) / "store.db")
    with store.read() as connection:
        found = find(connection, wall_clock_us())
    for row in found:
        typer.echo(f"{row['customer_id']}\t{row['holder_id'] or '-'}")
    typer.echo(f"{len(found)} without owner", err=bool(found))
    raise typer.Exit(1 if found else 0)


@app.command()
def apply(file: Annotated[Path, typer.Argument(help="Company file (JSON)")]) -> None:
    """Write a company file into the store; a running host takes it up at once."""
    from leadflow.embedded import open_files, wall_clock_us
    from leadflow.settings import Settings
    from router.book import book_version
    from router.office import office_of
    from schemas.company import Company
    from store.company import put_company

    company = Company.model_validate_json(file.read_bytes())
    if company.book_csv is not None:
        company = company.model_copy(update={"book_version": book_version(company.book_csv)})
    office_of(company)
    files = open_files(Settings().data)
    with files.store.write() as connection:
        put_company(connection, company, wall_clock_us())
    files.close()
    typer.echo(f"{len(company.people)} people, {len(company.units)} units, {len(company.sources)} sources")


def _existing(folder: Path) -> Path:
    if not (folder / "store.db").exists():
        typer.echo(
            f"There is no Leadflow data in {folder}. Set LEADFLOW_DATA, or start with: leadflow run", err=True
        )
        raise typer.Exit(2)
    return folder


def main() -> None:
    """Entry point of the `leadflow` command."""
    app()


if __name__ == "__main__":
    main()
