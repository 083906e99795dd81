"""`leadflow import run` killed by SIGKILL again and again: what was acknowledged is there, and no row counts twice."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest

from store.imports import became, read_run
from tests.support.lists import bringing, company_of_lists

ROWS = 6_000


def progress(folder: Path) -> int:
    """Return how far the only list is, by a connection of our own."""
    try:
        with sqlite3.connect(f"file:{folder / 'store.db'}?mode=ro", uri=True, timeout=5) as connection:
            row = connection.execute("SELECT next_row FROM import_run").fetchone()
        connection.close()
    except sqlite3.Error:
        return 0
    return row[0] if row else 0


@pytest.mark.timeout(120)
def test_killed_at_any_instant_it_goes_on_and_nothing_comes_twice(tmp_path: Path) -> None:
    folder, file, chance = tmp_path / "data", tmp_path / "list.csv", Random(11)
    with bringing(folder, company_of_lists()):
        pass
    lines = (f"c{n},{'1.39E+10' if n % 40 == 7 else f'1390{n:07}'}\n" for n in range(ROWS))
    file.write_text("name,mobile\n" + "".join(lines))
    command = [sys.executable, "-m", "leadflow.cli", "import", "run", str(file), "--source", "lists"]
    environment = {**os.environ, "LEADFLOW_DATA": str(folder), "LC_ALL": "C"}
    kills = 0
    while kills < 3:
        process = subprocess.Popen(
            [*command, "--no-route", "--no-notify"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wanted = progress(folder) + chance.choice((1, 900, 1_800))
        while process.poll() is None and progress(folder) < min(wanted, ROWS):
            time.sleep(0.01)
        time.sleep(chance.random() * 0.3)
        if process.poll() is not None:
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        kills += 1
    subprocess.run([*command, "--no-route", "--no-notify"], env=environment, check=True, capture_output=True)
    assert kills
    with bringing(folder) as host:
        (only,) = host.rows("import_run")
        with host.engine.files.store.read() as connection:
            run = read_run(connection, only["import_id"])
            told = became(connection, run.import_id)
        assert (run.state, run.taken, run.refused, run.total) == ("done", 5_850, 150, ROWS + 1)
        assert (told["new"], told["joined"], told["waiting"]) == (5_850, 0, 0)
        assert len(host.rows("lead")) == len(host.rows("customer")) == 5_850
