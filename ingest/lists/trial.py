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
CELLS = 25_000_000
"""A million rows of twenty-five columns; the reader makes room for every cell, also where there is none."""
_WAIT_S = 3 * CPU_S

Outcome = Literal["opens", "breaks", "bursts"]
_BURSTS, _NO_READER = 3, 4

_TRIED = """
import contextlib, resource, sys
sys.path[:] = {path!r}
for limit, most in ((resource.RLIMIT_AS, {memory}), (resource.RLIMIT_CPU, {cpu}), (resource.RLIMIT_CORE, 0)):
    hard = resource.getrlimit(limit)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(limit, (most, most))
try:
    from python_calamine import CalamineError, CalamineWorkbook
except ImportError:
    sys.exit({no_reader})
told = contextlib.suppress(CalamineError, OSError, ValueError, OverflowError)
with told:
    book = CalamineWorkbook.from_filelike(sys.stdin.buffer)
    for name in book.sheet_names:
        with told:
            sheet = book.get_sheet_by_name(name)
            if sheet.total_width * sheet.total_height > {cells}:
                sys.exit({bursts})
"""


def tried(data: bytes) -> Outcome:
    """Return what opening every sheet of a workbook does: it opens or is refused as it should be, breaks the reader, or takes
    more memory or time than a list needs.

    Raises RuntimeError where the reader itself cannot be run, and OSError where no process can: neither is the file's fault.
    """
    script = _TRIED.format(
        path=sys.path, memory=MEMORY_BYTES, cpu=CPU_S, cells=CELLS, bursts=_BURSTS, no_reader=_NO_READER
    )
    asked = [sys.executable, "-I", "-c", script]
    try:
        ended = subprocess.run(  # noqa: S603 - ours
            asked, input=data, capture_output=True, check=False, timeout=_WAIT_S
        ).returncode
    except subprocess.TimeoutExpired:
        return "bursts"
    if ended == _NO_READER:
        raise RuntimeError("python-calamine, which reads workbooks, is not installed beside this Python.")
    if ended < 0 or ended == _BURSTS:
        return "bursts"
    return "breaks" if ended else "opens"
