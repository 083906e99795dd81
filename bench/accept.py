"""How fast the doors take what comes, each answer covered by an fsync, beside servers that store nothing.

    python bench/accept.py [--seconds S] [--rounds N] [--json]

"Bare" is a plain ASGI callable on the same server, the strictest peer: it has neither framework nor routing.
"Bare route" is the same answer from a route of the product's own stack, and so leaves out what every route pays.

Figures are medians over rounds in which the servers take turns; the load comes from a process of its own.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.load import Load, http_load, smtp_load
from bench.measure import cpu_of, in_process, median, report, spread
from bench.served import assigned, served
from bench.workload import new_folder

HTTP_CONNECTIONS = 64
SMTP_CONNECTIONS = 16


@dataclass(frozen=True)
class Served:
    """One run of a server under load: what the sender saw, and the CPU time the server used for it."""

    load: Load
    server_cpu_s: float

    @property
    def per_s(self) -> float:
        return self.load.per_s

    @property
    def cpu_us(self) -> float:
        """CPU time of the server an answer, in microseconds."""
        return self.server_cpu_s / self.load.answered * 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=8, help="of load for each server and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with TemporaryDirectory(prefix="leadflow-bench-") as place:
        result = measure(Path(place), args.seconds, args.rounds)
    report("accept: one fsync-covered answer each", result, args.json)


def measure(folder: Path, seconds: float, rounds: int) -> dict[str, Any]:
    """Let the servers take turns and return the figures."""
    bare: list[Served] = []
    route: list[Served] = []
    paused: list[Served] = []
    live: list[Served] = []
    null: list[Served] = []
    mail: list[Served] = []
    backlog: list[int] = []
    for number in range(rounds):
        bare.append(_http(seconds, "bare"))
        route.append(_http(seconds, "bare-route"))
        paused.append(_http(seconds, "paused", new_folder(folder / f"paused{number}")))
        one, left = _live(new_folder(folder / f"live{number}"), seconds)
        live.append(one)
        backlog.append(left)
        null.append(_smtp(seconds, "null-smtp"))
        mail.append(_smtp(seconds, "paused", new_folder(folder / f"mail{number}")))
    return {
        **_figures("bare", bare),
        **_figures("bare_route", route),
        **_figures("accept", paused),
        **_figures("live", live),
        "live_backlog": median(backlog),
        "live_backlog_share": median(
            left / one.load.answered for left, one in zip(backlog, live, strict=True)
        ),
        **_figures("null_smtp", null),
        **_figures("smtp", mail),
        **_ratios("ratio_to_bare", paused, bare),
        **_ratios("ratio_to_bare_route", paused, route),
        **_ratios("ratio_live", live, bare),
        **_ratios("smtp_ratio", mail, null),
    }


def _http(seconds: float, kind: str, folder: Path | None = None) -> Served:
    with served(kind, folder) as server:
        return _loaded(server.pid, http_load, server.port, HTTP_CONNECTIONS, seconds)


def _live(folder: Path, seconds: float) -> tuple[Served, int]:
    """Load the product as it runs, stages and all; return also how many leads were left to be worked off."""
    with served("run", folder) as server:
        one = _loaded(server.pid, http_load, server.port, HTTP_CONNECTIONS, seconds)
        routed = assigned(folder)
    return one, one.load.answered - routed


def _smtp(seconds: float, kind: str, folder: Path | None = None) -> Served:
    with served(kind, folder) as server:
        return _loaded(server.pid, smtp_load, server.smtp_port, SMTP_CONNECTIONS, seconds)


def _loaded(pid: int, generate: Callable[[int, int, float], Load], *args: Any) -> Served:
    before = cpu_of(pid)
    load = in_process(generate, *args)
    return Served(load, cpu_of(pid) - before)


def _figures(name: str, runs: list[Served]) -> dict[str, Any]:
    return {
        f"{name}_per_s": median(run.per_s for run in runs),
        f"{name}_per_s_spread": spread(run.per_s for run in runs),
        f"{name}_p99_ms": median(run.load.p99_ms for run in runs),
        f"{name}_cpu_us": median(run.cpu_us for run in runs),
        f"{name}_sender_busy": median(run.load.cpu_s / run.load.seconds for run in runs),
    }


def _ratios(name: str, runs: list[Served], peers: list[Served]) -> dict[str, Any]:
    """Return the ratio of answers a second, and of CPU time an answer, which a busy machine distorts less."""
    ratios = [run.per_s / peer.per_s for run, peer in zip(runs, peers, strict=True)]
    by_cpu = [peer.cpu_us / run.cpu_us for run, peer in zip(runs, peers, strict=True)]
    return {name: median(ratios), f"{name}_spread": spread(ratios), f"{name}_by_cpu": median(by_cpu)}


if __name__ == "__main__":
    main()
