"""Any text in any field: nothing raises, nothing takes long, and nobody is joined by what says nothing."""

from __future__ import annotations

import math
import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from enrich.match.model import default_model
from enrich.match.pack import pack, unpack
from enrich.match.record import FIELDS, Record, record_of
from enrich.match.story import story_of

MODEL = default_model()
QUICK_S = 0.05
"""A record or a pair takes microseconds; a tenth of this would be far too slow, but a busy machine may stumble."""

NAUGHTY = [
    "", " ", "\x00", "\x00张伟", "\ud800", "张\udfff伟", "undefined", "NULL", "true", "-1", "1e100", "NaN", "１２３", "٣٤٥٦٧٨٩٠",
    "²³¹²³¹²", "Ω≈ç√∫˜µ≤≥÷", "ÅÍÎÏ˝ÓÔ", "َُِّ", "הָיְתָה", "محمد أحمد", "\u202eabc\u202c", "👨‍👩‍👧‍👦", "👩🏽", "🇨🇳🇺🇸", "ﷺ" * 60, "ß", "İ", "ı", "ﬁ",
    "Z̷a̸l̶g̵o̴", "田中さん", "김철수", "Nguyễn Văn A", "Ñandú", "O'Brien-Smith, Jr.", "李", "王" * 500, "a" * 500, "A" * 100_000,
    "省" * 500, "市区县" * 200, "'; DROP TABLE lead;--", "<script>alert(1)</script>", "../../etc/passwd", "${jndi:ldap://x}", "%s%n%x",
    "@", "a@b", "@@@@", "a@" * 300, "test@test.com", "张伟@公司.中国", "x@" + "a." * 200 + "com", "+", "++86", "1.38E+10", "tel:+8613812345678",
    "转", "010-88888888转", "8" * 100, "0" * 11, "2024-02-30", "0000-00-00", "99/99/9999", "１９９０年１月２日", "科技有限公司", "有限公司", "（上海）",
    "分公司", "((((((((", "GmbH & Co. KG", "...", "——", "&&&", "the", "Ltd", "\u3000", "\u200b\u200b", "\ufeff张", "𠮷野家", "㍿",
]  # fmt: skip

texts = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(categories=["Lo", "Nd", "Mn", "Cf", "Cs", "Zs", "Po"]), max_size=60),
    st.sampled_from(NAUGHTY),
    st.builds("".join, st.lists(st.sampled_from(NAUGHTY), max_size=3)),
)
fields = st.dictionaries(st.sampled_from(FIELDS), st.lists(texts, max_size=4), max_size=len(FIELDS))
records = st.builds(record_of, st.just("a"), fields)


@given(one=records, other=records)
@settings(max_examples=400, deadline=None)
def test_any_two_records_weigh_the_same_both_ways_and_their_story_adds_up(one: Record, other: Record) -> None:
    for level in ("contact", "customer"):
        weight = MODEL.weigh(one, other, level)
        assert math.isfinite(weight)
        assert weight == MODEL.weigh(other, one, level)
        story = story_of(MODEL, one, other, level)
        assert story.total == pytest.approx(weight, abs=1e-9)
        assert len(story.text("zh")) == len(story.text("en")) >= 2


@given(record=records)
@settings(max_examples=300, deadline=None)
def test_a_record_comes_back_from_its_bytes(record: Record) -> None:
    assert unpack(pack(record)) == record


@given(name=texts, other=texts)
@settings(max_examples=300, deadline=None)
def test_no_name_joins_people_by_itself(name: str, other: str) -> None:
    for second in (name, other):
        pair = record_of("a", {"full_name": [name]}), record_of("b", {"full_name": [second]})
        assert MODEL.weigh(*pair) < 0


@given(company=texts, city=texts, address=texts)
@settings(max_examples=200, deadline=None)
def test_no_workplace_joins_people_by_itself(company: str, city: str, address: str) -> None:
    same = {
        "company": [company],
        "city": [city],
        "address": [address],
        "phone": ["010-62561155"],
        "email": ["info@daheng-group.cn"],
    }
    assert MODEL.weigh(record_of("a", same), record_of("b", same)) < 0


EVERYWHERE = [
    "null",
    "NULL",
    "None",
    "n/a",
    "undefined",
    "未填",
    "无",
    "不详",
    "测试",
    "-",
    "",
    "   ",
    "\x00",
    "\u200b",
    "0",
    "00",
    "哈哈哈",
]


@pytest.mark.parametrize(
    ("name", "text"),
    [(name, text) for name in FIELDS for text in EVERYWHERE]
    + [("phone", one) for one in ("13800138000", "11111111111", "021-88888888", "12345678", "1", "000-0000-0000")]
    + [("email", one) for one in ("test@test.com", "test@163.com", "someone@example.com", "a@mailinator.com", "a@a.com", "123@123.com", "@")]
    + [("national_id", one) for one in ("123456", "000000000000000000", "12345678")]
    + [("birth_date", one) for one in ("1900-01-01", "1970-01-01", "0000-00-00", "9999-12-31", "11111111")]
    + [("company", one) for one in ("个体", "个人", "self-employed", "有限公司", "公司", "Ltd.")]
    + [("full_name", one) for one in ("先生", "女士", "Mr.", "客户", "匿名", "12345", "!!!")],
)  # fmt: skip
def test_what_is_typed_to_get_past_a_field_gives_nothing(name: str, text: str) -> None:
    assert record_of("a", {name: [text]}) == Record("a")


def test_fifty_companies_of_the_same_empty_name_are_not_joined() -> None:
    names = [
        "科技有限公司",
        "有限公司",
        "信息技术有限公司",
        "北京科技有限公司",
        "贸易公司",
        "Technology Co., Ltd.",
        "Group Holdings",
    ]
    records = [record_of(str(i), {"company": [names[i % len(names)]]}) for i in range(50)]
    assert all(MODEL.weigh(a, b, "customer") < 0 for a, b in combinations(records, 2))
    assert all(not record.companies for record in records)


def test_long_texts_and_long_lists_take_no_long_time() -> None:
    for text in (
        *NAUGHTY,
        "王" * 1_000_000,
        "a@" * 500_000,
        "1" * 1_000_000,
        "市" * 1_000_000,
        " " * 1_000_000,
    ):
        began = time.perf_counter()
        record = record_of("a", {name: [text] for name in FIELDS})
        MODEL.weigh(record, record)
        assert time.perf_counter() - began < QUICK_S * 2, text[:20]

    one, other = (
        record_of(
            str(shift),
            {
                "phone": [f"1381234{shift}{i:03}" for i in range(5000)],
                "email": [f"person{shift}{i}@daheng.cn" for i in range(5000)],
                "full_name": [f"Person{'abcdefghij'[i % 10] * (i // 10 + 1)} Smith" for i in range(50)],
            },
        )
        for shift in (1, 2)
    )
    began = time.perf_counter()
    for _ in range(10):
        MODEL.weigh(one, other)
    assert (time.perf_counter() - began) / 10 < QUICK_S
    assert len(one.phones) <= 50
