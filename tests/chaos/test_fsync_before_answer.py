"""SIGKILL proves nothing about the disk: strace must show the door's WAL synced before each answer."""

from __future__ import annotations

import re
import shutil
import smtplib
import time
from pathlib import Path

import pytest

from tests.e2e.test_calls import MISSED, SOURCE, row
from tests.support.live import Live
from tests.support.rig import small_company
from tools.servers import free_port

_OPENED = re.compile(r'openat\(.*"[^"]*/doors\.db-wal".*\)\s+= (\d+)')
_SYNCED = re.compile(r"f(?:data)?sync\((\d+)\)?")
_ANSWERED = re.compile(
    r"(?:sendto|send|write|writev|sendmsg)\((\d+), .*(?:HTTP/1\.1 202|250 2\.0\.0 Durable)"
)
_ASKED = re.compile(r"(?:recvfrom|recv|read|recvmsg)\((\d+), .*POST /in/|(?:sendto|write)\((\d+), .*354 ")
"""A request that begins, or the server's word that the mail may now come."""


def test_the_doors_wal_is_synced_before_each_202_and_250(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is needed: apt-get install strace (or: make system)"
    trace = tmp_path / "trace"
    smtp_port = free_port()
    company = small_company()
    company.sources["mail"] = {
        "source_id": "mail",
        "channel": "email",
        "format": "email.message",
        "name": "邮箱",
        "addresses": ["sales@haichuan.example"],
    }
    company.sources["desk"] = {
        "source_id": "desk",
        "channel": "counter",
        "format": "counter.visit",
        "name": "前台",
    }
    live = Live(tmp_path, company, LEADFLOW_SMTP_PORT=str(smtp_port))
    calls = "openat,fdatasync,fsync,sendto,sendmsg,write,writev,recvfrom,recvmsg,read"
    live.start(wrapper=(strace, "-D", "-f", "-s", "96", "-e", f"trace={calls}", "-o", str(trace)))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for number in range(20):
        status, _ = live.post("/in/web/site", f"name=a&phone=138000{number:05d}".encode(), headers)
        assert status == 202
        visit = f'{{"visit_no": "visit-{number:04d}", "name": "a"}}'.encode()
        status, _ = live.post("/in/counter/desk", visit, {"Content-Type": "application/json"})
        assert status == 202
        with smtplib.SMTP("127.0.0.1", smtp_port, timeout=20) as smtp:
            smtp.sendmail("a@b.cn", ["sales@haichuan.example"], f"Subject: {number}\r\n\r\nhello\r\n")
    live.stop()
    assert unsynced_answers(trace.read_text(errors="replace").splitlines()) == (60, [])


def test_the_doors_wal_is_synced_before_a_checkpoint_is_gone_by(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is needed: apt-get install strace (or: make system)"
    trace, calls = tmp_path / "trace", tmp_path / "Master.csv"
    calls.touch()
    company = small_company()
    company.sources["pbx"] = {**SOURCE, "files": [str(calls)]}
    live = Live(tmp_path / "data", company)
    what = "openat,fdatasync,fsync,pwrite64,read,pread64,lseek,close"
    live.start(wrapper=(strace, "-D", "-f", "-s", "16", "-e", f"trace={what}", "-o", str(trace)))
    for number in range(10):
        with calls.open("ab") as file:
            file.write(row(number, f"1503000{number:04d}", MISSED))
        give_up = time.monotonic() + 20
        while live.query("SELECT count(*) FROM doors.log") != [(number + 1,)]:
            assert time.monotonic() < give_up
            time.sleep(0.05)
    live.stop()
    looks, bad = unsynced_looks(trace.read_text(errors="replace").splitlines(), calls.name)
    assert looks >= 9, "nobody looks again after the last"
    assert bad == []


def unsynced_looks(lines: list[str], name: str) -> tuple[int, list[str]]:
    """Return how often a followed file was read on after rows had been written, and when these were not synced.

    The checkpoint is written in the transaction of its rows; only whoever reads on has gone by it.
    """
    opened = re.compile(rf'openat\(.*"[^"]*/{re.escape(name)}".*\)\s+= (\d+)')
    wal, written, synced, looks, bad = set[str](), False, False, 0, []
    for line in lines:
        if match := _OPENED.search(line):
            wal.add(match[1])
        elif (match := re.search(r"pwrite64\((\d+),", line)) and match[1] in wal:
            written, synced = True, False
        elif (match := _SYNCED.search(line)) and match[1] in wal:
            synced = True
        elif opened.search(line) and written:
            looks += 1
            written = False
            if not synced:
                bad.append(line)
    return looks, bad


def unsynced_answers(lines: list[str]) -> tuple[int, list[str]]:
    """Return how many 202s were seen, and those before which the WAL was not synced since their request."""
    wal, synced, answers, bad = set[str](), False, 0, []
    for line in lines:
        if match := _OPENED.search(line):
            wal.add(match[1])
        elif _ASKED.search(line):
            synced = False
        elif (match := _SYNCED.search(line)) and match[1] in wal:
            synced = True
        elif _ANSWERED.search(line):
            answers += 1
            if not synced:
                bad.append(line)
    return answers, bad


@pytest.mark.parametrize("synced", [True, False])
def test_the_other_check_sees_a_missing_sync_too(synced: bool) -> None:
    lines = [
        '1 openat(AT_FDCWD, "/d/doors.db-wal", O_RDWR|O_CREAT, 0644) = 7',
        '2 openat(AT_FDCWD, "/d/Master.csv", O_RDONLY) = 9',
        '3 pwrite64(7, "...", 4096, 0) = 4096',
        *(["3 fdatasync(7) = 0"] if synced else ["3 fdatasync(8) = 0"]),
        '2 openat(AT_FDCWD, "/d/Master.csv", O_RDONLY) = 9',
    ]
    looks, bad = unsynced_looks(lines, "Master.csv")
    assert (looks, bool(bad)) == (1, not synced)


@pytest.mark.parametrize("synced", [True, False])
def test_the_check_itself_sees_a_missing_sync(synced: bool) -> None:
    lines = [
        '1 openat(AT_FDCWD, "/d/doors.db-wal", O_RDWR|O_CREAT, 0644) = 7',
        '2 recvfrom(9, "POST /in/web/site HTTP/1.1\\r\\n", 65536, 0, NULL, NULL) = 40',
        *(["3 fdatasync(7) = 0"] if synced else ["3 fdatasync(8) = 0"]),
        '2 sendto(9, "HTTP/1.1 202 Accepted", 21, 0, NULL, 0) = 21',
    ]
    answers, bad = unsynced_answers(lines)
    assert (answers, bool(bad)) == (1, not synced)
