"""The match model: what each level of each comparison is worth, in bits, and the sum for two records.

Fellegi & Sunter (1969): the weight of a pair is log2 of the prior odds that two records are one, plus for each
comparison log2(m / u): how much oftener its level is met among records of one person (m) than among records of
two (u). What is missing on either side weighs nothing. Docs: docs/matching.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from math import inf, log2
from typing import Any, Literal, NamedTuple, get_args

import orjson

from enrich.match.compare import COMPARISONS, MISSING
from enrich.match.frequency import Frequencies
from enrich.match.record import Record

Level = Literal["contact", "customer"]
"""The question asked: are these one person, or one customer (the company they buy for)?"""

Limited = Literal["shared", "personal"]

FORMAT = "leadflow.match_model.v1"


class Odds(NamedTuple):
    """How often a level is met among pairs of one person (m), and of two (u)."""

    m: float
    u: float


FREE, LIMITED, KIN, SHOWS_KIN, FREQUENT = range(5)
"""What the bits of a level are: added as they are; part of the one fact that is limited; part of it if the two are
kin; a sign that they are; or to be reckoned by how frequent the value is."""


class _Row(NamedTuple):
    """A comparison as `weigh` runs through it; bits and what they are, by level."""

    level: Callable[[Record, Record], int]
    bits: tuple[float, ...]
    kinds: tuple[int, ...]
    number: int
    rare_is_limited: bool
    """Bits reckoned by frequency are part of the one fact."""


@dataclass(frozen=True, slots=True)
class LevelModel:
    """The model of one question."""

    prior: float
    """The probability that two records taken at random are one."""
    odds: Mapping[str, tuple[Odds, ...]]
    """By comparison, in the order of its levels."""
    frequency_weight: Mapping[str, float] = field(default_factory=dict)
    """How far the rarity of a value counts where it is the same, 0 to 1, by comparison."""
    limited: Limited = "shared"
    """What counts as one fact: what people share, or what is a person's own."""
    limit_bits: float | None = None
    """Prior and what is limited come to no more than this together; None: no such limit."""

    bits: tuple[tuple[float, ...], ...] = field(init=False, repr=False)
    """By comparison and level; the last entry, 0, is that of MISSING (-1)."""
    prior_bits: float = field(init=False, repr=False)
    """log2 of the prior odds."""
    room: float = field(init=False, repr=False)
    """Bits that limited evidence can bring."""
    rows: tuple[_Row, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        bits = tuple((*(log2(one.m / one.u) for one in self.odds[c.name]), 0.0) for c in COMPARISONS)
        prior = log2(self.prior / (1 - self.prior))
        most = inf if self.limit_bits is None else self.limit_bits - prior
        put = object.__setattr__  # derived once, and frozen from then on
        put(self, "bits", bits)
        put(self, "prior_bits", prior)
        put(self, "room", max(0.0, most))
        put(self, "rows", tuple(map(self._row, range(len(COMPARISONS)), bits)))

    def _row(self, number: int, bits: tuple[float, ...]) -> _Row:
        comparison = COMPARISONS[number]
        by_frequency = comparison.frequent if self.frequency_weight.get(comparison.name, 0.0) > 0 else ()

        def is_limited(level: str) -> bool:
            return (level in comparison.shared) if self.limited == "shared" else comparison.is_personal(level)

        def kind(level: str, worth: float) -> int:
            if level in by_frequency:
                return FREQUENT
            if self.limited == "shared" and level in comparison.kin:
                return KIN if number else SHOWS_KIN
            return LIMITED if is_limited(level) and worth > 0 else FREE

        kinds = tuple(map(kind, comparison.levels, bits))
        rare = any(is_limited(level) for level in by_frequency)
        return _Row(comparison.level, bits, kinds, number, rare)


class Evidence(NamedTuple):
    """What one comparison of a pair brings: level (-1 missing), bits, and whether it is part of the one fact."""

    comparison: str
    level: int
    bits: float
    limited: bool
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

        What colleagues or a household share (company, its mail domain, its switchboard, address, area; where the
        surname agrees and the given name does not, mailbox and telephone too) is one fact and not five: with the
        prior it comes to no more than `limit_bits`, so that something of the person must decide. Of the customer
        question it is the other way round: all that shows one person is one fact, since people move. That question
        is the contact question unless both sides name a company.
        """
        return self._sum(self.of(a, b, level), self.levels(a, b), a, b)

    def weigh_both(self, a: Record, b: Record) -> tuple[float, float]:
        """Return the bits of two records for the contact and for the customer question; see `weigh`."""
        levels = self.levels(a, b)
        contact = self._sum(self.contact, levels, a, b)
        if not (a.names_company and b.names_company):
            return contact, contact
        return contact, self._sum(self.customer, levels, a, b)

    def _sum(self, model: LevelModel, levels: Sequence[int], a: Record, b: Record) -> float:
        total, common, are_kin = model.prior_bits, 0.0, False
        for row, found in zip(model.rows, levels, strict=True):
            if found < 0:
                continue
            _, bits, kinds, number, rare_is_limited = row
            kind = kinds[found]
            if kind == FREE:
                total += bits[found]
            elif kind == LIMITED or (kind == KIN and are_kin):
                common += bits[found]
            elif kind == FREQUENT:
                rare = self._rarity(model, number, found, a, b)[0]
                if rare > 0 and rare_is_limited:
                    common += rare
                else:
                    total += rare
            else:
                total += bits[found]
                are_kin = are_kin or kind == SHOWS_KIN
        return total + min(common, model.room)

    def evidence(self, a: Record, b: Record, level: Level = "contact") -> tuple[Evidence, ...]:
        """Return what each comparison brings, before the limit."""
        model, levels = self.of(a, b, level), self.levels(a, b)
        are_kin = levels[0] != MISSING and model.rows[0].kinds[levels[0]] == SHOWS_KIN
        return tuple(
            self._evidence(model, number, found, (a, b), are_kin=are_kin)
            for number, found in enumerate(levels)
        )

    def limit(self, evidence: Sequence[Evidence], model: LevelModel) -> float:
        """Return the bits that the one fact brings too much: 0 or less, to be added to the sum."""
        return min(0.0, model.room - sum(one.bits for one in evidence if one.limited))

    def sum_of(self, a: Record, b: Record, level: Level = "contact") -> float:
        """Return prior and evidence without the limit: what Splink computes of this model."""
        return self.of(a, b, level).prior_bits + sum(one.bits for one in self.evidence(a, b, level))

    def of(self, a: Record, b: Record, level: Level) -> LevelModel:
        """Return the model that answers the question for two records."""
        return self.customer if level == "customer" and a.names_company and b.names_company else self.contact

    def with_prior(self, prior: float) -> MatchModel:
        """Return the model with another probability that two records are one, for both questions."""
        return replace(
            self, contact=replace(self.contact, prior=prior), customer=replace(self.customer, prior=prior)
        )

    def _evidence(
        self, model: LevelModel, number: int, found: int, pair: tuple[Record, Record], *, are_kin: bool
    ) -> Evidence:
        name = COMPARISONS[number].name
        if found == MISSING:
            return Evidence(name, found, 0.0, False)
        bits, kind = model.bits[number][found], model.rows[number].kinds[found]
        if kind == FREQUENT:
            bits, frequency = self._rarity(model, number, found, *pair)
            return Evidence(name, found, bits, bits > 0 and model.rows[number].rare_is_limited, frequency)
        return Evidence(name, found, bits, kind == LIMITED or (kind == KIN and are_kin))

    def _rarity(
        self, model: LevelModel, number: int, found: int, a: Record, b: Record
    ) -> tuple[float, float]:
        """Return the bits of a level that counts by how frequent the value is, and that frequency."""
        name, of_record = COMPARISONS[number].name, self.frequencies.of_record
        frequency = max(of_record(name, a), of_record(name, b))
        surplus = log2(model.odds[name][found].u / frequency)
        return model.bits[number][found] + model.frequency_weight[name] * surplus, frequency

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


def _dumped(model: LevelModel) -> dict[str, Any]:
    return {
        "prior": model.prior,
        "limited": model.limited,
        "limit_bits": model.limit_bits,
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
    if read["limited"] not in get_args(Limited):
        raise NotAModel(f"limited is {read['limited']!r}, not one of {', '.join(get_args(Limited))}")
    return LevelModel(read["prior"], odds, read["frequency_weight"], read["limited"], read["limit_bits"])
