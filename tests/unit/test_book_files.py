"""The rule book as files: what is written reads back as the same book, what a spreadsheet did to it is named by its cell."""

from __future__ import annotations

import io
from pathlib import Path
from random import Random

import pytest
import xlsxwriter  # type: ignore[import-untyped]

from bench.data.rules import random_book
from leadflow.company import wrong_in_book
from router.book import read_book
from router.examples import read_examples, with_example
from sales.book_files import BookText, book_in, read_book_text, write_book, write_workbook
from sales.problems import CompanyError

REGIONS = 'rule,province,score,note,then_team\neast,"上海*, 江苏*",>= 5,"two\nlines, ""quoted""",a\nrest,"not(北京)",-,,b\n'
BOOK = BookText(
    "rule,product_line,then_team,then_table\nagv,agv,b,regions\nrest,,a,\n",
    {"regions": REGIONS},
    "example,expect_team,product_line,province,score\nsh,a,agv,上海,7\n",
)


def same(one: BookText, other: BookText) -> bool:
    rules = [list(read_book(each.csv, more=each.tables).rules) for each in (one, other)]
    examples = [read_examples(each.examples) if each.examples else () for each in (one, other)]
    return rules[0] == rules[1] and examples[0] == examples[1]


def test_a_book_written_as_files_and_as_a_workbook_reads_back_as_the_same_book(tmp_path: Path) -> None:
    assert book_in(write_book(BOOK)) == BOOK
    file = tmp_path / "any.xlsx"
    file.write_bytes(write_workbook(BOOK))
    assert same(read_book_text(file), BOOK)
    for seed in range(3):
        book = BookText(random_book(Random(seed), 60))
        file.write_bytes(write_workbook(book))
        assert read_book_text(file) == book
        assert book_in(write_book(book)) == book


def test_a_folder_has_a_book_in_csv_or_in_a_workbook_but_not_both(tmp_path: Path) -> None:
    for name, data in {**write_book(BOOK), "people.csv": b"person\n"}.items():
        (tmp_path / name).write_bytes(data)
    assert read_book_text(tmp_path) == BOOK
    assert read_book_text(tmp_path / "rules.csv").tables == {}
    (tmp_path / "rules.xlsx").write_bytes(write_workbook(BOOK))
    with pytest.raises(CompanyError, match="stands both here and in rules-examples"):
        read_book_text(tmp_path)


def test_what_a_spreadsheet_did_is_named_by_its_cell(tmp_path: Path) -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        for name in ("rules", "regions", "My Table"):
            sheet = made.add_worksheet(name)
            sheet.write_row(0, 0, ["rule", "score", "then_team"])
            sheet.write_row(1, 0, ["one", 7, "a"])
            if name == "rules":
                sheet.write_formula(2, 1, "=B2+1", value=8)
            if name == "regions":
                sheet.merge_range(3, 0, 4, 0, "merged")
    file = tmp_path / "rules.xlsx"
    file.write_bytes(out.getvalue())
    with pytest.raises(CompanyError) as caught:
        read_book_text(file)
    assert sorted(one.text("en") for one in caught.value.problems) == [
        "rules.xlsx, column regions!A4:A5: these cells are merged; unmerge them and fill in each row",
        "rules.xlsx, column rules!B3: this cell is a formula; paste its value instead (paste special, values)",
        "rules.xlsx: the sheet My Table cannot serve as a table's name; use small letters, digits, - and _",
    ]


@pytest.mark.parametrize("data", [b"PK\x03\x04broken", b"\xff\xff\xff"])
def test_what_is_no_table_is_refused(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "rules.csv"
    file.write_bytes(data)
    with pytest.raises(CompanyError):
        read_book_text(file)


def test_numbers_days_and_truth_in_cells_are_read_as_they_are_shown(tmp_path: Path) -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as made:
        sheet = made.add_worksheet("rules")
        sheet.write_row(0, 0, ["rule", "score", "has_phone", "then_team"])
        sheet.write_row(1, 0, ["one", 7.0, True, "a"])
    file = tmp_path / "rules.xlsx"
    file.write_bytes(out.getvalue())
    (rule,) = read_book(read_book_text(file).csv).rules
    assert [(column, cell) for column, cell, _ in rule.row.tests] == [("has_phone", "yes"), ("score", "7")]


def test_an_example_that_goes_elsewhere_is_named_with_the_rule_that_takes_it() -> None:
    assert wrong_in_book(BOOK) == ()
    examples = with_example(
        BOOK.examples, "far", "a", {"product_line": "agv", "province": "北京", "score": "1"}, "lead_1"
    )
    examples = with_example(
        examples, "nobody", None, {"product_line": "agv", "province": "上海", "score": "9"}
    )
    found = wrong_in_book(BookText(BOOK.csv, BOOK.tables, examples))
    assert [(one.table, one.text("en")) for one in found] == [
        ("examples", "line 3, column expect_team (B3): example far must go to a, and rule agv sends it to b"),
        (
            "examples",
            "line 4, column expect_team (B4): example nobody must go to no rule, and rule regions/east sends it to a",
        ),
    ]


def test_examples_that_cannot_be_read_are_told_with_all_that_is_wrong_in_the_tables() -> None:
    book = BookText(
        "rule,then_team\na,\n", {}, "example,expect_team,score,has_phone\nx,,many,yes\ny,a,>= 3,perhaps\n"
    )
    assert [(one.table, one.cell) for one in wrong_in_book(book)] == [
        ("", "B2"), ("examples", "B2"), ("examples", "C2"), ("examples", "D3"), ("examples", "C3"),
    ]  # fmt: skip
