"""`leadflow people`: the people of the company as one sheet, out for an HR office and in again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from leadflow.cli_token import ROLES
from leadflow.terminal import Actor, fail, language, operate, problems_end, reading, say, settings, tell_left

people = typer.Typer(
    no_args_is_help=True,
    help="People and their teams as one sheet (XLSX or CSV); who may come in, and as what.",
)


@people.command("template")
def template(
    file: Annotated[Path, typer.Argument(help="Sheet to write: .xlsx, or .csv")],
) -> None:
    """Write the people and their present teams as a sheet to fill in; headers in the terminal's language."""
    from leadflow.clock import wall_clock_us
    from sales.people import people_csv, people_xlsx
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
    write = people_csv if file.suffix.lower() == ".csv" else people_xlsx
    file.write_bytes(write(company, wall_clock_us(), language()))
    say(
        f"{len(company.people)} people written to {file}; edit, then: leadflow people import {file}",
        f"已将 {len(company.people)} 人写入 {file}；修改后请运行：leadflow people import {file}",
    )


@people.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="Sheet to take in: .xlsx, .xls or .csv")],
    actor: Actor = "operator",
    dry: Annotated[bool, typer.Option("--dry", help="Only show what would change")] = False,
) -> None:
    """Take a sheet of people in and show what changed. Who is not in it stays as they are."""
    from leadflow.clock import wall_clock_us
    from leadflow.company import problems_of
    from sales.diff import diff
    from sales.people import read_people
    from sales.problems import CompanyError
    from store.company import company_version, load_company

    now_us = wall_clock_us() // 1_000_000 * 1_000_000  # whole seconds: people read when a place began
    with reading() as connection:
        old = load_company(connection, company_version(connection))
    try:
        new = read_people(file.read_bytes(), old, now_us, file=file.name)
    except OSError as error:
        say(f"{file} cannot be read: {error.strerror}", f"无法读取 {file}：{error.strerror}", err=True)
        raise typer.Exit(2) from None
    except CompanyError as error:
        problems_end(error.problems)
    before = set(problems_of(old, now_us))
    found = [one for one in problems_of(new, now_us) if one not in before]
    if any(one.severity == "error" for one in found):
        problems_end(found)
    changes = diff(old, new)
    for change in changes:
        typer.echo(change.text(language()))
    for one in found:
        typer.echo(one.text(language()), err=True)
    if changes and not dry:
        answer = operate("apply", id="company", actor=actor, company=new.model_dump(mode="json"))
        tell_left(answer["left"])
    say(f"{len(changes)} changes", f"{len(changes)} 处变更")


@people.command("invite")
def invite(
    person: Annotated[str, typer.Argument(help="Code of the person")],
    hours: Annotated[int, typer.Option(min=1, max=24 * 30, help="How long it can be opened")] = 72,
    actor: Actor = "operator",
) -> None:
    """Print a link by which a person chooses a password, once; also for who forgot theirs, or lost their phone."""
    answer = operate("grant", id=person, actor=actor, kind="invitation", role=None, hours=hours)
    typer.echo(f"{settings().console_url}/enter/{answer['secret']}")
    say(
        f"{answer['access_id']}: works once within {hours} hours; what {person} had to sign in with ends when it is used",
        f"{answer['access_id']}：{hours} 小时内可使用一次；使用后 {person} 原有的登录方式失效",
        err=True,
    )


@people.command("roles")
def roles(
    person: Annotated[str, typer.Argument(help="Code of the person")],
    roles: Annotated[list[str] | None, typer.Argument(help=f"{', '.join(ROLES)}; none: by the units")] = None,
    actor: Actor = "operator",
) -> None:
    """Set what a person is on the pages; it counts from their next click."""
    wanted = roles or []
    if unknown := [one for one in wanted if one not in ROLES]:
        fail(
            f"Roles are {', '.join(ROLES)}; {unknown[0]!r} is none.",
            f"角色只有 {'、'.join(ROLES)}，没有 {unknown[0]!r}。",
        )
    operate("set_roles", id=person, actor=actor, roles=wanted)
    say(f"{person}: {', '.join(wanted) or 'by the units'}", f"{person}：{'、'.join(wanted) or '按组织关系'}")
