"""The life cycle: what leads it onward, what takes it back, where one ends and the next begins; and money."""

from __future__ import annotations

import pytest

from sales.life import Fact, Life, Version, lives, of_orders
from sales.money import MoneyError, each, plain, read_amount, shown


def lead(at_us: int, lead_id: str, line: str = "forklift") -> Fact:
    return Fact(at_us, lead_id, line, "lead", "new", cause=lead_id)


def said(at_us: int, lead_id: str, stage: str, by: str = "outcome", **more: object) -> Fact:
    return Fact(at_us, lead_id, "forklift", by, stage, "ann", f"c{at_us}", **more)  # type: ignore[arg-type]


def path(life: Life) -> list[tuple[str, int, int | None]]:
    return [(one.stage, one.from_us, one.to_us) for one in life.stays]


def test_outcomes_lead_onward_and_never_back() -> None:
    (life,) = lives(
        [
            lead(1, "a"),
            said(2, "a", "contacted"),
            said(3, "a", "opportunity"),
            said(4, "a", "contacted"),
            said(5, "a", "won"),
            said(6, "a", "later"),
            said(7, "a", "lost", reason="bought_elsewhere"),
        ]
    )
    assert path(life) == [("new", 1, 2), ("contacted", 2, 3), ("opportunity", 3, 5), ("won", 5, None)]
    assert life.level == 3


def test_a_person_takes_it_back_and_both_stay_on_record() -> None:
    (life,) = lives([lead(1, "a"), said(2, "a", "opportunity"), said(3, "a", "contacted", "act")])
    assert path(life) == [("new", 1, 2), ("opportunity", 2, 3), ("contacted", 3, None)]
    assert life.level == 1, "it is no opportunity any more"
    assert [(one.person_id, one.cause) for one in life.stays[1:]] == [("ann", "c2"), ("ann", "c3")]


def test_a_lead_after_the_end_begins_another_life_and_before_it_none() -> None:
    first, second = lives(
        [lead(1, "a"), lead(2, "b"), said(3, "a", "lost", reason="price"), lead(4, "c"), said(5, "c", "won")]
    )
    assert (first.lead_id, first.leads, first.stage, first.level) == ("a", ["a", "b"], "lost", 1)
    assert (second.lead_id, second.leads, second.stage) == ("c", ["c"], "won")


def test_lines_have_lives_of_their_own() -> None:
    found = lives([lead(1, "a"), lead(2, "b", "agv"), said(3, "a", "won")])
    assert [(one.line, one.stage) for one in found] == [("agv", "new"), ("forklift", "won")]


def test_nobody_is_reached_by_a_wrong_number() -> None:
    (life,) = lives([lead(1, "a"), said(2, "a", "later"), said(3, "a", "lost", reason="wrong_number")])
    assert (life.stage, life.level) == ("lost", 0)


def version(order_no: str, state: str, from_us: int, to_us: int | None, **more: object) -> Version:
    row = {"order_no": order_no, "lead_id": "a", "line": None, "ordered_us": 3, "act_id": f"act{from_us}"}
    return Version(**{**row, "state": state, "from_us": from_us, "to_us": to_us, **more})  # type: ignore[arg-type]


def of(*versions: Version) -> Life:
    (life,) = lives(
        [lead(5, "a"), said(6, "a", "contacted"), *of_orders(versions, {"a": "forklift"}, {"a": 5})]
    )
    return life


def test_an_order_wins_and_the_last_one_cancelled_takes_it_back() -> None:
    placed = version("1", "placed", 10, None)
    assert path(of(placed)) == [("won", 5, None)], (
        "not before its lead came, and nothing leads back from there"
    )
    two = (
        version("1", "placed", 10, 20),
        version("1", "cancelled", 20, None),
        version("2", "placed", 11, None),
    )
    assert of(*two).stage == "won", "another order stands"
    one = of(version("1", "placed", 10, 20), version("1", "cancelled", 20, None))
    assert (one.stage, one.level, one.stays[-1].from_us) == ("opportunity", 2, 20)


def test_a_corrected_order_says_nothing_new_and_one_moved_to_another_customer_is_gone_here() -> None:
    corrected = of(version("1", "placed", 10, 20), version("1", "placed", 20, None))
    assert [one.stage for one in corrected.stays].count("won") == 1
    assert of(version("1", "placed", 10, 20)).stage == "opportunity"


@pytest.mark.parametrize(
    ("text", "currency", "expected"),
    [
        ("1,234.50", "CNY", (123_450, "CNY")),
        ("¥ 1234.5", "USD", (123_450, "CNY")),
        ("1.2万", "CNY", (1_200_000, "CNY")),
        ("１２３元", "CNY", (12_300, "CNY")),
        ("USD 99", "CNY", (9_900, "USD")),
        ("120000", "JPY", (120_000, "JPY")),
        ("0", "CNY", (0, "CNY")),
    ],
)
def test_amounts_as_people_write_them(text: str, currency: str, expected: tuple[int, str]) -> None:
    assert read_amount(text, currency) == expected


@pytest.mark.parametrize("text", ["", "-5", "12.345", "abc", "1.2.3", "9" * 30, "NaN", "1e5"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(MoneyError):
        read_amount(text, "CNY")


def test_currencies_are_never_mixed_and_nothing_is_shared_by_none() -> None:
    assert shown({"USD": 5, "CNY": 100}) == "1.00 CNY + 0.05 USD"
    assert each({"CNY": 100, "USD": 5}, 3) == {"CNY": 33, "USD": 2}
    assert each({}, 3) is None
    assert each({"CNY": 100}, 0) is None
    assert plain(1_234, "JPY") == "1234"
