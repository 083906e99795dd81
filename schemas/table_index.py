"""A decision table compiled for asking: for each column, from a value to the set of rows whose cell holds for it.

A set of rows is one int, row `i` of `n` being its bit `n - 1 - i`. All conditions of a row hold where its bit is in the
set of every column, so the rows that hold are the AND of one int a column, and the first of them is where the highest
bit is: `int.bit_length`, which costs the same for ten rows and for ten thousand (why so: docs/decisions/0018).
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from operator import xor
from typing import Any, TypeVar

from schemas.unary import Exactly, Scalar, Starts, UnaryTest, Within, scalar_of

T = TypeVar("T")

_KEPT_BYTES = 4 * 1024 * 1024
"""Memory a column may use to remember what values it was asked for. Facts repeat: 100 points, 34 provinces. Less, and
numbers are looked up by bisection each time; more, and a book with 20 columns would weigh on each worker."""
_STRIDE = 64
"""Bounds between two kept sets of a sweep over numbers: fewer, and 50,000 rows with as many bounds need gigabytes."""


def first_of(
    rows: Sequence[Iterable[tuple[str, str, UnaryTest]]], outcomes: Sequence[T]
) -> Callable[[Mapping[str, str]], T | None]:
    """Return a function from facts to the outcome of the first row whose every test holds; None if none does.

    It is one expression without a loop, which Python runs in half the time. Nothing of what somebody wrote gets into its
    text: columns are those of a table's shape, and stand there quoted.
    """
    count = len(rows)
    cells: dict[str, dict[int, UnaryTest]] = defaultdict(dict)
    for number, tests in enumerate(rows):
        for column, _, test in tests:
            cells[column][number] = test
    space: dict[str, Any] = {
        f"s{number}": _Column(found, count) for number, found in enumerate(cells.values())
    }
    asked = " & ".join(f"s{number}[facts[{column!r}]]" for number, column in enumerate(cells)) or "everything"
    space |= {"everything": (1 << count) - 1, "outcomes": (None, *reversed(outcomes))}
    made: Callable[[Mapping[str, str]], T | None] = eval(  # noqa: S307
        f"lambda facts: outcomes[({asked}).bit_length()]", space
    )
    return made


class _Column(dict[str, int]):
    """The sets of one column by value, found when they are first asked for."""

    def __init__(self, cells: Mapping[int, UnaryTest], count: int) -> None:
        super().__init__()
        self._most = max(16, _KEPT_BYTES // (32 + count // 8))
        exact: dict[str, list[int]] = defaultdict(list)
        starts: dict[str, list[int]] = defaultdict(list)
        numbers: dict[int, list[Within]] = {}
        for row, test in cells.items():
            for item in test.items:
                if isinstance(item, Exactly):
                    exact[item.value].append(row)
                elif isinstance(item, Starts):
                    starts[item.prefix].append(row)
                else:
                    numbers.setdefault(row, []).append(item)
        self._exact = {value: _set_of(found, count) for value, found in exact.items()}
        self._starts = {prefix: _set_of(found, count) for prefix, found in starts.items()}
        self._lengths = sorted({len(prefix) for prefix in starts})
        self._sweep = _Sweep(numbers, count) if numbers else None
        negated = (row for row, test in cells.items() if test.negated)
        empty = (row for row in range(count) if row not in cells)
        # A cell holds where an item does, unless it is negated; an empty one always does.
        self._turned = _set_of((*negated, *empty), count)

    def __missing__(self, value: str) -> int:
        hits = self._exact.get(value, 0)
        for length in self._lengths:
            hits |= self._starts.get(value[:length], 0) if len(value) >= length else 0
        if self._sweep is not None:
            hits |= self._sweep.at(value)
        found = hits ^ self._turned
        if len(self) >= self._most:
            self.clear()
        self[value] = found
        return found


class _Sweep:
    """Which rows a number or day lies within: the sets between neighbouring bounds, as what changes at each."""

    def __init__(self, cells: Mapping[int, Sequence[Within]], count: int) -> None:
        self._like = next(
            bound
            for items in cells.values()
            for item in items
            for bound in (item.low, item.high)
            if bound is not None
        )
        open_below: list[int] = []
        changes: list[tuple[_Place, int]] = []
        for row, items in cells.items():
            for start, end in _apart(items):
                if start is None:
                    open_below.append(row)
                else:
                    changes.append((start, row))
                if end is not None:
                    changes.append((end, row))
        changes.sort()
        self._places = [place for place, _ in changes]
        self._bits = [count - 1 - row for _, row in changes]
        self._kept = [_set_of(open_below, count)]
        for first in range(0, len(changes), _STRIDE):
            self._kept.append(self._kept[-1] ^ self._changed(first, min(first + _STRIDE, len(changes))))

    def at(self, value: str) -> int:
        """Return the rows that a fact lies within; none for an unknown one."""
        scalar = scalar_of(value, self._like)
        if scalar is None:
            return 0
        passed = bisect_right(self._places, (scalar, 0))
        block = passed // _STRIDE
        return self._kept[block] ^ self._changed(block * _STRIDE, passed)

    def _changed(self, first: int, last: int) -> int:
        return reduce(xor, (1 << bit for bit in self._bits[first:last]), 0)


_Place = tuple[Scalar, int]
"""Just before a number (0) or just behind it (1)."""


def _apart(items: Sequence[Within]) -> list[tuple[_Place | None, _Place | None]]:
    """Return the stretches that a cell's items cover together, none touching another; None where it is open."""
    stretches: list[tuple[_Place | None, _Place | None]] = [
        (
            None if item.low is None else (item.low, 0 if item.with_low else 1),
            None if item.high is None else (item.high, 1 if item.with_high else 0),
        )
        for item in items
    ]
    stretches.sort(key=lambda one: (one[0] is not None, one[0] or ()))
    joined = stretches[:1]
    for start, end in stretches[1:]:
        last_start, last_end = joined[-1]
        if last_end is None:
            break
        if start is None or start <= last_end:
            joined[-1] = (last_start, None if end is None else max(last_end, end))
        else:
            joined.append((start, end))
    return joined


def _set_of(rows: Iterable[int], count: int) -> int:
    octets = bytearray(count // 8 + 1)
    for row in rows:
        bit = count - 1 - row
        octets[bit >> 3] |= 1 << (bit & 7)
    return int.from_bytes(octets, "little")
