"""The benches run from a checkout, finish, and end with one JSON object that holds the figures they promise."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

ROOT = Path(__file__).parents[2]

THROUGHPUT = {
    "leads_per_s",
    "limit_leads_per_s",
    "ratio_to_limit",
    "ratio_to_naive",
    "cpu_us_per_lead",
    "rows",
}
LATENCY = {"p99_ms", "p99_decided_ms", "p99_rate", "p99_sustained", "left_s"}
MAY_BE_ZERO = {"live_backlog", "left_s", "memory_kb_per_1000_leads"}
"""A backlog that is gone and memory that does not grow are what is hoped for."""
ACCEPT = {
    "ratio_to_bare",
    "ratio_to_bare_route",
    "ratio_live",
    "smtp_ratio",
    "accept_per_s",
    "bare_per_s",
    "live_backlog",
}


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("script", "options", "keys"),
    [
        ("pipeline.py", "--leads 60 --naive-leads 10 --rounds 1 --seconds 1 --rate 20", THROUGHPUT | LATENCY),
        ("pipeline.py", "--leads 20 --rounds 1 --seconds 0 --memory 80", {"memory_kb_per_1000_leads"}),
        ("accept.py", "--seconds 0.3 --rounds 1", ACCEPT),
        ("hotspots.py", "--leads 40 --top 3", {"leads"}),
        (
            "rules.py",
            "--leads 200 --rules 50 --rounds 1",
            {"ratio_to_zen_50", "ratio_to_generated_if_chain", "compile_s_50"},
        ),
        ("simulate.py", "--leads 300 --rules 20", {"leads", "seconds", "ratio_to_decisions_only", "peak_mb"}),
        (
            "import.py",
            "--rows 400",
            {"csv_ratio_to_reader", "xlsx_ratio_to_reader", "csv_peak_mb", "xlsx_peak_mb", "csv_rows_per_s"},
        ),
        (
            "mailbox.py",
            "--mails 1200",
            {"ratio_to_reader", "mails_per_s", "peak_mb", "leads", "dead_letters"},
        ),
        (
            "lookup.py",
            "--customers 300 --asked 40 --rate 20",
            {"lookup_p99_ms", "primary_key_p99_ms", "ratio_to_primary_key", "found_pct"},
        ),
        ("handover.py", "--customers 600", {"dry_run_s", "apply_s", "verified_s", "undo_s", "apply_peak_mb"}),
    ],
)
def test_a_bench_ends_with_its_figures(script: str, options: str, keys: set[str]) -> None:
    figures = _figures(script, options)
    assert keys <= figures.keys()
    assert all(figures[key] for key in keys - MAY_BE_ZERO), figures


def test_every_contender_writes_every_table_that_a_lead_touches() -> None:
    rows = _figures("pipeline.py", "--leads 40 --naive-leads 40 --rounds 1 --seconds 0")["rows"]
    assert rows["capture"] == rows["lead"] == rows["decision"] == rows["task"] == 40
    assert rows["log"] == 4 * 40


def _figures(script: str, options: str) -> dict[str, Any]:
    command = [sys.executable, str(ROOT / "bench" / script), *options.split(), "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    figures: dict[str, Any] = orjson.loads(done.stdout.splitlines()[-1])
    return figures
