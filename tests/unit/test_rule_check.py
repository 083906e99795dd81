"""What `leadflow rules check` finds: unreachable rules, gaps and overlaps, each true when tried on every lead there could be."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router import rule_check
from router.book import MAIN, Book, read_book
from router.rule_check import Finding, findings, overlaps
from router.sentences import sentence
from schemas.facts import SCORED_FACTS


def found(text: str, **more: str) -> list[tuple[str, list[str]]]:
    book = read_book(text, more=more)
    return [(one.kind, [rule.row.name for rule in one.rules]) for one in findings(book)]


def test_a_rule_that_one_above_takes_all_from_is_named_with_it() -> None:
    text = "rule,province,score,then_team\nall-east,上海*,,a\nhot,上海市,>= 70,b\nrest,,,c\n"
    assert found(text) == [("unreachable", ["hot", "all-east"])]


def test_a_rule_that_several_above_take_all_from_together_is_named_with_them() -> None:
    text = "rule,score,language,then_team\nhigh,>= 50,,a\nlow,< 50,,b\nnone,null,,c\nzh,,zh,d\n"
    assert found(text) == [("unreachable", ["zh", "high", "low", "none"])]


def test_whole_numbers_leave_nothing_between() -> None:
    assert found("rule,score,then_team\na,<= 49,x\nb,>= 50,x\nc,null,x\n") == []


def test_the_same_conditions_twice_are_told_as_such() -> None:
    book = read_book('rule,language,then_team\na,zh,x\nb,"zh",y\nc,,z\n')
    (one,) = findings(book)
    assert (one.kind, one.same) == ("unreachable", True)


def test_a_gap_comes_with_a_lead_that_falls_through() -> None:
    book = read_book("rule,product_line,score,then_team\na,agv,,x\nb,,>= 10,y\n")
    gaps = [one for one in findings(book) if one.kind == "gap"]
    assert gaps
    for one in gaps:
        assert one.witness is not None
        assert book.first({**dict.fromkeys(SCORED_FACTS, ""), **one.witness}) is None


def test_a_later_table_may_leave_open_what_the_row_that_sends_says() -> None:
    text = "rule,then_team,then_table\nall,{},regions\n"
    regions = "rule,province,then_team\neast,上海,a\n"
    assert found(text.format("b"), regions=regions) == []
    assert [kind for kind, _ in found(text.format(""), regions=regions)] == ["gap"]
    assert found("rule,then_team\nall,b\n", regions=regions) == [("unused_table", [])]


def test_overlaps_are_pairs_whose_order_decides() -> None:
    text = "rule,language,channel,then_team\nen,en,,x\ndesk,,counter,y\nrest,,,z\n"
    (one,) = overlaps(read_book(text))
    assert [rule.row.name for rule in one.rules] == ["en", "desk"]
    assert one.witness == {"channel": "counter", "language": "en"}
    assert list(overlaps(read_book(text.replace(",y", ",x")))) == [], "the same result either way"


def test_what_would_take_too_long_is_said_to_be_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_check, "BUDGET", 1)
    text = "rule,score,then_team\nhigh,>= 50,a\nlow,< 50,b\nnone,null,c\nlate,,d\n"
    assert ("not_decided", ["late"]) in found(text)


SCORES = ("", "0", "1", "2", "3", "4")
WORDS = ("", "a", "ab", "b", "…", "a…")
CELLS = {
    "score": ("", "1", "[1..3]", "]1..3[", "< 2", ">= 3", "not(2)", "null", "not([0..2], null)"),
    "city": ("", "a", "a*", "ab, b", "not(a)", "not(a*)", "null", "not(null)"),
    "has_phone": ("", "yes", "no", "not(yes)"),
}


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(*(st.sampled_from(CELLS[one]) for one in CELLS)), min_size=1, max_size=7))
def test_every_finding_is_true_of_all_leads_there_can_be(rows: list[tuple[str, str, str]]) -> None:
    lines = [f'r{number},"{a}","{b}",{c},t{number}' for number, (a, b, c) in enumerate(rows)]
    book = read_book("\n".join(["rule,score,city,has_phone,then_team", *lines]) + "\n")
    leads = [dict(zip(CELLS, one, strict=True)) for one in product(SCORES, WORDS, ("yes", "no"))]
    winners = {taken[0].row.name if (taken := book.decide(one)) else None for one in leads}
    told = list(findings(book))
    unreachable = {one.rules[0].row.name for one in told if one.kind == "unreachable"}
    assert unreachable == {rule.row.name for rule in book.rules} - winners
    assert any(one.kind == "gap" for one in told) == (None in winners)
    _witnesses_hold(book, [*told, *overlaps(book)])


def _witnesses_hold(book: Book, told: list[Finding]) -> None:
    for one in told:
        if one.witness is None:
            continue
        lead = {**dict.fromkeys(CELLS, ""), **one.witness}
        held = [rule for rule in book.tables[MAIN].rules if rule.row.holds(lead)]
        if one.kind == "overlap":
            assert all(rule in held for rule in one.rules)
        else:
            assert held == []


def test_each_rule_reads_as_a_sentence_in_both_languages() -> None:
    text = (
        "rule,province,score,has_phone,came_on,then_team,then_respond_within\n"
        'a,"not(北京*, 上海)",[50..70[,no,>= 2026-10-01,south,30\nb,,,,,rest,\n'
    )
    first, last = read_book(text).rules
    assert sentence(first, "en") == (
        "If the province is not 上海 and does not start with 北京 and no telephone was given and the day it came is on or "
        "after 2026-10-01 and the score is from 50 to 70 (70 excluded), it goes to south, with the first response within "
        "30 working minutes."
    )
    assert sentence(first, "zh") == (
        "如果省份不是 上海且不以 北京 开头，且未留电话，且到达日期不早于 2026-10-01，且评分在 50 到 70 之间（不含 70），"
        "则分给 south，30 个工作分钟内首次响应。"
    )
    assert (sentence(last, "en"), sentence(last, "zh")) == (
        "Whatever is left goes to rest.",
        "其余线索分给 rest。",
    )
