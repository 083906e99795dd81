"""How often somebody may try a password. Counted in memory: a restart forgives, and costs a guesser more than it gains."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

from cachetools import TTLCache

PAIR_TRIES, PAIR_S = 10, 15 * 60
"""Wrong passwords for one name from one address, and how long they count."""
NAME_TRIES, NAME_S = 100, 3_600
"""Wrong passwords for one name from wherever: 2,400 a day guess no password that zxcvbn lets through."""
_KEPT = 50_000


class Tries:
    """Counts wrong passwords. Whoever is out of tries comes in by a one-time link, so nobody can be locked out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._pairs: TTLCache[tuple[str, str], int] = TTLCache(_KEPT, PAIR_S, timer=clock)
        self._names: TTLCache[str, int] = TTLCache(_KEPT, NAME_S, timer=clock)
        self._lock = Lock()

    def are_over(self, name: str, address: str) -> bool:
        """Tell whether a name may not be tried any more for now, from this address or at all."""
        with self._lock:
            return self._pairs.get((name, address), 0) >= PAIR_TRIES or self._names.get(name, 0) >= NAME_TRIES

    def wrong(self, name: str, address: str) -> None:
        """Count a wrong password. The time counts from the last one."""
        with self._lock:
            self._pairs[name, address] = self._pairs.get((name, address), 0) + 1
            self._names[name] = self._names.get(name, 0) + 1

    def right(self, name: str, address: str) -> None:
        """Forget what was wrong before from this address."""
        with self._lock:
            self._pairs.pop((name, address), None)
