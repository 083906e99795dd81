"""Blocking keys: what meets, what does not, and what becomes of a key that too many have."""

from __future__ import annotations

import pytest

from enrich.match.block import (
    MOST_CUSTOMERS,
    is_same_firm,
    is_same_name,
    key_number,
    keys_of,
    keys_to_agree_by,
    refined,
    shares_name,
    signature,
)
from enrich.match.model import Level
from enrich.match.record import Record, record_of


def _record(**fields: str) -> Record:
    return record_of("1", {name: [text] for name, text in fields.items()})


@pytest.mark.parametrize(
    ("one", "other", "level"),
    [
        ({"full_name": "张伟"}, {"full_name": "Zhang Wei"}, "contact"),
        ({"full_name": "張偉"}, {"full_name": "章伟"}, "contact"),
        ({"phone": "13812345678"}, {"phone": "+86 138 1234 5687"}, "contact"),
        ({"email": "li.na88@163.com"}, {"email": "li.na88@126.com"}, "contact"),
        ({"birth_date": "1980-03-07"}, {"birth_date": "1980-07-03"}, "contact"),
        ({"given_name": "Robert", "family_name": "Allen"}, {"given_name": "Robret", "family_name": "Alen"}, "contact"),
        ({"company": "北京大恒信息技术有限公司"}, {"company": "Daheng Info"}, "customer"),
        ({"company": "北京大恒信息技术有限公司"}, {"email": "li@daheng.cn", "company": "大恒"}, "customer"),
        ({"company": "International Business Machines"}, {"company": "IBM"}, "customer"),
    ],
)  # fmt: skip
def test_records_that_may_be_one_meet(one: dict[str, str], other: dict[str, str], level: Level) -> None:
    assert set(keys_of(_record(**one), level)) & set(keys_of(_record(**other), level))


def test_placeholders_make_no_key() -> None:
    record = _record(full_name="未填", phone="13800138000", email="none", company="科技有限公司")
    assert keys_of(record, "customer") == ()


def test_a_company_alone_is_no_key_for_a_person() -> None:
    record = _record(company="北京大恒信息技术有限公司")
    assert keys_of(record, "contact") == ()


def test_a_hot_key_is_refined_by_another_field_only() -> None:
    record = _record(full_name="张伟", phone="13912345678", city="苏州")
    finer = refined("name:wei zhang", record)
    assert "name:wei zhang|phone:3912345678" in [
        one.replace("|phone:13912345678", "|phone:3912345678") for one in finer
    ]
    assert not any("|part:" in one for one in finer)
    assert any("|place:" in one for one in finer)


def test_a_record_of_many_values_has_few_keys() -> None:
    record = record_of("1", {"phone": [f"139{number:08}" for number in range(50)]})
    assert len(keys_of(record)) <= 3 * 6


def test_key_numbers_are_stable_and_fit_a_signed_column() -> None:
    assert key_number("mail:li@daheng.cn") == key_number("mail:li@daheng.cn")
    assert key_number("mail:li@daheng.cn") != key_number("mail:li@daheng.com")
    assert all(0 <= key_number(f"part:{number}") < 2**63 for number in range(1000))


def test_the_cap_leaves_room_for_namesakes() -> None:
    assert MOST_CUSTOMERS >= 20


@pytest.mark.parametrize("other", ["張偉", "Wei Zhang", "Zhang, Wei", "章伟", "zhang wei jr"])
def test_a_signature_tells_a_name_however_it_is_written(other: str) -> None:
    one = signature(_record(full_name="张伟"))
    assert is_same_name(one, signature(_record(full_name=other)))


@pytest.mark.parametrize("other", ["王伟", "Zhang", "null", ""])
def test_a_signature_tells_another_name_and_none(other: str) -> None:
    one, two = signature(_record(full_name="张伟")), signature(_record(full_name=other))
    assert not is_same_name(one, two)
    assert shares_name(one, two) == (other == "王伟")
    assert not is_same_name(two, signature(_record())), "no name is not the same as no name"


def test_a_signature_fits_its_column_and_tells_the_company() -> None:
    one = signature(_record(full_name="张伟", company="北京大恒信息技术有限公司"))
    assert 0 < one < 2**30
    assert is_same_firm(one, signature(_record(company="大恒信息技术")))
    assert not is_same_firm(one, signature(_record(company="华信")))
    assert not is_same_firm(signature(_record()), signature(_record()))


def test_under_what_is_looked_at_arrival_are_no_names() -> None:
    record = _record(full_name="张伟", phone="13912345678", email="zhangwei88@163.com", company="大恒信息")
    kinds = {key.partition(":")[0] for key in keys_to_agree_by(record)}
    assert kinds == {"local", "near_mail", "phone_start", "phone_end", "sound"}
    assert set(keys_to_agree_by(record)) <= set(keys_of(record, "customer"))
