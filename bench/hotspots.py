"""Where the stages spend their CPU: a profile of leads worked off, the costliest functions first.

python bench/hotspots.py [--leads N] [--top N] [--by tottime|cumtime] [--json]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.measure import in_process, report
from bench.workload import filled_folder
from leadflow.embedded import Embedded, open_files

_ROOT = str(Path(__file__).parent.parent) + "/"


def main() -> None:
    """Profile and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=10_000)
    parser.add_argument("--top", type=int, default=15)
    parser.add_argument("--by", choices=("tottime", "cumtime"), default="tottime")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        folder = in_process(filled_folder, Path(place) / "data", args.leads)
        result = profile(folder, args.leads, args.top, args.by)
    report(f"µs a lead under the profiler, by {args.by}", result, args.json)


def profile(folder: Path, leads: int, top: int, by: str) -> dict[str, Any]:
    """Return the costliest functions as µs and calls a lead; the profiler itself makes calls look dearer."""
    engine = Embedded(open_files(folder))
    profiler = cProfile.Profile()
    profiler.runcall(engine.work_off)
    engine.files.close()
    found = pstats.Stats(profiler).stats.items()  # type: ignore[attr-defined]
    rows = [
        (own if by == "tottime" else cumulative, calls, function)
        for function, (_, calls, own, cumulative, _) in found
    ]
    rows.sort(key=lambda one: -one[0])
    return {"leads": leads} | {
        _name(function): f"{seconds / leads * 1e6:.1f} µs, {calls / leads:.2f} calls"
        for seconds, calls, function in rows[:top]
    }


def _name(function: tuple[str, int, str]) -> str:
    file, line, name = function
    short = file.removeprefix(_ROOT).rpartition("site-packages/")[2]
    return f"{short}:{line} {name}" if line else name


if __name__ == "__main__":
    main()
