"""From nothing to a sound installation: `leadflow init`, then run and doctor; people in and out; wrong settings."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest.registry import FORMATS
from leadflow.company import wrong_in_book
from leadflow.settings import SettingsError, read_settings
from sales.check import check
from sales.first_steps import FirstSource, FirstSteps, first_company
from schemas.base import Language
from tests.support.rig import MONDAY_10
from tools.servers import free_port

ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("LEADFLOW_")}


def leadflow(
    folder: Path, *arguments: str, code: int = 0, typed: str = "", lang: str = "C.UTF-8", **more: str
) -> str:
    """Run the command line in a folder and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "leadflow.cli", *arguments],
        env={**ENVIRONMENT, "LEADFLOW_DATA": str(folder / "data"), "LANG": lang, "LC_ALL": lang, **more},
        cwd=folder,
        input=typed.encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == code, done.stdout.decode() + done.stderr.decode()
    return done.stdout.decode() + done.stderr.decode()


PEOPLE = ("--person", "李娜 <li.na@daheng.example>", "--person", "Bob")


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--source", "counter", "--language", "en", "--zone", "Europe/Berlin"),
        ("--source", "email", "--address", "sales@daheng.example"),
    ],
    ids=lambda options: options[1] if options else "web",
)
def test_init_then_run_then_doctor_says_all_is_well(tmp_path: Path, options: tuple[str, ...]) -> None:
    ports = {"LEADFLOW_HTTP_PORT": str(free_port())}
    if "email" in options:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "leadflow.toml").write_text(f"smtp_port = {free_port()}\n")
    said = leadflow(tmp_path, "init", "--yes", "--company", "大恒信息", *PEOPLE, *options)
    commands = [line.strip() for line in said.splitlines() if line.startswith("  ")]
    assert commands == ["leadflow run", "leadflow doctor"]
    assert leadflow(tmp_path, "check", "company").strip() == "0 problems"
    assert leadflow(tmp_path, "diff", "company") == ""
    host = subprocess.Popen(
        [sys.executable, "-m", "leadflow.cli", "run"],
        env={**ENVIRONMENT, "LEADFLOW_DATA": str(tmp_path / "data"), **ports},
        stderr=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 30
        while "FAIL" in (found := doctor(tmp_path, ports)) and time.monotonic() < give_up:
            time.sleep(0.2)
        assert "FAIL" not in found
        assert "a probe reached its end" in found
    finally:
        host.send_signal(signal.SIGTERM)
        host.wait(30)


def doctor(folder: Path, ports: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "leadflow.cli", "doctor"],
        env={**ENVIRONMENT, "LEADFLOW_DATA": str(folder / "data"), **ports},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode == 0) == ("FAIL" not in done.stdout), done.stdout + done.stderr
    return done.stdout + done.stderr


def test_init_asks_in_chinese_until_it_understands(tmp_path: Path) -> None:
    typed = (
        "海川\nMars/Base\nAsia/Shanghai\nfr\nzh\n张三 <zs@x.example>\n李四\n\nfax\nemail\nsales@x.example\n"
    )
    said = leadflow(tmp_path, "init", typed=typed, lang="zh_CN.UTF-8")
    assert "公司名称" in said
    assert "没有时区 'Mars/Base'" in said
    assert "海川：2 人" in said
    assert "smtp_port = " in (tmp_path / "data" / "leadflow.toml").read_text()
    assert 'country = "CN"' in (tmp_path / "company" / "company.toml").read_text()
    assert "zs,张三" in (tmp_path / "company" / "people.csv").read_text()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (PEOPLE, "--company is missing"),
        (("--company", "x"), "--person is missing"),
        (("--company", "x", *PEOPLE, "--zone", "Mars/Base"), "'Mars/Base' is no time zone"),
        (("--company", "x", *PEOPLE, "--source", "fax"), "'fax' is none of: web, email, counter"),
        (("--company", "x", *PEOPLE, "--source", "email"), "--address is missing"),
        (("--company", "x", *PEOPLE, "--source", "email", "--address", "x"), "no mail address"),
    ],
)
def test_init_without_questions_says_what_is_missing(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    assert words in leadflow(tmp_path, "init", "--yes", *options, code=2)
    assert not (tmp_path / "company").exists()


def test_init_changes_nothing_that_is_there(tmp_path: Path) -> None:
    full = ("init", "--yes", "--company", "x", *PEOPLE)
    leadflow(tmp_path, *full)
    assert "is not empty" in leadflow(tmp_path, *full, code=2)
    assert "There is a company" in leadflow(tmp_path, *full, "other", code=2)
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("source", ["web", "email", "counter"])
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "Etc/UTC", "Antarctica/Troll"])
def test_the_first_company_has_no_problems(zone: str, source: FirstSource, language: Language) -> None:
    company = first_company(
        FirstSteps("海川", zone, language, ["安", "薄 <bo@x.example>"], source, "a@x.example")
    )
    formats = {name: one.settings for name, one in FORMATS.items()}
    assert check(company, judge_book=wrong_in_book, formats=formats, now_us=MONDAY_10) == []
    assert company.people["bo"].name == "薄"
    assert len(company.people) == 2


