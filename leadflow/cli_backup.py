"""`leadflow backup` and `leadflow restore`: a verified copy of the installation, and back again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from leadflow.terminal import existing, fail, say, settings

if TYPE_CHECKING:
    from leadflow.archive import Kept, Manifest
    from leadflow.kept_postgres import KeptPostgres
    from leadflow.restore import Restored, Wanted
    from leadflow.settings import Settings


def backup(
    folder: Annotated[Path | None, typer.Argument(help="Where it goes; else as set by backup_folder")] = None,
    with_key: Annotated[
        bool, typer.Option("--with-key", help="Put the master key in, too; then whoever has it reads all")
    ] = False,
) -> None:
    """Make a backup, beside a running host or without one, and verify it by restoring it into a scratch folder."""
    from sqlalchemy.exc import DBAPIError

    from leadflow.archive import BadBackup
    from leadflow.backup import make_backup
    from leadflow.clock import wall_clock_us

    here = settings()
    try:
        with _kept(here) as kept:
            into = folder or here.backups
            made = make_backup(kept, into=into, why="manual", now_us=wall_clock_us(), with_key=with_key)
    except BadBackup as bad:
        fail(bad.en, bad.zh)
    except DBAPIError as error:
        fail(f"The database failed: {error.orig}", f"数据库出错：{error.orig}")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    typer.echo(str(made.path))
    leads, size = _leads(made.manifest), made.path.stat().st_size / 1e6
    say(
        f"{leads} leads, {size:,.1f} MB, restored and compared in {made.took_s:.1f} s",
        f"线索 {leads} 条，{size:,.1f} MB，已试恢复并核对，用时 {made.took_s:.1f} 秒",
    )
    if not with_key:
        key = here.key_file
        say(
            f"{key} is not in it: keep a copy of that file elsewhere, once; a restore asks for it",
            f"其中不含 {key}：请另行保存该文件的副本（一次即可），恢复时需要",
            err=True,
        )


def restore(
    archive: Annotated[Path | None, typer.Argument(help="The backup")] = None,
    *,
    key: Annotated[
        Path | None, typer.Option(help="Your copy of master.key, if it is not in the backup")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(help="The newest erasure journal, if it does not lie beside the folder")
    ] = None,
    never_erased: Annotated[
        bool, typer.Option("--never-erased", help="Nobody was ever erased here: there is no journal")
    ] = False,
    older: Annotated[
        bool, typer.Option("--older", help="There are newer ones, and this one is meant")
    ] = False,
    key_lost: Annotated[
        bool, typer.Option("--key-lost", help="Every copy of the key is lost: give up the raw bytes")
    ] = False,
    brokers_lost: Annotated[
        bool,
        typer.Option("--brokers-lost", help="The brokers' data is gone, too: give up what came in since"),
    ] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Do everything but the last step, beside the running host")
    ] = False,
    as_of: Annotated[
        str | None,
        typer.Option(
            help="No backup of ours: the cluster's database was put back otherwise, as of this moment, such as "
            "2026-11-25T03:30:00+08:00"
        ),
    ] = None,
) -> None:
    """Put a backup back into an empty data folder; whoever was erased after it is erased again first."""
    from sqlalchemy.exc import DBAPIError

    from leadflow.archive import BadBackup
    from leadflow.logs import set_up_logs
    from leadflow.restore import Wanted
    from store.relocation import NotHere

    here = settings()
    set_up_logs(here.log_json)
    if (archive is None) is (as_of is None) or (check and as_of is not None):
        fail("Name a backup, or say --as-of alone", "请指定备份文件，或单独使用 --as-of")
    wanted = Wanted(archive or Path(), key, journal, never_erased, older, key_lost, here.kafka, brokers_lost)
    try:
        if as_of is not None:
            _say_keys(_caught_up(wanted, here, as_of))
            _say_next(here)
            return
        done = _restored(wanted, here, check)
    except BadBackup as bad:
        fail(bad.en, bad.zh)
    except NotHere as elsewhere:
        fail(elsewhere.en, elsewhere.zh)
    except DBAPIError as error:
        fail(f"The database failed: {error.orig}", f"数据库出错：{error.orig}")
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}")
    made = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=done.manifest.made_us)
    leads, since = _leads(done.manifest), done.erased_since
    if check:
        say(
            f"sound: as of {made:%Y-%m-%d %H:%M:%S} UTC, {leads} leads; {since} erased since would be erased again",
            f"完好：{made:%Y-%m-%d %H:%M:%S} UTC 的数据，线索 {leads} 条；之后删除的 {since} 项会再次删除",
        )
        return
    where = here.data if here.database_url is None else "PostgreSQL"
    say(
        f"{where} is as of {made:%Y-%m-%d %H:%M:%S} UTC: {leads} leads; {since} erased since were erased again",
        f"{where} 已恢复到 {made:%Y-%m-%d %H:%M:%S} UTC：线索 {leads} 条；之后删除的 {since} 项已再次删除",
    )
    if here.database_url is not None:
        _say_keys(done.keys_since)
    _say_next(here)


def _say_keys(count: int) -> None:
    say(
        f"{count} captures came in since: the stages read them again",
        f"之后接收了 {count} 条原始内容，各环节将重新读取",
    )


def _say_next(here: Settings) -> None:
    start_en, start_zh = "start every part", "启动各进程"
    if here.database_url is None:
        start_en = start_zh = "leadflow run"
    say(
        f"Now: {start_en}, then leadflow doctor. What was ended since is valid again: leadflow token list",
        f"接下来：{start_zh}，再运行 leadflow doctor。之后停用的令牌重新有效：leadflow token list",
        err=True,
    )


@contextmanager
def _kept(here: Settings) -> Iterator[Kept]:
    """Yield what is backed up: the cluster's database if one is named, else the data folder."""
    if here.database_url is not None:
        with _database(here) as database:
            yield database
        return
    from leadflow.embedded import read_files
    from leadflow.kept_folder import KeptFolder

    files = read_files(existing(here.data))
    try:
        yield KeptFolder(here.data, files.doors, files.store, here.erasures)
    finally:
        files.close()


