"""What is odd about a rule book that can be read: rules that nothing reaches, leads that no rule takes, rules that overlap.

Each column's values fall into classes that no cell of the table tells apart (each word, each stretch between two bounds,
unknown, and anything else), so a rule is a set of classes a column, a box. Whether boxes cover a box is decided exactly by
cutting it up, within a budget of steps; where that does not last, the rule is listed as not decided. Columns count as
independent: that a product has one product line is not known here, so a lead that is shown may be one that never comes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil, floor
from typing import Literal, NamedTuple

from router.book import Book, Rule
from schemas.facts import SCORED_FACTS
from schemas.unary import Exactly, FactKind, Scalar, Starts, Within

BUDGET = 20_000
"""Steps that one question may take, about a tenth of a second; a book of 5,000 rules asks 5,000."""
LARGEST = 10_000
"""Rules of a table that is examined; the work grows with the square, and 5,000 take eight seconds."""
GAPS = 5
"""Gaps shown of a table: whoever closes them closes most of the others."""

Kind = Literal["unreachable", "gap", "overlap", "not_decided", "unused_table"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One odd thing about a table: the rules concerned, and a lead that shows it where there is one."""

    kind: Kind
    table: str
    rules: tuple[Rule, ...] = ()
    witness: Mapping[str, str] | None = None
    same: bool = False
    """Of an unreachable rule: the one that takes everything says the very same."""


def findings(book: Book) -> Iterator[Finding]:
    """Yield what is odd about a book's tables, overlaps left out (see `overlaps`)."""
    sent_to = {rule.goes_on for rule in book.rules}
    for name, table in book.tables.items():
        if name and name not in sent_to:
            yield Finding("unused_table", name)
        if len(table.rules) > LARGEST:
            yield Finding("not_decided", name)
            continue
        boxes = _Boxes(table.rules)
        for number in range(len(table.rules)):
            yield from _reached(boxes, name, number)
        # What a later table leaves open goes to the team of the row that sent it, if that names one.
        if not name or any(rule.goes_on == name and not rule.goes_to for rule in book.rules):
            yield from _gaps(boxes, name)


def overlaps(book: Book) -> Iterator[Finding]:
    """Yield each pair of rules that a lead may fulfil both of, of which neither contains the other and that differ in result.

    Then their order decides. A rule above a wider one is the usual way to write an exception, and none of these.
    """
    for name, table in book.tables.items():
        if len(table.rules) > LARGEST:
            continue
        boxes = _Boxes(table.rules)
        for later, rule in enumerate(table.rules):
            for earlier in _numbers(boxes.meeting(boxes.box(later), boxes.before(later))):
                other = table.rules[earlier]
                if other.results() == rule.results():
                    continue
                if boxes.contains(earlier, later) or boxes.contains(later, earlier):
                    continue
                both = tuple(a & b for a, b in zip(boxes.box(earlier), boxes.box(later), strict=True))
                yield Finding("overlap", name, (other, rule), boxes.lead(both))


def _reached(boxes: _Boxes, table: str, number: int) -> Iterator[Finding]:
    rule, box = boxes.rules[number], boxes.box(number)
    before = boxes.meeting(box, boxes.before(number))
    containing = boxes.containing(box, before)
    if containing:
        first = boxes.rules[_numbers(containing)[0]]
        same = {column: test for column, _, test in first.row.tests} == {
            column: test for column, _, test in rule.row.tests
        }
        yield Finding("unreachable", table, (rule, first), same=same)
        return
    try:
        left = next(boxes.outside(box, before, _Budget()), None)
    except _TooMuch:
        yield Finding("not_decided", table, (rule,))
        return
    if left is None:
        yield Finding("unreachable", table, (rule, *(boxes.rules[one] for one in _numbers(before))))


def _gaps(boxes: _Boxes, table: str) -> Iterator[Finding]:
    found = 0
    try:
        for left in boxes.outside(boxes.everything, boxes.all, _Budget()):
            yield Finding("gap", table, witness=boxes.lead(left))
            found += 1
            if found == GAPS:
                return
    except _TooMuch:
        yield Finding("not_decided", table)


class _TooMuch(Exception):
    """The budget of steps is used up."""


