"""Whether a workbook can be opened without harm: tried in a process of its own, before anybody else opens it.

The reader (Rust) panics on some damaged files, goes round in circles in others until the memory is full, and makes room for
every cell between the first and the last: five kilobytes with a cell in the last corner ask for 500 GB. None of that
can be caught; it ends the process that it happens in.
"""

from __future__ import annotations

import subprocess
import sys
from typing import Literal

MEMORY_BYTES = 3 * 1024**3
"""A million rows of twenty columns take two thirds of it; whoever opens the file afterwards takes as much."""
CPU_S = 120
"""A million rows of twenty columns take fifteen."""

Outcome = Literal["opens", "breaks", "bursts"]

_TRIED = f"""
import contextlib, resource, sys
with contextlib.suppress(ValueError, OSError):
    resource.setrlimit(resource.RLIMIT_AS, ({MEMORY_BYTES}, {MEMORY_BYTES}))
    resource.setrlimit(resource.RLIMIT_CPU, ({CPU_S}, {CPU_S}))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
from python_calamine import CalamineError, CalamineWorkbook
told = contextlib.suppress(CalamineError, OSError, ValueError, OverflowError)
with told:
    book = CalamineWorkbook.from_filelike(sys.stdin.buffer)
    for name in book.sheet_names:
        with told:
            book.get_sheet_by_name(name)
"""


def tried(data: bytes) -> Outcome:
    """Return what opening every sheet of a workbook does: it opens or is refused as it should be, breaks the reader, or takes
    more memory or time than a list needs."""
    asked = [sys.executable, "-I", "-c", _TRIED]
    ended = subprocess.run(asked, input=data, capture_output=True, check=False).returncode  # noqa: S603 - ours
    if ended < 0:
        return "bursts"
    return "breaks" if ended else "opens"
