"""The demo's host: a process of its own that can be killed from the first page, and ends with its keeper."""

from __future__ import annotations

import os
import signal
import sys
import threading

from console.kill import Kill
from leadflow.clock import new_id, wall_clock_us
from leadflow.demo.run import LEDGER, demo_settings
from leadflow.embedded import Embedded, open_files
from leadflow.lock import AlreadyRunning, take_lock
from leadflow.logs import set_up_logs
from leadflow.server import serve
from leadflow.settings import Settings
from stream import crash


def main() -> int:
    """Serve the demo's folder until stopped, killed, or left alone."""
    settings = demo_settings(Settings())
    set_up_logs(settings.log_json)
    crash.arm(dict(os.environ))
    url, token = f"http://127.0.0.1:{settings.http_port}", new_id()
    try:
        lock = take_lock(settings.data, url, smtp_port=settings.smtp_port, probe_token=token)
    except AlreadyRunning as running:
        print(running, file=sys.stderr)
        return 2
    threading.Thread(target=_end_with_keeper, name="keeper", daemon=True).start()
    ledger = settings.data / LEDGER

    def acknowledged() -> list[str]:
        return ledger.read_text().split() if ledger.exists() else []

    kill = Kill(die=_die, acknowledged=acknowledged, started_us=wall_clock_us())
    serve(
        Embedded(open_files(settings.data, settings.wal_limit_bytes), token, settings.public_url),
        settings,
        kill,
    )
    lock.close()
    return 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _end_with_keeper() -> None:
    """Wait for the end of the pipe: whoever feeds the demo is gone."""
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
