"""Make enrich/data/match_model.json from stated values, and its table in docs/matching.md: `python -m tools.match_model`.

Why each value is what it is: docs/matching.md. The shares of Chinese and English names are those of the lists that
come with Faker (MIT), whose sources are the Chinese household registers and the census of the United States.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from faker.providers.person.en_US import Provider as English
from faker.providers.person.zh_CN import Provider as Chinese

from enrich.match.compare import COMPARISONS
from enrich.match.frequency import Frequencies, term
from enrich.match.model import LevelModel, Limited, MatchModel, Odds
from enrich.match.story_texts import COMPARISON_TEXTS, LEVEL_TEXTS

PATH = Path("enrich/data/match_model.json")

PAGE = Path("docs/matching.md")
BEGIN, END = "<!-- levels: made by python -m tools.match_model -->\n", "<!-- end of levels -->\n"

PRIOR = 1 / 50_000
LIMIT_CONTACT = -5.0
LIMIT_CUSTOMER = 2.0

Stated = Mapping[str, Mapping[str, tuple[float, float]]]

CONTACT: Stated = {
    "name": {
        "exact": (0.675, 0.0008),
        "written_otherwise": (0.03, 0.00015),
        "romanised": (0.03, 0.0003),
        "nickname": (0.05, 0.0006),
        "typo": (0.07, 0.0008),
        "two_typos": (0.03, 0.0025),
        "one_character": (0.015, 0.006),
        "initials": (0.02, 0.002),
        "part": (0.04, 0.008),
        "given": (0.005, 0.012),
        "family": (0.015, 0.05),
    },
    "phone": {
        "same": (0.5, 0.00002),
        "same_extension": (0.02, 0.000002),
        "one_digit": (0.03, 0.00002),
        "same_landline": (0.06, 0.0006),
        "same_exchange": (0.02, 0.0006),
    },
    "email": {
        "same": (0.6, 0.00002),
        "typo": (0.04, 0.00001),
        "same_local_own": (0.03, 0.0001),
        "same_local_free": (0.04, 0.0002),
        "same_role": (0.03, 0.0005),
        "same_domain": (0.06, 0.003),
    },
    "company": {
        "exact": (0.4, 0.0008),
        "core": (0.13, 0.0005),
        "romanised": (0.03, 0.0003),
        "brand": (0.05, 0.0002),
        "short_brand": (0.04, 0.001),
        "typo": (0.04, 0.0003),
        "abbreviation": (0.03, 0.0005),
        "branch": (0.05, 0.001),
        "most_words": (0.05, 0.001),
        "some_words": (0.04, 0.008),
    },
    "address": {
        "same": (0.4, 0.0005),
        "most_words": (0.2, 0.0005),
        "some_words": (0.12, 0.01),
    },
    "area": {
        "postcode": (0.5, 0.004),
        "city": (0.25, 0.03),
        "postcode_near": (0.05, 0.01),
        "city_typo": (0.03, 0.003),
        "region": (0.07, 0.06),
    },
    "birth_date": {
        "same": (0.85, 0.00006),
        "day_month_swapped": (0.02, 0.0001),
        "one_digit": (0.06, 0.0012),
        "month": (0.015, 0.004),
        "day_month": (0.01, 0.0026),
        "year": (0.012, 0.035),
        "decade": (0.015, 0.26),
    },
    "national_id": {"same": (0.93, 1e-7), "one_off": (0.04, 1e-6), "two_off": (0.01, 3e-6)},
    "other": {"same": (0.2, 0.002), "alike": (0.2, 0.01)},
}

CUSTOMER: Stated = {
    **CONTACT,
    "name": {
        "exact": (0.2, 0.0008),
        "written_otherwise": (0.01, 0.00015),
        "romanised": (0.01, 0.0003),
        "nickname": (0.01, 0.0006),
        "typo": (0.02, 0.0008),
        "two_typos": (0.01, 0.0025),
        "one_character": (0.01, 0.006),
        "initials": (0.01, 0.002),
        "part": (0.015, 0.008),
        "given": (0.012, 0.012),
        "family": (0.055, 0.05),
    },
    "phone": {
        "same": (0.2, 0.00002),
        "same_extension": (0.01, 0.000002),
        "one_digit": (0.02, 0.00002),
        "same_landline": (0.15, 0.00005),
        "same_exchange": (0.07, 0.0003),
    },
    "email": {
        "same": (0.25, 0.00002),
        "typo": (0.02, 0.00001),
        "same_local_own": (0.01, 0.0001),
        "same_local_free": (0.02, 0.0002),
        "same_role": (0.05, 0.00005),
        "same_domain": (0.35, 0.00005),
    },
    "company": {
        "exact": (0.48, 0.00001),
        "core": (0.16, 0.00002),
        "romanised": (0.04, 0.0001),
        "brand": (0.06, 0.0001),
        "short_brand": (0.05, 0.001),
        "typo": (0.05, 0.00005),
        "abbreviation": (0.03, 0.0005),
        "branch": (0.04, 0.001),
        "most_words": (0.04, 0.001),
        "some_words": (0.03, 0.008),
    },
    "birth_date": {
        "same": (0.25, 0.00006),
        "day_month_swapped": (0.005, 0.0001),
        "one_digit": (0.02, 0.0012),
        "month": (0.007, 0.004),
        "day_month": (0.004, 0.0026),
        "year": (0.03, 0.035),
        "decade": (0.2, 0.26),
    },
    "national_id": {"same": (0.3, 1e-7), "one_off": (0.015, 1e-6), "two_off": (0.005, 3e-6)},
}

US_SURNAMES_LISTED = 0.4
"""Of the people of the United States, those whose surname is among the 1,000 commonest: the list's shares are of
them alone."""
CHINESE_GIVEN = (0.003, 0.001)
"""Share of the commonest given name, and of the last of the list (some 100): the list has an order, no shares."""


def stated_model() -> MatchModel:
    """Return the default model."""
    return MatchModel(
        _level(CONTACT, {"name": 1.0, "company": 1.0}, "shared", LIMIT_CONTACT),
        _level(CUSTOMER, {"name": 0.5, "company": 1.0}, "personal", LIMIT_CUSTOMER),
        _frequencies(),
        "Stated values: docs/matching.md says why each is what it is.",
    )


def _level(stated: Stated, weights: Mapping[str, float], limited: Limited, bits: float) -> LevelModel:
    odds = {c.name: _with_rest([stated[c.name][level] for level in c.levels[:-1]]) for c in COMPARISONS}
    return LevelModel(PRIOR, odds, weights, limited, bits)


def _with_rest(stated: list[tuple[float, float]]) -> tuple[Odds, ...]:
    """The last level, plainly other, is all that is left."""
    m, u = zip(*stated, strict=True)
    return (*(Odds(*one) for one in stated), Odds(round(1 - sum(m), 9), round(1 - sum(u), 9)))


def _frequencies() -> Frequencies:
    family = {term(name): share / 100 for name, share in Chinese.last_names.items()}
    family |= {term(name.lower()): share * US_SURNAMES_LISTED for name, share in English.last_names.items()}
    most, least = CHINESE_GIVEN
    given: dict[int, float] = {}
    for names in (Chinese.first_names_male, Chinese.first_names_female):
        for place, name in enumerate(names):
            given[term(name)] = most * (least / most) ** (place / len(names))
    for table in (English.first_names_male, English.first_names_female):
        given |= {term(name.lower()): share / 2 for name, share in table.items()}
    return Frequencies(_rounded(family), _rounded(given), {})


def _rounded(table: Mapping[int, float]) -> dict[int, float]:
    return {key: float(f"{share:.3g}") for key, share in table.items() if share > 1e-4}


def with_levels(page: str, model: MatchModel) -> str:
    """Return a page with the table of levels between its two marks made anew."""
    before, rest = page.split(BEGIN)
    return before + BEGIN + levels_table(model) + END + rest.split(END)[1]


def levels_table(model: MatchModel) -> str:
    """Return what each level of each comparison is worth, as a table in Markdown."""
    rows = [
        "",
        "| comparison | level | m | u | bits, contact | bits, customer |",
        "|---|---|---|---|---|---|",
    ]
    for at, comparison in enumerate(COMPARISONS):
        for index, level in enumerate(comparison.levels):
            odds = model.contact.odds[comparison.name][index]
            marks = ("°" if level in comparison.shared else "") + (
                "*" if level in comparison.frequent else ""
            )
            text = LEVEL_TEXTS[comparison.name, level][0]
            bits = " | ".join(f"{one.bits[at][index]:+.1f}" for one in (model.contact, model.customer))
            name = COMPARISON_TEXTS[comparison.name][0] if not index else ""
            rows.append(f"| {name} | `{level}`{marks} {text} | {odds.m:.3g} | {odds.u:.2g} | {bits} |")
    return "\n".join(rows) + "\n\n"


if __name__ == "__main__":
    made = stated_model()
    PATH.write_bytes(made.dump())
    PAGE.write_text(with_levels(PAGE.read_text("utf-8"), made), "utf-8")
