"""`leadflow match train`, `why` and `why-not`, on a file as people have them."""

from __future__ import annotations

import csv
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner, Result

from leadflow.cli import app

ROWS = [
    ("a1", "张", "伟", "13812345678", "北京大恒信息技术有限公司", "1990-01-02"),
    ("a2", "张", "偉", "+86 138 1234 5678", "大恒信息", "1990/1/2"),
    ("b1", "李", "娜", "13987654321", "北京大恒信息技术有限公司", "1961-07-23"),
]
MAPS = [part for one in ("姓=family_name", "名=given_name", "手机=phone", "公司=company", "生日=birth_date") for part in ("--map", one)]  # fmt: skip


def leadflow(*arguments: str, lang: str = "C") -> Result:
    return CliRunner().invoke(app, ["match", *arguments], env={"LANG": lang, "LC_ALL": lang})


@pytest.fixture
def customers(tmp_path: Path) -> Path:
    path = tmp_path / "customers.csv"
    with path.open("w", encoding="gb18030", newline="") as out:
        csv.writer(out).writerows([("编号", "姓", "名", "手机", "公司", "生日"), *ROWS])
    return path


def test_why_adds_up(customers: Path) -> None:
    done = leadflow("why", "a1", "a2", "--file", str(customers), "--id-column", "编号", *MAPS)
    assert done.exit_code == 0, done.output
    *rows, total, silent = done.output.splitlines()
    assert sum(float(row[:8]) for row in rows) == pytest.approx(float(total[:8]), abs=0.05)
    assert float(total[:8]) > 20
    assert "[张伟 | 张伟]" in done.output
    assert "one person" in total
    assert "mailbox" in silent


def test_why_not_names_what_keeps_them_apart_in_chinese(customers: Path) -> None:
    done = leadflow(
        "why-not", "a1", "b1", "--file", str(customers), "--id-column", "编号", *MAPS, lang="zh_CN.UTF-8"
    )
    assert done.exit_code == 0, done.output
    after = done.output.split("比特\n", 1)[1].splitlines()
    assert "姓名：不同" in after[0]
    assert "距各半概率还差" in done.output


def test_the_customer_question_is_asked_by_level(customers: Path) -> None:
    done = leadflow("why", "1", "3", "--file", str(customers), *MAPS, "--level", "customer")
    assert "one customer" in done.output
    refused = leadflow("why", "1", "3", "--file", str(customers), *MAPS, "--level", "firm")
    assert refused.exit_code == 2
    assert "contact or customer" in refused.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--map", "名=first_name"], "with a field of: full_name, given_name"),
        (["--map", "nix=phone"], "has no column nix"),
        ([], "named like a field"),
        (["--map", "名=full_name", "--id-column", "编号"], "has no record 1"),
        (["--map", "名=full_name", "--model", "nowhere.json"], "nowhere.json"),
    ],
)
def test_what_cannot_be_read_is_said(customers: Path, arguments: list[str], said: str) -> None:
    done = leadflow("why", "1", "2", "--file", str(customers), *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_train_writes_a_model_that_why_reads(customers: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.json"
    done = leadflow("train", str(customers), *MAPS, "--out", str(model))
    assert done.exit_code == 0, done.output
    assert "3 records, 0 random pairs" in done.output
    assert orjson.loads(model.read_bytes())["format"] == "leadflow.match_model.v1"
    done = leadflow("why", "1", "2", "--file", str(customers), *MAPS, "--model", str(model))
    assert done.exit_code == 0, done.output
    model.write_text("{}")
    done = leadflow("why", "1", "2", "--file", str(customers), *MAPS, "--model", str(model))
    assert done.exit_code == 2
    assert "no match model" in done.output
