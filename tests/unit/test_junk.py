"""What looks like junk, and what must not: an enquiry that a salesperson would be glad of scores nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enrich.identifiers import identifiers_of
from enrich.junk import MOST, POINTS, junk_of
from enrich.normalise import normalise
from schemas.lead import FieldName, FieldValue, Lead
from schemas.resolved import Junk


def judged(**said: str) -> Junk:
    fields = tuple(
        FieldValue.model_validate({"name": name, "received": text, "origin": "form"})
        for name, text in said.items()
    )
    lead = Lead(
        lead_id="lead_1",
        capture_id="cap_1",
        source_id="site",
        channel="web",
        kind="enquiry",
        purpose="real",
        trace_id="0" * 32,
        occurred_us=None,
        accepted_us=0,
        fields=fields,
    )
    fields = normalise(lead)
    return junk_of(lead.model_copy(update={"fields": fields}), identifiers_of(fields))


GOOD = [
    {"full_name": "王小明", "phone": "13912345678", "message": "请问贵司的电动搬运车多少钱？需要3台，可以开票吗"},
    {"full_name": "欧阳娜娜", "email": "nana@qq.com", "message": "我司是生产企业，想采购两台堆高车，请报价"},
    {"full_name": "Ng", "phone": "+44 20 7946 0018", "message": "Please quote 2 pallet trucks. See https://shop.acme.co.uk/p/1"},
    {"full_name": "Schwarz", "company": "Krzywy Sp. z o.o.", "email": "j.schwarz@krzywy.pl", "message": "test drive possible?"},
    {"full_name": "Li", "company": "3M", "phone": "010-88886666", "message": "What does the SEO of your dealer cost?"},
    {"full_name": "测试员", "company": "上海测试技术有限公司", "phone": "13912345678", "message": "测试台用的升降平台"},
    {"phone": "13912345678"},
]  # fmt: skip


@pytest.mark.parametrize("said", GOOD)
def test_an_honest_enquiry_has_no_sign_of_junk(said: dict[str, str]) -> None:
    assert judged(**said) == Junk()


@pytest.mark.parametrize(
    ("said", "sign"),
    [
        ({"full_name": "Win 500$ https://a.example"}, "link_in_name"),
        ({"full_name": "www.cheap.example", "phone": "13912345678"}, "link_in_name"),
        ({"message": "本公司代开发票，点数优惠，加微信"}, "spam_words"),
        ({"subject": "Guest post on your blog", "message": "high domain authority backlinks"}, "spam_words"),
        ({"full_name": "测试", "phone": "13912345678"}, "test_entry"),
        ({"full_name": "Li", "message": "  TEST 123 "}, "test_entry"),
        ({"email": "x7@mailinator.com"}, "disposable_mail"),
        ({"email": "x7@eu.mailinator.com"}, "disposable_mail"),
        ({"full_name": "asdasd", "phone": "13912345678"}, "mashed_keys"),
        ({"full_name": "啊啊啊", "phone": "13912345678"}, "mashed_keys"),
        ({"message": "see http://a.example http://b.example https://c.example"}, "many_links"),
        ({"message": "我司专业生产托盘，价格优惠，期待合作"}, "offers_to_us"),
        ({"message": "We are a leading manufacturer of pallets in Ningbo."}, "offers_to_us"),
        ({"full_name": "好", "company": "好", "subject": "好", "message": "好"}, "same_everywhere"),
        ({"full_name": "王先生", "phone": "13800138000"}, "no_way_back"),
    ],
)
def test_a_sign_is_named_and_counts_its_points(said: dict[str, str], sign: str) -> None:
    found = judged(**said)
    assert sign in found.signs
    assert found.score == min(MOST, sum(POINTS[one] for one in found.signs))


def test_signs_add_up_to_a_hundred_at_most() -> None:
    found = judged(
        full_name="https://a.example",
        email="x7@mailinator.com",
        message="casino backlinks http://a.example http://b.example http://c.example",
    )
    assert found.score == MOST
    assert len(found.signs) >= 4


NAMES: list[FieldName] = ["full_name", "company", "phone", "email", "subject", "message", "city"]


@given(st.dictionaries(st.sampled_from(NAMES), st.text(max_size=400)))
def test_any_text_can_be_judged(said: dict[FieldName, str]) -> None:
    assert 0 <= judged(**said).score <= MOST


def test_a_long_text_is_judged_as_fast_as_its_beginning() -> None:
    assert judged(message="我" * 2_000_000 + "代开发票").signs == ()
