"""A whole Leadflow on a free port, in threads of the test's own process, and a browser to look at it."""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from playwright.sync_api import Browser, Route, sync_playwright
from sqlalchemy import select

from leadflow.demo.feed import Doors
from leadflow.demo.stories import DemoStories
from leadflow.embedded import Embedded, open_files
from leadflow.server import make_app
from leadflow.settings import Settings
from schemas.company import Company
from store import tables
from store.company import put_company

CHROMIUM_ARGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP leads.haichuan.example 127.0.0.1",
)
_WAIT_S = 15.0


class Live:
    """A running server: its address, and its store to look into."""

    def __init__(self, url: str, engine: Embedded) -> None:
        self.url = url
        self.engine = engine

    @property
    def from_elsewhere(self) -> str:
        """Its address under a name that is not this machine's own, as through a proxy."""
        return self.url.replace("127.0.0.1", "leads.haichuan.example")

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return a table's rows."""
        table = tables.state.tables[name]
        with self.engine.files.store.read() as connection:
            return [dict(row) for row in connection.execute(select(table)).mappings()]

    def wait_for(self, name: str, found: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Return the first row of a table that is as wanted, as soon as there is one."""
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            for row in self.rows(name):
                if found(row):
                    return row
            time.sleep(0.02)
        raise AssertionError(f"no row of {name} came to be as wanted within {_WAIT_S:.0f} s")


@contextmanager
def live_server(
    folder: Path, company: Company, smtp_port: int = 0, calls: Path | None = None
) -> Iterator[Live]:
    """Run doors, stages and console over a data folder, until the end of the block; with `calls`, the demo's stories, too."""
    files = open_files(folder)
    with files.store.write() as connection:
        put_company(connection, company, time.time_ns() // 1_000)
    engine = Embedded(files)
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    doors = Doors(f"http://127.0.0.1:{port}", 0, ("127.0.0.1", smtp_port), calls)
    stories = (lambda host: DemoStories(doors, host)) if calls is not None else None
    app = make_app(engine, Settings(data=folder, smtp_port=smtp_port), stories=stories)
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        ws="none",
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    deadline = time.monotonic() + _WAIT_S
    while not server.started:
        if time.monotonic() > deadline:
            raise AssertionError("the server did not start")
        time.sleep(0.01)
    try:
        yield Live(f"http://127.0.0.1:{port}", engine)
    finally:
        app.state.stopping.set()
        server.should_exit = True
        thread.join(_WAIT_S)
        listener.close()


def find_chromium() -> str | None:
    """Return the distribution's Chromium (or LEADFLOW_CHROMIUM), None if there is none."""
    names = (os.environ.get("LEADFLOW_CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


@contextmanager
def chromium(executable: str) -> Iterator[Browser]:
    """Run a browser without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(CHROMIUM_ARGS))
        yield browser
        browser.close()


def unanswered(route: Route) -> None:
    """Have what is sent arrive, and the answer not be waited for: the page stays."""
    route.fetch(max_redirects=0)
    route.abort("aborted")
