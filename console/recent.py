"""One answer for everybody who asks within a while: a page that renews itself must not cost more with each viewer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K")
T = TypeVar("T")

AT_LEAST_S = 1.0
"""An open first page is looked at every 3 s (`news.CALMLY`); nobody sees a difference of one."""
DEAR_S = 1.0
"""What takes longer is found out beside those who ask: they take the last answer, and are told how old it is."""
FREE_S = 0.1
"""What takes less is found out each time that somebody asks a `RecentBy`."""
PATIENCE_S = 5.0
"""How long a page waits for an answer that nobody knows yet, before it is shown without."""
OLD_S = 10.0
"""An answer that was found out before that is shown with its age."""
AT_ONCE = 2
"""Of several questions so many are found out at a time: each holds one of the store's few readers."""
SHARE = 0.05
"""At most this share of the time is spent on finding out: a sum over 1,000,000 leads is then older, but
never slows the doors down."""


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """An answer, and for how many seconds it has been known."""

    value: T
    age_s: float

    def said_us(self, now_us: int) -> int | None:
        """Return the moment of an answer that is old enough to say so."""
        return now_us - int(self.age_s * 1_000_000) if self.age_s >= OLD_S else None


@dataclass(frozen=True, slots=True)
class _Known(Generic[T]):
    value: T
    at_s: float
    is_dear: bool


def beside(work: Callable[[], None]) -> None:
    """Do something beside those who ask; a process that ends does not wait for it."""
    threading.Thread(target=work, name="recent", daemon=True).start()


class Recent(Generic[T]):
    """Keeps the last answer of `find` and asks again when it is old. Safe from several threads.

    An answer that is cheap is found out by one who asks, while the others wait; a dear one beside them. If
    that breaks, the next who asks waits for it, and gets the error.
    """

    def __init__(
        self,
        find: Callable[[], T],
        free_s: float = 0.0,
        start: Callable[[Callable[[], None]], None] = beside,
        places: threading.Semaphore | None = None,
    ) -> None:
        """An answer that took less than `free_s` is found out anew each time; `start` does what is done beside.

        `places`: who finds something out takes one, so that several questions together do not take too much.
        """
        self._find = find
        self._free_s = free_s
        self._start = start
        self._places = places or threading.Semaphore()
        self._is_forgotten = False
        self._finding = threading.Lock()
        self._found = threading.Event()
        self._until_s = float("-inf")
        self._known: _Known[T] | None = None

    def get(self) -> Answer[T]:
        """Return an answer at most max(AT_LEAST_S, cost / SHARE) seconds old, or while a dear one is found out, the last."""
        known = self._known
        if known is None or not known.is_dear:
            with self._finding:
                known = self._known
                if known is None:
                    with self._places:
                        known = self._find_now()
                elif self._is_old():
                    known = self._find_now()  # it was cheap: it does not wait behind what is dear
        elif self._is_old():
            self._start(self._find_beside)
        return _dated(known)

    def within(self, patience_s: float) -> Answer[T] | None:
        """Return what `get` returns; None if nothing is known yet and is not found out within so many seconds."""
        if self._known is None:
            self._start(self._find_beside)
            if not self._found.wait(patience_s):
                return None
            if (known := self._known) is not None:
                return _dated(known)
        return self.get()

    def forget(self) -> None:
        """Begin no further search beside: nobody will ask this one for its answer any more."""
        self._is_forgotten = True

    def _is_old(self) -> bool:
        return time.monotonic() >= self._until_s

    def _find_beside(self) -> None:
        if not self._finding.acquire(blocking=False):
            return  # somebody is at it
        try:
            with self._places:
                if not self._is_forgotten and (self._known is None or self._is_old()):
                    self._find_now()
        except Exception:
            self._known = None
        finally:
            self._finding.release()
            self._found.set()

    def _find_now(self) -> _Known[T]:
        started_s = time.monotonic()
        value = self._find()
        ended_s = time.monotonic()
        took_s = ended_s - started_s
        self._until_s = ended_s + (max(AT_LEAST_S, took_s / SHARE) if took_s >= self._free_s else 0.0)
        self._known = known = _Known(value, started_s, took_s >= DEAR_S)
        self._found.set()
        return known


def _dated(known: _Known[T]) -> Answer[T]:
    return Answer(known.value, time.monotonic() - known.at_s)


class RecentBy(Generic[K, T]):
    """A `Recent` for each question, of the last so many that were asked. Safe from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._places = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._kept: OrderedDict[K, Recent[T]] = OrderedDict()

    def of(self, key: K, find: Callable[[], T]) -> Recent[T]:
        """Return what is kept of a question; an answer that took `FREE_S` may be cost / SHARE seconds old."""
        with self._lock:
            recent = self._kept.setdefault(key, Recent(find, FREE_S, places=self._places))
            self._kept.move_to_end(key)
            if len(self._kept) > self._most:
                self._kept.popitem(last=False)[1].forget()
        return recent

    def forget(self) -> None:
        """Have everything found out anew: what it rests on was changed."""
        with self._lock:
            for one in self._kept.values():
                one.forget()
            self._kept.clear()
