"""SIGKILL proves nothing about the disk: strace must show the door's WAL synced before each answer."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.live import Live

_OPENED = re.compile(r'openat\(.*"[^"]*/doors\.db-wal".*\)\s+= (\d+)')
_SYNCED = re.compile(r"f(?:data)?sync\((\d+)\)?")
_ANSWERED = re.compile(r"(?:sendto|send|write|writev|sendmsg)\((\d+), .*HTTP/1\.1 202")
_ASKED = re.compile(r"(?:recvfrom|recv|read|recvmsg)\((\d+), .*POST /in/web/site")


def test_the_doors_wal_is_synced_between_each_request_and_its_202(tmp_path: Path) -> None:
    strace = shutil.which("strace")
    assert strace, "strace is needed: apt-get install strace (or: make system)"
    trace = tmp_path / "trace"
    live = Live(tmp_path)
    calls = "openat,fdatasync,fsync,sendto,sendmsg,write,writev,recvfrom,recvmsg,read"
    live.start(wrapper=(strace, "-D", "-f", "-s", "96", "-e", f"trace={calls}", "-o", str(trace)))
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for number in range(20):
        status, _ = live.post("/in/web/site", f"name=a&phone=138000{number:05d}".encode(), headers)
        assert status == 202
    live.stop()
    assert unsynced_answers(trace.read_text(errors="replace").splitlines()) == (20, [])


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
def test_the_check_itself_sees_a_missing_sync(synced: bool) -> None:
    lines = [
        '1 openat(AT_FDCWD, "/d/doors.db-wal", O_RDWR|O_CREAT, 0644) = 7',
        '2 recvfrom(9, "POST /in/web/site HTTP/1.1\\r\\n", 65536, 0, NULL, NULL) = 40',
        *(["3 fdatasync(7) = 0"] if synced else ["3 fdatasync(8) = 0"]),
        '2 sendto(9, "HTTP/1.1 202 Accepted", 21, 0, NULL, 0) = 21',
    ]
    answers, bad = unsynced_answers(lines)
    assert (answers, bool(bad)) == (1, not synced)
