"""What a cell of a decision table may say, and what it is told when it says nothing sensible."""

from __future__ import annotations

import pytest

from schemas.unary import FactKind, UnreadableTest, read_test


@pytest.mark.parametrize(
    ("cell", "kind", "holds", "fails"),
    [
        ("web", "text", ["web"], ["", "webs", "Web"]),
        ("web, email", "text", ["web", "email"], ["cti", ""]),
        ("上海、江苏", "text", ["上海", "江苏"], ["上海、江苏"]),
        ('"北京,上海", 天津', "text", ["北京,上海", "天津"], ["北京", "上海"]),
        ("“北京，上海”", "text", ["北京，上海"], ["北京"]),
        ('"上海*"', "text", ["上海*"], ["上海市"]),
        (r'"a \"b\""', "text", ['a "b"'], ["a b"]),
        ("上海*", "text", ["上海", "上海市"], ["大上海", ""]),
        ("not（web， email）", "text", ["cti", ""], ["web", "email"]),
        ("not(上海*, null)", "text", ["北京"], ["上海市", ""]),
        ("null", "text", [""], ["null"]),
        ('"null"', "text", ["null"], [""]),
        ("≥ 80", "number", ["80", "81.5"], ["79", "", "many", "nan", "inf"]),
        ("[10..50]", "number", ["10", "50", "30"], ["9.99", "50.1"]),
        ("]10..50[", "number", ["10.5"], ["10", "50"]),
        ("(10..50]", "number", ["50"], ["10"]),
        ("10, ＞ 90", "number", ["10", "10.0", "91"], ["11", "90"]),
        ("not(>= 10, null)", "number", ["9"], ["10", ""]),
        ("-5", "number", ["-5"], ["5"]),
        (">= 2026-01-31", "date", ["2026-01-31", "2027-01-01"], ["2026-01-30", "", "soon"]),
        ("[2026-10-01..2026-10-07]", "date", ["2026-10-07"], ["2026-10-08"]),
        ("是", "yes_no", ["yes"], ["no", ""]),
    ],
)  # fmt: skip
def test_a_cell_holds_for_what_it_says_and_reads_the_same_written_back(
    cell: str, kind: FactKind, holds: list[str], fails: list[str]
) -> None:
    test = read_test(cell, kind)
    assert test is not None
    assert [one for one in holds if not test.holds(one)] == []
    assert [one for one in fails if test.holds(one)] == []
    assert read_test(test.text, kind) == test


@pytest.mark.parametrize("cell", ["", "  ", "-", "－", "—"])
def test_a_cell_may_say_anything(cell: str) -> None:
    assert read_test(cell) is None


@pytest.mark.parametrize(
    ("cell", "kind", "said"),
    [
        (">> 10", "number", "cannot read '>> 10'"),
        ("not()", "text", "cannot read 'not()'"),
        ("not(not(a))", "text", "cannot read"),
        ('"open', "text", "cannot read"),
        ("=A1", "text", "cannot read"),
        ("many", "number", "'many' is no number"),
        ("1e400", "number", "is no number"),
        (">= 10", "text", "this column holds words"),
        ("[9..1]", "number", "ends before it starts"),
        ("[5..5[", "number", "ends before it starts"),
        ("上*海", "text", "a star stands only at the end"),
        ("2026-02-30", "date", "is no day"),
        ("maybe", "yes_no", "neither yes nor no"),
    ],
)
def test_what_cannot_be_read_is_told_in_both_languages(cell: str, kind: FactKind, said: str) -> None:
    with pytest.raises(UnreadableTest) as caught:
        read_test(cell, kind)
    assert said in caught.value.en
    assert any("\u4e00" <= sign <= "\u9fff" for sign in caught.value.zh)
