"""One answer for everybody who asks within a while: a page that polls must not cost more with each viewer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")

AT_LEAST_S = 1.0
"""The first page asks every 2 s; nobody sees a difference of one."""
DEAR_S = 1.0
"""What takes longer makes one who asks wait, and the others take the last answer."""
FREE_S = 0.1
"""What takes less is found out each time that somebody asks a `RecentBy`."""
SHARE = 0.05
"""At most this share of the time is spent on finding out: a sum over 1,000,000 leads is then older, but
never slows the doors down."""


class Recent(Generic[T]):
    """Keeps the last answer of `find` and asks again when it is old. Safe from several threads."""

    def __init__(self, find: Callable[[], T], free_s: float = 0.0) -> None:
        """An answer that took less than `free_s` is found out anew each time."""
        self._find = find
        self._free_s = free_s
        self._lock = threading.Lock()
        self._until = float("-inf")
        self._is_dear = False
        self._answer: T

    def get(self) -> T:
        """Return an answer at most max(AT_LEAST_S, cost / SHARE) seconds old; while a dear one is found out, the last."""
        if not self._lock.acquire(blocking=not self._is_dear):
            return self._answer
        try:
            started = time.monotonic()
            if started >= self._until:
                self._answer = self._find()
                ended = time.monotonic()
                took = ended - started
                self._until = ended + (max(AT_LEAST_S, took / SHARE) if took >= self._free_s else 0.0)
                self._is_dear = took >= DEAR_S
            return self._answer
        finally:
            self._lock.release()


class RecentBy(Generic[K, T]):
    """A `Recent` for each question, of the last so many that were asked. Safe from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, Recent[T]] = OrderedDict()

    def get(self, key: K, find: Callable[[], T]) -> T:
        """Return the answer to a question; one that took `FREE_S` may be cost / SHARE seconds old."""
        with self._lock:
            recent = self._kept.setdefault(key, Recent(find, FREE_S))
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return recent.get()

    def forget(self) -> None:
        """Have everything found out anew: what it rests on was changed."""
        with self._lock:
            self._kept.clear()
