"""`leadflow moves`: the rules by which customers move by themselves, what they would do, and doing it now."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from leadflow.terminal import fail, language, operate, reading, say, tell

moves = typer.Typer(
    invoke_without_command=True,
    help="Automatic moves (moves.csv): read them as sentences, see what they would do, do it now.",
)


@moves.callback()
def list_them(context: typer.Context) -> None:
    """Read each automatic move in force as a sentence."""
    if context.invoked_subcommand is not None:
        return
    from router.sentences import move_sentence
    from schemas.moves import moves_version, read_moves
    from store.company import company_version, load_company

    with reading() as connection:
        company = load_company(connection, company_version(connection))
    for rule in read_moves(company.moves_csv) if company.moves_csv else ():
        typer.echo(f"{rule.row.name}\t{move_sentence(rule, language(), company)}")
    say(
        f"version {moves_version(company.moves_csv)}" if company.moves_csv else "there is no moves.csv",
        f"版本 {moves_version(company.moves_csv)}" if company.moves_csv else "没有 moves.csv",
    )


@moves.command("preview")
def preview(
    file: Annotated[
        Path | None, typer.Argument(help="A draft of moves.csv; without it the one in force")
    ] = None,
) -> None:
    """Show which customers would move now and to whom, and which stay although a rule applies."""
    from leadflow.auto_moves import plan_moves
    from leadflow.clock import wall_clock_us
    from schemas.decision_table import TableError
    from store.company import company_version, load_company

    try:
        draft = file.read_text("utf-8-sig") if file is not None else None
    except OSError as error:
        fail(f"{file} cannot be read: {error.strerror}", f"无法读取 {file}：{error.strerror}")
    with reading() as connection:
        company = load_company(connection, company_version(connection))
        try:
            text = draft if draft is not None else company.moves_csv or "move,then_team\n"
            found = plan_moves(connection, company, text, wall_clock_us())
        except TableError as error:
            fail(
                "\n".join(one.text("en") for one in error.wrong),
                "\n".join(one.text("zh") for one in error.wrong),
            )
    for one in found:
        why = f"\t{one.kept}\t{tell(*_KEPT[one.kept])}" if one.kept else ""
        typer.echo(f"{one.customer_id}\t{one.owner} → {one.rule.target}\t{one.rule.row.name}{why}")
    counts = Counter(one.kept is None for one in found)
    say(
        f"{counts[True]} would move, {counts[False]} stay",
        f"将变更 {counts[True]} 个，保持 {counts[False]} 个",
    )


@moves.command("run")
def run() -> None:
    """Move what is due now; the host does it by itself every few minutes."""
    moved = operate("auto_moves")["moved"]
    say(f"{moved} moved", f"已自动改派 {moved} 个")


_KEPT = {
    "there_already": ("its owner is of that team", "负责人已在该团队"),
    "protected": ("protected: only a manager moves it", "在保护期内，只能由主管改派"),
    "had_it": (
        "they had it within auto_rest_days: company.toml",
        "auto_rest_days 内曾由其负责：company.toml",
    ),
    "moved_before": (
        "this rule moved it within auto_rest_days: company.toml",
        "auto_rest_days 内该规则已改派过：company.toml",
    ),
    "moved_often": ("auto_moves_most is reached: company.toml", "已达 auto_moves_most：company.toml"),
    "holder_gone": ("who is to have it does not work here", "接收人已不在职"),
}