@contextmanager
def _database(here: Settings) -> Iterator[KeptPostgres]:
    from leadflow.kept_postgres import KeptPostgres
    from store.database import open_postgres

    database = open_postgres(str(here.database_url))
    try:
        yield KeptPostgres(database, here.data, here.key_file, here.erasures)
    finally:
        database.close()


def _restored(wanted: Wanted, here: Settings, check: bool) -> Restored:
    if here.database_url is None:
        from leadflow.restore_folder import restore, try_restore

        return (try_restore if check else restore)(wanted, here.data, here.erasures)
    from leadflow.restore_database import restore_database, try_restore_database

    with _database(here) as kept:
        return (try_restore_database if check else restore_database)(wanted, kept)


def _caught_up(wanted: Wanted, here: Settings, as_of: str) -> int:
    from leadflow.restore_database import catch_up

    try:
        moment = datetime.fromisoformat(as_of)
    except ValueError:
        moment = datetime.min
    if moment.tzinfo is None:
        fail(
            f"--as-of {as_of!r} is no moment with a zone, such as 2026-11-25T03:30:00+08:00",
            f"--as-of {as_of!r} 不是带时区的时刻，例如 2026-11-25T03:30:00+08:00",
        )
    if here.database_url is None or wanted.key or wanted.journal or wanted.older or wanted.key_lost:
        fail(
            "--as-of needs LEADFLOW_DATABASE_URL, and goes with --never-erased and --brokers-lost only",
            "--as-of 需要 LEADFLOW_DATABASE_URL，且只能与 --never-erased、--brokers-lost 同用",
        )
    with _database(here) as kept:
        return catch_up(wanted, kept, int(moment.timestamp()) * 1_000_000)


def _leads(manifest: Manifest) -> int:
    return manifest.counts.get("store.lead", 0)
