"""The parts of a cluster as processes, and its topics: `doors`, `stages`, `sinks`, `timers`, `console`, `topics`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from leadflow.terminal import fail, say, settings

if TYPE_CHECKING:
    from leadflow.engine import Part

topics = typer.Typer(
    no_args_is_help=True, help="The topics of the cluster: compare them with the plan, make them."
)


def doors() -> None:
    """Run the doors of a cluster in this process: web, calls, front desk, and mail if its port is set."""
    _run("doors")


def stages(
    only: Annotated[
        list[str] | None, typer.Option(help="parse, resolve, route or deliver; may be given several times")
    ] = None,
) -> None:
    """Run stages of a cluster in this process; start as many of these as there is work for."""
    _run("stages", only or [])


def sinks() -> None:
    """Send what is to go out, and tell people of alarms."""
    _run("sinks")


def timers() -> None:
    """Fire timers and forward the store's log to the brokers; a second process stands by."""
    _run("timers")


def console() -> None:
    """Serve the console and the operator's verbs of a cluster."""
    _run("console")


@topics.command("plan")
def plan() -> None:
    """Show what `apply` would change; exit 1 if there is anything."""
    changes = _topics("plan")
    for change in changes:
        typer.echo(
            f"{change.topic}\t{change.what}{'' if change.is_safe else '  (not without --add-partitions)'}"
        )
    say(f"{len(changes)} changes", f"{len(changes)} 处变更", err=bool(changes))
    raise typer.Exit(1 if changes else 0)


@topics.command("apply")
def apply(
    add_partitions: Annotated[
        bool, typer.Option(help="Also raise the number of partitions; stop the cluster first")
    ] = False,
) -> None:
    """Make the topics that are missing, and set how long each is kept."""
    changes = _topics("apply", add_partitions=add_partitions)
    for change in changes:
        typer.echo(f"{change.topic}\t{change.what}")
    say(f"{len(changes)} changes", f"{len(changes)} 处变更")


def _topics(what: str, *, add_partitions: bool = False) -> list[Any]:
    from confluent_kafka import KafkaException

    from stream.kafka import topics as plans

    here = settings()
    if here.kafka is None:
        fail("Set LEADFLOW_KAFKA=host:port", "请设置 LEADFLOW_KAFKA=host:port")
    admin, wanted = plans.admin_client(here.kafka), plans.topics_of(here.partitions)
    try:
        changes = plans.plan(admin, wanted)
        if what == "plan":
            return changes
        plans.apply(admin, wanted, here.replication, add_partitions=add_partitions)
    except KafkaException as error:
        why = error.args[0].str()
        fail(f"The brokers at {here.kafka} refuse: {why}", f"{here.kafka} 的 Kafka 拒绝：{why}")
    return [one for one in changes if one.is_safe or add_partitions]


def _run(part: Part, only: list[str] | None = None) -> None:
    from confluent_kafka import KafkaException

    from leadflow.cluster import NotReady
    from leadflow.lock import AlreadyRunning
    from leadflow.server import run_part
    from schemas.results import Stage

    here = settings()
    names = get_args(Stage)
    if wrong := [one for one in only or [] if one not in names]:
        fail(f"There is no stage {wrong[0]!r}; one of: {', '.join(names)}", f"没有环节 {wrong[0]!r}")
    try:
        is_well = run_part(here, part, tuple(name for name in names if name in (only or [])))
    except (AlreadyRunning, NotReady) as refused:
        fail(str(refused))
    except KafkaException as error:
        fail(f"The brokers at {here.kafka} do not answer: {error.args[0].str()}")
    raise typer.Exit(0 if is_well else 1)
