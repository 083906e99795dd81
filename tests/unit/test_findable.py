"""What a customer is found by: every way somebody at a front desk may type it."""

from __future__ import annotations

import pytest

from enrich.findable import keys_to_find, words_of
from enrich.match.record import record_of
from schemas.lead import FieldValue


def keys(**fields: str) -> set[str]:
    """Return the keys of a lead with these fields."""
    phones = [
        FieldValue(name="phone", received=text, value=text, origin="t")
        for name, text in fields.items()
        if name == "phone"
    ]
    said = {name: [text] for name, text in fields.items() if name != "phone"}
    return set(keys_to_find(phones, record_of("lead_1", said)))


def is_found(asked: str, **fields: str) -> bool:
    """Tell whether each word of what was typed fits a lead."""
    words = words_of(asked)
    have = keys(**fields)
    return bool(words) and all(
        any(one.start <= key < one.end for one in word for key in have) for word in words
    )


WANG = {"full_name": "王芳", "phone": "+8613812345678", "company": "北京大恒信息技术有限公司"}


@pytest.mark.parametrize(
    "asked",
    [
        "5678",
        "345678",
        "138 1234 5678",
        "+86 138-1234-5678",
        "013812345678",
        "王芳",
        "王芳女士",
        "wangfang",
        "Wang Fang",
        "wangf",
        "wf",
        "WF",
        "大恒",
        "大恒信息",
        "北京大恒信息技术有限公司",
        "daheng",
        "wf 5678",
        "王芳 大恒",
        "王 芳",
        "５６７８",
    ],
)
def test_all_these_find_her(asked: str) -> None:
    assert is_found(asked, **WANG)


@pytest.mark.parametrize(
    "asked", ["5679", "1381", "李芳", "lifang", "wfx", "ang", "大同", "wf 5679", "wf 8888"]
)
def test_these_find_somebody_else(asked: str) -> None:
    assert not is_found(asked, **WANG)


@pytest.mark.parametrize("asked", ["", "567", "王", "w", "  ", "?", "王先生"])
def test_too_little_finds_nobody(asked: str) -> None:
    assert words_of(asked) == ()


@pytest.mark.parametrize("asked", ["li na", "nali", "lina", "ln"])
def test_a_latin_name_is_found_in_either_order(asked: str) -> None:
    assert is_found(asked, full_name="Na Li")


@pytest.mark.parametrize(
    ("asked", "name"), [("oyjy", "欧阳靖宇"), ("sxx", "单雄信"), ("lvbu", "吕布"), ("曾国藩", "曾國藩")]
)
def test_surnames_are_read_as_surnames(asked: str, name: str) -> None:
    assert is_found(asked, full_name=name)


def test_a_number_typed_to_get_past_the_field_finds_nobody() -> None:
    assert keys(phone="+8613800138000") == set()


def test_digits_that_are_all_the_same_are_looked_for() -> None:
    assert is_found("8888", phone="+8613812348888")
