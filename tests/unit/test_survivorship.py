"""The golden record: which value stands, why, and that neither the order nor a merge and its undoing matter."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from enrich.survivorship import Agreed, Member, consents, golden_record
from schemas.lead import FieldValue


def lead(
    number: int, channel: str = "web", atom: str = "a", agreed: str | None = None, **fields: str
) -> Member:
    values = tuple(
        FieldValue(name=name, received=value, value=value, origin="form") for name, value in fields.items()
    )
    consent = None if agreed is None else {"text_version": "1", "purposes": agreed.split()}
    return Member(f"lead_{number}", atom, channel, number, values, consent)


def test_a_callers_number_stands_before_one_that_was_typed() -> None:
    record = golden_record([lead(1, "cti", phone="+8613812345678"), lead(2, "web", phone="+8613987654321")])
    kept = record["phone"]
    assert (kept.value, kept.from_lead, kept.rule) == ("+8613812345678", "lead_1", "trusted")
    assert kept.others == ("+8613987654321",)


def test_the_company_that_most_leads_name_stands_then_the_longest() -> None:
    members = [
        lead(1, company="大恒"),
        lead(2, company="北京大恒信息技术有限公司"),
        lead(3, company="大恒信息"),
    ]
    assert golden_record(members)["company"].value == "北京大恒信息技术有限公司"
    kept = golden_record([*members, lead(4, company="大恒")])["company"]
    assert (kept.value, kept.from_lead, kept.rule) == ("大恒", "lead_4", "frequent")


def test_the_latest_stands_where_nothing_else_is_said_and_a_house_has_rules_of_its_own() -> None:
    members = [lead(1, city="上海"), lead(2, city="北京")]
    assert golden_record(members)["city"].value == "北京"
    assert golden_record(members, {"city": ("oldest",)})["city"].value == "上海"
    assert golden_record(members[:1])["city"].rule == "only"


def test_what_could_not_be_read_stands_only_alone() -> None:
    odd = FieldValue(name="phone", received="call me", origin="form")
    told = Member("lead_9", "a", "web", 9, (odd,))
    assert golden_record([told])["phone"].value == "call me"
    kept = golden_record([told, lead(1, "email", phone="+8613812345678")])["phone"]
    assert (kept.value, kept.rule) == ("+8613812345678", "readable")


def corrects(number: int, **fields: str) -> Member:
    return replace(lead(number, "counter", **fields), corrects=True)


@given(
    before=st.lists(st.sampled_from(["王方", "王房", "wang fang"]), max_size=4),
    after=st.lists(st.sampled_from(["王方", "王房", "wang fang"]), max_size=4),
    order=st.randoms(use_true_random=False),
)
def test_what_was_put_right_stands_before_all_that_was_said_until_then(
    before: list[str], after: list[str], order: Random
) -> None:
    members = [lead(n, full_name=one) for n, one in enumerate(before)]
    members.append(corrects(10, full_name="王芳"))
    members += [lead(20 + n, full_name=one) for n, one in enumerate(after) if one in before]
    order.shuffle(members)
    kept = golden_record(members)["full_name"]
    assert (kept.value, kept.from_lead) == ("王芳", "lead_10")
    assert kept.rule == ("corrected" if before else "only")


def test_what_is_new_after_a_correction_competes_with_it_and_a_later_one_replaces_it() -> None:
    known = [lead(1, "cti", phone="+8613812345678"), corrects(2, phone="+8613987654321")]
    assert golden_record(known)["phone"].value == "+8613987654321"
    newer = [*known, lead(3, "cti", phone="+8613700000003")]
    assert golden_record(newer)["phone"].value == "+8613700000003"
    assert golden_record([*newer, corrects(4, phone="+8613812345678")])["phone"].from_lead == "lead_4"


def test_the_writing_that_was_put_right_stands() -> None:
    said = [
        lead(1, full_name="wang fang"),
        corrects(2, full_name="Wang Fang"),
        lead(3, full_name="wang  fang"),
    ]
    assert golden_record(said)["full_name"].value == "Wang Fang"


def test_consent_is_the_latest_word_of_each_and_the_stricter_of_both() -> None:
    first, second = lead(1, agreed="contact news"), lead(2, atom="b", agreed="contact")
    assert consents([first]) == (
        Agreed("contact", True, ("lead_1",)),
        Agreed("news", True, ("lead_1",)),
    )
    assert consents([first, second]) == (
        Agreed("contact", True, ("lead_1", "lead_2")),
        Agreed("news", False, ("lead_2",)),
    )
    later = lead(3, atom="b", agreed="contact news")
    assert [one.given for one in consents([first, second, later])] == [True, True]
    assert consents([lead(4)]) == ()


members = st.lists(
    st.builds(
        lead,
        st.integers(1, 9),
        st.sampled_from(["web", "email", "cti", "counter"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from([None, "contact", "contact news"]),
        full_name=st.sampled_from(["张伟", "Zhang Wei", "zhang wei ", "张"]),
        phone=st.sampled_from(["1", "2"]),
        company=st.sampled_from(["大恒", "大恒信息"]),
    ),
    max_size=7,
    unique_by=lambda one: one.lead_id,
)


@given(members=members, data=st.data())
def test_the_order_in_which_leads_came_to_a_customer_does_not_matter(
    members: list[Member], data: st.DataObject
) -> None:
    other = data.draw(st.permutations(members))
    assert golden_record(other) == golden_record(members)
    assert consents(other) == consents(members)


@given(members=members)
def test_every_value_is_one_that_its_lead_gave(members: list[Member]) -> None:
    by_id = {one.lead_id: one for one in members}
    for name, kept in golden_record(members).items():
        said = [field.value for field in by_id[kept.from_lead].fields if field.name == name]
        assert kept.value in [str(one).strip() for one in said]
