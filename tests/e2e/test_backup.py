"""The backup drill: a filled installation is backed up while it works, lost, and put back."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import store.migrate
from leadflow.archive import BadBackup, Journal, Manifest, read_manifest, unpack
from leadflow.backup import Made, backups_in, make_backup
from leadflow.embedded import open_files, read_files
from leadflow.kept_folder import KeptFolder
from leadflow.nightly import Nightly, due
from leadflow.paths import journal_path
from leadflow.restore import Restored, Wanted
from leadflow.restore_folder import restore as restore_to
from tests.support.live import Live

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PHONE = "13812345678"
NOTHING = Manifest(
    kind="sqlite",
    version="0",
    made_us=0,
    why="nightly",
    schema_of={},
    key_mark="",
    journal=Journal(size=0, sha256="", erasures=0),
    counts={},
    members={},
)
PHONE_OF_1 = b"13900000001"


def leadflow(folder: Path, *arguments: str, code: int = 0, **variables: str) -> str:
    """Run the command line on a data folder and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "leadflow.cli", *arguments],
        env={**os.environ, "LEADFLOW_DATA": str(folder), **variables},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


def restore(wanted: Wanted, folder: Path) -> Restored:
    return restore_to(wanted, folder, journal_path(folder))


def backup(folder: Path, *arguments: str) -> Path:
    return Path(leadflow(folder, "backup", *arguments).splitlines()[0])


def send(live: Live, number: int) -> str:
    """Post a form under its sender's key, and return the receipt."""
    body = f"name=guest{number}&phone=139{number:08}".encode()
    status, answer = live.post("/in/web/site", body, {**FORM, "Idempotency-Key": f"form-{number}"})
    assert status == 202, answer
    return str(answer["receipt"])


