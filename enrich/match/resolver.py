"""Customers in memory: records come one by one, each joins a customer or founds one.

What the live stage keeps in its store, this keeps in dictionaries; the decisions are the same (block.py, cluster.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from operator import attrgetter

from enrich.match.block import MOST_CUSTOMERS, MOST_OF_CUSTOMER, keys_of, refined
from enrich.match.cluster import MOST_MEMBERS, Assignment, Bands, Candidate, assign
from enrich.match.model import Level, MatchModel
from enrich.match.record import Record
from enrich.match.shared import Holder, Value, holder_of, is_shared, values_of, with_holder, without
from enrich.match.trusted import trusted_ids

MOST_CANDIDATES = 32
"""Customers weighed for one record: those with whom it shares the most and rarest keys. More were weighed in vain."""
MOST_FACES = 64
"""Different records kept of one customer to be compared with."""

_content = attrgetter(
    "names", "phones", "emails", "companies", "addresses", "cities", "regions", "postcodes", "birth_dates",
    "national_ids", "others",
)  # fmt: skip


class Resolver:
    """Customers as they stand after the records so far. A customer's id is the number of one of its records."""

    def __init__(self, model: MatchModel, bands: Bands, level: Level = "contact") -> None:
        self.model, self.bands, self.level = model, bands, level
        self.records: list[Record] = []
        self.customer: list[int] = []
        """By the number of a record, in order of arrival."""
        self.weighed = 0
        """Pairs compared so far."""
        self.shared: set[Value] = set()
        """Values that no longer decide."""
        self.left_out = 0
        """Records not kept under a refined key that was full."""
        self._members: dict[int, list[int]] = {}
        self._faces: dict[int, dict[object, int]] = {}
        self._ids: dict[int, frozenset[str]] = {}
        self._under: dict[str, list[int]] = {}
        self._hot: set[str] = set()
        self._holders: dict[Value, tuple[Holder, ...]] = {}
        self._bare: dict[int, Record] = {}

    def add(self, record: Record) -> Assignment[int]:
        """Take a record in, and return what was decided."""
        number = len(self.records)
        keys = keys_of(record, self.level)
        ids = trusted_ids(record, self.level)
        self._hold(record)
        self.records.append(record)
        bare = without(record, self.shared) if self._has_shared(record) else record
        found = assign(bare, self._candidates(record, keys), self._weigh, self.bands, ids)
        self.customer.append(number)
        self._members[number] = [number]
        self._faces[number] = {_content(record): number}
        self._ids[number] = ids
        into = number
        for other in () if found.customer is None else (found.customer, *found.joins):
            into = self._join(into, other)
        if self._faces[into].get(_content(record)) == number:
            self._keep(number, keys)
        return found

    def members(self) -> dict[int, list[int]]:
        """Return the records of each customer, in order of arrival."""
        return {customer: sorted(numbers) for customer, numbers in self._members.items()}

    def members_of(self, customer: int) -> tuple[int, ...]:
        """Return the records of one customer, by number; of one that was joined with another since, those of both."""
        return tuple(self._members[self.customer[customer]])

    def effective(self, record: Record) -> tuple[str, ...]:
        """Return the keys under which a record is looked for: hot ones refined."""
        return tuple(dict.fromkeys(self._effective(record, keys_of(record, self.level))))

    def _effective(self, record: Record, keys: tuple[str, ...]) -> Iterator[str]:
        for key in keys:
            if key in self._hot:
                yield from refined(key, record)
            else:
                yield key

    def _candidates(self, record: Record, keys: tuple[str, ...]) -> Iterator[Candidate[int]]:
        common: Counter[int] = Counter()
        rare: dict[int, float] = {}
        for key in self._effective(record, keys):
            if under := self._under.get(key):
                weight = 1 / len(under)
                for number in under:
                    common[number] += 1
                    customer = self.customer[number]
                    rare[customer] = rare.get(customer, 0.0) + weight
        likely = sorted(rare, key=lambda one: (-rare[one], one))[:MOST_CANDIDATES]
        met: dict[int, list[int]] = {customer: [] for customer in likely}
        for number, _ in common.most_common():
            if (of := met.get(self.customer[number])) is not None:
                of.append(number)
        for customer, numbers in met.items():
            others = (one for one in self._faces[customer].values() if one not in common)
            shown = [*numbers[:MOST_MEMBERS]]
            while len(shown) < MOST_MEMBERS and (one := next(others, None)) is not None:
                shown.append(one)
            yield Candidate(customer, [self._seen(one) for one in shown], self._ids[customer])

    def _weigh(self, one: Record, other: Record) -> float:
        self.weighed += 1
        return self.model.weigh(one, other, self.level)

    def _join(self, one: int, other: int) -> int:
        """Make one customer of two; the larger keeps its id."""
        if len(self._members[one]) > len(self._members[other]):
            one, other = other, one
        moved = self._members.pop(one)
        for number in moved:
            self.customer[number] = other
        self._members[other] += moved
        faces = self._faces[other]
        for content, number in self._faces.pop(one).items():
            if len(faces) < MOST_FACES:
                faces.setdefault(content, number)
        self._ids[other] |= self._ids.pop(one)
        return other

    def _keep(self, number: int, keys: tuple[str, ...]) -> None:
        for key in keys:
            if key in self._hot:
                self._keep_refined(key, number)
                continue
            under = self._under.setdefault(key, [])
            if self._may_stand(number, under):
                under.append(number)
            elif len(under) >= MOST_CUSTOMERS and self._is_full(under):
                self._hot.add(key)
                for one in (*self._under.pop(key), number):
                    self._keep_refined(key, one)

    def _keep_refined(self, key: str, number: int) -> None:
        for finer in refined(key, self.records[number]):
            under = self._under.setdefault(finer, [])
            if self._may_stand(number, under):
                under.append(number)
            else:
                self.left_out += 1

    def _may_stand(self, number: int, under: list[int]) -> bool:
        if len(under) < MOST_OF_CUSTOMER:
            return True
        customers = [self.customer[one] for one in under]
        own = customers.count(self.customer[number])
        if own:
            return own < MOST_OF_CUSTOMER
        return len(under) < MOST_CUSTOMERS or len(set(customers)) < MOST_CUSTOMERS

    def _is_full(self, under: list[int]) -> bool:
        return len({self.customer[one] for one in under}) >= MOST_CUSTOMERS

    def _hold(self, record: Record) -> None:
        holder = holder_of(record, self.level)
        if holder is None:
            return
        for value in values_of(record):
            if value in self.shared:
                continue
            holders = self._holders.get(value, ())
            after = with_holder(holders, holder)
            if after is not holders:
                self._holders[value] = after
                if is_shared(after):
                    self.shared.add(value)
                    del self._holders[value]
                    self._bare.clear()

    def _has_shared(self, record: Record) -> bool:
        return bool(self.shared) and any(value in self.shared for value in values_of(record))

    def _seen(self, number: int) -> Record:
        """Return a record as it counts now, without what is shared."""
        record = self.records[number]
        if not self.shared or not (record.emails or record.phones):
            return record
        seen = self._bare.get(number)
        if seen is None:
            seen = self._bare[number] = without(record, self.shared) if self._has_shared(record) else record
        return seen
