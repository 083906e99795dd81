"""`leadflow breaker`: the sources and destinations that are held, the stages that stopped, and how they go on."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from leadflow.terminal import Actor, fail, operate, reading, say, tell

breaker = typer.Typer(
    invoke_without_command=True,
    help="Sources and destinations that are held: list them, reset one after the fix.",
)


@breaker.callback()
def list_them(context: typer.Context) -> None:
    """List sources and destinations that are held, and stages that stopped; exit 1 if there are any."""
    if context.invoked_subcommand is not None:
        return
    from store.breakers import open_breakers

    with reading() as connection:
        found = open_breakers(connection)
    for row in found:
        typer.echo(_line(row))
    say(f"{len(found)} breakers open", f"{len(found)} 个熔断未恢复", err=bool(found))
    raise typer.Exit(1 if found else 0)


def _line(row: dict[str, Any]) -> str:
    from leadflow.exports import moment

    refused, tried = row["refused"], row["tried"]
    share = f"{refused}/{tried} ({refused / tried:.0%})" if tried else "-"
    held = tell(f"{row['held']} held", f"暂扣 {row['held']} 条")
    state = {
        "open": tell("held", "暂扣中"),
        "draining": tell("being replayed", "重放中"),
        "stopped": tell("stage stopped", "环节已停止"),
    }[row["state"]]
    cells = (row["source_id"], row["stage"], state, moment(row["since_us"]), row["code"], share, held)
    return "\t".join(str(cell) for cell in cells)


@breaker.command("reset")
def reset(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; destinations as sinks.crm")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All of them; stages that stopped go on, too")
    ] = False,
    actor: Actor = "operator",
    reason: Annotated[str, typer.Option(help="What was put right")] = "",
) -> None:
    """Have what was held tried or sent, in order, after the cause was put right."""
    from store.breakers import WHOLE_STAGE

    if bool(sources) == everything:
        fail("Name the sources, or say --all", "请指明接入渠道，或使用 --all")
    for source_id in sources or [WHOLE_STAGE]:
        operate("reset_breaker", id=source_id, actor=actor, reason=reason)
        typer.echo(f"{source_id}\treset")
