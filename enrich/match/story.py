"""Why two records are one, or not: the sum of a pair line by line, for people to check."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp2
from typing import Literal

from enrich.match.compare import COMPARISONS, MISSING
from enrich.match.model import Level, MatchModel
from enrich.match.record import Record
from enrich.match.story_texts import COMPARISON_TEXTS, LEVEL_TEXTS

Language = Literal["en", "zh"]


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison: both values as they were compared, the level they reach, and what it brings."""

    comparison: str
    level: str
    one: str
    other: str
    bits: float
    limited: bool
    """It is part of the one fact that `limit_bits` is about."""
    frequency: float | None
    """The share of records with this value, where its rarity counts."""


@dataclass(frozen=True, slots=True)
class Story:
    """The waterfall of one pair: `prior_bits`, the bits of each line and `limit_bits` add up to `total`."""

    question: Level
    prior_bits: float
    lines: tuple[Line, ...]
    """The comparisons that say something, in their order."""
    silent: tuple[str, ...]
    """The comparisons for which a value is missing on either side."""
    limit_bits: float
    """0 or less: what colleagues or a household share counts as one fact; of customers, what shows one person."""

    @property
    def total(self) -> float:
        """The weight of the pair: log2 odds that they are one."""
        return self.prior_bits + sum(line.bits for line in self.lines) + self.limit_bits

    @property
    def probability(self) -> float:
        """The same as a probability."""
        return 1 / (1 + exp2(min(1000.0, -self.total)))

    def text(self, language: Language = "en") -> tuple[str, ...]:
        """Return the waterfall as lines of text, bits first, in the order of the sum."""
        return _chinese(self) if language == "zh" else _english(self)

    def against(self, language: Language = "en") -> tuple[str, ...]:
        """Return what keeps the two apart: how much is missing to even odds, and what speaks against, worst first."""
        zh = language == "zh"
        if self.total >= 0:
            return (
                "两条记录更可能为同一对象，没有理由分开"
                if zh
                else "They are more likely one than not: nothing keeps them apart",
            )
        short = f"{-self.total:.2f}"
        rows = [f"距各半概率还差 {short} 比特" if zh else f"{short} bits short of even odds"]
        for line in sorted((one for one in self.lines if one.bits < 0), key=lambda one: one.bits):
            name, level = COMPARISON_TEXTS[line.comparison][zh], LEVEL_TEXTS[line.comparison, line.level][zh]
            rows.append(f"{line.bits:+8.2f}  {name}{'：' if zh else ': '}{level}")
        if self.limit_bits:
            rows.append(f"{self.limit_bits:+8.2f}  {_LIMIT[self.question][zh]}")
        return tuple(rows)


def story_of(model: MatchModel, a: Record, b: Record, level: Level = "contact") -> Story:
    """Return why two records are one by the model, or not; its total is `model.weigh` of the same arguments."""
    used = model.of(a, b, level)
    evidence = model.evidence(a, b, level)
    lines = tuple(
        Line(c.name, c.levels[e.level], _shown(c.name, a), _shown(c.name, b), e.bits, e.limited, e.frequency)
        for c, e in zip(COMPARISONS, evidence, strict=True)
        if e.level != MISSING
    )
    silent = tuple(one.comparison for one in evidence if one.level == MISSING)
    question: Level = "customer" if used is model.customer else "contact"
    return Story(question, used.prior_bits, lines, silent, model.limit(evidence, used))


_MOST_SHOWN = 3
_LIMIT = {
    "contact": (
        "what a workplace or household shares counts as one fact",
        "同单位或同住址者共有的信息只算一项",
    ),
    "customer": (
        "what shows one person counts as one fact: people move",
        "表明为同一人的信息只算一项：人会换单位",
    ),
}


def _shown(comparison: str, record: Record) -> str:
    values = [value for value in _texts(comparison, record) if value]
    more = f" +{len(values) - _MOST_SHOWN}" if len(values) > _MOST_SHOWN else ""
    return " / ".join(values[:_MOST_SHOWN]) + more


def _texts(comparison: str, record: Record) -> list[str]:
    match comparison:
        case "name":
            return [name.text for name in record.names]
        case "phone":
            return [
                phone.e164 + (f" x{phone.extension}" if phone.extension else "") for phone in record.phones
            ]
        case "email":
            return [email.address for email in record.emails]
        case "company":
            return [company.text for company in record.companies]
        case "address":
            return [address.text for address in record.addresses]
        case "area":
            return [*record.postcodes, *record.cities, *record.regions]
        case "birth_date":
            return [f"{date.year:04}-{date.month:02}-{date.day:02}" for date in record.birth_dates]
        case "national_id":
            return list(record.national_ids)
        case _:
            return [" ".join(sorted(words))[:40] for words in record.others]


def _english(story: Story) -> tuple[str, ...]:
    who = "one customer" if story.question == "customer" else "one person"
    rows = [f"{story.prior_bits:+8.2f}  before anything is compared"]
    for line in story.lines:
        name, level = COMPARISON_TEXTS[line.comparison][0], LEVEL_TEXTS[line.comparison, line.level][0]
        rare = f", 1 in {1 / line.frequency:,.0f}" if line.frequency else ""
        rows.append(f"{line.bits:+8.2f}  {name}: {level}{rare}  [{line.one} | {line.other}]")
    if story.limit_bits:
        rows.append(f"{story.limit_bits:+8.2f}  {_LIMIT[story.question][0]}")
    rows.append(f"{story.total:+8.2f}  bits: {_percent(story.probability)} that they are {who}")
    if story.silent:
        names = ", ".join(COMPARISON_TEXTS[name][0] for name in story.silent)
        rows.append(f"{'':8}  nothing to compare: {names}")
    return tuple(rows)


def _chinese(story: Story) -> tuple[str, ...]:
    who = "同一客户" if story.question == "customer" else "同一人"
    rows = [f"{story.prior_bits:+8.2f}  比对之前"]
    for line in story.lines:
        name, level = COMPARISON_TEXTS[line.comparison][1], LEVEL_TEXTS[line.comparison, line.level][1]
        rare = f"，约 {1 / line.frequency:,.0f} 人中有 1 人" if line.frequency else ""
        rows.append(f"{line.bits:+8.2f}  {name}：{level}{rare}  〔{line.one} | {line.other}〕")
    if story.limit_bits:
        rows.append(f"{story.limit_bits:+8.2f}  {_LIMIT[story.question][1]}")
    rows.append(f"{story.total:+8.2f}  比特：{who}的概率为 {_percent(story.probability)}")
    if story.silent:
        names = "、".join(COMPARISON_TEXTS[name][1] for name in story.silent)
        rows.append(f"{'':8}  无可比对：{names}")
    return tuple(rows)


def _percent(probability: float) -> str:
    if probability > 0.9999:
        return ">99.99%"
    return "<0.01%" if probability < 0.0001 else f"{probability:.2%}"
