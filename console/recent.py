"""One answer for everybody who asks within a while: a page that polls must not cost more with each viewer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

AT_LEAST_S = 1.0
"""The first page asks every 2 s; nobody sees a difference of one."""
SHARE = 0.05
"""At most this share of the time is spent on finding out: a sum over 1,000,000 leads is then older, but
never slows the doors down."""


class Recent(Generic[T]):
    """Keeps the last answer of `find` and asks again when it is old. Safe from several threads."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._lock = threading.Lock()
        self._until = float("-inf")

    def get(self) -> T:
        """Return an answer at most max(AT_LEAST_S, cost / SHARE) seconds old."""
        with self._lock:
            started = time.monotonic()
            if started >= self._until:
                self._answer = self._find()
                ended = time.monotonic()
                self._until = ended + max(AT_LEAST_S, (ended - started) / SHARE)
            return self._answer
