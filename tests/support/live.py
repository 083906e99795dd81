"""A real Leadflow process: started, fed over HTTP, killed, started again, and looked at afterwards."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import text

from leadflow.embedded import open_files
from schemas.company import Company
from store.company import put_company
from store.database import open_sqlite
from tests.support.rig import small_company
from tools.servers import free_port


class Live:
    """One data folder and the process that runs it."""

    def __init__(self, folder: Path, company: Company | None = None, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.starts = 0
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        files = open_files(folder)
        with files.store.write() as connection:
            put_company(connection, company or small_company(), 0)
        files.close()

    def start(
        self, wrapper: tuple[str, ...] = (), statuses: tuple[int, ...] = (200,), **environment: str
    ) -> None:
        """Start the process and wait until it is ready (/readyz says one of `statuses`), or already dead again."""
        self.starts += 1
        variables = {
            **os.environ,
            "LEADFLOW_DATA": str(self.folder),
            "LEADFLOW_HTTP_PORT": str(self.port),
            **self._environment,
            **environment,
        }
        command = [*wrapper, sys.executable, "-m", "leadflow.cli", "run"]
        with (self.folder / "stderr.log").open("ab") as errors:
            self._process = subprocess.Popen(command, env=variables, stderr=errors)
        give_up = time.monotonic() + 60
        while self.alive and time.monotonic() < give_up:
            try:
                if self.get("/readyz")[0] in statuses:
                    return
            except OSError:
                time.sleep(0.05)
        if self.alive:
            raise TimeoutError(f"not ready after 60 s: {(self.folder / 'stderr.log').read_text()[-2000:]}")

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """SIGTERM, as an operator would; raises if the process does not end well."""
        if self._process is None or not self.alive:
            return
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(30)
        if code not in (0, -signal.SIGTERM):
            raise RuntimeError(f"ended with {code}: {(self.folder / 'stderr.log').read_text()[-2000:]}")

    def get(self, path: str) -> tuple[int, Any]:
        """GET a JSON or text answer."""
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> tuple[int, Any]:
        """POST and read a JSON answer. Raises OSError or HTTPException when the process dies meanwhile."""
        return self._ask("POST", path, body, headers)

    def _ask(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, dict(headers))
            answer = connection.getresponse()
            content = answer.read()
        finally:
            connection.close()
        is_json = (answer.getheader("content-type") or "").startswith(
            ("application/json", "application/problem+json")
        )
        return answer.status, orjson.loads(content) if is_json else content.decode()

    def drained(self, timeout_s: float = 30) -> None:
        """Wait until every stage has caught up with everything durable."""
        give_up = time.monotonic() + timeout_s
        while self.query(_BACKLOG)[0][0] != 0:
            if time.monotonic() > give_up:
                raise TimeoutError(f"stages did not catch up: {self.query('SELECT * FROM progress')}")
            time.sleep(0.05)

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the store, with `doors` attached, while the process may be running."""
        store = open_sqlite(self.folder / "store.db")
        try:
            with store.read() as connection:
                doors = self.folder / "doors.db"
                connection.rollback()
                raw: Any = connection.connection.driver_connection
                raw.execute(f"ATTACH DATABASE 'file:{doors}' AS doors")
                return [tuple(row) for row in connection.execute(text(sql))]
        finally:
            store.close()

    def integrity(self) -> list[str]:
        """Return what SQLite says of both files; `ok` twice when they are sound."""
        found = []
        for name in ("doors.db", "store.db"):
            database = open_sqlite(self.folder / name)
            with database.read() as connection:
                found += list(connection.execute(text("PRAGMA integrity_check")).scalars())
                found += [str(row) for row in connection.execute(text("PRAGMA foreign_key_check"))]
            database.close()
        return found


_BACKLOG = """
SELECT coalesce(sum(head.next_off - coalesce(progress.next_off, 0)), 0)
FROM (
    SELECT topic, next_off FROM doors.topic_head
    UNION ALL SELECT topic, next_off FROM main.topic_head WHERE topic IN ('leads', 'resolved', 'reroute', 'assignments')
) AS head
LEFT JOIN main.progress ON progress.topic = head.topic
"""
