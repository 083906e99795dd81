"""Numbers as switchboards write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.cti.numbers import (
    is_outside,
    is_same_number,
    is_scientific,
    is_withheld,
    plain,
    split_extension,
    without_trunk_prefix,
)


@pytest.mark.parametrize(
    ("text", "number", "extension"),
    [
        ("021-55550100转801", "02155550100", "801"),
        ("021-55550100 轉 801", "02155550100", "801"),
        ("55550100分机801", "55550100", "801"),
        ("02155550100 ext 801", "02155550100", "801"),
        ("02155550100 Ext.: 801", "02155550100", "801"),
        ("55550100-801", "55550100", "801"),
        ("021-55550100-801", "02155550100", "801"),
        ("400-800-1234-8", "4008001234", "8"),
        ("190 0000 0011-801", "19000000011", "801"),
        ("+86-21-55550100-801", "+862155550100", "801"),
        ("０２１－５５５５０１００转８０１", "02155550100", "801"),
        ("sip:19000000011@10.0.0.1;user=phone", "19000000011", None),
        ("tel:+86-190-0000-0011", "+8619000000011", None),
        ("021-5555-0100", "02155550100", None),
        ("0755-8888-8001", "075588888001", None),
        ("400-800-8001", "4008008001", None),
        ("86-21-5555-0100", "862155550100", None),
        ("0086-190-0000-0011", "008619000000011", None),
        ("+44-20-7946-0958", "+442079460958", None),
        ("+1 (212) 555-0100", "+12125550100", None),
        ("0044-20-7946-0958", "00442079460958", None),
        ("", "", None),
    ],
)
def test_an_extension_is_parted_only_where_one_stands(text: str, number: str, extension: str | None) -> None:
    assert split_extension(text) == (number, extension)


@pytest.mark.parametrize(
    "text",
    (
        "|anonymous|Anonymous|Restricted|unavailable|unknown|<unknown>|Private Number|s|i|0|000|00000000|+"
        "|*97|匿名|未知号码|sip:anonymous@anonymous.invalid|alice|9999999999999999999999999"
    ).split("|"),
)
def test_withheld_and_bogus_ids_identify_nobody(text: str) -> None:
    assert is_withheld(text)
    assert not is_outside(text)


@pytest.mark.parametrize("text", ["19000000011", "+8619000000011", "55550100", "95588", "021-55550100转801"])
def test_real_numbers_are_outside(text: str) -> None:
    assert is_outside(text)


@pytest.mark.parametrize("text", ["1.38E+10", "1,38e+10", "1.9E10", " 1.38E+10 ", "１.38E＋10"])
def test_a_spreadsheets_number_is_recognised(text: str) -> None:
    assert is_scientific(text)


@pytest.mark.parametrize("text", ["13800138000", "E10", "1e", "801"])
def test_other_text_is_no_spreadsheets_number(text: str) -> None:
    assert not is_scientific(text)


@pytest.mark.parametrize(
    ("dialled", "number"),
    [
        ("919000000012", "19000000012"),
        ("9019000000012", "19000000012"),
        ("019000000012", "19000000012"),
        ("902155550100", "02155550100"),
        ("94008001234", "4008001234"),
        ("95588", "95588"),
        ("96110110", "96110110"),
        ("02155550100", "02155550100"),
        ("19000000012", "19000000012"),
        ("190-0000-0012", "190-0000-0012"),
    ],
)
def test_in_china_only_what_leaves_a_whole_number_is_an_access_digit(dialled: str, number: str) -> None:
    assert without_trunk_prefix(dialled, country="CN") == number


def test_elsewhere_only_configured_access_digits_go() -> None:
    assert without_trunk_prefix("91234567", country="SG") == "91234567"
    assert without_trunk_prefix("91234567", country="SG", prefixes=("9",)) == "1234567"
    assert without_trunk_prefix("9123456", country="SG", prefixes=("9",)) == "9123456"
    assert without_trunk_prefix("8012125550143", country="US", prefixes=("8", "80")) == "12125550143"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("02155550100", "+86 21 5555 0100", True),
        ("02155550100", "55550100", True),
        ("02155550100", "021-55550100转801", True),
        ("02155550100", "01055550100", False),
        ("02155550100", "02155550101", False),
        ("95588", "95588", True),
        ("1095588", "95588", False),
        ("", "", False),
        ("s", "s", False),
    ],
)
def test_two_spellings_of_one_line(one: str, other: str, same: bool) -> None:
    assert is_same_number(one, other, country="CN") is same
    assert is_same_number(other, one, country="CN") is same


@given(st.text(max_size=120))
def test_no_text_breaks_the_reading(text: str) -> None:
    number, _ = split_extension(text)
    assert plain(number) == number or is_withheld(text)
    assert not (is_outside(text) and is_withheld(text))
