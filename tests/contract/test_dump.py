"""PostgreSQL's dumps, on a real server: at one moment, restored into a scratch database, and compared."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from sqlalchemy import text

import store.dump
import store.migrate
from leadflow.archive import BadBackup, read_manifest, unpack
from leadflow.backup import backups_in, make_backup
from leadflow.kept_postgres import KeptPostgres
from leadflow.paths import journal_path
from leadflow.restore import Wanted
from leadflow.restore_database import restore_database, try_restore_database
from store import tables
from store.acts_erase import find_erasure
from store.bulk import insert_ignore
from store.database import Database
from store.dump import DumpFailed, count, dump, find_tool, is_empty, restore_dump, scratch_database
from store.journal import begin_journal, write_journal
from store.migrate import migrate
from stream.door_log import fetch_keys
from stream.log import SqlLog
from stream.seal import KeyRing
from tests.support.rig import Rig, post


@pytest.fixture
def filled(tmp_path: Path, clean_postgres: Database) -> Iterator[Database]:
    rig = Rig(tmp_path, clean_postgres)
    rig.feed([post(made=str(n), name="李娜", phone=f"1390000{n:04}") for n in range(20)])
    rig.run()
    with rig.files.doors.read() as connection:
        keys = [dict(row) for row in connection.execute(tables.door_key.select()).mappings()]
    with clean_postgres.write() as connection:
        insert_ignore(connection, tables.pii_key, keys)
    yield clean_postgres
    rig.files.doors.close()


def databases(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(text("SELECT datname FROM pg_database")).scalars())


def test_a_dump_holds_one_moment_of_a_store_that_is_being_written(filled: Database, tmp_path: Path) -> None:
    stop = threading.Event()

    def keep_writing() -> None:
        number = 0
        while not stop.is_set():
            with filled.write() as connection:
                for kind in ("a", "b"):  # always in pairs
                    connection.execute(
                        text("INSERT INTO timer (kind, subject_id, due_us) VALUES (:kind, 's', :n)"),
                        {"kind": kind, "n": number},
                    )
            number += 1

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        counted = dump(filled, tmp_path / "dump")
    finally:
        stop.set()
        writer.join()
    before = databases(filled)
    with scratch_database(filled) as scratch:
        with scratch.read() as connection:
            assert is_empty(connection)
        restore_dump(scratch, tmp_path / "dump")
        with scratch.read() as connection:
            found = count(connection)
            assert not is_empty(connection)
            pairs = connection.execute(text("SELECT count(*) FILTER (WHERE kind = 'a'), count(*) FROM timer"))
            ones, both = pairs.one()
            assert both == 2 * ones
    assert found == counted
    assert (found.counts["lead"], found.counts["task"]) == (20, 20)
    assert databases(filled) == before, "no scratch database is left"


def test_a_backup_of_the_cluster_is_restored_before_it_gets_its_name(
    filled: Database, tmp_path: Path
) -> None:
    kept, key = kept_in(filled, tmp_path)
    into = tmp_path / "backups"
    made = make_backup(kept, into=into, why="manual", now_us=1)
    manifest = read_manifest(made.path)
    assert (manifest.kind, manifest.counts["store.lead"]) == ("postgresql", 20)
    assert sorted(manifest.members) == ["store.dump"]
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o600

    with filled.write() as connection:
        row = {"wrapped": aes_key_wrap(os.urandom(32), os.urandom(32))}
        connection.execute(
            text("INSERT INTO pii_key (key_id, capture_id, wrapped) VALUES ('z', 'c', :wrapped)"), row
        )
    with pytest.raises(BadBackup, match="master key"):
        make_backup(kept, into=into, why="manual", now_us=2_000_000)
    assert backups_in(into) == [made.path]
    assert key.exists()


def test_a_dump_that_does_not_restore_is_no_backup(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, _ = kept_in(filled, tmp_path)
    into = tmp_path / "backups"
    made = make_backup(kept, into=into, why="manual", now_us=1)
    place = tmp_path / "unpacked"
    place.mkdir()
    unpack(made.path, read_manifest(made.path), place)
    content = (place / "store.dump").read_bytes()
    (place / "store.dump").write_bytes(content[: len(content) // 2])
    with pytest.raises(BadBackup, match="pg_restore"):
        kept.look(place, None)

    real = dump

    def loses_a_row(database: Database, path: Path) -> object:
        counted = real(database, path)
        counted.counts["lead"] += 1
        return counted

    monkeypatch.setattr("leadflow.kept_postgres.dump", loses_a_row)
    with pytest.raises(BadBackup, match=r"store\.lead 20/21"):
        make_backup(kept, into=into, why="manual", now_us=2_000_000)
    assert backups_in(into) == [made.path]


def test_tools_older_than_the_server_are_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    places = []
    for version in (15, 17, 18):
        tool = tmp_path / f"pg_dump{version}"
        tool.write_text(f"#!/bin/sh\necho 'pg_dump (PostgreSQL) {version}.3 (Debian)'\n")
        tool.chmod(0o755)
        places.append(tool)
    monkeypatch.setattr(store.dump, "_places", lambda _name: places)
    assert [find_tool("pg_dump", server).name for server in (14, 15, 16, 18)] == [
        "pg_dump15",
        "pg_dump15",
        "pg_dump17",
        "pg_dump18",
    ]
    with pytest.raises(DumpFailed, match="postgresql-client-19"):
        find_tool("pg_dump", 19)


def test_a_password_is_not_shown_to_other_users_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from store.database import open_postgres

    tool = tmp_path / "pg_restore"
    tool.write_text('#!/bin/sh\necho "$@" > "$0.arguments"\necho "$PGPASSWORD" > "$0.password"\n')
    tool.chmod(0o755)
    database = open_postgres("postgresql+psycopg://u:geheim@db.example:5433/leads?sslmode=require")
    store.dump._run(database.engine.url, [str(tool), f"--dbname={store.dump._address(database.engine.url)}"])
    assert (tmp_path / "pg_restore.password").read_text() == "geheim\n"
    arguments = (tmp_path / "pg_restore.arguments").read_text()
    assert arguments == "--dbname=postgresql://u@db.example:5433/leads?sslmode=require\n"


def kept_in(database: Database, tmp_path: Path) -> tuple[KeptPostgres, Path]:
    folder = tmp_path / "data"
    folder.mkdir()
    key = folder / "master.key"
    key.write_bytes(bytes(32))
    return KeptPostgres(database, folder, key, journal_path(folder)), key


def test_the_cluster_is_put_back_into_an_empty_database_and_the_erased_stay_erased(
    filled: Database, tmp_path: Path
) -> None:
    kept, key = kept_in(filled, tmp_path)
    begin_journal(journal_path(kept.folder), "1")
    made = make_backup(kept, into=tmp_path / "backups", why="manual", now_us=1, with_key=True).path
    with filled.read() as connection:
        customer = connection.execute(text("SELECT min(customer_id) FROM membership")).scalar_one()
        erasure = find_erasure(connection, "act_1", customer)
    assert len(erasure.captures) == 1
    wanted = Wanted(made)
    with pytest.raises(BadBackup, match="There are tables"):
        restore_database(wanted, kept)
    there = tmp_path / "new" / "data"
    with scratch_database(filled) as empty:
        new = KeptPostgres(empty, there, there / "master.key", journal_path(there))
        with pytest.raises(BadBackup, match="no erasure journal"):
            restore_database(wanted, new)
        write_journal(journal_path(kept.folder), erasure)
        wanted = Wanted(made, journal=journal_path(kept.folder))
        with pytest.raises(BadBackup, match="LEADFLOW_KAFKA"):
            restore_database(wanted, new)
        wanted = replace(wanted, brokers_lost=True)
        assert try_restore_database(wanted, kept).erased_since == 1
        with empty.read() as connection:
            assert is_empty(connection)
        assert restore_database(wanted, new).erased_since == 1
        assert new.key_file.read_bytes() == key.read_bytes()
        assert journal_path(new.folder).read_bytes() == journal_path(kept.folder).read_bytes()
        keys = KeyRing(key.read_bytes(), fetch_keys(empty, tables.pii_key))
        with empty.read() as connection:
            counts = count(connection).counts
            assert (counts["lead"], counts["pii_key"], counts["customer"]) == (19, 19, 20)
            log = SqlLog(tables.log, tables.topic_head, keys)
            opened = [one.opened for one in log.read(connection, "leads", 0, 100)]
        assert (opened.count(True), opened.count(False)) == (19, 1)


def test_the_command_line_backs_the_cluster_up(filled: Database, tmp_path: Path) -> None:
    kept, key = kept_in(filled, tmp_path)
    begin_journal(journal_path(kept.folder), "1")

    def leadflow(*arguments: str, url: str, code: int = 0) -> str:
        environment = {**os.environ, "LEADFLOW_DATA": str(kept.folder), "LEADFLOW_DATABASE_URL": url}
        command = [sys.executable, "-m", "leadflow.cli", *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    url = filled.engine.url.render_as_string(hide_password=False)
    told = leadflow("backup", url=url)
    assert "20 leads" in told
    assert f"{key} is not in it" in told
    (made,) = backups_in(tmp_path / "data.backups")
    assert "sound" in leadflow("restore", "--check", str(made), url=url)
    assert "There are tables" in leadflow("restore", str(made), url=url, code=2)
    nobody = "postgresql+psycopg://u:geheim@127.0.0.1:1/leads"
    said = leadflow("backup", url=nobody, code=2)
    assert "The database failed" in said
    assert "geheim" not in said


def test_tables_of_the_cluster_are_backed_up_once_before_they_are_changed(
    filled: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, _ = kept_in(filled, tmp_path)
    into = tmp_path / "backups"
    made = make_backup(kept, into=tmp_path / "before", why="manual", now_us=1)
    scripts = shutil.copytree(Path(store.migrate.__file__).parent / "migrations", tmp_path / "migrations")
    (scripts / "state" / "versions" / "0002_next.py").write_text(
        "from alembic import op\nimport sqlalchemy as sa\n"
        'revision, down_revision = "0002", "0001"\n'
        'def upgrade():\n    op.add_column("lead", sa.Column("more", sa.Text(), nullable=True))\n'
    )
    monkeypatch.setattr(store.migrate, "_HERE", scripts)
    place = tmp_path / "unpacked"
    place.mkdir()
    unpack(made.path, read_manifest(made.path), place)
    with scratch_database(filled) as old:
        restore_dump(old, place / "store.dump")
        theirs = KeptPostgres(old, kept.folder, kept.key_file, kept.journal)

        def start() -> None:
            migrate(old, "state", lambda: make_backup(theirs, into=into, why="migration", now_us=1))

        starting = [threading.Thread(target=start) for _ in range(3)]
        for one in starting:
            one.start()
        for one in starting:
            one.join()
        with old.read() as connection:
            assert count(connection).revision == "0002"
    (backup,) = backups_in(into, "migration")
    assert read_manifest(backup).schema_of == {"state": "0001"}
