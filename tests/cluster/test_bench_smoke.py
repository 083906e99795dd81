"""The bench of the cluster runs from a checkout, finishes, and ends with the figures it promises."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

ROOT = Path(__file__).parents[2]
FIGURES = {
    "ratio_to_noop_faust",
    "ratio_to_naive",
    "slowest",
    "workers_1",
    "p99_ms",
    "failover_s",
    "round_trips_per_batch",
    "round_trips_per_lead",
    "wal_bytes_per_lead",
}


@pytest.mark.timeout(300)
def test_the_bench_of_the_cluster_ends_with_its_figures(brokers: str, database_url: str) -> None:
    few = "--leads 1200 --naive-leads 20 --rounds 1 --workers 1 --rate 30 --seconds 1 --json"
    done = subprocess.run(
        [sys.executable, str(ROOT / "bench" / "cluster.py"), *few.split()],
        env={**os.environ, "LEADFLOW_KAFKA": brokers, "LEADFLOW_DATABASE_URL": database_url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures = orjson.loads(done.stdout.splitlines()[-1])
    assert figures.keys() >= FIGURES
    assert all(figures[name] for name in FIGURES), figures