def test_people_go_out_as_a_sheet_and_come_in_with_what_changes(tmp_path: Path) -> None:
    leadflow(tmp_path, "init", "--yes", "--company", "大恒", *PEOPLE)
    leadflow(tmp_path, "people", "template", "people.csv", lang="zh_CN.UTF-8")
    text = (tmp_path / "people.csv").read_text(encoding="utf-8-sig")
    assert text.startswith("工号,姓名")
    (tmp_path / "people.csv").write_text(text.replace("li.na@daheng.example,,", "li.na@daheng.example,,801"))
    (tmp_path / "people.csv").write_text((tmp_path / "people.csv").read_text() + ",王芳,,,,,,,,,Sales\n")
    shown = leadflow(tmp_path, "people", "import", "people.csv", "--dry")
    assert "2 changes" not in leadflow(tmp_path, "diff", "company")
    done = leadflow(tmp_path, "people", "import", "people.csv", "--actor", "li-na")
    # When the new place begins is a moment later, and whole minutes are shown without seconds.
    moment = r"\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?(?= )"
    assert re.sub(moment, "MOMENT", shown) == re.sub(moment, "MOMENT", done)
    before, after = (
        [datetime.fromisoformat(one) for one in re.findall(moment, text)] for text in (shown, done)
    )
    assert all(b <= a < b + timedelta(minutes=1) for b, a in zip(before, after, strict=True))
    assert "801" in done
    assert "王芳" in done
    leadflow(tmp_path, "company", "now")
    assert "王芳" in (tmp_path / "now" / "people.csv").read_text()
    assert leadflow(tmp_path, "people", "import", "people.csv").strip() == "0 changes"
    leadflow(tmp_path, "people", "template", "people.xlsx")
    assert leadflow(tmp_path, "people", "import", "people.xlsx").strip() == "0 changes"


@pytest.mark.parametrize(
    ("sheet", "place", "lang"),
    [
        ("name,team\nAnn,Nowhere\n", "people.csv, line 2, column team", "C.UTF-8"),
        ("name,team\nAnn,Nowhere\n", "people.csv 第 2 行，team 列", "zh_CN.UTF-8"),
        ("name,desk_code\nBob,01\n", "desk_code", "C.UTF-8"),
        ("姓名,状态\n李娜,离职\n", "li-na", "C.UTF-8"),
    ],
)
def test_a_sheet_with_a_problem_changes_nothing_and_names_row_and_fix(
    tmp_path: Path, sheet: str, place: str, lang: str
) -> None:
    leadflow(tmp_path, "init", "--yes", "--company", "大恒", *PEOPLE)
    (tmp_path / "people.csv").write_text(sheet)
    told = leadflow(tmp_path, "people", "import", "people.csv", code=2, lang=lang)
    assert place in told
    assert leadflow(tmp_path, "diff", "company") == ""
    assert "cannot be read" in leadflow(tmp_path, "people", "import", "none.xlsx", code=2)


@pytest.mark.parametrize(
    ("toml", "environment", "words"),
    [
        ("htp_port = 1\n", {}, "leadflow.toml, htp_port: there is no such setting; did you mean http_port?"),
        ("colour = 1\n", {}, "leadflow.toml, colour: there is no such setting; keys are data, host"),
        ('smtp_port = "high"\n', {}, "leadflow.toml, smtp_port: 'high'"),
        ("smtp_port = 70000\n", {}, "less than or equal to 65535"),
        ('smtp_port = "high"\nhttp_port = 0\n', {}, "leadflow.toml, http_port: 0"),
        ("smtp_port\n", {}, "leadflow.toml: this is no TOML"),
        ("", {"LEADFLOW_HTTP_PORT": "x"}, "LEADFLOW_HTTP_PORT: 'x'"),
        ('public_url = "leads.example/x"\n', {}, "public_url: 'leads.example/x'"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place_and_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, toml: str, environment: dict[str, str], words: str
) -> None:
    (tmp_path / "leadflow.toml").write_text(toml)
    monkeypatch.setenv("LEADFLOW_DATA", str(tmp_path))
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        read_settings()
    assert words in str(error.value)
    assert all(line.count("；") >= 1 for line in error.value.lines("zh"))


def test_the_command_line_names_a_wrong_setting_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "leadflow.toml").write_text("htp_port = 1\n")
    told = leadflow(tmp_path, "orphans", code=2, lang="zh_CN.UTF-8")
    assert "没有这个设置项；是否应为 http_port？" in told
    assert "Traceback" not in told
