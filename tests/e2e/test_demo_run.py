"""`leadflow demo` as people meet it: four channels at once, killed in front of their eyes, nothing lost."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest

from leadflow.clock import wall_clock_us
from leadflow.demo.run import LEDGER, demo_company, with_calls
from leadflow.demo.seed import seed
from leadflow.embedded import open_files
from leadflow.lock import LOCK
from tools.servers import free_port


class Demo:
    """The demo on a folder with a short history, under its keeper."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        files = open_files(folder)
        company = with_calls(demo_company(), folder / "switchboard" / "Master.csv")
        seed(files, company, wall_clock_us(), days=2, customers=20)
        files.close()
        self.environment = {
            **os.environ,
            "LEADFLOW_DATA": str(folder),
            "LEADFLOW_HTTP_PORT": str(self.port),
            "LEADFLOW_SMTP_PORT": str(free_port()),
        }
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "leadflow.cli", "demo"], env=self.environment, stderr=subprocess.DEVNULL
        )

    def ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def page(self, path: str) -> str:
        try:
            return self.ask("GET", path)[1]
        except (OSError, http.client.HTTPException):
            return ""

    def host(self) -> int | None:
        """Return the process id of the host that holds the folder, None if nobody does.

        Taking the lock to see would keep out a host that starts in the same moment.
        """
        try:
            pid = int(orjson.loads((self.folder / LOCK).read_bytes())["pid"])
            return pid if Path(f"/proc/{pid}/cmdline").read_bytes() else None
        except (OSError, ValueError, KeyError):
            return None

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "leadflow.cli", *arguments]
        return subprocess.run(
            command, env=self.environment, capture_output=True, text=True, timeout=120, check=False
        )

    def promised(self) -> list[str]:
        ledger = self.folder / LEDGER
        return ledger.read_text().split() if ledger.exists() else []


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    made = Demo(tmp_path / "demo-data")
    yield made
    made.keeper.kill()
    made.keeper.wait()
    until(lambda: made.host() is None)


def until(holds: Callable[[], object], within_s: float = 30) -> float:
    """Wait until something holds and return how long it took, or fail."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < within_s, "it did not come to hold in time"
        time.sleep(0.1)
    return time.monotonic() - begun


def test_four_channels_within_15_s_and_a_kill_loses_nothing(demo: Demo) -> None:
    until(lambda: "true" in demo.page("/readyz"))

    def channels() -> set[str]:
        return set(re.findall(r'class="channel (\w+)"', demo.page("/").partition('id="live"')[2]))

    took_s = until(lambda: {"web", "email", "cti", "counter"} <= channels(), 25)
    assert took_s < 15
    first_host = demo.host()
    status, answer = demo.ask("POST", "/demo/kill?lang=en")
    killed = re.search(r"/demo/killed/\d+", answer)
    assert (status, bool(killed)) == (200, True)
    assert killed is not None
    until(lambda: demo.host() not in (None, first_host))
    until(lambda: "The sender was promised" in demo.page(f"{killed[0]}?lang=en"))
    # Whatever was promised since counts, too: each look may find some that came this very moment.
    until(lambda: re.search(r"promised [1-9][\d,]*; 0 lost, 0 twice", demo.page(f"{killed[0]}?lang=en")))
    until(lambda: "丢失 0，重复 0" in demo.page(f"{killed[0]}?lang=zh"))
    before = len(demo.promised())
    until(lambda: len(demo.promised()) > before), "the feed goes on"
    assert demo.command("orphans").returncode == 0
    doctor = demo.command("doctor")
    assert doctor.returncode == 0, doctor.stdout

    demo.keeper.send_signal(signal.SIGTERM)
    assert demo.keeper.wait(30) == 0
    assert demo.host() is None


def test_the_host_ends_when_its_keeper_is_killed(demo: Demo) -> None:
    until(lambda: "true" in demo.page("/readyz"))
    demo.keeper.kill()
    demo.keeper.wait()
    until(lambda: demo.host() is None)


def test_another_site_cannot_kill_it(demo: Demo) -> None:
    until(lambda: "true" in demo.page("/readyz"))
    host = demo.host()
    connection = http.client.HTTPConnection("127.0.0.1", demo.port, timeout=10)
    connection.request("POST", "/demo/kill", headers={"Sec-Fetch-Site": "cross-site"})
    assert connection.getresponse().status == 403
    connection.close()
    time.sleep(0.5)
    assert demo.host() == host
