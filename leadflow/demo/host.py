"""The demo's host: a process of its own that can be killed from the first page, and ends with its keeper."""

from __future__ import annotations

import os
import signal
import sys
import threading

from console.kill import Kill
from leadflow.clock import wall_clock_us
from leadflow.demo.feed import Doors
from leadflow.demo.run import CALLS, LEDGER, demo_settings
from leadflow.demo.stories import DemoStories
from leadflow.lock import AlreadyRunning
from leadflow.server import run_host
from leadflow.settings import Settings


def main() -> int:
    """Serve the demo's folder until stopped, killed, or left alone."""
    settings = demo_settings(Settings())
    threading.Thread(target=_end_with_keeper, name="keeper", daemon=True).start()
    ledger = settings.data / LEDGER

    def acknowledged() -> list[str]:
        return ledger.read_text().split() if ledger.exists() else []

    try:
        doors = Doors(
            settings.local_url,
            0,
            ("127.0.0.1", settings.smtp_port),
            settings.data / CALLS,
        )
        kill = Kill(die=_die, acknowledged=acknowledged, started_us=wall_clock_us())
        run_host(settings, kill, lambda engine: DemoStories(doors, engine))
    except AlreadyRunning as running:
        print(running, file=sys.stderr)
        return 2
    return 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _end_with_keeper() -> None:
    """Wait for the end of the pipe: whoever feeds the demo is gone."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
