"""Servers to be measured, each in a process of its own: the product with its stages paused, and some that store nothing.

python -m bench.served paused|bare|bare-route|null-smtp      (ports and folder as for `leadflow run`)
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from ingest.email.door import MAX_MAIL_BYTES
from leadflow.embedded import Embedded, open_files, read_files
from leadflow.server import serve, serve_app
from leadflow.settings import Settings
from tools.servers import free_port

_READY_S = 30.0
_ROOT = Path(__file__).parent.parent


class Paused(Embedded):
    """The product's engine whose doors take everything while no stage works on it."""

    def start(self) -> None:
        """Start the doors' writer only."""
        self.door.start()

    def stop(self) -> None:
        """Write what waits and close the files."""
        self.door.close()
        self.files.close()


async def bare(_scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer 202: the least that any handler on this server can do."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 202, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def bare_route() -> ASGIApp:
    """Return the same as a route of the product's own stack: what its door costs beside the framework's share."""

    async def answer(request: Request) -> Response:
        await request.body()
        return JSONResponse({}, status_code=202)

    routes = [Route("/in/web/{source_id}", answer, methods=["POST"])]
    return Starlette(routes=routes)


class _Nothing:
    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:
        return "250 2.0.0 Gone"


def serve_null_smtp(port: int) -> None:
    """Take every mail and store nothing."""

    async def run() -> None:
        loop = asyncio.get_running_loop()

        def session() -> SMTP:
            return SMTP(
                _Nothing(), data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True, decode_data=False, loop=loop
            )

        server = await loop.create_server(session, "127.0.0.1", port)
        await server.serve_forever()

    uvloop.run(run())


@dataclass(frozen=True)
class Server:
    """Where a server listens, and its process."""

    port: int
    smtp_port: int
    pid: int


@contextmanager
def served(kind: str, folder: Path | None = None) -> Iterator[Server]:
    """Run a server in a process of its own while the block lasts: one of these, or `run`, the product as it is."""
    port, smtp_port = free_port(), free_port()
    command = [sys.executable, "-m", "leadflow.cli", "run"]
    if kind != "run":
        command = [sys.executable, "-m", "bench.served", kind]
    settings = {
        "LEADFLOW_DATA": str(folder),
        "LEADFLOW_HTTP_PORT": str(port),
        "LEADFLOW_SMTP_PORT": str(smtp_port),
    }
    process = subprocess.Popen(command, env={**os.environ, **settings}, cwd=_ROOT)
    try:
        _wait_for(smtp_port if kind == "null-smtp" else port, process)
        yield Server(port, smtp_port, process.pid)
    finally:
        process.terminate()
        process.wait()


def assigned(folder: Path) -> int:
    """Return how many assignments a data folder holds, beside a host that may be running."""
    files = read_files(folder)
    try:
        with files.store.read() as connection:
            return files.store_log.head(connection, "assignments")[1]
    finally:
        files.close()


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    give_up = time.monotonic() + _READY_S
    while time.monotonic() < give_up and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"nothing answers on port {port}")


if __name__ == "__main__":
    settings = Settings()
    match sys.argv[1:]:
        case ["paused"]:
            serve(Paused(open_files(settings.data)), settings)
        case ["bare"]:
            serve_app(bare, settings.host, settings.http_port)
        case ["bare-route"]:
            serve_app(bare_route(), settings.host, settings.http_port)
        case ["null-smtp"]:
            serve_null_smtp(settings.smtp_port)
        case _:
            sys.exit(__doc__)
