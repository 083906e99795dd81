"""`leadflow rules simulate` on a data folder and on a sheet before there is one: other rules, other people, day one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import orjson
import pytest

from sales.tables import write_xlsx
from schemas.company import Member
from tests.e2e.test_first_steps import leadflow
from tests.e2e.test_rules import DEMO
from tests.e2e.test_terminal import CHINESE
from tests.property.test_simulation import live
from tests.support.rig import DAY, HOUR, Rig, small_company

SINCE = ("--since", "2026-11-23", "--until", "2026-12-31")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder in which eight customers came by day and by night, to ann and to bo."""
    data = tmp_path / "data"
    data.mkdir()
    night = small_company().units["east"].model_copy(update={"unit_id": "night", "calendar_id": None})
    members = [Member(unit_id="east", person_id=one, from_us=0) for one in ("ann", "bo")]
    members.append(Member(unit_id="night", person_id="chen", from_us=0))
    units = {**small_company().units, "night": night}
    rig = Rig(data, company=small_company(members=members, units=units, absences=()))
    live(
        rig, [(HOUR, 1, False, ""), (10 * HOUR, 2, True, ""), *((DAY, one, False, "") for one in range(1, 9))]
    )
    rig.store.checkpoint()
    rig.close()
    (data / "state.db").rename(data / "store.db")
    return tmp_path


