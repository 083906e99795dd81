"""The company as a folder of files: it reads back as written, and says everything that is wrong at once."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingest.registry import FORMATS
from leadflow.company import wrong_in_book
from sales import problems as texts
from sales.check import check
from sales.files import read_company, toml_line, write_company, write_folder, zip_company
from sales.problems import CompanyError
from schemas.company import Company
from schemas.sources import SourceSettings
from sinks.registry import SETTINGS
from tests.support.rig import small_company

DEMO = Path(__file__).parents[2] / "examples" / "demo"
SOURCE_MODELS: dict[str, type[SourceSettings]] = {name: one.settings for name, one in FORMATS.items()}


def read(source: Path | bytes) -> Company:
    return read_company(source, judge_book=wrong_in_book, formats=SOURCE_MODELS, sinks=SETTINGS)


def complaints(source: Path | bytes) -> list[str]:
    with pytest.raises(CompanyError) as caught:
        read(source)
    for problem in caught.value.problems:
        assert "{" not in problem.text("zh") + problem.text("en")
    return [problem.text("en") for problem in caught.value.problems]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy = tmp_path / "company"
    shutil.copytree(DEMO, copy)
    return copy


Edit = Callable[[str, str, str], None]


@pytest.fixture
def edit(folder: Path) -> Edit:
    def replace(name: str, old: str, new: str) -> None:
        text = (folder / name).read_text("utf-8")
        assert text.count(old) >= 1
        (folder / name).write_text(text.replace(old, new, 1), "utf-8")

    return replace


def test_the_demo_company_is_whole() -> None:
    company = read(DEMO)
    assert (len(company.people), len(company.lines)) == (24, 3)
    assert sum(unit.kind == "branch" for unit in company.units.values()) == 5
    assert check(company, judge_book=wrong_in_book, formats=SOURCE_MODELS) == []


def test_what_is_written_reads_back_as_the_same_company(tmp_path: Path) -> None:
    company = read(DEMO)
    write_folder(company, tmp_path / "out")
    assert read(tmp_path / "out") == company
    assert read(zip_company(company)) == company
    assert zip_company(company) == zip_company(read(zip_company(company)))


def test_a_zip_may_hold_the_folder_itself(folder: Path, tmp_path: Path) -> None:
    made = shutil.make_archive(str(tmp_path / "packed"), "zip", root_dir=folder.parent, base_dir=folder.name)
    assert read(Path(made)) == read(DEMO)


def test_a_table_saved_by_a_chinese_excel_is_read(folder: Path) -> None:
    text = (folder / "people.csv").read_text("utf-8")
    head, rest = text.split("\n", 1)
    head = head.replace("person,name,", "工号,姓名,").replace("extension", "分机")
    (folder / "people.csv").write_bytes(f"{head}\n{rest}".replace("\n", "\r\n").encode("gb18030"))
    assert read(folder) == read(DEMO)


def test_an_export_has_no_secrets_unless_asked_for() -> None:
    site = {**small_company().sources["site"], "secret": "s3cret"}
    sink = {
        "sink_id": "crm",
        "kind": "webhook",
        "name": "CRM",
        "url": "https://crm.example/",
        "secret": "s3cret",
    }
    company = small_company(sources={"site": site}, sinks={"crm": sink})
    assert b"s3cret" not in b"".join(write_company(company).values())
    assert b"s3cret" in write_company(company, secrets=True)["company.toml"]


def test_cells_never_become_formulas_and_read_back_whole(folder: Path) -> None:
    company = read(DEMO)
    person = company.people["wu-ting"].model_copy(
        update={"name": "=cmd|' /c calc'!A1", "phone": "+8615400000004"}
    )
    company = company.model_copy(update={"people": {**company.people, "wu-ting": person}})
    written = write_company(company)["people.csv"].decode("utf-8-sig")
    assert ",=cmd" not in written
    assert ",+86" not in written
    write_folder(company, folder)
    assert read(folder).people["wu-ting"] == person


WRONG: list[tuple[str, str, str, str]] = [
    ("people.csv", "wu-ting,吴婷", "Wu Ting,吴婷", "people.csv, line 5, column person: Wu Ting cannot serve as a code"),
    ("people.csv", "wu-ting,吴婷", "chen-jie,吴婷", "people.csv, line 5: chen-jie stands already in line 4"),
    ("people.csv", "wu-ting,吴婷", "wu-ting,", "people.csv, line 5, column name: this cell must not be empty"),
    ("people.csv", "15400000004", "1.54E+10", "people.csv, line 5, column phone: 1.54E+10 lost digits in a spreadsheet"),
    ("people.csv", "8102,12,zh", "8102,123,zh", "people.csv, line 5, column desk_code: 123 is no two-digit code"),
    ("people.csv", "8102,12,zh", "8102,11,zh", "people.csv, line 5, column desk_code: the two-digit code 11 is also chen-jie's"),
    ("people.csv", "wu.ting@", "chen.jie@", "people.csv, line 5, column email: the address chen.jie@haichuan.example is also chen-jie's"),
    ("people.csv", "8102,12,zh,,active", "8102,12,de,,active", "people.csv, line 5, column language: de is not known here; write one of: zh, en"),
    ("people.csv", "duty-a", "duty-z", "people.csv, line 23, column calendar: there is no calendar duty-z; write one of: duty-"),
    ("people.csv", "extension", "extention", "people.csv, line 1, column extention: there is no column extention; known here: extension"),
    ("people.csv", "extension,desk_code", "extension,extension", "people.csv, line 1, column extension: the column extension stands twice"),
    ("people.csv", "person,name,", "person,nickname,", "people.csv, line 1: the column name is missing"),
    ("people.csv", "zh,,active\nzhou", "zh,,active,extra\nzhou", "people.csv, line 2: the row has 11 cells, the header 10"),
    ("members.csv", "2021-04-12,,4", "2021-13-12,,4", "members.csv, line 5, column from: 2021-13-12 is no date"),
    ("members.csv", "2021-04-12,,4", "2021-04-12,2020-01-01,4", "members.csv, line 5, column to: it ends (2020-01-01) before it starts (2021-04-12)"),
    ("members.csv", "2021-04-12,,4", "2021-04-12,,many", "members.csv, line 5, column share: many is no whole number"),
    ("members.csv", "sh-forklift,wu-ting", "sh-forklifts,wu-ting", "members.csv, line 5, column unit: there is no unit sh-forklifts; write one of: sh-forklift"),
    ("members.csv", "sh-forklift,wu-ting", "sh-forklift,wu-tin", "members.csv, line 5, column person: there is no person wu-tin; write one of: wu-ting"),
    ("members.csv", "2022-07-01,,4\n", "2022-07-01,,4\nsh-forklift,gao-feng,2024-01-01,,4\n", "members.csv, line 7, column from: gao-feng is in this unit twice at the same time"),
    ("members.csv", "2023-02-20,2026-10-20,4", "2023-02-20,,4", "members.csv, line 18, column to: qian-hao has left but still belongs here"),
    ("absences.csv", "2026-11-29,chen-jie", "2026-11-29,gao-feng", "absences.csv, line 2, column stand_in: gao-feng cannot stand in for themselves"),
    ("absences.csv", "2026-11-29,chen-jie", "2026-11-29,qian-hao", "absences.csv, line 2, column stand_in: qian-hao has left"),
    ("absences.csv", "2026-11-29,chen-jie\n", "2026-11-29,chen-jie\nchen-jie,2026-11-20,2026-11-21,\n", "absences.csv, line 2, column stand_in: the stand-in chen-jie is away in the same time"),
    ("units.csv", "team,华东叉车组,East forklift team,chen-jie", "team,华东叉车组,East forklift team,nobody", "units.csv, line 8, column manager: there is no person nobody"),
    ("units.csv", "team,华东叉车组,East forklift team,chen-jie", "team,华东叉车组,East forklift team,qian-hao", "units.csv, line 8, column manager: qian-hao has left"),
    ("units.csv", "shanghai,haichuan,branch", "shanghai,sh-forklift,branch", "units.csv, line 3, column parent: it lies inside itself: shanghai → sh-forklift → shanghai"),
    ("units.csv", "wuhan,haichuan,branch", "wuhan,haichuan,office", "units.csv, line 7, column kind: office is not known here"),
    ("products.csv", "amr-600,agv", "amr-600,robots", "products.csv, line 10, column line: there is no product line robots"),
    ("campaigns.csv", "douyin-2026q4;", "Baidu-Chache;", "campaigns.csv, line 4, column utm: Baidu-Chache already belongs to baidu-forklift"),
    ("territories.csv", "guangzhou,广东;", "guangzhou,江苏省;", "territories.csv, line 3, column places: 江苏省 already belongs to east"),
    ("territories.csv", "guangzhou,广东;", "guangzhou,广东/广州/天河;", "territories.csv, line 3, column places: 广东/广州/天河 is no place"),
    ("choices.csv", "outcome,won", "outcome,sold", "choices.csv, line 8, column code: sold is not known here"),
    ("choices.csv", "Interested,", "Interested,60", "choices.csv, line 3, column retry_minutes: only no_answer is tried again by itself"),
    ("rules.csv", ",agv,240", ",agvs,240", "rules.csv, line 4, column then_team (H4): there is no unit agvs; write one of: agv"),
    ("rules.csv", ",agv,240", ",agv,soon", "rules.csv, line 4, column then_respond_within (I4): 'soon' is no whole number of minutes"),
    ("rules.csv", "rule,channel", "rule,canal", "rules.csv, line 1, column canal (B1): there is no such column"),
    ("rules.csv", ",hotline,15", ",haichuan,15", "units.csv, line 2: nobody active receives leads here, and rule missed-call sends some"),
    ("company.toml", 'responsible = "zhou-min"', 'responsible = "qian-hao"', "company.toml, line 6: qian-hao has left"),
    ("company.toml", 'responsible = "zhou-min"\n', "", "company.toml, responsible: nobody answers for the default queue"),
    ("company.toml", 'default_queue = "hotline"', 'default_queue = "hotlin"', "company.toml, line 5: there is no unit hotlin; write one of: hotline"),
    ("company.toml", "first_response_minutes = 30", "first_response_minutes = 0", "company.toml, line 8: 0 does not fit; write a whole number of minutes"),
    ("company.toml", 'language = "zh"', 'langage = "zh"', "company.toml, line 4: there is no key langage; known here: language"),
    ("company.toml", 'language = "zh"', "language = zh", "company.toml, line 4: this is no TOML"),
    ("company.toml", '"08:30-12:00", "13:00-17:30"', '"08:30-12:00", "13:00"', "'13:00' is no shift; write start and end as HH:MM-HH:MM"),
    ("company.toml", 'name = "官网询价表"', 'nam = "官网询价表"', "company.toml, line 12: the key name is missing"),
    ("company.toml", 'name = "官网询价表"', 'name = "官网询价表"\nhoneypott = "x"', "honeypott: Extra inputs are not permitted"),
    ("company.toml", 'format = "web.form"', 'format = "web.forms"', "this version reads no format web.forms; write one of: web.form"),
    ("company.toml", 'kind = "faulty"', 'kind = "fulty"', "company.toml, line 68: this version has no sink of kind fulty; write one of: faulty"),
    ("company.toml", 'kind = "faulty"', 'kind = "webhook"', "company.toml, line 67: url: Field required"),
    ("company.toml", 'kind = "faulty"\n', "", "company.toml, line 67: the key kind is missing"),
    ("company.toml", "fails = 0.04", "fails = 4", "company.toml, line 71: fails: Input should be less than or equal to 1"),
    ("company.toml", 'purposes = ["demo"]', 'purposes = ["demo"]\nteams = ["hotlin"]', "company.toml, line 71: there is no unit hotlin; write one of: hotline"),
    ("company.toml", 'kind = "faulty"\n', 'kind = "wecom"\nperson = "wu-tin"\n', "there is no person wu-tin; write one of: wu-ting"),
    ("company.toml", "[sinks.crm]", "[sinks]\ncrm = 3\n[sources.x]", "company.toml, line 68: 3 does not fit; write [sinks.crm]"),
    ("company.toml", 'purpose = "demo"', 'purpose = "demo"\ncampaign = "cemat"', "company.toml, line 18: there is no campaign cemat; write one of: "),
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{w[0]}:{w[2]}"[:50] for w in WRONG])
def test_a_mistake_is_named_with_its_place_and_its_fix(
    folder: Path, edit: Edit, wrong: tuple[str, str, str, str]
) -> None:
    name, old, new, wanted = wrong
    edit(name, old, new)
    found = complaints(folder)
    assert any(wanted in text for text in found), found


def test_all_mistakes_are_told_at_once(folder: Path, edit: Edit) -> None:
    edit("people.csv", "15400000004", "1.54E+10")
    edit("members.csv", "2021-04-12,,4", "soon,,4")
    edit("units.csv", "wuhan,haichuan,branch", "wuhan,haichuan,office")
    (folder / "peple.csv").write_text("person\n")
    (folder / "absences.csv").write_bytes(b"\xff\xff\xff")
    (folder / "lines.csv").unlink()
    (folder / "lines.csv").write_text("")
    found = "\n".join(complaints(folder))
    for wanted in (
        "people.csv, line 5, column phone",
        "members.csv, line 5, column from",
        "units.csv, line 7, column kind",
        "peple.csv: no such table is known; rename it; known: people.csv",
        "absences.csv: neither UTF-8 nor GB18030",
        "lines.csv, line 1: there is no header row",
    ):
        assert wanted in found


def test_a_row_that_cannot_be_read_is_not_missed_elsewhere(folder: Path, edit: Edit) -> None:
    edit("people.csv", "15400000003", "1.54E+10")
    assert complaints(folder) == [
        "people.csv, line 4, column phone: 1.54E+10 lost digits in a spreadsheet; "
        "format the column as text and type the number again"
    ]


def test_a_missing_file_is_told(folder: Path) -> None:
    (folder / "people.csv").unlink()
    (folder / "company.toml").unlink()
    found = "\n".join(complaints(folder))
    assert "company.toml: this file is missing" in found
    assert "people.csv: this file is missing" in found


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_what_is_no_folder_and_no_zip_is_refused(data: bytes) -> None:
    assert "neither a folder nor a zip" in complaints(data)[0]


def test_what_a_person_may_want_so_is_a_warning() -> None:
    company = read(DEMO)
    east = company.territories["east"].model_copy(update={"places": company.territories["east"].places[1:]})
    members = tuple(one for one in company.members if one.unit_id != "agv")
    book = "rule,then_team\nrest,hotline\n"
    changed = company.model_copy(
        update={
            "territories": {**company.territories, "east": east},
            "members": members,
            "book_csv": book,
            "book_examples": None,
        }
    )
    found = [(one.severity, one.text("zh")) for one in check(changed, judge_book=wrong_in_book)]
    assert found == [
        ("warning", "territories.csv，places 列：没有片区包含 上海；请写入 places 列，否则会进入默认待分配"),
        ("warning", "units.csv agv：这个团队没有在职人员；请在 members.csv 中加人，或删去该团队"),
    ]


def test_every_text_is_in_both_languages() -> None:
    for code, both in texts.TEXTS.items():
        assert set(both) == {"zh", "en"}, code
        assert all(message and fix for message, fix in both.values()), code


def test_a_toml_key_is_found_on_its_line_or_the_nearest_above() -> None:
    text = 'a = 1\n[calendars.day]\nzone = "x"\n[calendars.day.week]\nmon = []\n'
    assert toml_line(text, "a") == 1
    assert toml_line(text, "calendars.day.week.mon.0") == 5
    assert toml_line(text, "calendars.day.open") == 2
    assert toml_line(text, "sources.none") is None


def test_a_rule_that_sends_to_a_team_of_zero_shares_is_an_error_in_every_table() -> None:
    company = read(DEMO)
    members = tuple(
        one.model_copy(update={"share": 0}) if one.unit_id == "agv" else one for one in company.members
    )
    book = {
        "book_csv": "rule,then_table\nall,more\n",
        "book_tables": {"more": "rule,then_team\nrest,agv\n"},
        "book_examples": None,
    }
    found = check(company.model_copy(update={"members": members, **book}), judge_book=wrong_in_book)
    assert [one.text("en") for one in found] == [
        "units.csv, agv: nobody active receives leads here, and rule rest sends some; "
        "add a person with a share of 1 or more to members.csv, or change the rule"
    ]


def test_a_rule_that_names_nobody_who_works_here_is_an_error_with_its_cell() -> None:
    company = read(DEMO)
    book: dict[str, Any] = {
        "book_csv": "rule,then_team,then_strategy\nall,agv,fixed:nobody\n",
        "book_tables": {},
        "book_examples": None,
    }
    found = check(company.model_copy(update=book), judge_book=wrong_in_book)
    (wrong,) = [one.text("en") for one in found if one.severity == "error"]
    assert wrong.startswith(
        "rules.csv, line 2, column then_strategy (C2): there is no person nobody; write one of: "
    )
    person = next(one.person_id for one in company.members if one.unit_id == "agv" and one.to_us is None)
    book["book_csv"] = f"rule,then_team,then_strategy\nall,agv,fixed:{person}\n"
    found = check(company.model_copy(update=book), judge_book=wrong_in_book)
    assert not [one for one in found if one.severity == "error"]
