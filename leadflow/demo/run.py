"""`leadflow demo`: the demo company with its history in a data folder of its own, and live leads coming in."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ingest.registry import FORMATS
from leadflow.clock import wall_clock_us
from leadflow.demo.feed import Doors, feed
from leadflow.demo.seed import seed
from leadflow.embedded import Embedded, open_files
from leadflow.server import serve
from leadflow.settings import Settings
from router.book import read_book
from sales.files import read_company
from schemas.company import Company
from sinks.registry import SETTINGS

FOLDER = Path("demo-data")
"""The demo's own data folder: it never mixes with anything real (see seed.NotADemo)."""
DAYS, CUSTOMERS = 90, 3_000
SMTP_PORT = 8025
"""Where the demo's mail door listens unless LEADFLOW_SMTP_PORT says otherwise."""

_BANNER = (
    "DEMO 演示 · 海川搬运设备 / Haichuan Handling · nothing is sent out 不向外发送任何内容\n"
    "  open 打开  {url}\n"
)


def demo_main(
    settings: Settings,
    probe_token: str = "",
    *,
    say: Callable[[str], None] = lambda text: print(text, file=sys.stderr),
) -> None:
    """Fill the folder if it is new, then run everything until stopped. Raises NotADemo, CompanyError."""
    calls = settings.data / "switchboard" / "Master.csv"
    files = open_files(settings.data, settings.wal_limit_bytes)
    try:
        seed(
            files,
            with_calls(demo_company(), calls),
            wall_clock_us(),
            days=DAYS,
            customers=CUSTOMERS,
            progress=_progress(say),
        )
    except BaseException:
        files.close()
        raise
    url = f"http://127.0.0.1:{settings.http_port}"
    say(_BANNER.format(url=url))
    stop = threading.Event()
    feeder = threading.Thread(
        target=feed,
        args=(Doors(url, CUSTOMERS, ("127.0.0.1", settings.smtp_port), calls), stop, time.time),
        name="demo-feed",
        daemon=True,
    )
    feeder.start()
    try:
        serve(Embedded(files, probe_token, settings.public_url), settings)
    finally:
        stop.set()
        feeder.join()


def demo_settings(settings: Settings) -> Settings:
    """Return the settings with the mail door open."""
    return settings.model_copy(update={"smtp_port": settings.smtp_port or SMTP_PORT})


def demo_company() -> Company:
    """Return the demo company from its files. Raises CompanyError when somebody has broken them."""
    formats = {name: one.settings for name, one in FORMATS.items()}
    return read_company(demo_files(), read_book=read_book, formats=formats, sinks=SETTINGS)


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