@pytest.fixture
def live(tmp_path: Path) -> Iterator[Live]:
    made = Live(tmp_path / "data", LEADFLOW_WAL_LIMIT_BYTES="65536")
    made.start()
    yield made
    made.stop()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with one customer, and nobody who works on it."""
    made = Live(tmp_path / "data")
    made.start()
    send(made, 1)
    made.drained()
    made.stop()
    return made.folder


def at_once(folder: Path, into: Path, now_us: int = 1, **more: bool) -> Path:
    """Back up a folder in this process."""
    files = read_files(folder)
    try:
        made = make_backup(
            KeptFolder(folder, files.doors, files.store, files.journal),
            into=into,
            why="manual",
            now_us=now_us,
            **more,
        )
    finally:
        files.close()
    return made.path


def test_a_backup_made_at_work_loses_nothing_acknowledged_before_it_and_repeats_nothing(live: Live) -> None:
    receipts = [send(live, number) for number in range(20)]
    stop = threading.Event()
    later: list[str] = []

    def keep_sending() -> None:
        while not stop.is_set():
            later.append(send(live, 100 + len(later)))

    sender = threading.Thread(target=keep_sending)
    sender.start()
    time.sleep(0.3)
    before = len(later)
    made = backup(live.folder)
    stop.set()
    sender.join()
    assert len(later) > before, "it takes leads while it is backed up, or this test proves nothing"
    live.drained()
    live.stop()
    lost = live.folder.rename(live.folder.with_name("lost"))

    told = leadflow(live.folder, "restore", str(made), "--key", str(lost / "master.key"))
    assert "as of" in told
    live.start()
    live.drained()
    there = {row[0] for row in live.query("SELECT capture_id FROM capture")}
    assert set(receipts) | set(later[:before]) <= there, "acknowledged before the backup began"
    again = [send(live, number) for number in range(20)] + [send(live, 100 + n) for n in range(len(later))]
    assert again == receipts + later, "senders who send again get the receipts that they had"
    live.drained()
    total = len(receipts) + len(later)
    for table, column in (("lead", "lead_id"), ("customer", "customer_id"), ("task", "lead_id")):
        assert live.query(f"SELECT count(*), count(DISTINCT {column}) FROM {table}") == [(total, total)]
    assert live.query("SELECT count(*) FROM dead") == [(0,)]
    assert live.query("SELECT count(*) FROM decision WHERE stage = 'route'") == [(total,)]
    assert "0 without owner" in leadflow(live.folder, "orphans")
    assert live.integrity() == ["ok", "ok"]


def test_the_erased_stay_erased(live: Live, tmp_path: Path) -> None:
    live.post("/in/web/site", f"name=li&phone={PHONE}".encode(), FORM)
    send(live, 1)
    live.drained()
    made = backup(live.folder, "--with-key")
    ((customer,),) = live.query(
        "SELECT customer_id FROM membership JOIN lead USING (lead_id) WHERE fields_json LIKE '%13812345678%'"
    )
    leadflow(live.folder, "erase", str(customer))
    live.stop()
    shutil.rmtree(live.folder)

    journal = tmp_path / "data.erasures"
    away = journal.rename(tmp_path / "away")
    assert "no erasure journal" in leadflow(live.folder, "restore", str(made), code=2)
    assert not live.folder.exists()
    told = leadflow(live.folder, "restore", str(made), "--journal", str(away))
    assert "1 erased since were erased again" in told
    assert [file.name for file in live.folder.iterdir() if PHONE.encode() in file.read_bytes()] == []
    live.start()
    live.drained()
    assert live.query("SELECT count(*) FROM lead") == [(1,)], "nobody else is touched"
    assert journal.read_bytes() == away.read_bytes()


def test_a_journal_that_ends_before_the_backup_or_is_another_ones_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    journal = tmp_path / "data.erasures"
    young = journal.read_bytes()
    ((customer,),) = rows(folder, "SELECT customer_id FROM customer")
    leadflow(folder, "erase", str(customer))
    made = at_once(folder, tmp_path / "backups", with_key=True)
    old = journal.read_bytes()
    open_files(tmp_path / "other").close()
    there = tmp_path / "new" / "data"
    for wrong in (young, old.splitlines(keepends=True)[0], (tmp_path / "other.erasures").read_bytes(), b""):
        (tmp_path / "given").write_bytes(wrong)
        with pytest.raises(BadBackup, match="older than the backup"):
            restore(Wanted(made, journal=tmp_path / "given"), there)
    with pytest.raises(BadBackup, match="1 erasures were on record"):
        restore(Wanted(made, never_erased=True), there)
    (tmp_path / "given").write_bytes(old + b'{"act_id": "cut off by a po')
    assert restore(Wanted(made, journal=tmp_path / "given"), there).erased_since == 0


def test_who_never_erased_anybody_says_so(folder: Path, tmp_path: Path) -> None:
    made = at_once(folder, tmp_path / "backups", with_key=True)
    there = tmp_path / "new" / "data"
    with pytest.raises(BadBackup, match="--never-erased"):
        restore(Wanted(made), there)
    assert restore(Wanted(made, never_erased=True), there).erased_since == 0
    assert len(rows(there, "SELECT * FROM lead")) == 1


def test_the_key_stays_out_unless_asked_for_and_must_be_the_right_one(folder: Path, tmp_path: Path) -> None:
    made = at_once(folder, tmp_path / "backups")
    key = (folder / "master.key").read_bytes()
    with zipfile.ZipFile(made) as archive:
        assert [name for name in archive.namelist() if key in archive.read(name)] == []
    there = tmp_path / "new" / "data"
    with pytest.raises(BadBackup, match="--key FILE"):
        restore(Wanted(made, never_erased=True), there)
    (tmp_path / "wrong").write_bytes(os.urandom(32))
    with pytest.raises(BadBackup, match="not the master key of this backup"):
        restore(Wanted(made, key=tmp_path / "wrong", never_erased=True), there)
    restore(Wanted(made, key=folder / "master.key", never_erased=True), there)
    assert capture_of(there) is not None


def test_with_every_copy_of_the_key_lost_all_but_the_raw_bytes_is_back(folder: Path, tmp_path: Path) -> None:
    made = at_once(folder, tmp_path / "backups")
    there = tmp_path / "new" / "data"
    restore(Wanted(made, never_erased=True, key_lost=True), there)
    assert capture_of(there) is None
    assert len(rows(there, "SELECT * FROM lead")) == len(rows(there, "SELECT * FROM task")) == 1
    assert leadflow(there, "export", "leads").count("13900000001") == 1


def test_what_is_cut_off_or_altered_is_refused(folder: Path, tmp_path: Path) -> None:
    made = at_once(folder, tmp_path / "backups")
    whole = made.read_bytes()
    sound = unpacked(made, tmp_path / "sound")
    bad = tmp_path / "bad.zip"
    refused = 0
    for seed in range(300):
        chance = random.Random(seed)
        content = bytearray(whole)
        if seed % 3 == 0:
            content = content[: chance.randrange(len(content))]
        else:
            content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        bad.write_bytes(content)
        try:
            found = unpacked(bad, tmp_path / f"unpacked{seed}")
        except BadBackup as error:
            assert "Take another one" in error.en or "does not know" in error.en  # noqa: PT017
            refused += 1
        else:
            assert found == sound, f"seed {seed}: a flip that changes nothing, as in a date"
        shutil.rmtree(tmp_path / f"unpacked{seed}", ignore_errors=True)
    assert refused > 240  # a seventh of so small an archive says nothing, such as dates
    bad.write_bytes(b"no zip at all")
    with pytest.raises(BadBackup, match="not whole"):
        read_manifest(bad)


def test_an_archive_that_lies_about_its_rows_is_refused(folder: Path, tmp_path: Path) -> None:
    made = at_once(folder, tmp_path / "backups", with_key=True)
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "manifest.json":
                said = json.loads(content)
                said["counts"]["store.lead"] = 2
                content = json.dumps(said).encode()
            target.writestr(name, content)
    with pytest.raises(BadBackup, match=r"store\.lead 1/2"):
        restore(Wanted(other, never_erased=True), tmp_path / "new" / "data")
    assert not (tmp_path / "new" / "data").exists()


def test_an_older_one_is_taken_only_if_meant(folder: Path, tmp_path: Path) -> None:
    old = at_once(folder, tmp_path / "backups", 1_000_000, with_key=True)
    new = at_once(folder, tmp_path / "backups", 2_000_000, with_key=True)
    with pytest.raises(BadBackup, match=new.name):
        restore(Wanted(old, never_erased=True), tmp_path / "new" / "data")
    restore(Wanted(old, never_erased=True, older=True), tmp_path / "new" / "data")
    restore(Wanted(new, never_erased=True), tmp_path / "newer" / "data")


def test_nothing_is_written_over(live: Live, tmp_path: Path) -> None:
    send(live, 1)
    live.drained()
    made = backup(live.folder, "--with-key")
    said = leadflow(live.folder, "restore", str(made), code=2)
    assert "runs on" in said
    assert "sound" in leadflow(live.folder, "restore", str(made), "--check"), (
        "the drill, beside a running host"
    )
    live.stop()
    said = leadflow(live.folder, "restore", str(made), code=2)
    assert f"mv {live.folder}" in said
    assert len(rows(live.folder, "SELECT * FROM lead")) == 1
    leftover = [one.name for one in tmp_path.iterdir()]
    assert sorted(leftover) == ["data", "data.backups", "data.erasures"]


def test_settings_of_the_new_machine_go_before_those_of_the_old_one(folder: Path, tmp_path: Path) -> None:
    (folder / "leadflow.toml").write_text("smtp_port = 2525\n")
    made = at_once(folder, tmp_path / "backups", with_key=True)
    new, newer = tmp_path / "new" / "data", tmp_path / "newer" / "data"
    restore(Wanted(made, never_erased=True), new)
    assert (new / "leadflow.toml").read_text() == "smtp_port = 2525\n"
    newer.mkdir(parents=True)
    (newer / "leadflow.toml").write_text("http_port = 8090\n")
    restore(Wanted(made, never_erased=True), newer)
    assert (newer / "leadflow.toml").read_text() == "http_port = 8090\n"


def test_a_damaged_installation_is_not_backed_up_as_if_it_were_sound(folder: Path, tmp_path: Path) -> None:
    file = folder / "store.db"
    content = bytearray(file.read_bytes())
    there = content.index(PHONE_OF_1)
    content[there : there + len(PHONE_OF_1)] = b"\xff" * len(PHONE_OF_1)
    file.write_bytes(content)
    with pytest.raises(BadBackup, match="not sound"):
        at_once(folder, tmp_path / "backups")
    file.write_bytes(content[:4096] + bytes(len(content) - 4096))
    with pytest.raises(BadBackup, match="malformed"):
        at_once(folder, tmp_path / "backups")
    assert list((tmp_path / "backups").iterdir()) == []


def test_a_store_that_is_ahead_of_its_doors_is_no_backup(folder: Path, tmp_path: Path) -> None:
    files = open_files(folder)
    with files.store.write() as connection:
        connection.exec_driver_sql("UPDATE progress SET next_off = next_off + 1 WHERE stage = 'parse'")
    files.close()
    with pytest.raises(BadBackup, match="parse has read captures/0 to 2, which ends at 1"):
        at_once(folder, tmp_path / "backups")


def test_tables_are_not_changed_before_there_is_a_backup(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = tmp_path / "data.backups"
    open_files(folder, backups=backups).close()
    assert not backups.exists(), "nothing to migrate, nothing to back up"
    scripts = shutil.copytree(Path(store.migrate.__file__).parent / "migrations", tmp_path / "migrations")
    (scripts / "state" / "versions" / "0002_next.py").write_text(_NEXT)
    monkeypatch.setattr(store.migrate, "_HERE", scripts)
    open_files(folder, backups=backups).close()
    assert rows(folder, "SELECT version_num FROM alembic_version") == [("0002",)]
    (made,) = backups_in(backups, "migration")
    assert read_manifest(made).schema_of["state"] == "0001"
    new = tmp_path / "new" / "data"
    restore(Wanted(made, key=folder / "master.key", never_erased=True), new)
    assert rows(new, "SELECT version_num FROM alembic_version") == [("0002",)], "it comes back as of today"

    newer = at_once(folder, tmp_path / "newer-backups", with_key=True)
    monkeypatch.undo()
    with pytest.raises(BadBackup, match="Install"):
        restore(Wanted(newer, never_erased=True), tmp_path / "newest" / "data")


_NEXT = """
from alembic import op
import sqlalchemy as sa