def simulate(folder: Path, *options: str, code: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(leadflow(folder, "rules", "simulate", *options, "--json", code=code))
    return found


def test_the_book_in_force_changes_nothing_and_a_draft_says_who_would_have_had_what(folder: Path) -> None:
    same = simulate(folder, *SINCE)
    assert (same["leads"], same["changed"], same["stay"], same["orphans"]) == (10, 0, 2, 0)
    assert same["first_response"]["before"] == same["first_response"]["after"]
    assert same["first_response"]["after"]["queued"] > 0

    (folder / "draft.csv").write_text("rule,has_email,then_team\nmail,yes,east\nothers,,night\n", "utf-8")
    other = simulate(folder, "draft.csv", *SINCE)
    assert other["changed"] == sum(row["leads"] for row in other["moves"]) > 0
    rules = {row["rule_after"] for row in other["changed_leads"] if row["to"] == "chen"}
    assert rules == {"others", None}, "by the rule, and what stays with who got it by the rule"
    assert sum(row["after"] for row in other["load"]) == 10
    assert other["first_response"]["after"]["queued"] < same["first_response"]["after"]["queued"]
    for line in other["fairness"]:
        assert (line["team"], line["received_after"]) == ("night", line["entitled_after"]) or line[
            "team"
        ] == "east"

    told = leadflow(folder, "rules", "simulate", "draft.csv", *SINCE)
    assert (
        f"10 leads from 2026-11-23 to 2026-12-31; {other['changed']} would have gone to somebody else" in told
    )
    assert "0 leads would be without a holder" in told
    assert "0 条线索会无人负责" in leadflow(folder, "rules", "simulate", "draft.csv", *SINCE, lang=CHINESE)


def test_the_same_seed_gives_the_same_answer_and_other_people_are_tried_the_same_way(folder: Path) -> None:
    assert simulate(folder, *SINCE, "--seed", "1") == simulate(folder, *SINCE, "--seed", "1")
    away = simulate(folder, *SINCE, "--away", "bo")
    assert {row["holder"]: row["after"] for row in away["load"]} == {"ann": 10, "bo": 0}
    part = simulate(folder, *SINCE, "--away", "bo:2026-11-23..2026-11-24")
    assert 0 < part["changed"] <= away["changed"]
    more = simulate(folder, *SINCE, "--starter", "dai:east:2")
    turns = {row["person"]: row for row in more["fairness"]}
    assert turns["dai"]["entitled_after"] == 4.0, "two of four shares of eight customers"
    assert max(row["furthest_after"] for row in more["fairness"]) < 1
    assert "Nobody has the code 'zoe'" in leadflow(
        folder, "rules", "simulate", *SINCE, "--away", "zoe", code=2
    )
    assert "There is no unit west" in leadflow(
        folder, "rules", "simulate", *SINCE, "--starter", "dai:west", code=2
    )
    for wrong in ("dai", "dai:east:0"):
        assert "write PERSON:TEAM" in leadflow(
            folder, "rules", "simulate", *SINCE, "--starter", wrong, code=2
        )
    assert "--since 2026-11-01" in leadflow(folder, "rules", "simulate", code=2)
    assert "is no day" in leadflow(folder, "rules", "simulate", "--since", "soon", code=2)


def test_a_draft_that_names_a_team_that_there_is_not_is_told_by_its_orphans(folder: Path) -> None:
    (folder / "draft.csv").write_text("rule,then_team\nall,west\n", "utf-8")
    told = leadflow(folder, "rules", "simulate", "draft.csv", *SINCE, code=1)
    assert "draft" not in told.splitlines()[0]
    assert "west" in told
    assert "8 leads would be without a holder" not in told
    assert "10 leads would be without a holder" in told


SHEET = (
    ("时间", "姓名", "公司", "手机", "城市", "产品", "负责人", "部门"),
    ("2026-11-02 10:00", "李娜", "北京大恒信息技术有限公司", "13900000001", "北京", "", "赵刚", ""),
    ("2026-11-03 11:00", "李娜", "", "139 0000 0001", "", "托盘搬运车", "徐蕾", "华东仓储组"),
    ("2026/11/04 21:00", "张伟", "", "13900000002", "上海", "", "chen-jie", ""),
    ("2026-11-05", "王芳", "", "13900000003", "广州", "", "以前的同事", ""),
)


def test_day_one_from_a_sheet_before_anything_is_there(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "company")
    (tmp_path / "leads.xlsx").write_bytes(write_xlsx("leads", SHEET[0], SHEET[1:]))
    told = simulate(tmp_path, "company", "--leads", "leads.xlsx")
    assert (told["leads"], told["orphans"], told["since"], told["until"]) == (
        4,
        0,
        "2026-11-02",
        "2026-11-05",
    )
    (collision,) = told["collisions"]
    assert collision["customer"] == "北京大恒信息技术有限公司"
    assert collision["departments"] == ["bj-sales", "sh-warehouse"]
    assert (collision["owners"], collision["lines"]) == (["zhao-gang", "xu-lei"], [2, 3])
    assert collision["would"] in ("zhao-gang", "sun-yue", "qian-hao")
    assert told["stay"] == 1, "the second enquiry stays with whoever had the customer by then"
    assert not (tmp_path / "data").exists()

    page = tmp_path / "day-one.html"
    leadflow(
        tmp_path,
        "rules",
        "simulate",
        "company",
        "--leads",
        "leads.xlsx",
        "--html",
        str(page),
        "--language",
        "zh",
    )
    html = page.read_text("utf-8")
    assert "撞单" in html
    assert "http" not in html, "it needs no network"
    assert "北京大恒信息技术有限公司" in html


def test_a_sheet_that_cannot_be_read_says_where(tmp_path: Path) -> None:
    shutil.copytree(DEMO, tmp_path / "company")
    file = tmp_path / "leads.csv"
    simulate = ("rules", "simulate", "company", "--leads", "leads.csv")
    assert "无法读取" in leadflow(tmp_path, *simulate, code=2, lang=CHINESE)
    file.write_text("name,owner\nLi Na,chen-jie\n", "utf-8")
    assert "It needs a column came_at" in leadflow(tmp_path, *simulate, code=2)
    file.write_text("name,came_at\n", "utf-8")
    assert "holds no lead" in leadflow(tmp_path, *simulate, code=2)
    file.write_text("name,came_at\nLi Na,soon\nBo,2026-11-02\n", "utf-8")
    assert "leads.csv, line 2, column came_at (B2): 'soon' is no moment" in leadflow(
        tmp_path, *simulate, code=2
    )
