"""`make cluster` and `make demo-cluster`: the demo company on real Kafka and PostgreSQL, every part twice where that says something.

Servers are those that LEADFLOW_KAFKA and LEADFLOW_DATABASE_URL name; else Docker Compose starts them, if a container
engine runs; else a broker from its jars and a private PostgreSQL are started.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from urllib.request import urlopen

from sqlalchemy import text

from leadflow.demo.cast import dice
from leadflow.demo.feed import FEEDERS, SLOT_S, Doors
from leadflow.demo.run import CUSTOMERS, demo_company, with_calls
from leadflow.demo.script import SEED
from sales.files import write_folder
from store.database import Database, open_postgres
from tools.servers import free_port, kafka, kafka_jars, postgres

FOLDER = Path("cluster-data")
STATE = FOLDER / "cluster.json"
PARTS = ("doors", "doors", "stages", "stages", "sinks", "timers", "timers", "console")
LEADS = 40
"""Ten through each of the four doors."""
ROUTED_S = 60


def main() -> int:
    """Run the command named by the first argument."""
    return {"up": up, "demo": demo}[sys.argv[1]]()


def up() -> int:
    """Start servers and parts, and watch over them until told to stop; return the exit code."""
    FOLDER.mkdir(exist_ok=True)
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    with ExitStack() as servers:
        address, url = servers.enter_context(_servers())
        environment = {
            **os.environ,
            "LEADFLOW_KAFKA": address,
            "LEADFLOW_DATABASE_URL": url,
            "LEADFLOW_MASTER_KEY": str((FOLDER / "master.key").absolute()),
        }
        (bodies := (FOLDER / "bodies").absolute()).mkdir(exist_ok=True)
        environment.setdefault("LEADFLOW_CONTENT", bodies.as_uri())
        parts = [_Part(name, number, environment) for number, name in enumerate(PARTS, 1)]
        doors = parts[0]
        environment["LEADFLOW_DOORS_URL"] = doors.url
        environment["LEADFLOW_SMTP_PORT"] = doors.environment["LEADFLOW_SMTP_PORT"]
        _leadflow(environment, "topics", "apply")
        calls = FOLDER / "switchboard" / "Master.csv"
        calls.parent.mkdir(exist_ok=True)
        write_folder(with_calls(demo_company(), calls), FOLDER / "company")
        _leadflow(environment, "apply", str(FOLDER / "company"))
        for part in parts:
            part.start()
        while not stopping.wait(0.5) and not all(part.is_ready() for part in parts):
            for part in parts:
                part.restart_if_gone()
        state = {
            "environment": {key: value for key, value in environment.items() if key.startswith("LEADFLOW_")},
            "doors": doors.url,
            "calls": str(calls),
        }
        STATE.write_text(json.dumps(state))
        print(f"doors 接入  {doors.url} {parts[1].url}\nconsole 控制台  {parts[-1].url}", flush=True)
        print("in another terminal 在另一个终端：make demo-cluster", flush=True)
        while not stopping.wait(0.5):
            for part in parts:
                part.restart_if_gone()
        for part in parts:
            part.stop()
        STATE.unlink()
    return 0


def demo() -> int:
    """Feed the running cluster through all four channels; return 0 once every lead has a holder."""
    if not STATE.exists():
        print("No cluster runs here. Start it in another terminal: make cluster", file=sys.stderr)
        return 2
    state = json.loads(STATE.read_text())
    url = state["environment"]["LEADFLOW_DATABASE_URL"]
    smtp = ("127.0.0.1", int(state["environment"]["LEADFLOW_SMTP_PORT"]))
    doors = Doors(state["doors"], CUSTOMERS, smtp, Path(state["calls"]))
    store = open_postgres(url)
    before = _routed(store)
    first = int(time.time()) // SLOT_S - LEADS
    for slot in range(first, first + LEADS):
        feeder = FEEDERS[slot % len(FEEDERS)]
        feeder(doors, slot, dice(SEED, "live", feeder.__name__, slot), True)
    give_up = time.monotonic() + ROUTED_S
    routed = before
    try:
        while not _all(routed, before) and time.monotonic() < give_up:
            time.sleep(0.5)
            routed = _routed(store)
    finally:
        store.close()
    for channel, (leads, held) in sorted(routed.items()):
        print(f"{channel:8} {leads:4} leads, {held:4} routed", flush=True)
    if not _all(routed, before):
        print(f"Not every lead was routed within {ROUTED_S} s. See: leadflow doctor", file=sys.stderr)
        return 1
    return _leadflow({**os.environ, **state["environment"]}, "doctor")


def _routed(store: Database) -> dict[str, tuple[int, int]]:
    """Return by channel how many leads there are, and how many of them a rule gave to somebody."""
    with store.read() as connection:
        return {row.channel: (row.leads, row.routed) for row in connection.execute(text(_ROUTED))}


def _all(routed: dict[str, tuple[int, int]], before: dict[str, tuple[int, int]]) -> bool:
    """Tell whether every channel's share of the demo's leads has come, and each lead has a holder."""
    fed = LEADS // len(FEEDERS)
    return len(routed) == len(FEEDERS) and all(
        leads == held and leads - before.get(channel, (0, 0))[0] >= fed
        for channel, (leads, held) in routed.items()
    )


_ROUTED = """
SELECT lead.channel, count(*) AS leads, count(holding.customer_id) AS routed
FROM lead
JOIN membership ON membership.lead_id = lead.lead_id AND membership.to_us IS NULL
LEFT JOIN holding ON holding.customer_id = membership.customer_id AND holding.role = 'owner'
    AND holding.to_us IS NULL AND holding.holder_id <> 'intake'