revision = "0002"
down_revision = "0001"


def upgrade():
    op.add_column("lead", sa.Column("more", sa.Text(), nullable=True))
"""


@pytest.mark.parametrize(
    ("now", "last", "is_due"),
    [
        ("2026-11-25 03:29", "2026-11-24 03:30", False),
        ("2026-11-25 03:30", "2026-11-24 03:30", True),
        ("2026-11-25 03:31", "2026-11-25 03:30", False),
        ("2026-11-25 12:00", "2026-11-25 11:00", False),  # a new installation waits for its first night
        ("2026-11-25 12:00", "2026-11-25 02:00", True),  # the machine was off at the time
        ("2026-11-26 01:00", "2026-11-25 12:00", False),
    ],
)
def test_a_backup_is_due_once_a_night(now: str, last: str, is_due: bool) -> None:
    assert due(datetime.fromisoformat(now), "03:30", datetime.fromisoformat(last)) is is_due


def test_the_newest_nightly_ones_are_kept_and_those_made_by_hand_are_not_counted(
    folder: Path, tmp_path: Path
) -> None:
    into = tmp_path / "backups"
    at_once(folder, into, 5)
    files = open_files(folder)
    moments = [datetime(2126, 11, day, 12, tzinfo=UTC) for day in range(20, 26)]

    def make(_why: object) -> Made:
        now_us = int(moment.timestamp()) * 1_000_000
        return make_backup(
            KeptFolder(folder, files.doors, files.store, files.journal),
            into=into,
            why="nightly",
            now_us=now_us,
        )

    nightly = Nightly(make, into, "03:30", 2)
    for moment in moments:
        assert nightly.look(moment)
        assert not nightly.look(moment), "one a night"
    files.close()
    kept = [path.name for path in backups_in(into)]
    assert kept == [
        "leadflow-19700101T000000Z-manual.zip",
        "leadflow-21261124T120000Z-nightly.zip",
        "leadflow-21261125T120000Z-nightly.zip",
    ]


def test_of_two_processes_that_share_a_folder_of_backups_one_makes_them(tmp_path: Path) -> None:
    moment = datetime(2126, 11, 20, 12, tzinfo=UTC)
    second: list[bool] = []
    made = Made(tmp_path / "leadflow-21261120T120000Z-nightly.zip", NOTHING, 0.0)

    def make(_why: object) -> Made:
        second.append(Nightly(make, tmp_path, "03:30", 2).look(moment))
        made.path.touch()
        return made

    assert Nightly(make, tmp_path, "03:30", 2).look(moment)
    assert second == [False], "while the first is at it"
    assert not Nightly(make, tmp_path, "03:30", 2).look(moment), "and afterwards it is there"


def test_a_backup_that_fails_is_tried_again_an_hour_later(tmp_path: Path) -> None:
    tries = []

    def make(_why: object) -> Made:
        tries.append(1)
        raise OSError("disk full")

    nightly = Nightly(make, tmp_path, "03:30", 2)
    for minute in range(0, 120, 10):
        assert not nightly.look(datetime(2126, 11, 20, 12 + minute // 60, minute % 60, tzinfo=UTC))
    assert len(tries) == 2


def test_an_error_outside_the_backup_itself_does_not_end_the_nights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = tmp_path / "leadflow-20260101T000000Z-nightly.zip"
    tried: list[int] = []
    (tmp_path / "leadflow-old-20260101T000000Z-nightly.zip").touch()  # somebody's own copy
    monkeypatch.setattr("leadflow.nightly.LOOK_S", 0.01)
    monkeypatch.setattr("leadflow.nightly.AGAIN_AFTER", timedelta(0))
    monkeypatch.setattr("leadflow.nightly.due", lambda *_: len(tried) < 3)

    def keep(*_: object) -> list[Path]:
        tried.append(1)
        raise PermissionError("not yours")

    monkeypatch.setattr("leadflow.nightly.keep_newest", keep)
    nightly = Nightly(lambda _why: Made(made, NOTHING, 0.0), tmp_path, "03:30", 2)
    nightly.start()
    give_up = time.monotonic() + 30
    while len(tried) < 3:
        assert time.monotonic() < give_up
        time.sleep(0.01)
    nightly.stop()
    assert backups_in(tmp_path, "nightly") == []


def test_a_running_host_makes_up_for_the_night_it_was_off(live: Live) -> None:
    live.stop()
    backups = live.folder.with_name("data.backups")
    backups.mkdir()
    (backups / "leadflow-20200101T000000Z-nightly.zip").touch()
    live.start()
    give_up = time.monotonic() + 20
    while not (made := backups_in(backups, "nightly")[1:]):
        assert time.monotonic() < give_up
        time.sleep(0.05)
    assert read_manifest(made[0]).why == "nightly"
    (age,) = re.findall(r"^leadflow_backup_age_seconds (\S+)$", live.get("/metrics")[1], re.MULTILINE)
    assert float(age) < 60, "counted from when it was begun"


def test_a_backup_killed_half_way_leaves_nothing_that_looks_like_one(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", _SLOW],
        env={**os.environ, "LEADFLOW_DATA": str(folder)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    process.kill()
    process.wait()
    process.stdout.close()
    into = folder.with_name("data.backups")
    assert backups_in(into) == []
    (left,) = into.iterdir()
    os.utime(left, (1, 1))
    made = at_once(folder, into)
    assert list(into.iterdir()) == [made], "what was left behind is swept away"


_SLOW = """
import time
import leadflow.backup as backup