@dataclass(slots=True)
class _Budget:
    left: int = field(default_factory=lambda: BUDGET)

    def step(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise _TooMuch


Box = tuple[int, ...]
"""A set of classes for each column, as bits."""


class _Class(NamedTuple):
    """A class of a column's values: one value of it, and the rules whose cell holds for it, as bits by their number."""

    value: str
    rules: int


@dataclass
class _Boxes:
    """The rules of a table as boxes over the classes of its columns."""

    rules: Sequence[Rule]
    columns: list[str] = field(default_factory=list)
    classes: list[list[_Class]] = field(default_factory=list)

    def __post_init__(self) -> None:
        asked = {column for rule in self.rules for column, _, _ in rule.row.tests}
        self.columns = [column for column in SCORED_FACTS if column in asked]
        self.classes = [list(self._classes(column)) for column in self.columns]
        self.all = (1 << len(self.rules)) - 1
        self.everything: Box = tuple((1 << len(classes)) - 1 for classes in self.classes)
        self._boxes = [
            tuple(
                sum(1 << at for at, one in enumerate(classes) if one.rules >> number & 1)
                for classes in self.classes
            )
            for number in range(len(self.rules))
        ]

    def _classes(self, column: str) -> Iterator[_Class]:
        """Yield the classes of a column: values that every rule treats alike are one."""
        tests = [
            (number, test)
            for number, rule in enumerate(self.rules)
            for name, _, test in rule.row.tests
            if name == column
        ]
        silent = self.all_but(number for number, _ in tests)
        seen: dict[int, str] = {}
        for value in _values(column, [item for _, test in tests for item in test.items]):
            holding = silent | sum(1 << number for number, test in tests if test.holds(value))
            seen.setdefault(holding, value)
        yield from (_Class(value, holding) for holding, value in seen.items())

    def all_but(self, numbers: Iterator[int]) -> int:
        return ((1 << len(self.rules)) - 1) & ~sum(1 << number for number in numbers)

    def before(self, number: int) -> int:
        return (1 << number) - 1

    def box(self, number: int) -> Box:
        return self._boxes[number]

    def contains(self, outer: int, inner: int) -> bool:
        return all(a | b == a for a, b in zip(self._boxes[outer], self._boxes[inner], strict=True))

    def meeting(self, box: Box, among: int) -> int:
        """Return which rules have a lead in common with a box."""
        for chosen, classes in zip(box, self.classes, strict=True):
            hit = 0
            for at in _numbers(chosen):
                hit |= classes[at].rules
            among &= hit
        return among

    def containing(self, box: Box, among: int) -> int:
        """Return which rules hold for every lead in a box."""
        for chosen, classes in zip(box, self.classes, strict=True):
            for at in _numbers(chosen):
                among &= classes[at].rules
                if not among:
                    return 0
        return among

    def outside(self, box: Box, among: int, budget: _Budget) -> Iterator[Box]:
        """Yield boxes that together are what no rule of `among` takes of a box. Raises _TooMuch."""
        covering = [self.all]  # by column: the rules that hold for all of the box in it and those behind it
        for chosen, classes in zip(reversed(box), reversed(self.classes), strict=True):
            hold = covering[-1]
            for at in _numbers(chosen):
                hold &= classes[at].rules
            covering.append(hold)
        covering.reverse()
        yield from self._cut(box, self.meeting(box, among), covering, 0, budget)

    def _cut(self, box: Box, among: int, covering: Sequence[int], at: int, budget: _Budget) -> Iterator[Box]:
        """Yield what is outside of a box whose columns before `at` are cut so that all of `among` hold for them."""
        budget.step()
        if not among:
            yield box
            return
        if among & covering[at]:
            return
        # Classes that the rules left here treat alike stay together.
        alike: dict[int, int] = {}
        for one in _numbers(box[at]):
            group = self.classes[at][one].rules & among
            alike[group] = alike.get(group, 0) | 1 << one
        for group, chosen in alike.items():
            yield from self._cut((*box[:at], chosen, *box[at + 1 :]), group, covering, at + 1, budget)

    def lead(self, box: Box) -> dict[str, str]:
        """Return the facts of a lead in a box: of columns in which anything goes, none."""
        return {
            column: classes[_numbers(chosen)[0]].value
            for column, classes, chosen, every in zip(
                self.columns, self.classes, box, self.everything, strict=True
            )
            if chosen != every
        }


def _numbers(bits: int) -> list[int]:
    found = []
    while bits:
        low = bits & -bits
        found.append(low.bit_length() - 1)
        bits ^= low
    return found


def _values(column: str, items: Sequence[Exactly | Starts | Within]) -> Iterator[str]:
    """Yield a value of each class into which tests cut a column, and perhaps others."""
    kind: FactKind = SCORED_FACTS[column]
    if kind == "yes_no":
        yield from ("yes", "no")
        return
    if kind == "text":
        words = {item.value for item in items if isinstance(item, Exactly)}
        starts = {item.prefix for item in items if isinstance(item, Starts)}
        yield from sorted(words - {""})
        yield from sorted(starts)
        # Behind the longest prefixes, and before any, something that stands nowhere.
        yield from (f"{prefix}…" for prefix in sorted(starts) if f"{prefix}…" not in words)
        yield "…"
    else:
        bounds: list[Scalar] = sorted(
            {
                bound
                for item in items
                if isinstance(item, Within)
                for bound in (item.low, item.high)
                if bound is not None
            }
        )
        yield from _between(bounds, column)
    yield ""


_MOST = {"junk": 100, "score": 100}
"""Facts that end somewhere."""


def _between(bounds: Sequence[Scalar], column: str) -> Iterator[str]:
    if SCORED_FACTS[column] == "date":
        yield from ("0001-01-01", *(str(bound) for bound in bounds), "9999-12-31")
        yield from (after for bound in bounds if (after := _day_after(str(bound))) not in bounds)
        return
    most = _MOST.get(column)
    near = {0, *((most,) if most is not None else ())}
    for bound in map(float, bounds):
        near |= {floor(bound), floor(bound) + 1, ceil(bound) - 1, ceil(bound)}
    # Facts are whole numbers from 0 on: between 3 and 4 there is none.
    yield from (str(one) for one in sorted(near) if one >= 0 and (most is None or one <= most))


def _day_after(day: str) -> str:
    from datetime import date, timedelta

    one = date.fromisoformat(day)
    return (one + timedelta(days=1)).isoformat() if one < date.max else day
