"""`leadflow demo`: the demo company with its history in a data folder of its own, and live leads coming in."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from leadflow.clock import wall_clock_us
from leadflow.company import read_company
from leadflow.demo.feed import Doors, feed
from leadflow.demo.large import enlarged
from leadflow.demo.seed import seed
from leadflow.embedded import open_files
from leadflow.lock import take_lock
from leadflow.settings import Settings
from schemas.company import Company

FOLDER = Path("demo-data")
"""The demo's own data folder: it never mixes with anything real (see seed.NotADemo)."""
DAYS, CUSTOMERS = 90, 3_000
CALLS = Path("switchboard") / "Master.csv"
"""The file of the switchboard's call records, in the demo's folder."""
LEDGER = "acknowledged.txt"
"""What the feeder was promised, a receipt a line: the sender's own ledger, in the demo's folder."""
SMTP_PORT = 8025
"""Where the demo's mail door listens unless LEADFLOW_SMTP_PORT says otherwise."""

_BANNER = (
    "DEMO 演示 · 海川搬运设备 / Haichuan Handling · nothing is sent out 不向外发送任何内容\n"
    "  open 打开  {url}\n"
)


def demo_main(
    settings: Settings,
    people: int = 0,
    *,
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
) -> int:
    """Fill the folder if it is new, then feed and watch over a host until stopped; return its exit code.

    `people`: so many work there, if it is more than the demo's own.

    The host is a process of its own, so that it can be killed in front of everybody's eyes while the sender
    goes on and remembers what it was promised; killed, it is started again. Raises NotADemo, CompanyError and
    AlreadyRunning.
    """
    calls = settings.data / CALLS
    lock = take_lock(settings.data)
    files = open_files(settings.data, settings.wal_limit_bytes)
    try:
        seed(
            files,
            with_calls(enlarged(demo_company(), people), calls),
            wall_clock_us(),
            days=DAYS,
            customers=CUSTOMERS,
            progress=_progress(say),
        )
    finally:
        files.close()
        lock.close()
    say(_BANNER.format(url=settings.local_url))
    doors = Doors(settings.local_url, CUSTOMERS, ("127.0.0.1", settings.smtp_port), calls)
    stop = threading.Event()
    with (settings.data / LEDGER).open("a") as ledger:

        def acknowledged(receipt: str) -> None:
            ledger.write(receipt + "\n")
            ledger.flush()

        feeder = threading.Thread(
            target=feed, args=(doors, stop, time.time, acknowledged), name="demo-feed", daemon=True
        )
        feeder.start()
        try:
            return _watch_over(settings, say)
        finally:
            stop.set()
            feeder.join()


def _watch_over(settings: Settings, say: Callable[[str], None]) -> int:
    """Run the host, again whenever it was killed, until it ends by itself or is told to."""
    environment = {
        **os.environ,
        "LEADFLOW_DATA": str(settings.data),
        "LEADFLOW_SMTP_PORT": str(settings.smtp_port),
    }
    told = threading.Event()
    host: subprocess.Popen[bytes] | None = None

    def pass_on(number: int, _frame: object) -> None:
        told.set()
        if host is not None:
            host.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        while True:
            # The pipe tells the host when its keeper is gone, however that went.
            host = subprocess.Popen(
                [sys.executable, "-m", "leadflow.demo.host"], env=environment, stdin=subprocess.PIPE
            )
            if told.is_set():
                host.terminate()
            code = host.wait()
            if told.is_set():
                return 0
            if code != -signal.SIGKILL:
                return code
            environment.pop("LEADFLOW_CRASH_AT", None)
            say("killed, and started again 进程被杀，已重新启动")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def demo_settings(settings: Settings) -> Settings:
    """Return the settings with the mail door open."""
    return settings.model_copy(update={"smtp_port": settings.smtp_port or SMTP_PORT})


def demo_company() -> Company:
    """Return the demo company from its files. Raises CompanyError when somebody has broken them."""
    return read_company(demo_files())


def with_calls(company: Company, file: Path) -> Company:
    """Return the company with its switchboard's call records in `file`."""
    pbx = {**company.sources["pbx"], "files": [str(file.absolute())]}
    return company.model_copy(update={"sources": {**company.sources, "pbx": pbx}})


def demo_files() -> Path:
    """Return the folder of the demo company's files: beside this package in a wheel, in examples/ in a clone."""
    packaged = Path(__file__).parent / "company"
    return packaged if packaged.is_dir() else Path(__file__).parents[2] / "examples" / "demo"


def _progress(say: Callable[[str], None]) -> Callable[[int, int], None]:
    told = -1

    def progress(done: int, whole: int) -> None:
        nonlocal told
        tenth = 10 * done // whole
        if tenth > told:
            told = tenth
            say(f"{DAYS} days of history 生成 {DAYS} 天历史数据 … {10 * tenth} %")

    return progress
