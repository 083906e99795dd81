"""Leads of one moment: whom each is compared with, and what of it is offered."""

from __future__ import annotations

from enrich.lately import SPAN_US, Arrived, Lately, Offer
from enrich.match.record import record_of
from enrich.near import compared_by
from enrich.similar import default_judge


def arrived(lead_id: str, contact: str, customer: str, at_us: int = 0, name: str = "欧阳静怡") -> Arrived:
    fields = {"full_name": [name], "company": ["北京大恒信息技术有限公司"], "city": ["北京"]}
    return Arrived(at_us, compared_by(record_of(lead_id, fields)), contact, customer)


def pairs(offers: list[Offer]) -> set[frozenset[str]]:
    return {frozenset((one.one, one.doubt.id)) for one in offers}


def test_two_that_became_two_customers_are_offered_whichever_was_seen_first() -> None:
    one, other = arrived("l1", "con_1", "cus_1"), arrived("l2", "con_2", "cus_2")
    for order in ([one, other], [other, one]):
        assert pairs(Lately(default_judge()).take(order, 0)) == {frozenset(("cus_1", "cus_2"))}
    apart = Lately(default_judge())
    assert apart.take([one], 0) == []
    assert pairs(apart.take([other], 0)) == {frozenset(("cus_1", "cus_2"))}
    assert apart.take([], 0) == [], "offered once"


def test_two_contacts_of_one_customer_are_offered_as_contacts() -> None:
    found = Lately(default_judge()).take(
        [arrived("l1", "con_1", "cus_1"), arrived("l2", "con_2", "cus_1")], 0
    )
    assert pairs(found) == {frozenset(("con_1", "con_2"))}
    assert {one.doubt.level for one in found} == {"contact"}


def test_what_became_one_contact_at_once_is_not_offered() -> None:
    assert Lately(default_judge()).take([arrived(f"l{n}", "con_1", "cus_1") for n in range(3)], 0) == []


def test_who_came_longer_ago_than_any_transaction_takes_is_forgotten() -> None:
    lately = Lately(default_judge())
    lately.take([arrived("l1", "con_1", "cus_1")], 0)
    lately.take([], SPAN_US + 1)
    assert lately.take([arrived("l2", "con_2", "cus_2", SPAN_US + 1)], SPAN_US + 1) == []