def stand(*_):
    print("writing", flush=True)
    time.sleep(60)

backup.compare = stand
from leadflow.cli import main
import sys
sys.argv = ["leadflow", "backup"]
main()
"""


def rows(folder: Path, query: str) -> list[tuple[object, ...]]:
    files = read_files(folder)
    try:
        with files.store.read() as connection:
            return [tuple(row) for row in connection.exec_driver_sql(query)]
    finally:
        files.close()


def capture_of(folder: Path) -> object:
    """Return the only capture with its raw bytes; None if they cannot be opened."""
    ((capture_id,),) = rows(folder, "SELECT capture_id FROM capture")
    files = read_files(folder)
    try:
        return files.capture(str(capture_id))
    finally:
        files.close()


def unpacked(archive: Path, place: Path) -> dict[str, bytes]:
    manifest = read_manifest(archive)
    place.mkdir()
    unpack(archive, manifest, place)
    return {
        "manifest": manifest.model_dump_json().encode(),
        **{p.name: p.read_bytes() for p in place.iterdir()},
    }


def test_the_doctor_misses_a_backup_after_two_nights(live: Live) -> None:
    key = live.folder / "master.key"
    assert "ok    no backup yet" in leadflow(live.folder, "doctor")
    os.utime(key, (time.time() - 51 * 3_600,) * 2)
    assert "FAIL  no backup yet" in leadflow(live.folder, "doctor", code=1)
    made = backup(live.folder)
    assert "ok    the newest backup is 0 hours old" in leadflow(live.folder, "doctor")
    made.rename(made.with_name("leadflow-20260101T000000Z-nightly.zip"))
    assert "FAIL  the newest backup is" in leadflow(live.folder, "doctor", code=1)
