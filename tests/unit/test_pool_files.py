"""pools.csv in and out, what is wrong in it, `then_pool` in the rule book, and the moments of a ladder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from leadflow.company import read_company
from router.book import read_book
from router.examples import failures, read_examples
from router.office import office_of
from router.reclaim import Watched, next_step, pool_for
from router.sentences import sentence
from sales.diff import diff
from sales.files import write_folder
from sales.problems import CompanyError
from schemas.company import Absence, Company
from schemas.decision_table import TableError
from schemas.pools import Claimer, Entry, Pool, why_not
from tests.support.rig import DAY, HOUR, MONDAY_10, small_company

ROOT = Path(__file__).parents[2]
HEADER = "pool,name_zh,name_en,units,open_limit,again_days,owner_days,ladder,reclaim,grades,lines\n"
ROW = "sea,华东公海,East pool,sh-forklift; sh-warehouse,20,7,30,2; 4; 6,yes,A; B,forklift\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "company"
    shutil.copytree(ROOT / "examples" / "demo", copy)
    (copy / "pools.csv").write_text(HEADER + ROW, "utf-8")
    return copy


def test_a_pool_is_read_written_and_read_again(folder: Path, tmp_path: Path) -> None:
    company = read_company(folder)
    pool = company.pools["sea"]
    assert (pool.units, pool.ladder, pool.grades) == (("sh-forklift", "sh-warehouse"), (2, 4, 6), ("A", "B"))
    write_folder(company, tmp_path / "again")
    assert read_company(tmp_path / "again").pools == company.pools
    less = company.model_copy(update={"pools": {"sea": pool.model_copy(update={"open_limit": 5})}})
    (change,) = diff(company, less)
    assert change.text("en") == "open pool sea East pool: open limit 20 → 5"
    assert change.text("zh") == "公海 sea 华东公海：领取上限 20 → 5"


def test_chinese_headings_are_understood(folder: Path) -> None:
    text = "公海,名称,英文名,可领取单位,领取上限,收回\nsea,公海,Pool,sh-forklift,3,自动收回\n"
    (folder / "pools.csv").write_text(text, "utf-8")
    pool = read_company(folder).pools["sea"]
    assert (pool.open_limit, pool.reclaim, pool.ladder) == (3, "yes", (3, 5, 7))


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ("sh-forklift;", "sh-forklif;", "pools.csv, line 2, column units: there is no unit sh-forklif; write one of: sh-forklift"),
        (",forklift\n", ",forklifts\n", "pools.csv, line 2, column lines: there is no product line forklifts"),
        ("2; 4; 6", "2; 2; 6", "pools.csv, line 2, column ladder: 2; 2; 6 is no ladder"),
        ("2; 4; 6", "2; 4", "pools.csv, line 2, column ladder: 2; 4 is no ladder"),
        (",7,30,", ",30,7,", "pools.csv, line 2, column owner_days: whoever had it last would wait 7 days, less than the 30"),
        ("sea,", "wu-ting,", "pools.csv, line 2, column pool: wu-ting is the code of a unit or person already"),
        (",20,", ",many,", "pools.csv, line 2, column open_limit: many is no whole number"),
        (",yes,", ",perhaps,", "pools.csv, line 2, column reclaim: perhaps is not known here"),
        ("A; B", "A; X", "pools.csv, line 2, column grades: X is not known here"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_cell(folder: Path, old: str, new: str, wanted: str) -> None:
    (folder / "pools.csv").write_text(HEADER + ROW.replace(old, new), "utf-8")
    with pytest.raises(CompanyError) as caught:
        read_company(folder)
    told = [one.text("en") for one in caught.value.problems]
    assert any(wanted in text for text in told), told
    assert not any("{" in one.text("zh") for one in caught.value.problems)


def test_a_rule_that_names_no_pool_is_told_with_its_cell(folder: Path) -> None:
    (folder / "rules.csv").write_text("rule,then_team,then_pool\nall,,see\n", "utf-8")
    (folder / "rules-examples.csv").unlink()
    with pytest.raises(CompanyError) as caught:
        read_company(folder)
    (wrong,) = caught.value.problems
    assert wrong.text("en").startswith(
        "rules.csv, line 2, column then_pool (C2): there is no pool see; write one of: sea"
    )


BOOK = "rule,grade,then_team,then_pool,then_table,then_strategy,then_respond_within\n"


def test_a_rule_goes_into_a_pool_or_to_a_team_never_both() -> None:
    with pytest.raises(TableError) as caught:
        read_book(BOOK + "x,A,east,sea,,,\ny,B,,sea,,least_loaded,\nz,C,,,,,\n")
    told = [f"{one.cell} {one.en}" for one in caught.value.wrong]
    assert told[0].startswith("D2 it cannot go into a pool and to a team")
    assert told[1].startswith("D3 it cannot go into a pool and to a team")
    assert told[2].startswith("C4 this is empty; write a team, a pool, or a table")


def test_what_a_later_table_leaves_open_goes_into_the_pool_and_a_team_there_counts_first() -> None:
    text = BOOK + "first,,,sea,more,,60\n"
    book = read_book(text, more={"more": BOOK + "good,A,east,,,,\nbad,D,,lake,,,5\n"})
    results = {}
    for grade in "ABD":
        found = book.first({"grade": grade})
        assert found is not None
        results[grade] = (found[0].team, found[0].pool, found[0].respond_within_minutes)
    assert results == {"A": ("east", None, 60), "B": ("", "sea", 60), "D": ("", "lake", 5)}
    examples = read_examples("example,expect_team,grade\nb,pool:sea,B\nd,pool:sea,D\n")
    (failed,) = failures(book, examples)
    assert "sends it to pool:lake" in failed.en


def test_it_reads_as_a_sentence() -> None:
    company = small_company(pools={"sea": Pool(pool_id="sea", name_zh="东海", name_en="East sea")})
    (rule,) = read_book(BOOK + "x,D,,sea,,,60\n").rules
    assert sentence(rule, "zh", company) == "如果等级是 D，则放入公海 东海，60 个工作分钟内首次响应。"
    assert sentence(rule, "en", company).startswith("If the grade is D, it goes to the open pool East sea")


def office(**changes: object) -> Company:
    pool = Pool(pool_id="sea", name_zh="海", name_en="Sea", units=("company",), grades=("A",))
    return small_company(pools={"sea": pool}, **changes)


def test_leave_does_not_count_and_one_step_follows_the_other() -> None:
    away = Absence(
        person_id="ann", from_us=MONDAY_10 + 14 * HOUR, to_us=MONDAY_10 + 38 * HOUR
    )  # all of Tuesday
    company = office(absences=(away,))
    pool, there = company.pools["sea"], office_of(company)
    evening = MONDAY_10 + 8 * HOUR
    ann, bo = (Watched(one, MONDAY_10, grade="A") for one in ("ann", "bo"))
    assert next_step(pool, bo, there) == ("reminded", evening + 3 * DAY)
    assert next_step(pool, ann, there) == ("reminded", evening + 4 * DAY)
    late = Watched("bo", MONDAY_10, grade="A", done={"reminded": evening + 28 * DAY})
    assert next_step(pool, late, there) == ("copied", evening + 30 * DAY)
    done = dict.fromkeys(("reminded", "copied", "offered"), evening + 30 * DAY)
    assert next_step(pool, Watched("bo", MONDAY_10, done=done), there) is None
    taking = pool.model_copy(update={"reclaim": "yes"})
    warned = {"reminded": evening + 3 * DAY, "copied": evening + 4 * DAY}
    until_us = evening + 90 * DAY
    kept = Watched("bo", MONDAY_10, protected_until_us=until_us, done=warned, open=99)
    assert next_step(taking, kept, there) == ("reclaimed", until_us), "not before its protection ends"


def test_the_ladder_is_for_its_grades_and_the_people_of_its_units() -> None:
    company = office()
    assert pool_for(company, Watched("ann", 0, grade="A")) is company.pools["sea"], "a unit above counts"
    assert pool_for(company, Watched("ann", 0, grade="B")) is None
    assert pool_for(company, Watched("nobody", 0, grade="A")) is None


def test_the_first_reason_that_keeps_somebody_is_told() -> None:
    pool = Pool(
        pool_id="sea", name_zh="海", name_en="Sea", open_limit=1, again_days=2, owner_days=5, hold_hours=1
    )
    free, full = Claimer(True, 0, 0), Claimer(True, 1, 1)
    day = 24 * HOUR
    assert why_not(pool, free, Entry(0), HOUR) is None
    assert why_not(pool, free, Entry(0), HOUR - 1) == "held_back"
    assert why_not(pool, full, Entry(0), HOUR) == "pool_full"
    assert why_not(pool, Claimer(False, 0, 0), Entry(0), HOUR) == "other_pool"
    assert why_not(pool, free, Entry(0, had_until_us=0), day) == "was_yours"
    assert why_not(pool, free, Entry(0, had_until_us=0), 2 * day) is None
    assert why_not(pool, free, Entry(0, had_until_us=0, had_last=True), 2 * day) == "was_yours"
