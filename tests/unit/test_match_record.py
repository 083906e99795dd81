"""What is read from the texts of a record."""

from __future__ import annotations

import pytest

from enrich.match.companies import company_of
from enrich.match.names import Name, name_of
from enrich.match.pack import OtherVersion, pack, unpack
from enrich.match.record import MOST_VALUES, record_of
from enrich.match.text import fold
from enrich.match.values import (
    address_of,
    area_of,
    birth_date_of,
    email_of,
    national_id_of,
    phone_of,
    postcode_of,
)


def name(text: str) -> Name:
    read = name_of(text)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("text", "family", "given"),
    [
        ("张伟", "张", "伟"),
        ("張 偉 先生", "张", "伟"),
        ("欧阳娜娜", "欧阳", "娜娜"),
        ("王经理", "王", ""),
        ("John Smith", "smith", "john"),
        ("Smith, John A.", "smith", "john a"),
        ("Dr. José Muñoz-Pérez", "munozperez", "jose"),
        ("O'Brien", "", "obrien"),
        ("Madonna", "", "madonna"),
    ],
)
def test_a_name_is_split(text: str, family: str, given: str) -> None:
    read = name(text)
    assert (read.family, read.given) == (family, given)


def test_parts_that_stand_together_make_one_name() -> None:
    record = record_of("1", {"family_name": ["欧阳", "Smith"], "given_name": ["娜娜", "Robert"]})
    assert [one.text for one in record.names] == ["欧阳娜娜", "robert smith"]
    assert record_of("1", {"family_name": ["王"]}).names[0].given == ""


def test_a_surname_is_spelt_as_a_surname() -> None:
    assert name("单田芳").spellings == ("shan tianfang",)
    assert name("吕布").spellings == ("bu lu",)
    assert "jianguo wang" in name("Wang Jian Guo").spellings
    assert "bu lu" in name("Lyu Bu").spellings


@pytest.mark.parametrize(
    ("text", "core", "brand", "place", "branch"),
    [
        ("北京大恒信息技术有限公司", "大恒信息技术", "大恒", "北京", ""),
        ("大恒信息技术（上海）有限公司", "大恒信息技术", "大恒", "上海", ""),
        ("北京大恒信息技术有限公司上海分公司", "大恒信息技术", "大恒", "北京", "上海分公司"),
        ("中石化上海分公司", "中石化", "中石化", "", "上海分公司"),
        ("深圳市騰訊計算機系統有限公司", "腾讯计算机系统", "腾讯", "深圳市", ""),
        ("阿里巴巴（中国）有限公司", "阿里巴巴", "阿里巴巴", "", ""),
        ("北京大学", "北京大学", "北京大学", "", ""),
        ("Daheng Info Co., Ltd.", "daheng info", "daheng", "", ""),
        ("Siemens A.G.", "siemens", "siemens", "", ""),
        ("Müller GmbH & Co. KG", "muller", "muller", "", ""),
    ],
)
def test_a_company_is_taken_apart(text: str, core: str, brand: str, place: str, branch: str) -> None:
    read = company_of(text)
    assert read is not None
    assert (read.core, read.brand, read.place, read.branch) == (core, brand, place, branch)


@pytest.mark.parametrize(
    "text", ["科技有限公司", "北京科技有限公司", "上海分公司", "Technology Co., Ltd.", "个体户"]
)
def test_a_company_without_a_name_of_its_own_is_none(text: str) -> None:
    assert company_of(text) is None


@pytest.mark.parametrize(
    ("text", "e164", "extension", "line"),
    [
        ("138 1234 5678", "+8613812345678", "", "mobile"),
        ("010-62561155转801", "+861062561155", "801", "landline"),
        ("+49 30 901820", "+4930901820", "", "landline"),
        ("702-919-1300", "7029191300", "", "unknown"),
    ],
)
def test_a_number_is_read_or_kept_by_its_digits(text: str, e164: str, extension: str, line: str) -> None:
    read = phone_of(text, "CN")
    assert read is not None
    assert (read.e164, read.extension, read.line) == (e164, extension, line)


