"""What pairs weigh by the model that comes with Leadflow."""

from __future__ import annotations

from dataclasses import replace
from math import log2

import pytest

from enrich.match.compare import COMPARISONS
from enrich.match.frequency import Frequencies, term
from enrich.match.model import LevelModel, NotAModel, default_model, load_model
from enrich.match.names import name_of
from enrich.match.record import Record, record_of
from tools.match_model import LIMIT_CONTACT, PAGE, PATH, stated_model, with_levels

MODEL = default_model()


def record(**fields: str) -> Record:
    return record_of("r", {name: [text] for name, text in fields.items()})


WORKPLACE = {
    "company": "北京大恒信息技术有限公司",
    "phone": "010-62561155",
    "address": "北京市海淀区中关村大街1号海龙大厦8层",
    "city": "北京",
    "postcode": "100080",
}


def colleague(full_name: str, local: str, **more: str) -> Record:
    return record(full_name=full_name, email=f"{local}@daheng-info.cn", **WORKPLACE, **more)


@pytest.mark.parametrize("level", [MODEL.contact, MODEL.customer], ids=["contact", "customer"])
def test_shares_of_a_ladder_add_up(level: LevelModel) -> None:
    for comparison in COMPARISONS:
        row = level.odds[comparison.name]
        assert sum(odds.m for odds in row) == pytest.approx(1)
        assert sum(odds.u for odds in row) == pytest.approx(1)
        assert all(odds.m > 0 and odds.u > 0 for odds in row)


def test_the_file_holds_the_stated_values() -> None:
    assert PATH.read_bytes() == stated_model().dump(), "run: python -m tools.match_model"


def test_the_page_shows_the_stated_values() -> None:
    page = PAGE.read_text("utf-8")
    assert with_levels(page, stated_model()) == page, "run: python -m tools.match_model"


def test_a_model_comes_back_from_its_file() -> None:
    assert load_model(MODEL.dump()) == MODEL


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"format": "leadflow.match_model.v1"}', b"\xff"])
def test_another_file_is_no_model(content: bytes) -> None:
    with pytest.raises(NotAModel):
        load_model(content)


def test_what_is_missing_weighs_nothing() -> None:
    prior = log2(MODEL.contact.prior / (1 - MODEL.contact.prior))
    assert MODEL.weigh(record(full_name="张伟"), record(phone="13812345678")) == pytest.approx(prior)
    assert MODEL.weigh(record(), record()) == pytest.approx(prior)


def test_a_rare_name_says_more_than_a_common_one() -> None:
    common, rare = record(full_name="张伟"), record(full_name="欧阳靖宇")
    assert MODEL.weigh(rare, rare) > MODEL.weigh(common, common) + 2
    assert MODEL.weigh(record(full_name="James Smith"), record(full_name="James Smith")) < MODEL.weigh(
        record(full_name="Ezekiel Quackenbush"), record(full_name="Ezekiel Quackenbush")
    )


def test_a_company_that_many_are_called_says_less() -> None:
    one = record(company="大恒信息")
    often = replace(MODEL, frequencies=replace(MODEL.frequencies, company={term("大恒信息"): 0.01}))
    assert often.weigh(one, one, "customer") < MODEL.weigh(one, one, "customer") - 5
    assert MODEL.weigh(record(company="华信"), record(company="华信"), "customer") < -3


def test_no_name_is_so_rare_that_it_joins_people_alone() -> None:
    name = name_of("欧阳靖宇")
    assert name is not None
    assert Frequencies(family_unseen=1e-9).of_name(name) == Frequencies().least_name


def test_the_frequency_of_a_record_is_that_of_its_commonest_name() -> None:
    frequencies = Frequencies(family={term("张"): 0.07}, given={term("伟"): 0.003})
    both = record_of("a", {"full_name": ["欧阳靖宇", "张伟"]})
    assert frequencies.of_record("name", both) == pytest.approx(0.07 * 0.003)


def test_the_same_person_is_found_by_name_and_own_number_or_mailbox() -> None:
    one = record(full_name="张伟", phone="13812345678", city="上海")
    assert MODEL.weigh(one, record(full_name="張偉", phone="+86 138 1234 5678")) > 8
    assert MODEL.weigh(one, record(full_name="Wei Zhang", phone="13812345678")) > 4
    assert MODEL.weigh(one, record(full_name="张伟", phone="13812345687")) > 4
    mailbox = {"email": "robert.smith77@gmail.com"}
    assert (
        MODEL.weigh(record(full_name="Bob Smith", **mailbox), record(full_name="Robert Smith", **mailbox)) > 4
    )


