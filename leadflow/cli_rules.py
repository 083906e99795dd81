"""`leadflow rules`: the rule book checked, read as sentences, published as a version, compared, taken back, and pinned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from leadflow.terminal import (
    Actor,
    company_from,
    fail,
    language,
    operate,
    problems_end,
    reading,
    say,
)

if TYPE_CHECKING:
    from sales.book_files import BookText
    from schemas.company import Company

# Everything heavy is imported inside the commands: `leadflow --help` answers in a tenth of a second.

rules = typer.Typer(
    no_args_is_help=True, help="The rule book: check, show, simulate, publish, diff, rollback, examples."
)
Book = Annotated[
    Path | None, typer.Argument(help="Folder, rules.csv or rules.xlsx; without it the book in force")
]
Version = Annotated[int, typer.Option("--version", help="A published version, by its number")]
Reason = Annotated[str, typer.Option(help="Why; kept with the act")]


@rules.command()
def check(
    path: Book = None,
    *,
    overlaps: Annotated[bool, typer.Option("--overlaps", help="Also pairs of rules that both fit")] = False,
) -> None:
    """Tell what is wrong or odd: unknown names, rules that nothing reaches, gaps, examples. Exit 1 if anything is."""
    from leadflow.rule_problems import problems_in

    problems = problems_in(company_with_book(path), with_overlaps=overlaps)
    for problem in problems:
        typer.echo(problem.text(language()))
    counted = [
        one for one in problems if one.code not in ("rule_overlap", "rule_undecided", "table_undecided")
    ]
    say(f"{len(counted)} problems", f"{len(counted)} 个问题", err=bool(counted))
    raise typer.Exit(1 if counted else 0)


@rules.command()
def show(
    path: Book = None,
    *,
    number: Version = 0,
    language: Annotated[Literal["zh", "en"] | None, typer.Option(help="Default: the terminal's")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write it as files instead: a folder, or a workbook NAME.xlsx")
    ] = None,
) -> None:
    """Read the rule book aloud, each rule as a sentence, or write it as files to be edited."""
    from leadflow.terminal import language as of_terminal
    from router.book import read_book
    from router.sentences import sentence

    company = company_with_book(path, number)
    book = _book(company)
    if out is not None:
        _write(book, out)
        return
    for rule in read_book(book.csv, more=book.tables).rules:
        typer.echo(f"{rule.rule_id}\t{sentence(rule, language or of_terminal(), company)}")


@rules.command("list")
def list_() -> None:
    """List every version that is or was in force, the newest first: number, digest, when, who, why."""
    from leadflow.exports import moment
    from store.company import list_books

    with reading() as connection:
        rows = list_books(connection)
    for row in rows:
        at = str(moment(row["published_us"]))
        typer.echo(
            "\t".join((str(row["number"]), row["version"], at, row["actor"] or "-", row["reason"] or ""))
        )


@rules.command()
def publish(
    path: Annotated[Path, typer.Argument(help="Folder, rules.csv or rules.xlsx")],
    actor: Actor = "operator",
    reason: Reason = "",
) -> None:
    """Put a rule book in force, as the next version; refused if an example goes elsewhere than it must."""
    from leadflow.company import problems_of_book

    company = company_with_book(path, stored=True)
    if problems := problems_of_book(company):
        problems_end(problems)
    book = _book(company)
    done = operate(
        "publish_book",
        id="book",
        csv=book.csv,
        tables=dict(book.tables),
        examples=book.examples,
        actor=actor,
        reason=reason,
    )
    _in_force(done)


@rules.command()
def rollback(
    number: Annotated[int | None, typer.Argument(help="Default: the version before the one in force")] = None,
    actor: Actor = "operator",
    reason: Reason = "",
) -> None:
    """Put an earlier version in force again, as the newest one; nothing that was published is changed."""
    _in_force(operate("roll_back_book", id="book", number=number, actor=actor, reason=reason))


@rules.command()
def diff(
    path: Book = None,
    *,
    number: Version = 0,
) -> None:
    """Show what publishing a book would change; with --version, what has changed since that version."""
    from sales.diff import diff as changes_of

    if path is None and not number:
        fail("Name a book, or a --version", "请指定规则文件，或 --version")
    present = company_with_book(None)
    old, new = (
        (present, company_with_book(path, stored=True))
        if path
        else (company_with_book(None, number), present)
    )
    same = old.model_copy(update=_book(new).fields())
    for change in changes_of(old, same):
        typer.echo(change.text(language()))


@rules.command()
def example(
    lead: Annotated[str, typer.Argument(help="Id of a lead")],
    folder: Annotated[
        Path | None, typer.Option(help="Add it to rules-examples.csv there; else it is printed")
    ] = None,
    team: Annotated[
        str, typer.Option(help="Where it must go (- for no rule); default: where the book in force sends it")
    ] = "",
    name: Annotated[str, typer.Option(help="The example's name; default: the lead's id")] = "",
) -> None:
    """Pin a lead on record: the rule book must go on sending one like it to this team, else it is not published."""
    from router.book import read_book
    from router.examples import NOBODY, with_example
    from sales.lead_facts import lead_facts
    from sales.problems import CompanyError
    from sales.tables import decode
    from schemas.decision_table import TableError
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
        facts = lead_facts(connection, company, lead)
    if facts is None:
        fail(f"There is no lead {lead}", f"没有线索 {lead}")
    if not team:
        book = _book(company)
        found = read_book(book.csv, more=book.tables).first(facts)
        team = found[0].goes_to if found else NOBODY
    elif team != NOBODY and team not in company.units:
        fail(f"There is no unit {team}", f"没有单位 {team}")
    file = folder / "rules-examples.csv" if folder else None
    try:
        before = decode(file.read_bytes(), file.name) if file and file.exists() else None
        text = with_example(before, name or lead, None if team == NOBODY else team, facts, lead)
    except CompanyError as error:
        problems_end(error.problems)
    except TableError as error:
        fail("; ".join(one.text(language()) for one in error.wrong))
    if file is None:
        typer.echo(text, nl=False)
        return
    file.write_text(text, "utf-8")
    say(f"{file}: {name or lead} must go to {team}", f"{file}：{name or lead} 必须分给 {team}")


def company_with_book(path: Path | None, number: int = 0, *, stored: bool = False) -> Company:
    """Return a company with the rule book that is meant: of files, of a version, or the one in force.

    The company itself is that of the files where they are a whole one (unless `stored`), else that of the store.
    """
    from sales.book_files import BookText, read_book_text
    from sales.problems import CompanyError
    from store.company import company_version, load_book, load_company

    if path is not None and not stored and (path.suffix == ".zip" or (path / "company.toml").exists()):
        return company_from(path)
    fields: dict[str, Any] = {}
    if path is not None:
        try:
            fields = read_book_text(path).fields()
        except CompanyError as error:
            problems_end(error.problems)
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        if number:
            found = load_book(connection, number)
            if found is None:
                fail(
                    f"There is no version {number}: leadflow rules list",
                    f"没有第 {number} 版，请查看：leadflow rules list",
                )
            fields = BookText(found["csv"], found["tables"], found["examples"]).fields()
    return company.model_copy(update=fields)


def _book(company: Company) -> BookText:
    from sales.book_files import book_of

    book = book_of(company)
    if book is None:
        fail("There is no rule book yet", "还没有规则簿")
    return book


def _write(book: BookText, out: Path) -> None:
    from sales.book_files import write_book, write_workbook

    if out.suffix == ".xlsx":
        out.write_bytes(write_workbook(book))
    else:
        out.mkdir(parents=True, exist_ok=True)
        for name, data in write_book(book).items():
            (out / name).write_bytes(data)
    say(f"written to {out}", f"已写入 {out}")


def _in_force(done: dict[str, Any]) -> None:
    number, act_id = done["number"], done["act_id"]
    say(f"version {number} is in force ({act_id})", f"第 {number} 版已启用（{act_id}）")
