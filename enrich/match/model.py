"""The match model: what each level of each comparison is worth, in bits, and the sum for two records.

Fellegi & Sunter (1969): the weight of a pair is log2 of the prior odds that two records are one, plus for each
comparison log2(m / u): how much oftener its level is met among records of one person (m) than among records of
two (u). What is missing on either side weighs nothing. Docs: docs/matching.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from math import inf, log2
from typing import Any, Literal, NamedTuple
from zlib import crc32

import orjson

from enrich.match.companies import Company
from enrich.match.compare import COMPARISONS, MISSING
from enrich.match.names import Name
from enrich.match.record import Record

Level = Literal["contact", "customer"]
"""The question asked: are these one person, or one customer (the company they buy for)?"""

FORMAT = "leadflow.match_model.v1"


class Odds(NamedTuple):
    """How often a level is met among pairs of one person (m), and of two (u)."""

    m: float
    u: float


def term(text: str) -> int:
    """Return the number under which the frequency of a word is kept: of 32 bits, so that no word can be read back."""
    return crc32(text.encode())


@dataclass(frozen=True, slots=True)
class Frequencies:
    """The share of records that have a surname, a given name or a company's brand, by `term`."""

    family: Mapping[int, float] = field(default_factory=dict)
    given: Mapping[int, float] = field(default_factory=dict)
    company: Mapping[int, float] = field(default_factory=dict)
    family_unseen: float = 1e-4
    given_unseen: float = 1e-4
    company_unseen: float = 1e-6
    least_name: float = 4e-5
    """No name counts as rarer than this: a name alone, however rare, makes nobody the same."""

    def of_name(self, name: Name) -> float:
        """Return the share of people who have a name: its surname's times its given name's."""
        family = self.family.get(term(name.family), self.family_unseen)
        given = self.given.get(term(name.given), self.given_unseen)
        return max(family * given, self.least_name)

    def of_company(self, company: Company) -> float:
        """Return the share of records whose company has this brand."""
        return self.company.get(term(company.brand), self.company_unseen)

    def of_record(self, comparison: str, record: Record) -> float:
        """Return the frequency that counts for a record: that of the commonest of its values."""
        if comparison == "name":
            return max(map(self.of_name, record.names))
        return max(map(self.of_company, record.companies))


