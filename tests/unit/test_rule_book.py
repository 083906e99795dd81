"""The rule book: the first rule that fits counts, one table may send on to another, and all that is wrong is told at once."""

from __future__ import annotations

import time

import pytest

from router.book import Book, read_book
from schemas.decision_table import TableError
from schemas.facts import SCORED_FACTS

NOTHING = {**dict.fromkeys(SCORED_FACTS, ""), "junk": "0", "score": "0", "message_length": "0"}


def taken(book: Book, **facts: str) -> tuple[str, str, int | None, str | None] | None:
    found = book.first({**NOTHING, **facts})
    if found is None:
        return None
    rule, _ = found
    return rule.rule_id, rule.team, rule.respond_within_minutes, rule.strategy


def wrong_in(text: str, **more: str) -> list[str]:
    with pytest.raises(TableError) as caught:
        read_book(text, teams={"a", "b"}, more=more)
    return [f"{one.table}: {one.text('en')}" for one in caught.value.wrong]


def test_the_first_rule_that_fits_counts_with_the_conditions_that_held() -> None:
    book = read_book("rule,province,score,then_team\nhot,上海*,>= 70,a\neast,上海*,,b\n")
    found = book.first({**NOTHING, "province": "上海市", "score": "71"})
    assert found is not None
    assert [(one.column, one.test, one.value) for one in found[1]] == [
        ("province", "上海*", "上海市"),
        ("score", ">= 70", "71"),
    ]
    assert taken(book, province="上海", score="9") == ("east", "b", None, None)
    assert taken(book, province="北京") is None


MAIN = "rule,product_line,then_team,then_table,then_respond_within,then_strategy\n"
SENT = MAIN + "agv,agv,b,regions,15,least_loaded\nlost,pallet,,regions,,\nrest,,a,,,\n"
REGIONS = "rule,province,then_team,then_respond_within\neast,上海*,a,\nnorth,北京*,b,5\n"


def test_a_later_table_goes_on_and_what_it_leaves_open_the_earlier_row_says() -> None:
    book = read_book(SENT, more={"regions": REGIONS})
    assert taken(book, product_line="agv", province="上海") == ("regions/east", "a", 15, "least_loaded")
    assert taken(book, product_line="agv", province="北京") == ("regions/north", "b", 5, "least_loaded")
    assert taken(book, product_line="agv", province="西藏") == ("agv", "b", 15, "least_loaded")
    assert taken(book, product_line="pallet", province="西藏") is None
    found = book.first({**NOTHING, "product_line": "agv", "province": "上海"})
    assert found is not None
    assert [(one.column, one.value) for one in found[1]] == [("product_line", "agv"), ("province", "上海")]


def test_everything_wrong_is_told_with_its_cell() -> None:
    text = MAIN + "x,>= 3,c,,soon,\nx,,a,,,\ny,=A1,,,,\nz,,b,nowhere,0,turns\nw,a\n"
    found = wrong_in(text, more="rule,score,then_team\np,many,a\n")
    assert found == [
        ": line 2, column product_line (B2): '>= 3' compares, and this column holds words; write the words themselves, in quotes if need be",
        ": line 3, column rule (A3): rule 'x' stands already in line 2",
        ": line 4, column product_line (B4): '=A1' is a formula; write its value",
        ": line 6: the number of cells differs from the header; quote cells with a comma",
        ": line 2, column then_team (C2): there is no team 'c'; there are a, b",
        ": line 2, column then_respond_within (E2): 'soon' is no whole number of minutes",
        ": line 4, column then_team (C4): this is empty; write a team, a pool, or a table that goes on from here",
        ": line 5, column then_strategy (F5): 'turns' is no strategy; there are weighted_turn, least_loaded, least_recent, best_match, fixed:<person>, call_now, call_now:<minutes>",
        ": line 5, column then_table (D5): there is no table 'nowhere'; there are more",
        ": line 5, column then_respond_within (E5): '0' is no whole number of minutes",
        "more: line 2, column score (B2): 'many' is no number; write 10, >= 10 or [1..9]",
    ]


def test_the_cell_is_the_row_of_the_spreadsheet_where_a_cell_has_several_lines() -> None:
    text = 'rule,note,then_team\none,"two\nlines",a\n\ntwo,,c\n'
    assert wrong_in(text) == [": line 5, column then_team (C4): there is no team 'c'; there are a, b"]


def test_tables_that_send_a_lead_round_are_refused() -> None:
    loop = "rule,then_table\non,{}\n"
    found = wrong_in(loop.format("x"), x=loop.format("y"), y=loop.format("x"))
    assert found == [
        "x: line 2, column then_table (B2): a lead would go round for ever: x → y → x",
        "y: line 2, column then_table (B2): a lead would go round for ever: y → x → y",
    ]


def test_a_book_of_50000_rows_is_read_and_decides() -> None:
    rows = "".join(f"r{number},c{number % 25_000},>= {number % 97},a\n" for number in range(50_000))
    start = time.process_time()
    book = read_book("rule,campaign,score,then_team\n" + rows)
    assert taken(book, campaign="c24999", score="96") == ("r24999", "a", None, None)
    assert time.process_time() - start < 15
