"""A process whose wall clock is off by what a file says, in seconds: python loads this first where it is on PYTHONPATH.

Not by libfaketime: under it (0.9.10) librdkafka's timed waits return at once after a step back, and never after one
forward, which no real clock does to them. Monotonic clocks, and those of the servers, stay right, as in a real step.
"""

import os
import time
from pathlib import Path

_file = Path(os.environ["FALSE_CLOCK"])
_true_ns = time.time_ns


def _false_ns() -> int:
    return _true_ns() + int(_file.read_text()) * 1_000_000_000


def _false_s() -> float:
    return _false_ns() / 1e9


time.time_ns, time.time = _false_ns, _false_s