WHERE lead.purpose <> 'probe'
GROUP BY lead.channel
"""


class _Part:
    """One process of the cluster, with a data folder and a port of its own."""

    def __init__(self, name: str, number: int, environment: dict[str, str]) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = environment | {
            "LEADFLOW_DATA": str((FOLDER / f"{name}-{number}").absolute()),
            "LEADFLOW_HTTP_PORT": str(port),
            "LEADFLOW_SMTP_PORT": str(free_port()) if name == "doors" else "0",
        }

    def start(self) -> None:
        command = [sys.executable, "-m", "leadflow.cli", self._name]
        self._process = subprocess.Popen(command, env=self.environment, start_new_session=True)

    def is_ready(self) -> bool:
        try:
            with urlopen(f"{self.url}/readyz", timeout=5):  # noqa: S310 (our own part, by http)
                return True
        except OSError:  # not there yet, or it says why not (URLError and HTTPError are OSErrors)
            return False

    def restart_if_gone(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            print(f"{self._name} ended with {self._process.returncode}: started again", file=sys.stderr)
            self.start()

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)


@contextmanager
def _servers() -> Iterator[tuple[str, str]]:
    named = "LEADFLOW_KAFKA" in os.environ and "LEADFLOW_DATABASE_URL" in os.environ
    if not named and _has_engine():
        with _compose() as found:
            yield found
        return
    kafka_jars()
    folder = FOLDER.absolute()
    with kafka(folder / "kafka") as address, postgres(folder / "postgres") as url:
        yield address, url


def _has_engine() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


@contextmanager
def _compose() -> Iterator[tuple[str, str]]:
    """Start the two servers of docker-compose.yml only; Leadflow's own parts run from this clone."""
    files = ["docker", "compose", "-f", "docker-compose.yml", "-f", "tools/compose.dev.yml"]
    subprocess.run([*files, "up", "--wait", "kafka", "postgres"], check=True)
    try:
        yield "127.0.0.1:9092", "postgresql+psycopg://leadflow:leadflow@127.0.0.1:5432/leadflow"
    finally:
        subprocess.run([*files, "stop"], check=False)


def _leadflow(environment: dict[str, str], *arguments: str) -> int:
    operator = {**environment, "LEADFLOW_DATA": str((FOLDER / "operator").absolute())}
    command = [sys.executable, "-m", "leadflow.cli", *arguments]
    return subprocess.run(command, env=operator, check=arguments[0] != "doctor").returncode


if __name__ == "__main__":
    sys.exit(main())
