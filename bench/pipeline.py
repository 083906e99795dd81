"""How fast leads go from accepted to a durable task, beside the raw driver's limit and a naive ORM.

    python bench/pipeline.py [--leads N] [--matching off|review|join] [--rounds N] [--seconds S] [--memory N] [--json]

Figures are medians over rounds in which the contenders take turns, each in a fresh process.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, get_args

from bench import peers
from bench.latency import measure_latency
from bench.measure import in_process, median, report, rounded, rss_kb, slope, spread
from bench.workload import captures, fill, filled_folder, new_folder
from leadflow.embedded import Embedded, open_files
from schemas.company import Matching

BATCH = 1_000
MEMORY_SAMPLES = 20


def main() -> None:
    """Measure what was asked for and print it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--leads", type=int, default=20_000)
    parser.add_argument(
        "--matching", choices=get_args(Matching), default="join", help="what the match model may do"
    )
    parser.add_argument("--naive-leads", type=int, default=500, help="for the ORM, which is slow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rate", type=float, default=500, help="leads a second for the latency")
    parser.add_argument("--seconds", type=float, default=60, help="of open-loop load; 0 leaves it out")
    parser.add_argument("--memory", type=int, default=0, help="leads over which memory is watched; 200000")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        folder = Path(place)
        result = throughput(folder, args.leads, min(args.naive_leads, args.leads), args.rounds, args.matching)
        if args.seconds:
            result |= measure_latency(folder / "live", args.rate, args.seconds)
        if args.memory:
            result |= in_process(memory, folder / "memory", args.memory)
    report("accept → task durable", result, args.json)


def throughput(
    folder: Path, leads: int, naive_leads: int, rounds: int, matching: Matching = "join"
) -> dict[str, Any]:
    """Let the product, the limit and the ORM take turns on the same captures."""
    base = in_process(filled_folder, folder / "base", leads, matching)
    done = folder / "product"
    runs: list[tuple[peers.Run, peers.Run, peers.Run]] = []
    for _ in range(rounds):
        ours = in_process(peers.product, base, done)
        limit = in_process(peers.limit, base, done, folder / "limit", BATCH)
        naive = in_process(peers.naive, base, done, folder / "naive", naive_leads)
        _same(ours.counts, limit.counts)
        _same(in_process(peers.first_counts, done, naive_leads), naive.counts)
        runs.append((ours, limit, naive))
    counts = {name: count for name, count in runs[0][0].counts.items() if count}
    return {
        "leads": leads,
        "matching": matching,
        "rows": counts,
        **_figures("", [ours for ours, _, _ in runs]),
        **_figures("limit_", [limit for _, limit, _ in runs]),
        **_figures("naive_", [naive for _, _, naive in runs]),
        **_ratios("ratio_to_limit", runs, lambda ours, limit, _: ours.leads_per_s / limit.leads_per_s),
        **_ratios("ratio_to_naive", runs, lambda ours, _, naive: ours.leads_per_s / naive.leads_per_s),
        **_ratios(
            "cpu_ratio_to_limit", runs, lambda ours, limit, _: limit.cpu_us_per_lead / ours.cpu_us_per_lead
        ),
    }


def memory(folder: Path, leads: int) -> dict[str, Any]:
    """Watch the memory of one process while leads go through it.

    The slope counts from the middle on: before, the caches of keys and of database pages fill up.
    """
    engine = Embedded(open_files(new_folder(folder)))
    waiting = captures()
    samples: list[tuple[float, float]] = []
    step = leads // MEMORY_SAMPLES
    for done in range(step, leads + 1, step):
        fill(engine.files, islice(waiting, step))
        engine.work_off()
        samples.append((done / 1_000, rss_kb()))
    engine.files.close()
    return {
        "memory_leads": leads,
        "memory_kb_per_1000_leads": rounded(slope(samples[len(samples) // 2 :])),
        "memory_kb_per_1000_leads_from_start": rounded(slope(samples)),
        "memory_mb": [round(kb / 1_024) for _, kb in samples],
    }


def _same(expected: dict[str, int], found: dict[str, int]) -> None:
    if expected != found:
        differ = {name: (expected[name], found[name]) for name in expected if expected[name] != found[name]}
        raise AssertionError(f"the contenders did not leave the same rows: {differ}")


def _figures(prefix: str, runs: list[peers.Run]) -> dict[str, Any]:
    return {
        f"{prefix}leads_per_s": median(run.leads_per_s for run in runs),
        f"{prefix}leads_per_s_spread": spread(run.leads_per_s for run in runs),
        f"{prefix}cpu_us_per_lead": median(run.cpu_us_per_lead for run in runs),
    }


def _ratios(
    name: str,
    runs: list[tuple[peers.Run, peers.Run, peers.Run]],
    ratio: Callable[[peers.Run, peers.Run, peers.Run], float],
) -> dict[str, Any]:
    ratios = [ratio(*run) for run in runs]
    return {name: median(ratios), f"{name}_spread": spread(ratios)}


if __name__ == "__main__":
    main()
