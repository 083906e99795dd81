"""A real MariaDB on a free port, with a folder of its own and a table as FreePBX and Issabel make it."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pymysql

from tools.servers import free_port

USER, PASSWORD = "leadflow", "geheim"

CDR = """
CREATE TABLE cdr (
  calldate datetime NOT NULL DEFAULT '0000-00-00 00:00:00',
  clid varchar(80) NOT NULL DEFAULT '',
  src varchar(80) NOT NULL DEFAULT '',
  dst varchar(80) NOT NULL DEFAULT '',
  dcontext varchar(80) NOT NULL DEFAULT '',
  channel varchar(80) NOT NULL DEFAULT '',
  dstchannel varchar(80) NOT NULL DEFAULT '',
  lastapp varchar(80) NOT NULL DEFAULT '',
  lastdata varchar(80) NOT NULL DEFAULT '',
  duration int(11) NOT NULL DEFAULT '0',
  billsec int(11) NOT NULL DEFAULT '0',
  disposition varchar(45) NOT NULL DEFAULT '',
  amaflags int(11) NOT NULL DEFAULT '0',
  accountcode varchar(20) NOT NULL DEFAULT '',
  uniqueid varchar(32) NOT NULL DEFAULT '',
  userfield varchar(255) NOT NULL DEFAULT '',
  recordingfile varchar(255) NOT NULL DEFAULT '',
  cnum varchar(40) NOT NULL DEFAULT '',
  did varchar(50) NOT NULL DEFAULT '',
  KEY calldate (calldate),
  KEY uniqueid (uniqueid)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
"""
"""Columns as in Issabel's compat-dbscripts/01-asteriskcdrdb.sql."""


class MariaDb:
    """The server: started, stopped, started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Make its folder if there is none, start it, and wait until it answers."""
        data, me = self.folder / "data", getpass.getuser()
        is_root = os.geteuid() == 0
        user = next((one for one in ("mysql", "nobody") if _is_there(one)), me) if is_root else me
        if not data.exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            data.mkdir()
            if is_root:
                known = pwd.getpwnam(user)
                for one in (self.folder, data):
                    os.chown(one, known.pw_uid, known.pw_gid)
            install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", f"--user={user}", "--auth-root-authentication-method=normal", "--skip-test-db"]  # fmt: skip
            done = subprocess.run(install, capture_output=True, text=True, check=False)
            if done.returncode:
                raise RuntimeError(f"MariaDB could not be set up: {done.stdout[-800:]} {done.stderr[-800:]}")
            if is_root:
                for one in data.rglob("*"):
                    os.chown(one, known.pw_uid, known.pw_gid)
        program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
        command = [program, "--no-defaults", f"--datadir={data}", f"--user={user}", f"--port={self.port}", "--bind-address=127.0.0.1", f"--socket={self.folder}/s", f"--pid-file={self.folder}/pid", "--innodb-buffer-pool-size=32M", "--skip-log-bin"]  # fmt: skip
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(command, stdout=output, stderr=output)
        give_up = time.monotonic() + 60
        while time.monotonic() < give_up and self._process.poll() is None:
            with suppress(pymysql.Error):
                self.do("SELECT 1", database=None)
                return
            time.sleep(0.1)
        raise RuntimeError(f"MariaDB did not start: {(self.folder / 'output').read_text()[-1500:]}")

    def stop(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def do(self, *statements: str, database: str | None = "asteriskcdrdb", values: Any = None) -> None:
        """Do something as its administrator."""
        with closing(pymysql.connect(host="127.0.0.1", port=self.port, user="root", database=database, autocommit=True)) as connection:  # fmt: skip
            for one in statements:
                with connection.cursor() as cursor:
                    cursor.execute(one, values)

    def fresh(self) -> None:
        """Make the database anew, with a user who may only read it."""
        self.do(
            "DROP DATABASE IF EXISTS asteriskcdrdb",
            "CREATE DATABASE asteriskcdrdb CHARACTER SET utf8mb4",
            f"CREATE OR REPLACE USER '{USER}'@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'",
            f"GRANT SELECT ON asteriskcdrdb.* TO '{USER}'@'127.0.0.1'",
            database=None,
        )
        self.do(CDR)

    @property
    def url(self) -> str:
        """The address without the password."""
        return f"mysql+pymysql://{USER}@127.0.0.1:{self.port}/asteriskcdrdb"


def _is_there(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@contextmanager
def mariadb() -> Iterator[MariaDb]:
    """Run a server until the end of the block, in a folder that whoever it runs as can reach (pytest's are private)."""
    with TemporaryDirectory(prefix="leadflow-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)
        made = MariaDb(Path(folder))
        made.start()
        try:
            yield made
        finally:
            made.stop()
