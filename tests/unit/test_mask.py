"""Telephone numbers masked in text, pages and JSON; ids, dates and small numbers left as they are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.mask import masked_html, masked_json
from schemas.mask import masked

DIGITS = "0123456789"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("138 1234 5678", "138 •••• ••78"),
        ("+8613812345678", "+861••••••••78"),
        ("打我电话13812345678吧", "打我电话138••••••78吧"),
        ("021-5888 1234转8001", "021-•••• ••34转8001"),
        ("１３８１２３４５６７８", "１３８••••••７８"),
        ("tel13812345678", "tel138••••••78"),
        ("138\u200b12345678", "138\u200b••••••78"),
        ("(021) 58881234", "(021) ••••••34"),
        ("1381234567813912345678", "138•••••••••••••••••78"),
        ("138/1234/5678", "138/••••/••78"),
        ("138_1234_5678", "138_••••_••78"),
        ("2026/11/29 10:00", "2026/11/29 10:00"),
        ("2026-11-29 13812345678", "2026-11-29 138••••••78"),
        ("2026-11-29 10:00:00.123", "2026-11-29 10:00:00.123"),
        ("cap_01234567890123", "cap_01234567890123"),
        ("0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef"),
        ("wx_13812345678", "wx_138••••••78"),
        ("ext. 8001, 250 t", "ext. 8001, 250 t"),
        ("1,234,567.89", "1,234,567.89"),
    ],
)
def test_a_text(text: str, shown: str) -> None:
    assert masked(text) == shown


def test_a_page_loses_the_number_everywhere_and_keeps_its_forms() -> None:
    page = (
        '<a role="button" href="tel:+8613812345678"><bdi>138 1234 5678</bdi></a>'
        '<abbr title="13812345678">x</abbr><input type="hidden" name="key" value="12345678901">'
        '<a href="mailto:13812345678@139.example" data-x="13812345678">mail</a><a href="/story/lead_1">open</a>'
    )
    shown = masked_html(page)
    assert "tel:" not in shown
    assert "mailto:" not in shown
    assert "13812345678" not in shown
    assert "1234 5678" not in shown
    assert 'value="12345678901"' in shown, "what a form sends back unseen"
    assert 'href="/story/lead_1"' in shown
    typed = '<input name="asked" value="13812345678"><textarea name="note">13812345678</textarea>'
    assert masked_html(typed) == typed, "what the reader typed comes back as it was"


def test_json_keeps_its_own_numbers_and_its_shape() -> None:
    content = {
        "due_us": 1795399200000000,
        "phone": "13812345678",
        "note": 'said "13812345678"\n',
        "n": [1, None],
    }
    shown = json.loads(masked_json(json.dumps(content, ensure_ascii=False)))
    assert shown == {**content, "phone": "138••••••78", "note": 'said "138••••••78"\n'}


@given(st.text(st.characters(codec="utf-8")), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True))
def test_no_number_comes_through_whatever_stands_around_it(around: str, number: str) -> None:
    half = len(around) // 2
    before, after = around[:half].rstrip(DIGITS + "_"), around[half:].lstrip(DIGITS)
    text = f"{before}号{number}；{after}"
    assert number not in masked(text)
    assert len(masked(text)) == len(text)
