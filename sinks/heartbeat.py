"""The heartbeat: a request outward at an interval while all is well. Its absence is the alarm, at whoever listens.

Made for dead man's switches such as healthchecks.io, where `/fail` behind the address says at once that something is wrong
(healthchecks.io/docs/http_api), or Uptime Kuma's push monitors, where `?status=down` does.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

import httpx2
import structlog

from sinks.port import Outside

log = structlog.get_logger()


class Heartbeat:
    """Asks for the first of `urls` every `every_s` seconds while `trouble` is None; else for the second, if there is one."""

    def __init__(
        self,
        urls: tuple[str, str | None],
        every_s: float,
        trouble: Callable[[], str | None],
        outside: Outside,
    ) -> None:
        self._url, self._fail_url = urls
        self._every_s = every_s
        self._trouble = trouble
        self._outside = outside
        self._arrived = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start beating, at once."""
        self._thread.start()

    def stop(self) -> None:
        """Beat no more."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._outside.http.close()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self.beat()
            self._stopping.wait(self._every_s)

    def beat(self) -> bool:
        """Send one; return whether it arrived."""
        url = self._url if self._trouble() is None else self._fail_url
        if url is None:
            return False
        try:
            code = str(self._outside.http.get(url).status_code)
            arrived = code.startswith("2")
        except (httpx2.TransportError, httpx2.InvalidURL) as error:
            code, arrived = type(error).__name__, False
        if self._arrived and not arrived:  # said once, not once a minute
            log.warning("heartbeat_lost", code=code)
        self._arrived = arrived
        return arrived
