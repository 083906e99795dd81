"""`leadflow migrate`: from one machine to a cluster, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadflow.terminal import fail, say, settings, tell

if TYPE_CHECKING:
    from store.copy import Digest


def migrate(
    folder: Annotated[
        Path, typer.Argument(help="The data folder of the installation; with --back, the one to make")
    ],
    back: Annotated[bool, typer.Option("--back", help="From the cluster into a new data folder")] = False,
    journal: Annotated[
        Path | None, typer.Option(help="Its erasure journal, if that does not lie beside the folder")
    ] = None,
) -> None:
    """Move a stopped installation from its data folder to the cluster, or back; cut off, it is run again."""
    from confluent_kafka import KafkaException
    from sqlalchemy.exc import DBAPIError

    from leadflow.clock import wall_clock_us
    from leadflow.cluster import NotReady
    from leadflow.from_cluster import move_back
    from leadflow.logs import set_up_logs
    from leadflow.moving import CannotMove
    from leadflow.to_cluster import move_to_cluster
    from stream.kafka.producer import BrokersAway

    here = settings()
    set_up_logs(here.log_json)
    if not here.is_cluster:
        fail(
            "Say where the cluster is: LEADFLOW_KAFKA=host:port and LEADFLOW_DATABASE_URL=postgresql+psycopg://…",
            "请指明集群：LEADFLOW_KAFKA=host:port 与 LEADFLOW_DATABASE_URL=postgresql+psycopg://…",
        )
    try:
        if back:
            moved = move_back(folder, here, now_us=wall_clock_us(), told=_progress())
        else:
            moved = move_to_cluster(folder, here, now_us=wall_clock_us(), told=_progress(), journal=journal)
    except CannotMove as reason:
        fail(reason.en, reason.zh)
    except NotReady as reason:
        fail(str(reason))
    except (KafkaException, BrokersAway) as error:
        fail(
            f"The brokers at {here.kafka} failed: {error}. Run it again.",
            f"{here.kafka} 的 Kafka 出错：{error}。请重新运行。",
        )
    except DBAPIError as error:
        fail(f"The database failed: {error.orig}. Run it again.", f"数据库出错：{error.orig}。请重新运行。")
    if moved.tables is None:
        say("It had moved already; nothing is left to do.", "此前已迁移完成，无需再做。")
        return
    _tell_all(moved.tables)
    if back:
        say(
            f"Now, without LEADFLOW_KAFKA and LEADFLOW_DATABASE_URL: LEADFLOW_DATA={folder} leadflow run. "
            "The cluster's parts do not start on that database again; keep it until you are sure.",
            f"接下来，去掉 LEADFLOW_KAFKA 与 LEADFLOW_DATABASE_URL 后运行：LEADFLOW_DATA={folder} leadflow run。"
            "集群不会再在该数据库上启动，请保留至确认无误。",
            err=True,
        )
        return
    say(
        "Now start the cluster's parts, then: leadflow doctor. The old folder is not run again; keep it until you are sure.",
        "接下来：启动集群各部分，再运行 leadflow doctor。旧文件夹不会再运行，请保留至确认无误。",
        err=True,
    )


def _progress() -> Callable[[str, int], None]:
    """Return what shows on a terminal how far it is."""
    if not sys.stderr.isatty():
        return lambda _name, _count: None
    return lambda name, count: typer.echo(f"\r\033[K{name} {count:,}", nl=False, err=True)


def _tell_all(tables: dict[str, Digest]) -> None:
    if sys.stderr.isatty():
        typer.echo("\r\033[K", nl=False, err=True)
    for name, digest in sorted(tables.items()):
        typer.echo(f"{name}\t{digest.rows}\t{digest.sha256[:16]}")
    rows = sum(one.rows for one in tables.values())
    typer.echo(
        tell(
            f"moved: {rows:,} rows in {len(tables)} tables, the same on both sides by count and SHA-256",
            f"已迁移：{len(tables)} 张表共 {rows:,} 行，两边行数与 SHA-256 一致",
        )
    )
