"""How often somebody may try a password. Counted in memory: a restart forgives, and costs a guesser more than it gains."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import Any

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

    def may_try(self, name: str, address: str) -> bool:
        """Tell whether a name may be tried now from this address, and count the try as a wrong one until it is known better.

        Counted before the password is looked at: many requests at once get no more tries than one after the other.
        """
        with self._lock:
            pair, named = self._pairs.get((name, address), 0), self._names.get(name, 0)
            if pair >= PAIR_TRIES or named >= NAME_TRIES:
                return False
            self._pairs[name, address], self._names[name] = pair + 1, named + 1
            return True

    def right(self, name: str, address: str) -> None:
        """Forget this try, and what was wrong before from this address."""
        with self._lock:
            self._pairs.pop((name, address), None)
            self._less(self._names, name)

    def uncount(self, name: str, address: str) -> None:
        """Forget this try alone: nothing was wrong with it, and it opened nothing."""
        with self._lock:
            self._less(self._pairs, (name, address))
            self._less(self._names, name)

    @staticmethod
    def _less(counts: TTLCache[Any, int], key: object) -> None:
        left = counts.pop(key, 0) - 1
        if left > 0:
            counts[key] = left
