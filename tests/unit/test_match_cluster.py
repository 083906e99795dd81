"""Assignment: the whole customer decides, trusted identifiers overrule, and bands follow from the weights."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from enrich.match.calibrate import bands_at, prior_of
from enrich.match.cluster import Bands, Candidate, assign, mean_of_better_half
from enrich.match.record import Record, record_of
from enrich.match.shared import (
    MOST_HOLDERS,
    Holder,
    Value,
    falls_apart,
    holder_of,
    is_shared,
    with_holder,
    without,
)
from enrich.match.trusted import conflict, is_proven, trusted_ids

BANDS = Bands(0.0, -3.0)


def _records(names: str) -> dict[str, Record]:
    return {name: record_of(name, {}) for name in names}


def _weigh(bits: dict[str, float]) -> Callable[[Record, Record], float]:
    """Weights by the two record ids in alphabetical order."""
    return lambda one, other: bits.get("".join(sorted((one.record_id, other.record_id))), -20.0)


def test_one_lucky_pair_does_not_decide() -> None:
    of = _records("abcdef")
    candidate = Candidate(7, [of["b"], of["c"], of["d"], of["e"], of["f"]])
    found = assign(of["a"], [candidate], _weigh({"ab": 30.0}), BANDS)
    assert found.customer is None
    found = assign(of["a"], [candidate], _weigh({"ab": 30.0, "ac": 8.0, "ad": -2.0}), BANDS)
    assert found.customer == 7


def test_members_that_say_little_do_not_keep_a_record_out() -> None:
    assert mean_of_better_half([8.0, 6.0, -4.0, -9.0]) == 7.0
    assert mean_of_better_half([50.0, -10.0, -10.0]) == 0.0


def test_a_record_between_two_customers_joins_them_only_if_they_resemble_each_other() -> None:
    of = _records("abc")
    candidates = [Candidate(1, [of["b"]]), Candidate(2, [of["c"]])]
    bridged = assign(of["a"], candidates, _weigh({"ab": 8.0, "ac": 7.0, "bc": -2.0}), BANDS)
    assert (bridged.customer, bridged.joins) == (1, (2,))
    other = assign(of["a"], candidates, _weigh({"ab": 8.0, "ac": 7.0, "bc": -9.0}), BANDS)
    assert (other.customer, other.joins) == (1, ())
    assert [one.id for one in other.review] == [2]


def test_what_may_be_one_is_for_a_person_to_see() -> None:
    of = _records("ab")
    found = assign(of["a"], [Candidate(1, [of["b"]])], _weigh({"ab": -1.0}), BANDS)
    assert (found.band, found.customer, found.review[0].id) == ("review", None, 1)


def test_another_trusted_identifier_is_apart_whatever_the_weight() -> None:
    of = _records("ab")
    mine, yours = frozenset({"11010119900307793x"}), frozenset({"320502199205054321"})
    found = assign(of["a"], [Candidate(1, [of["b"]], yours)], _weigh({"ab": 40.0}), BANDS, mine)
    assert (found.band, found.customer) == ("apart", None)


def test_a_slip_in_an_identity_number_is_no_conflict_but_two_proven_numbers_are() -> None:
    right = "11010519491231002x"
    assert is_proven(right)
    assert not conflict({right}, {"11010519491231003x"})
    assert conflict({right}, {"440524188001010014"})
    assert is_proven("440524188001010014")
    assert not conflict({right}, {right, "440524188001010014"})


def test_social_credit_codes_prove_themselves() -> None:
    assert is_proven("91350100m000100y43")
    assert not is_proven("91350100m000100y44")


def test_a_passport_is_no_trusted_identifier() -> None:
    assert trusted_ids(record_of("1", {"national_id": ["G12345678"]})) == frozenset()


def test_a_persons_number_says_nothing_of_the_company() -> None:
    record = record_of("1", {"national_id": ["11010519491231002X"], "company": ["北京大恒信息技术有限公司"]})
    assert trusted_ids(record, "contact")
    assert not trusted_ids(record, "customer")


def test_the_prior_is_found_from_the_weights() -> None:
    weights = [30.0] * 40 + [-30.0] * 960
    assert prior_of(weights, 2**-10, 1000) == pytest.approx(0.04, rel=0.05)
    assert prior_of(weights, 0.3, 100_000) == pytest.approx(0.0004, rel=0.05)


def test_the_band_keeps_the_stated_precision_and_even_odds() -> None:
    assert bands_at([20.0] * 1000 + [-1.0] * 10).same == 0.0
    doubtful = bands_at([0.5] * 100 + [9.0] * 10, precision=0.99)
    assert doubtful.same == 9.0
    assert doubtful.review < doubtful.same
    assert bands_at([]).same == 0.0


def _named(name: str) -> Record:
    return record_of(name, {"full_name": [name], "email": ["qiantai@163.com"]})


def test_a_mailbox_of_many_people_decides_nothing() -> None:
    holders: tuple[Holder, ...] = ()
    for name in ("张伟", "張偉", "Zhang Wei", "李娜"):
        holder = holder_of(_named(name), "contact")
        assert holder is not None
        holders = with_holder(holders, holder)
    assert len(holders) == 2  # spellings are one holder
    assert not is_shared(holders)
    third = holder_of(_named("王建国"), "contact")
    assert third is not None
    assert is_shared(with_holder(holders, third))
    assert MOST_HOLDERS == 2


def test_without_what_is_shared_a_customer_shows_what_held_it_together() -> None:
    members = [_named("张伟"), _named("李娜")]
    shared = {Value("mail", "qiantai@163.com")}
    assert without(members[0], shared).emails == ()

    def weigh(one: Record, other: Record) -> float:
        return 5.0 if one.emails and one.emails == other.emails else -5.0

    assert len(falls_apart(members, set(), weigh, 0.0)) == 1
    assert len(falls_apart(members, shared, weigh, 0.0)) == 2
