"""The people of a company as a sheet: out, edited, and in again."""

from __future__ import annotations

from pathlib import Path

import pytest

from sales.files import read_company
from sales.people import people_csv, people_xlsx, read_people
from sales.problems import CompanyError
from sales.tables import write_csv, write_xlsx
from schemas.base import Language
from schemas.company import Company, Member
from tests.support.rig import MONDAY_10, small_company

DEMO = Path(__file__).parents[2] / "examples" / "demo"
NOW = MONDAY_10


def sheet(*rows: str) -> bytes:
    header, *others = [row.split(",") for row in rows]
    return write_csv(header, others)


def places(company: Company, person_id: str) -> list[tuple[str, int, int | None, int]]:
    return [
        (one.unit_id, one.from_us, one.to_us, one.share)
        for one in company.members
        if one.person_id == person_id
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_goes_out_comes_back_in_unchanged(language: Language) -> None:
    company = read_company(DEMO)
    assert read_people(people_xlsx(company, NOW, language), company, NOW) == company
    assert read_people(people_csv(company, NOW, language), company, NOW) == company


def test_an_hr_sheet_with_chinese_headers_is_taken_in() -> None:
    data = write_xlsx(
        "员工",
        ["姓名", "手机", "邮箱", "部门", "份额", "状态", "语言"],
        [
            ["安", "13812345678.0", "ann@haichuan.example", "华东", "3", "在职", "中文"],
            ["钱", "15400000009", "qian@haichuan.example", "East", "", "在职", "英文"],
            ["薄", "", "", "", "", "离职", ""],
        ],
    )
    company = read_people(data, small_company(), NOW)
    assert company.people["ann"].phone == "13812345678"
    assert places(company, "ann") == [("east", 0, None, 3)]
    assert (company.people["qian"].name, company.people["qian"].language) == ("钱", "en")
    assert places(company, "qian") == [("east", NOW, None, 1)]
    assert company.people["bo"].state == "left"
    assert places(company, "bo") == [("east", 0, NOW, 2)]
    assert company.people["chen"] == small_company().people["chen"]


def test_a_second_row_of_a_person_is_a_second_team_and_a_missing_one_ends() -> None:
    company = read_people(sheet("person,name,team", "ann,安,east", "ann,安,default"), small_company(), NOW)
    assert places(company, "ann") == [("default", NOW, None, 1), ("east", 0, None, 1)]
    company = read_people(sheet("person,name,team", "ann,安,default"), company, NOW + 1)
    assert places(company, "ann") == [("default", NOW, None, 1), ("east", 0, NOW + 1, 1)]


def test_without_a_team_column_nobody_moves() -> None:
    before = small_company()
    after = read_people(sheet("person,name,extension", "ann,安,8001"), before, NOW)
    assert after.members == before.members
    assert after.people["ann"].extension == "8001"


def test_numbers_that_excel_kept_as_numbers_keep_their_digits(tmp_path: Path) -> None:
    import xlsxwriter  # type: ignore[import-untyped]

    path = tmp_path / "people.xlsx"
    with xlsxwriter.Workbook(path) as book:
        page = book.add_worksheet()
        page.write_row(0, 0, ["person", "name", "phone", "extension", "desk_code"])
        page.write_row(1, 0, ["ann", "安", 13812345678, 8001, 7])
    ann = read_people(path.read_bytes(), small_company(), NOW).people["ann"]
    assert (ann.phone, ann.extension, ann.desk_code) == ("13812345678", "8001", "07")


def test_every_mistake_is_told_with_its_row() -> None:
    twins = small_company()
    twin = twins.people["ann"].model_copy(update={"person_id": "ann-2"})
    twins = twins.model_copy(update={"people": {**twins.people, "ann-2": twin}})
    data = sheet(
        "person,name,email,phone,team,state",
        "bo,薄,bo@haichuan.example,1.38E+10,east,active",
        "bo,薄,other@haichuan.example,,default,active",
        ",安,,,east,active",
        "chen,陈,,,North,active",
        "chen,陈,,,east,active",
        "chen,陈,,,east,retired",
        "new,,,,east,active",
        "chen,陈,,,east,active",
    )
    with pytest.raises(CompanyError) as caught:
        read_people(data, twins, NOW, file="人员.xlsx")
    assert [one.text("en") for one in caught.value.problems] == [
        "人员.xlsx, line 2, column phone: 1.38E+10 lost digits in a spreadsheet; "
        "format the column as text and type the number again",
        "人员.xlsx, line 4, column name: several people are called 安: ann, ann-2; "
        "write the code of the one that is meant",
        "人员.xlsx, line 5, column team: there is no unit North; write one of: company, default, east",
        "人员.xlsx, line 7, column state: retired is not known here; write one of: active, left",
        "人员.xlsx, line 8, column name: this cell must not be empty; fill it in",
        "人员.xlsx, line 9, column team: chen is in this unit twice at the same time; "
        "end one membership before the next begins",
    ]


def test_two_rows_about_one_person_must_agree() -> None:
    data = sheet("person,name,extension,team", "ann,安,8001,east", "ann,安,8002,default")
    with pytest.raises(CompanyError, match="line 3, column extension: 8002 differs from line 2"):
        read_people(data, small_company(), NOW)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04 no workbook", "姓名\n".encode("utf-16")])
def test_what_is_no_sheet_is_refused(data: bytes) -> None:
    with pytest.raises(CompanyError):
        read_people(data, small_company(), NOW)


def test_somebody_new_gets_a_readable_code_of_their_own() -> None:
    data = sheet("name,email,english name", "李雷,ann@x.example,", "韩梅梅,,Mei Han", "赵云,,")
    people = read_people(data, small_company(), NOW).people
    new = {person.name: key for key, person in people.items() if key not in small_company().people}
    assert (new["李雷"], new["韩梅梅"]) == ("ann-2", "mei-han")
    assert new["赵云"].startswith("p-")


def test_a_membership_with_an_end_keeps_it() -> None:
    company = small_company(
        members=(Member(unit_id="east", person_id="ann", from_us=0, to_us=NOW + 5, share=2),)
    )
    assert read_people(people_csv(company, NOW, "zh"), company, NOW) == company
