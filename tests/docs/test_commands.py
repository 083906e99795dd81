"""The commands of the pages do what the pages say, on a real process with the demo company."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from leadflow.demo.run import demo_company, with_calls
from tests.docs.pages import PAGES, ROOT, Block, blocks
from tests.support.live import Live
from tools.servers import free_port

WAIT_S = 20.0
EXECUTED = [one.relative_to(ROOT).as_posix() for one in PAGES if one.name != "README.zh-CN.md"]


class Terminal:
    """A shell whose folder and variables last from one block to the next."""

    def __init__(self, folder: Path, ports: dict[str, int]) -> None:
        self._ports = ports
        self._state = folder / ".terminal"
        self._environment = {
            key: value for key, value in os.environ.items() if not key.startswith("LEADFLOW_")
        }
        self._environment["PATH"] = f"{Path(sys.executable).parent}:{self._environment['PATH']}"
        self._environment["LANG"] = "C.UTF-8"
        self._environment["LEADFLOW_DATA"] = str(folder / "demo-data")
        self.folder = folder

    def run(self, block: Block) -> str:
        """Run a block and return its output, or fail with what it said."""
        text = block.text
        for address, port in self._ports.items():
            text = text.replace(address, f"127.0.0.1:{port}")
        state = f"'{self._state}'"
        script = f"set -ae\n[ ! -f {state} ] || . {state}\ncd '{self.folder}'\n{text}\nexport -p > {state}\n"
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )
        if (done.returncode == 0) == block.marker.endswith("fails"):
            pytest.fail(f"{block.text}\nended with {done.returncode}: {done.stdout}")
        return done.stdout

    def run_until_it_fits(self, block: Block) -> str:
        """Run a block; one that waits for the stages is run again until its output is as promised."""
        give_up = time.monotonic() + (WAIT_S if block.marker.endswith("wait") else 0)
        while True:
            output = self.run(block)
            if block.fits(output) or time.monotonic() > give_up:
                return output
            time.sleep(0.2)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Live, int]]:
    folder = tmp_path_factory.mktemp("docs")
    (folder / "demo-data" / "switchboard").mkdir(parents=True)
    company = with_calls(demo_company(), folder / "demo-data" / "switchboard" / "Master.csv")
    company.sources["pbx"]["settle_s"] = 0.3
    smtp_port = free_port()
    made = Live(folder / "demo-data", company, LEADFLOW_SMTP_PORT=str(smtp_port))
    made.start()
    yield made, smtp_port
    made.stop()


@pytest.mark.parametrize("name", [one for one in EXECUTED if blocks(one, "run")])
def test_every_marked_block_does_what_the_page_says(
    name: str, live: tuple[Live, int], tmp_path: Path
) -> None:
    running, smtp_port = live
    folder = running.folder.parent
    ports = {"127.0.0.1:8080": running.port, "127.0.0.1:8025": smtp_port}
    terminal = Terminal(_furnished(folder), ports)
    for block in blocks(name, "run"):
        if "empty folder" in block.marker:
            terminal = Terminal(_furnished(tmp_path), ports)
        program = block.marker.partition("run if ")[2]
        if program and shutil.which(program) is None:
            continue  # the page shows another way beside it
        output = terminal.run_until_it_fits(block)
        assert block.fits(output), f"{block.text}\nprinted\n{output}\ninstead of\n{block.output}"


def test_both_languages_show_the_same_commands() -> None:
    assert blocks("README.zh-CN.md", "run") == blocks("README.md", "run")


def _furnished(folder: Path) -> Path:
    if not (folder / "examples").exists():
        (folder / "examples").symlink_to(ROOT / "examples")
    return folder