@dataclass(frozen=True, slots=True)
class LevelModel:
    """The model of one question."""

    prior: float
    """The probability that two records taken at random are one."""
    odds: Mapping[str, tuple[Odds, ...]]
    """By comparison, in the order of its levels."""
    frequency_weight: Mapping[str, float] = field(default_factory=dict)
    """How far the rarity of a value counts where it is the same, 0 to 1, by comparison."""
    shared_most_bits: float | None = None
    """Prior and shared evidence come to no more than this together; None: no such limit."""

    bits: tuple[tuple[float, ...], ...] = field(init=False, repr=False)
    """By comparison and level; the last entry, 0, is that of MISSING (-1)."""
    _own: tuple[tuple[float, ...], ...] = field(init=False, repr=False)
    _shared: tuple[tuple[float, ...], ...] = field(init=False, repr=False)
    _is_shared: tuple[tuple[bool, ...], ...] = field(init=False, repr=False)
    _by_frequency: tuple[tuple[bool, ...], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        bits = tuple((*(log2(one.m / one.u) for one in self.odds[c.name]), 0.0) for c in COMPARISONS)
        is_shared = tuple((*(level in c.shared for level in c.levels), False) for c in COMPARISONS)
        both = [tuple(zip(*rows, strict=True)) for rows in zip(bits, is_shared, strict=True)]
        put = object.__setattr__  # derived once, and frozen from then on
        put(self, "bits", bits)
        put(self, "_is_shared", is_shared)
        put(self, "_own", tuple(tuple(0.0 if s and x > 0 else x for x, s in row) for row in both))
        put(self, "_shared", tuple(tuple(x if s and x > 0 else 0.0 for x, s in row) for row in both))
        counts = [self.frequency_weight.get(c.name, 0) > 0 for c in COMPARISONS]
        by = (
            (*(level in c.frequent and counted for level in c.levels), False)
            for c, counted in zip(COMPARISONS, counts, strict=True)
        )
        put(self, "_by_frequency", tuple(by))

    @property
    def prior_bits(self) -> float:
        """log2 of the prior odds."""
        return log2(self.prior / (1 - self.prior))


class Evidence(NamedTuple):
    """What one comparison of a pair brings: level (-1 missing), bits, and whether people share such a thing."""

    comparison: str
    level: int
    bits: float
    shared: bool
    frequency: float | None = None
    """The share of records with this value, where the value's rarity counts."""


@dataclass(frozen=True, slots=True)
class MatchModel:
    """Both questions' models, and how frequent names and companies are."""

    contact: LevelModel
    customer: LevelModel
    frequencies: Frequencies = field(default_factory=Frequencies)
    made_from: str = ""
    """One sentence: stated values, or what it was trained on."""

    def levels(self, a: Record, b: Record) -> tuple[int, ...]:
        """Return the level of every comparison, in the order of `COMPARISONS`; -1 where one says nothing."""
        return tuple([comparison.level(a, b) for comparison in COMPARISONS])

    def weigh(self, a: Record, b: Record, level: Level = "contact") -> float:
        """Return how likely two records are one, as log2 odds in bits, prior included.

        What colleagues or a household share (company, its mail domain, its switchboard, address, area) is one
        fact and not five: with the prior it comes to no more than `shared_most_bits`, so that something of the
        person must decide. The customer question is the contact question unless both sides name a company.
        """
        model = self.of(a, b, level)
        own, shared = model.prior_bits, 0.0
        for index, comparison in enumerate(COMPARISONS):
            found = comparison.level(a, b)
            if found == MISSING:
                continue
            if model._by_frequency[index][found]:
                one = self._evidence(model, index, found, a, b)
                if one.shared:
                    shared += one.bits
                else:
                    own += one.bits
            else:
                own += model._own[index][found]
                shared += model._shared[index][found]
        return own + min(shared, _room(model))

    def evidence(self, a: Record, b: Record, level: Level = "contact") -> tuple[Evidence, ...]:
        """Return what each comparison brings, before what is shared is limited."""
        model = self.of(a, b, level)
        found = zip(COMPARISONS, self.levels(a, b), strict=True)
        return tuple(self._evidence(model, index, at, a, b) for index, (_, at) in enumerate(found))

    def limit(self, evidence: Sequence[Evidence], model: LevelModel) -> float:
        """Return the bits that shared evidence brings too much: 0 or less, to be added to the sum."""
        shared = sum(one.bits for one in evidence if one.shared)
        return min(0.0, _room(model) - shared)

    def sum_of(self, a: Record, b: Record, level: Level = "contact") -> float:
        """Return prior and evidence without the limit on what is shared: what Splink computes of this model."""
        return self.of(a, b, level).prior_bits + sum(one.bits for one in self.evidence(a, b, level))

    def of(self, a: Record, b: Record, level: Level) -> LevelModel:
        """Return the model that answers the question for two records."""
        return self.customer if level == "customer" and a.names_company and b.names_company else self.contact

    def with_prior(self, prior: float) -> MatchModel:
        """Return the model with another probability that two records are one, for both questions."""
        return replace(
            self, contact=replace(self.contact, prior=prior), customer=replace(self.customer, prior=prior)
        )

    def _evidence(self, model: LevelModel, index: int, at: int, a: Record, b: Record) -> Evidence:
        name, bits = COMPARISONS[index].name, model.bits[index][at]
        if not model._by_frequency[index][at]:
            return Evidence(name, at, bits, bool(model._shared[index][at]))
        frequency = max(self.frequencies.of_record(name, a), self.frequencies.of_record(name, b))
        bits += model.frequency_weight[name] * log2(model.odds[name][at].u / frequency)
        return Evidence(name, at, bits, bits > 0 and model._is_shared[index][at], frequency)

    def dump(self) -> bytes:
        """Return the model as JSON."""
        return orjson.dumps(
            {
                "format": FORMAT,
                "made_from": self.made_from,
                "contact": _dumped(self.contact),
                "customer": _dumped(self.customer),
                "frequencies": {
                    name: {f"{key:08x}": share for key, share in sorted(value.items())}
                    if isinstance(value, Mapping)
                    else value
                    for name in Frequencies.__dataclass_fields__
                    if (value := getattr(self.frequencies, name)) is not None
                },
            },
            option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
        )


class NotAModel(ValueError):
    """The file is no match model of this version."""


def load_model(content: bytes) -> MatchModel:
    """Read a model from JSON; NotAModel says what is wrong with it."""
    try:
        read: dict[str, Any] = orjson.loads(content)
        if read.get("format") != FORMAT:
            raise NotAModel(f"format is {read.get('format')!r}, not {FORMAT!r}")
        tables: dict[str, Any] = {
            name: {int(key, 16): share for key, share in value.items()} if isinstance(value, dict) else value
            for name, value in read["frequencies"].items()
        }
        return MatchModel(
            _loaded(read["contact"]), _loaded(read["customer"]), Frequencies(**tables), read["made_from"]
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError, ZeroDivisionError) as wrong:
        raise NotAModel(f"{type(wrong).__name__}: {wrong}") from wrong


@cache
def default_model() -> MatchModel:
    """Return the model that comes with Leadflow, which works before anything was trained."""
    return load_model(files("enrich").joinpath("data", "match_model.json").read_bytes())


def _room(model: LevelModel) -> float:
    return inf if model.shared_most_bits is None else max(0.0, model.shared_most_bits - model.prior_bits)


def _dumped(model: LevelModel) -> dict[str, Any]:
    return {
        "prior": model.prior,
        "shared_most_bits": model.shared_most_bits,
        "frequency_weight": dict(model.frequency_weight),
        "comparisons": {
            c.name: {
                level: {"m": odds.m, "u": odds.u}
                for level, odds in zip(c.levels, model.odds[c.name], strict=True)
            }
            for c in COMPARISONS
        },
    }


def _loaded(read: dict[str, Any]) -> LevelModel:
    odds = {
        c.name: tuple(Odds(**read["comparisons"][c.name][level]) for level in c.levels) for c in COMPARISONS
    }
    return LevelModel(read["prior"], odds, read["frequency_weight"], read["shared_most_bits"])
