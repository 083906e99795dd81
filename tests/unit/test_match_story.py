"""The sum of a pair, line by line, for people to check."""

from __future__ import annotations

import pytest

from enrich.match.compare import COMPARISONS
from enrich.match.model import default_model
from enrich.match.record import record_of
from enrich.match.story import story_of
from enrich.match.story_texts import COMPARISON_TEXTS, LEVEL_TEXTS

MODEL = default_model()
ONE = record_of(
    "1",
    {
        "full_name": ["张伟"],
        "phone": ["010-62561155"],
        "company": ["北京大恒信息技术有限公司"],
        "email": ["zhangwei88@daheng-info.cn"],
        "city": ["北京"],
        "birth_date": ["1990-01-02"],
    },
)
OTHER = record_of(
    "2",
    {
        "full_name": ["章伟", "Zhang Wei"],
        "phone": ["010-62561155", "13812345678", "13812345679", "13812345670"],
        "company": ["大恒信息"],
        "email": ["info@daheng-info.cn"],
        "city": ["Beijing"],
    },
)


def test_the_lines_add_up_to_the_weight() -> None:
    story = story_of(MODEL, ONE, OTHER)
    total = story.prior_bits + sum(line.bits for line in story.lines) + story.limit_bits
    assert total == story.total == pytest.approx(MODEL.weigh(ONE, OTHER))
    assert story.limit_bits < 0
    assert story.probability == pytest.approx(1 / (1 + 2**-total))


def test_the_printed_lines_add_up_to_the_printed_sum() -> None:
    for language in ("en", "zh"):
        *rows, total, _silent = story_of(MODEL, ONE, OTHER).text(language)
        assert sum(float(row[:8]) for row in rows) == pytest.approx(
            float(total[:8]), abs=0.005 * (len(rows) + 1)
        )


def test_a_line_shows_both_values_and_the_level() -> None:
    lines = {line.comparison: line for line in story_of(MODEL, ONE, OTHER).lines}
    assert (lines["name"].one, lines["name"].other, lines["name"].level) == (
        "张伟",
        "章伟 / zhang wei",
        "romanised",
    )
    assert lines["phone"].other == "+861062561155 / +8613812345678 / +8613812345679 +1"
    assert lines["company"].level == "core"
    assert lines["company"].limited


def test_what_cannot_be_compared_is_said() -> None:
    story = story_of(MODEL, ONE, OTHER)
    assert set(story.silent) == {"address", "birth_date", "national_id", "other"}
    assert "date of birth" in story.text("en")[-1]
    assert "出生日期" in story.text("zh")[-1]


def test_a_name_says_how_common_it_is() -> None:
    story = story_of(MODEL, ONE, ONE)
    line = next(line for line in story.lines if line.comparison == "name")
    assert line.frequency == pytest.approx(MODEL.frequencies.of_record("name", ONE))
    assert line.frequency is not None
    assert any(f"1 in {1 / line.frequency:,.0f}" in row for row in story.text("en"))


def test_why_not_begins_with_what_is_missing_and_names_the_worst_first() -> None:
    stranger = record_of("3", {"full_name": ["李娜"], "city": ["上海"], "birth_date": ["1961-07-23"]})
    story = story_of(MODEL, ONE, stranger)
    first, *rows = story.against("en")
    assert first.startswith(f"{-story.total:.2f} bits short")
    bits = [float(row[:8]) for row in rows]
    assert bits == sorted(bits)
    assert "name: other" in rows[0]
    assert story_of(MODEL, ONE, ONE).against("zh") == ("两条记录更可能为同一对象，没有理由分开",)


def test_the_question_of_a_story_is_the_one_that_was_asked_for_companies() -> None:
    assert story_of(MODEL, ONE, OTHER, "customer").question == "customer"
    private = record_of("4", {"full_name": ["张伟"]})
    assert story_of(MODEL, ONE, private, "customer").question == "contact"


def test_every_comparison_and_level_has_a_text_in_both_languages() -> None:
    assert set(COMPARISON_TEXTS) == {comparison.name for comparison in COMPARISONS}
    assert set(LEVEL_TEXTS) == {(c.name, level) for c in COMPARISONS for level in c.levels}
    assert all(en and zh for en, zh in (*COMPARISON_TEXTS.values(), *LEVEL_TEXTS.values()))