@pytest.mark.parametrize(
    ("text", "address", "kind"),
    [
        ("Wei.Zhang+news@GMail.com", "weizhang@gmail.com", "free"),
        ("zhang@daheng-info.cn", "zhang@daheng-info.cn", "own"),
        ("info@daheng-info.cn", "info@daheng-info.cn", "role"),
    ],
)
def test_a_mailbox_is_read(text: str, address: str, kind: str) -> None:
    read = email_of(text)
    assert read is not None
    assert (read.address, read.kind) == (address, kind)


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("1990-01-02", "19900102"),
        ("19900102", "19900102"),
        ("1990年1月2日", "19900102"),
        ("2.1.1990", "19900102"),
        ("25/12/1990", "19901225"),
        ("12/25/1990", "19901225"),
        ("1990-01-02T00:00:00Z", "19900102"),
        ("10/31/70", "19701031"),
        ("24-May-11", "20110524"),
        ("July 4th, 1985", "19850704"),
        ("9/28/97", "19970928"),
        ("28th of September 1997", "19970928"),
        ("97-9-28", "19970928"),
        ("97年9月28日", "19970928"),
        ("一九九七年十二月三十日", "19971230"),
        ("民国86年9月28日", "19970928"),
        ("28091997", "19970928"),
        ("09281997", "19970928"),
        ("97/9/28", "19970928"),
        ("28.09.1997", "19970928"),
        ("1997年9月28日", "19970928"),
        ("97年9月28号", "19970928"),
        ("一九九七年九月二十八日", "19970928"),
        ("二〇〇一年十月十日", "20011010"),
    ],
)
def test_a_date_is_read(text: str, digits: str) -> None:
    read = birth_date_of(text)
    assert read is not None
    assert read.digits == digits


def test_a_place_has_one_spelling() -> None:
    assert area_of("苏州") == area_of("苏州市") == area_of("蘇州") == area_of("Suzhou")
    assert area_of("London") == "london"
    assert postcode_of("SW1A 1AA") == "sw1a1aa"
    assert postcode_of("0000") is None


def test_an_address_is_words_and_numbers() -> None:
    one, other = address_of("北京市海淀区中关村大街1号"), address_of("海淀区中关村大街1号")
    assert one == other
    assert one is not None
    assert one.numbers == {"1"}
    assert address_of("12 High Street") == address_of("12 high st")


def test_an_identity_number_is_its_letters_and_digits() -> None:
    assert national_id_of("110101 19900307 803x") == "11010119900307803x"


def test_a_list_of_numbers_is_cut() -> None:
    record = record_of("1", {"phone": [f"1381234{i:04}" for i in range(500)]})
    assert len(record.phones) == MOST_VALUES


def test_fields_that_are_not_known_are_ignored() -> None:
    assert record_of("1", {"shoe_size": ["42"]}) == record_of("1", {})


def test_bytes_of_another_version_are_not_read() -> None:
    packed = pack(record_of("1", {"full_name": ["张伟"]}))
    with pytest.raises(OtherVersion, match="packed by version 0"):
        unpack(packed.replace("[1,", "[0,", 1))


@pytest.mark.parametrize(
    ("name", "reading"),
    [
        ("单伟", "shan wei"),
        ("曾静", "jing zeng"),
        ("解强", "qiang xie"),
        ("仇英", "qiu ying"),
        ("吕娜", "lu na"),
        ("乐平", "ping yue"),
    ],
)
def test_surnames_are_read_as_surnames(name: str, reading: str) -> None:
    assert record_of("1", {"full_name": [name]}).names[0].spellings == (reading,)


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("重覆", "重复"),
        ("明瞭", "明了"),
        ("破釜沈舟", "破釜沉舟"),
        ("衹得", "只得"),
        ("沈瞭", "沈瞭"),
        ("歐陽", "欧阳"),
        ("张伟", "张伟"),
    ],
)
def test_traditional_writing_is_told_by_its_characters_and_phrases(written: str, folded: str) -> None:
    assert fold(written) == folded
