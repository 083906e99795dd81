"""Measuring on a noisy machine: fresh processes, CPU time beside wall time, medians with their spread."""

from __future__ import annotations

import gc
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import orjson

P = ParamSpec("P")
R = TypeVar("R")

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Spent:
    """Seconds that a stretch of work took: by the clock, and of CPU in all threads of this process."""

    wall_s: float = 0.0
    cpu_s: float = 0.0


def in_process(function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run a function in a fresh interpreter, so that no contender inherits another's caches or memory."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *args, **kwargs).result()


@contextmanager
def timed() -> Iterator[Spent]:
    """Measure the block. What is in memory already is kept out of the collector's way, for every contender."""
    keep_out_of_collection()
    os.sync()
    spent = Spent()
    wall, cpu = time.perf_counter(), time.process_time()
    yield spent
    spent.wall_s, spent.cpu_s = time.perf_counter() - wall, time.process_time() - cpu


def keep_out_of_collection() -> None:
    """Keep what is in memory already out of the collector's way, as the hosts of the stages do."""
    gc.collect()
    gc.freeze()


def cpu_of(pid: int) -> float:
    """Return the CPU seconds that a process has used so far (Linux)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def rss_kb() -> int:
    """Return the resident memory of this process in kB (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` of all values do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(share * 1_000) * len(ordered) // 1_000) - 1)]


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Return the slope of the least-squares line."""
    return statistics.linear_regression([x for x, _ in points], [y for _, y in points]).slope


def median(values: Iterable[float]) -> float:
    """Return the median, rounded for reading."""
    return rounded(statistics.median(list(values)))


def spread(values: Iterable[float]) -> list[float]:
    """Return [smallest, largest], rounded for reading."""
    ordered = sorted(values)
    return [rounded(ordered[0]), rounded(ordered[-1])]


def rounded(value: float) -> float:
    """Round to four significant digits."""
    return float(f"{value:.4g}")


def report(title: str, result: dict[str, Any], as_json: bool) -> None:
    """Print the figures, a line each; with `as_json` once more as one JSON object on the last line."""
    print(title)
    for name, value in result.items():
        print(f"  {name:<28} {value}")
    if as_json:
        print(orjson.dumps(result).decode())