def test_colleagues_are_not_one_person() -> None:
    one = colleague("王建国", "wangjg")
    for other in ("王小明", "李建国", "王建军", "张敏", "王丽"):
        assert MODEL.weigh(one, colleague(other, "other77")) < -3, other
    assert MODEL.weigh(one, colleague("王建国", "wangjg")) > 10


def test_what_a_workplace_shares_counts_as_one_fact() -> None:
    """Company, mail domain, switchboard, address and city together: no more than the stated limit."""
    nameless = record(email="info@daheng-info.cn", **WORKPLACE)
    weight = MODEL.weigh(nameless, nameless)
    assert weight == pytest.approx(LIMIT_CONTACT)
    assert MODEL.sum_of(nameless, nameless) > 10
    free = replace(MODEL, contact=replace(MODEL.contact, limit_bits=None))
    assert free.weigh(nameless, nameless) == pytest.approx(MODEL.sum_of(nameless, nameless))


def test_a_household_is_not_one_person() -> None:
    home = {
        "address": "12 High Street",
        "city": "London",
        "postcode": "SW1A 1AA",
        "phone": "+44 20 7946 0018",
    }
    one, other = record(full_name="John Smith", **home), record(full_name="Mary Smith", **home)
    assert MODEL.weigh(one, other) < -5
    mailbox = {"email": "the.smiths@gmail.com"}
    one, other = (
        record(full_name="John Smith", **home, **mailbox),
        record(full_name="Mary Smith", **home, **mailbox),
    )
    assert MODEL.weigh(one, other) < -5
    one, other = (record(full_name=name, phone="13812345678") for name in ("王建国", "王建军"))
    assert MODEL.weigh(one, other) < -3


def test_two_dates_of_birth_tell_namesakes_apart() -> None:
    born = {"full_name": "张伟", "city": "北京"}
    one = record(birth_date="1990-01-02", **born)
    assert MODEL.weigh(one, record(birth_date="1990-01-02", **born)) > 8
    assert MODEL.weigh(one, record(birth_date="1961-07-23", **born)) < -5


def test_a_customer_is_the_company_they_buy_for() -> None:
    one, other = colleague("王建国", "wangjg"), colleague("张敏", "zhangmin")
    assert MODEL.weigh(one, other, "customer") > 8
    moved = record(full_name="王建国", company="上海通用汽车有限公司", email="wang.jianguo@shanghai-gm.com")
    assert MODEL.weigh(one, moved, "customer") < 0


def test_one_person_who_moved_buys_for_another_company() -> None:
    """Name, mobile, own mailbox and date of birth show one person, and say little of the company."""
    own = {
        "full_name": "欧阳靖宇",
        "phone": "13812345678",
        "email": "ouyang.jy@163.com",
        "birth_date": "1990-01-02",
    }
    one, other = (
        record(company="北京大恒信息技术有限公司", **own),
        record(company="上海新希望六和饲料", **own),
    )
    assert MODEL.weigh(one, other) > 20
    assert MODEL.weigh(one, other, "customer") < -3
    assert MODEL.sum_of(one, other, "customer") > 10


def test_the_customer_question_of_private_people_is_that_of_the_contact() -> None:
    one, other = record(full_name="张伟", phone="13812345678"), record(full_name="张伟", phone="13812345678")
    assert MODEL.weigh(one, other, "customer") == MODEL.weigh(one, other)
    assert MODEL.of(one, colleague("张伟", "zhangwei"), "customer") is MODEL.contact


def test_a_company_alone_is_for_people_to_review() -> None:
    one, other = record(company="大恒信息"), record(company="Daheng Info")
    assert -10 < MODEL.weigh(one, other, "customer") < 0
    domain = {"email": "info@daheng-info.cn"}
    assert (
        MODEL.weigh(
            record(company="大恒信息", **domain),
            record(company="北京大恒信息技术有限公司", **domain),
            "customer",
        )
        > 4
    )


def test_another_prior_moves_every_pair_alike() -> None:
    one, other = record(full_name="张伟"), record(full_name="李娜")
    bits = log2(0.01 / 0.99) - MODEL.contact.prior_bits
    moved = MODEL.with_prior(0.01)
    assert moved.weigh(one, other) == pytest.approx(MODEL.weigh(one, other) + bits)
    assert moved.customer.prior == 0.01
