"""`leadflow service install`: systemd units of this installation, written or only shown."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from leadflow.terminal import fail, say, settings

service = typer.Typer(no_args_is_help=True, help="Leadflow as a service of systemd.")


@service.callback()
def group() -> None:
    """Leadflow as a service of systemd."""


@service.command("install")
def install(
    *,
    cluster: Annotated[
        bool,
        typer.Option("--cluster", help="A template for each part: doors, stages, sinks, timers, console"),
    ] = False,
    user: Annotated[str, typer.Option(help="Who it runs as")] = "leadflow",
    into: Annotated[Path, typer.Option(help="Where units lie")] = Path("/etc/systemd/system"),
    show: Annotated[bool, typer.Option("--print", help="Only print the units")] = False,
    dry: Annotated[bool, typer.Option("--dry-run", help="Only say what would be written")] = False,
) -> None:
    """Write hardened units, and say what to type next."""
    from leadflow.service import STATE, Machine, commands, units

    here = settings()
    program = Path(sys.executable).parent / "leadflow"
    if not program.exists():
        fail(
            f"There is no {program}: install Leadflow with pip first",
            f"没有 {program}：请先用 pip 安装 Leadflow",
        )
    elsewhere = [
        path for path in (here.backup_folder, here.journal and here.journal.parent) if path is not None
    ]
    machine = Machine(
        program,
        user,
        low_ports=min(here.http_port, here.smtp_port or here.http_port) < 1024,
        writes_to=[path.absolute() for path in elsewhere if STATE not in path.absolute().parents],
    )
    made = units(machine, cluster=cluster)
    if show:
        for name, text in made.items():
            typer.echo(f"# {into / name}\n{text}")
        return
    for name, text in made.items():
        path = into / name
        state = (
            "same"
            if path.exists() and path.read_text() == text
            else "new"
            if not path.exists()
            else "changed"
        )
        typer.echo(f"{path}\t{state}")
        if not dry and state != "same":
            _write(path, text)
    say("As root:", "请以 root 运行：", err=True)
    for line in commands(machine, cluster=cluster):
        typer.echo(f"  {line}", err=True)


def _write(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(path.name + ".new")
        part.write_text(text)
        os.chmod(part, 0o644)
        part.replace(path)
    except OSError as error:
        fail(
            f"{path}: {error.strerror}. Run it as root, or look first: leadflow service install --print",
            f"{path}：{error.strerror}。请以 root 运行，或先查看：leadflow service install --print",
        )
